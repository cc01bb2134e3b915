/**
 * The replicated state of one node: takes records from disk, peers and ourselves, and says what
 * follows from them: what to write to disk, what to notify, what to raise an alarm about.
 */
import type { Codec } from '../effect.ts'
import type { Signed } from '../signed.ts'
import type { NodeId } from '../types.ts'
import { ALARMS_MAX, EVIDENCE_MS } from './constants.ts'
import {
  isReplicatedRecord,
  isSharedRecord,
  isUid,
  type RecordsMessage,
  type ReplicatedRecord
} from './message.ts'
import { Operations } from './operations.ts'
import type { Outbox } from './outbox.ts'
import { Owners } from './owners.ts'
import type { OwnChange, OwnRecord, OwnVerdict } from './record.ts'
import type { SharedWrite, Sibling } from './register.ts'
import type { Taken } from './repair.ts'
import { type SharedChange, SharedState, type SharedVerdict } from './shared.ts'
import { Stability } from './stability.ts'

/** What a write was that has had its effect, or whose life has: nothing changes by it any more. */
const HAS_BEEN: readonly SharedVerdict[] = ['applied', 'known', 'superseded', 'removed']

export class ReplicaState {
  readonly #self: NodeId
  readonly owners: Owners
  readonly stability: Stability
  readonly shared: SharedState
  readonly operations = new Operations()
  /** What was dropped, by reason. */
  readonly dropped = new Map<string, number>()
  readonly #codec: Codec
  readonly #alarms = new Set<string>()

  constructor(components: { codec: Codec }, self: NodeId) {
    this.#codec = components.codec
    this.#self = self
    this.owners = new Owners(self)
    this.stability = new Stability(self)
    this.shared = new SharedState(this.stability)
  }

  readonly drop = (reason: string): void => {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1)
  }

  /** Takes a page of a repair. */
  takePage(page: RecordsMessage, out: Outbox, onSelf: (record: OwnRecord) => void): Taken {
    let fresh = 0
    let strangers = 0
    for (const record of page.records) {
      const verdict = this.take(record, out, onSelf)
      if (verdict === 'applied' || verdict === 'clash') fresh += 1
      if (verdict === 'stranger') strangers += 1
    }
    const changes: SharedChange[] = []
    for (const uid of page.removed) {
      if (this.shared.mergeRemoved(uid, changes) === 'applied') fresh += 1
    }
    this.#recordShared(changes, out, true)
    return { fresh, strangers }
  }

  /** Takes one record of a peer. `onSelf` hears of news under our own name. */
  take(
    record: ReplicatedRecord,
    out: Outbox,
    onSelf: (record: OwnRecord) => void
  ): OwnVerdict | SharedVerdict | 'stranger' {
    if (isSharedRecord(record)) return this.takeShared(record, out)
    const own = record as OwnRecord
    if (!this.owners.rostered.has(own.body.node)) {
      this.owners.keepStranger(own)
      this.drop('stranger')
      return 'stranger'
    }
    const verdict = this.takeOwn(own, out)
    if (verdict === 'applied' || verdict === 'clash') onSelf(own)
    return verdict
  }

  takeOwn(record: OwnRecord, out: Outbox): OwnVerdict {
    const changes: OwnChange[] = []
    const verdict = this.owners.merge(record, changes)
    const { node, key } = record.body
    if (verdict === 'limit') this.drop('limit')
    if (verdict === 'clash') this.#alarm(record, node, key, 'two records of one version', out)
    this.#recordOwn(node, changes, out, true)
    return verdict
  }

  takeShared(write: SharedWrite, out: Outbox): SharedVerdict {
    const changes: SharedChange[] = []
    const verdict = this.shared.merge(write, changes)
    const { dot, key } = write.body
    if (verdict === 'limit') this.drop('limit')
    if (verdict === 'clash') this.#alarm(write, dot.node, key, 'two writes of one dot', out)
    if (HAS_BEEN.includes(verdict)) this.operations.note(write.body)
    this.#recordShared(changes, out, true)
    return verdict
  }

  /** Drops all records of an owner that the roster has forgotten. */
  forget(node: NodeId, out: Outbox): void {
    this.stability.forget(node)
    this.#recordOwn(node, this.owners.forget(node), out, true)
  }

  /** Shrinks the tombstones that every rostered node holds, once nobody asks for them again. */
  collect(nowMs: number, out: Outbox): void {
    const old = this.stability.olderThan(EVIDENCE_MS, nowMs)
    // Mostly there are none, and each of N peers brings us here.
    if (!this.shared.hasTombstones) return
    const stable = this.stability.stable(this.owners.rostered)
    for (const uid of this.shared.collect(stable, old)) {
      out.persist(`removed/${uid}`, this.#codec.encode(null), false)
    }
  }

  /** Writes what we hold of a register, or of a removal, to disk again: an ack must follow it. */
  persistAgain(write: SharedWrite, out: Outbox): void {
    const { key, uid, remove } = write.body
    if (remove) this.#persistRemoved(uid, this.shared.evidence(uid), out)
    const siblings = this.shared.register(key)?.siblings ?? []
    for (const sibling of siblings) this.#persistSibling(key, sibling, out)
  }

  /**
   * Fills the state from disk and notifies it. Nothing sound is written again. Gives how many
   * records are of another version, or damaged in a way that the store cannot see. They stay on
   * the disk, and the state is not the whole of what this node knew.
   */
  load(
    persisted: readonly { readonly key: string; readonly value: Uint8Array }[],
    out: Outbox
  ): number {
    const unread = new Set<string>()
    for (const { key, value } of persisted) {
      const loaded = this.#decode(value)
      const changes: SharedChange[] = []
      const uid = key.startsWith('removed/') ? key.slice('removed/'.length) : ''
      if (isUid(uid) && loaded === null) this.shared.mergeRemoved(uid, changes)
      else if (!isReplicatedRecord(loaded)) unread.add(key)
      else if (isSharedRecord(loaded)) this.#loadShared(loaded, uid, changes)
      else this.#loadOwn(loaded as OwnRecord, key, out)
      this.#recordShared(changes, out, false)
    }
    // What removals and markers on the same disk made void.
    this.#sweep(
      persisted.filter(({ key }) => !unread.has(key)),
      out
    )
    const [key] = unread
    if (key === undefined) return 0
    const more = unread.size === 1 ? '' : ` (nor ${unread.size - 1} others)`
    const reason = `this version cannot read it${more}; it stays on the disk, peers are asked`
    out.notify({ kind: 'alarm', node: this.#self, key, reason })
    return unread.size
  }

  #loadShared(write: SharedWrite, uid: string, changes: SharedChange[]): void {
    // Evidence may be an edit that ended another life; only that is what this key holds.
    if (uid !== '' && uid !== write.body.uid && !write.body.ends.includes(uid)) {
      return this.drop('damaged')
    }
    this.shared.merge(write, changes)
    this.operations.note(write.body)
  }

  #loadOwn(record: OwnRecord, key: string, out: Outbox): void {
    const changes: OwnChange[] = []
    const { node } = record.body
    if (key !== `own/${node}/${record.body.key}`) return this.drop('damaged')
    this.owners.merge(record, changes)
    this.#recordOwn(node, changes, out, false)
  }

  #sweep(persisted: readonly { readonly key: string }[], out: Outbox): void {
    for (const { key } of persisted) {
      if (!key.startsWith('shared/')) continue
      const at = key.lastIndexOf('#')
      const siblings = this.shared.register(key.slice('shared/'.length, at))?.siblings ?? []
      const held = siblings.some(({ hash }) => hash.toString(16) === key.slice(at + 1))
      if (!held) out.persist(key, null, false)
    }
  }

  #decode(value: Uint8Array): unknown {
    try {
      return this.#codec.decode(value)
    } catch {
      return undefined
    }
  }

  #recordOwn(node: NodeId, changes: readonly OwnChange[], out: Outbox, write: boolean): void {
    for (const { key, record, value } of changes) {
      const name = `own/${node}/${key}`
      if (record === undefined) out.persist(name, null, false)
      else if (write) out.persist(name, this.#codec.encode(record), false)
      if (value !== undefined) out.notify({ kind: 'own', node, key, value })
    }
  }

  #recordShared(changes: readonly SharedChange[], out: Outbox, write: boolean): void {
    for (const change of changes) {
      if (change.kind === 'removed') {
        if (write) this.#persistRemoved(change.uid, change.evidence, out)
        continue
      }
      const { key, before, after } = change
      for (const sibling of before) {
        if (!after.includes(sibling)) out.persist(siblingKey(key, sibling), null, true)
      }
      for (const sibling of after) {
        if (write && !before.includes(sibling)) this.#persistSibling(key, sibling, out)
      }
      out.changed(key)
    }
  }

  #persistSibling(key: string, sibling: Sibling, out: Outbox): void {
    out.persist(siblingKey(key, sibling), this.#codec.encode(sibling.write), true)
  }

  #persistRemoved(uid: string, evidence: Signed | undefined, out: Outbox): void {
    out.persist(`removed/${uid}`, this.#codec.encode(evidence ?? null), true)
  }

  /** Raises each alarm once. */
  #alarm(record: ReplicatedRecord, node: NodeId, key: string, reason: string, out: Outbox): void {
    const version = isSharedRecord(record)
      ? record.body.dot.counter
      : `${(record as OwnRecord).body.incarnation}.${(record as OwnRecord).body.counter}`
    const name = `${node}/${version}/${key}`
    if (this.#alarms.has(name) || this.#alarms.size >= ALARMS_MAX) return
    this.#alarms.add(name)
    out.notify({ kind: 'alarm', node, key, reason: `${reason}: a cloned node or a bug` })
  }
}

function siblingKey(key: string, sibling: Sibling): string {
  return `shared/${key}#${sibling.hash.toString(16)}`
}
