/**
 * Everything this node knows of the mesh, decoded and indexed: members, what they publish, and
 * the workloads everybody wants. Filled from membership and replication events; read by mapping,
 * claims and reports. Decides nothing. Values that do not have their shape are left out and
 * counted: a peer may have written them.
 */
import type { Member } from '../../gossip/core/membership/api.ts'
import type { NodeId } from '../../gossip/core/types.ts'
import { hasLocalData, type WorkloadSpec } from '../../src/spec/workload.ts'
import { type Claim, ClaimBook } from './claim-book.ts'
import { generationOf } from './generation.ts'
import * as records from './records.ts'

export interface WorkloadView {
  readonly uid: string
  readonly key: string
  readonly record: records.WorkloadRecord
  /** `<generation>.<template hash>`. */
  readonly generation: string
  /** Which placement item it belongs to: itself, or its project group. */
  readonly item: string
  /** Its slots stay where they ran (`protocols.md` 4, Data). */
  readonly sticky: boolean
  readonly conflicts: number
}

/** What a shared register reads as, decoded. */
export interface SharedValue {
  readonly key: string
  readonly uid: string | undefined
  readonly value: unknown
  /** Other lives of the name that lost to `uid`, still readable. */
  readonly losers: readonly string[]
  readonly conflicts: number
}

/** What changed in what placement reads; collected until the next evaluation. */
export interface Dirty {
  readonly nodes: Set<NodeId>
  readonly items: Set<string>
  /** Workloads to decide about again. */
  readonly uids: Set<string>
}

export function itemOf(uid: string, spec: WorkloadSpec): string {
  return spec.group === undefined ? uid : `group/${spec.project}/${spec.group}`
}

/** A workload as the view holds it. */
export function workloadView(
  uid: string,
  key: string,
  record: records.WorkloadRecord,
  conflicts: number
): WorkloadView {
  const { spec } = record
  return {
    uid,
    key,
    record,
    generation: generationOf(record),
    item: itemOf(uid, spec),
    sticky: hasLocalData(spec) || spec.partition === 'manual' || spec.rebalance === 'never',
    conflicts
  }
}

export class View {
  readonly members = new Map<NodeId, Member>()
  readonly infos = new Map<NodeId, records.NodeInfo>()
  readonly loads = new Map<NodeId, records.NodeLoad>()
  readonly views = new Map<NodeId, records.NodeView>()
  readonly workloads = new Map<string, WorkloadView>()
  /** Item uid -> uids of its workloads. */
  readonly items = new Map<string, Set<string>>()
  /** A uid that lost its name on the other side of a cut -> the uid that runs instead. */
  readonly lost = new Map<string, string>()
  readonly dirty: Dirty = { nodes: new Set(), items: new Set(), uids: new Set() }
  invalidCount = 0
  readonly #readSpec: (value: unknown) => WorkloadSpec | undefined
  readonly #uidOfKey = new Map<string, string>()
  readonly #claims = new ClaimBook()
  readonly #failed = new Map<string, Map<NodeId, records.FailedRecord>>()
  readonly #noClaims = new Map<string, Map<string, NoClaim>>()
  readonly #duels = new Map<string, Map<string, records.DuelRecord>>()
  readonly #abandoned = new Map<string, ReadonlySet<string>>()

  constructor(components: { readSpec: (value: unknown) => WorkloadSpec | undefined }) {
    this.#readSpec = components.readSpec
  }

  setMember(member: Member): void {
    const before = this.members.get(member.id)
    const lived = this.living(member.id)
    this.members.set(member.id, member)
    this.#nodeChanged(member.id)
    const same = before?.boot === member.boot && before.phase === member.phase
    if (lived !== this.living(member.id) || !same) {
      this.#claimsChanged(member.id)
    }
  }

  dropMember(node: NodeId): void {
    this.members.delete(node)
    this.#nodeChanged(node)
    this.#claimsChanged(node)
  }

  /** Whom to gossip with, and whose disks count. Sorted. */
  roster(): { readonly alive: readonly NodeId[]; readonly rostered: readonly NodeId[] } {
    const members = [...this.members.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
    const alive = members.filter(({ id }) => this.living(id)).map(({ id }) => id)
    const rostered = members.filter(({ state }) => state !== 'left').map(({ id }) => id)
    return { alive, rostered }
  }

  /** A member that placement may use: not dead, not left. Suspicion changes nothing. */
  living(node: NodeId): boolean {
    const state = this.members.get(node)?.state
    return state === 'alive' || state === 'suspect'
  }

  /** How long news may still come of members that came lately: what they have, and, where it is
   * about data, what they hold. 0: they had their time. */
  unheardMs(
    nowMs: number,
    waits: { readonly infoWaitMs: number; readonly dataWaitMs: number },
    isData: boolean
  ): number {
    let leftMs = 0
    for (const [id, { sinceMs }] of this.members) {
      if (!this.living(id)) continue
      const infoMs = this.infos.has(id) ? 0 : waits.infoWaitMs
      const dataMs = isData ? waits.dataWaitMs : 0
      leftMs = Math.max(leftMs, sinceMs + Math.max(infoMs, dataMs) - nowMs)
    }
    return leftMs
  }

  /** All claims of a workload, by slot, then node, also of dead nodes. */
  claims(uid: string): readonly Claim[] {
    return this.#claims.of(uid)
  }

  /** Those of one slot. */
  claimsAt(uid: string, slot: number): readonly Claim[] {
    return this.#claims.at(uid, slot)
  }

  claim(uid: string, slot: number, node: NodeId): records.AllocationRecord | undefined {
    return this.#claims.get(uid, slot, node)
  }

  /** Every uid that has a claim anywhere, known workload or not. */
  claimed(): Iterable<string> {
    return this.#claims.uids()
  }

  failed(uid: string): ReadonlyMap<NodeId, records.FailedRecord> {
    return this.#failed.get(uid) ?? new Map()
  }

  noClaims(uid: string): readonly NoClaim[] {
    return [...(this.#noClaims.get(uid)?.values() ?? [])]
  }

  duel(uid: string, slot: number, mine: string, theirs: string): records.DuelRecord | undefined {
    for (const word of this.#duels.get(`${uid}/${slot}`)?.values() ?? []) {
      if (word.mine === mine && word.theirs === theirs) return word
    }
    return undefined
  }

  abandoned(uid: string, slot: number, claim: string): boolean {
    return this.#abandoned.get(`${uid}/${slot}`)?.has(claim) ?? false
  }

  uidOf(project: string, name: string): string | undefined {
    return this.#uidOfKey.get(`workload/${project}/${name}`)
  }

  /** A record of an owner changed. `value` is decoded, `null` when the owner deleted it. */
  setOwn(node: NodeId, key: string, value: unknown): void {
    const [kind = '', uid = '', slot = '', rival = ''] = key.split('/')
    switch (kind) {
      case 'info': {
        this.#set(this.infos, node, value, records.isNodeInfo)
        this.#nodeChanged(node)
        // Draining and labels say which of its claims are pins.
        this.#claimsChanged(node)
        break
      }
      case 'load':
        this.#set(this.loads, node, value, records.isNodeLoad)
        this.#nodeChanged(node)
        break
      case 'view':
        this.#set(this.views, node, value, records.isNodeView)
        break
      case 'alloc':
        this.#setClaim(node, uid, Number(slot), value)
        break
      case 'failed':
        this.#set(this.#inner(this.#failed, uid), node, value, records.isFailedRecord)
        this.#workloadChanged(uid)
        break
      case 'noclaim':
        this.#setNoClaim(node, uid, Number(slot), value)
        break
      case 'duel':
        this.#setDuel(node, { uid, slot, rival }, value)
        break
      default:
        this.invalidCount += 1
    }
  }

  /** A shared register changed; `uid` undefined when its life was removed. */
  setShared(shared: SharedValue): void {
    const [kind = '', first = '', second = ''] = shared.key.split('/')
    if (kind === 'workload') this.#setWorkload(shared)
    else if (kind === 'abandon') this.#setAbandoned(first, second, shared.value)
  }

  #setWorkload(shared: SharedValue): void {
    const before = this.#uidOfKey.get(shared.key)
    if (before !== undefined) this.#dropWorkload(before, shared.key)
    for (const loser of shared.losers) {
      if (shared.uid !== undefined) this.lost.set(loser, shared.uid)
      this.dirty.uids.add(loser)
    }
    if (shared.uid === undefined) return
    const record = records.readWorkloadRecord(shared.value, this.#readSpec)
    if (record === undefined) {
      this.invalidCount += 1
      return
    }
    const workload = workloadView(shared.uid, shared.key, record, shared.conflicts)
    this.lost.delete(shared.uid)
    this.#uidOfKey.set(shared.key, shared.uid)
    this.workloads.set(shared.uid, workload)
    const { item } = workload
    const members = this.items.get(item) ?? new Set()
    this.items.set(item, members.add(shared.uid))
    this.#workloadChanged(shared.uid)
  }

  #dropWorkload(uid: string, key: string): void {
    const workload = this.workloads.get(uid)
    this.#uidOfKey.delete(key)
    this.workloads.delete(uid)
    this.dirty.uids.add(uid)
    if (workload === undefined) return
    const members = this.items.get(workload.item)
    members?.delete(uid)
    if (members?.size === 0) this.items.delete(workload.item)
    this.dirty.items.add(workload.item)
  }

  #setClaim(node: NodeId, uid: string, slot: number, value: unknown): void {
    if (value === null) this.#claims.delete(uid, slot, node)
    else if (Number.isSafeInteger(slot) && slot >= 0 && records.isAllocationRecord(value)) {
      this.#claims.set(uid, { node, slot, record: value })
    } else this.invalidCount += 1
    this.#workloadChanged(uid)
  }

  #setNoClaim(writer: NodeId, uid: string, slot: number, value: unknown): void {
    const inner = this.#inner(this.#noClaims, uid)
    if (records.isNoClaimRecord(value)) inner.set(`${slot}/${writer}`, { writer, slot, ...value })
    else inner.delete(`${slot}/${writer}`)
    if (inner.size === 0) this.#noClaims.delete(uid)
    this.#workloadChanged(uid)
  }

  #setDuel(
    writer: NodeId,
    of: { readonly uid: string; readonly slot: string; readonly rival: string },
    value: unknown
  ): void {
    const { uid, slot, rival } = of
    const words = this.#inner(this.#duels, `${uid}/${slot}`)
    if (records.isDuelRecord(value)) words.set(`${writer}/${rival}`, value)
    else words.delete(`${writer}/${rival}`)
    if (words.size === 0) this.#duels.delete(`${uid}/${slot}`)
    this.dirty.uids.add(uid)
  }

  #setAbandoned(uid: string, slot: string, value: unknown): void {
    if (records.isAbandonRecord(value)) this.#abandoned.set(`${uid}/${slot}`, new Set(value.claims))
    else this.#abandoned.delete(`${uid}/${slot}`)
    this.#workloadChanged(uid)
  }

  #workloadChanged(uid: string): void {
    this.dirty.uids.add(uid)
    const workload = this.workloads.get(uid)
    if (workload !== undefined) this.dirty.items.add(workload.item)
  }

  #nodeChanged(node: NodeId): void {
    this.dirty.nodes.add(node)
  }

  /** A node came or went: what its claims and failure records stand for changes too. */
  #claimsChanged(node: NodeId): void {
    for (const uid of this.#claims.uidsOf(node)) this.#workloadChanged(uid)
    for (const [uid, records] of this.#noClaims) {
      for (const record of records.values()) {
        if (record.node === node || record.writer === node) this.#workloadChanged(uid)
      }
    }
  }

  #inner<K, V>(map: Map<string, Map<K, V>>, uid: string): Map<K, V> {
    const inner = map.get(uid) ?? new Map<K, V>()
    map.set(uid, inner)
    return inner
  }

  #set<K, V>(map: Map<K, V>, key: K, value: unknown, check: (value: unknown) => value is V): void {
    if (value === null) map.delete(key)
    else if (check(value)) map.set(key, value)
    else this.invalidCount += 1
  }
}

export interface NoClaim extends records.NoClaimRecord {
  readonly writer: NodeId
  readonly slot: number
}
