/**
 * The replication machine (`protocols.md` 3): input in, effects out. It branches; the state, the
 * publisher of our own records, the writer of shared ones and the repair compute.
 *
 * The executor must keep the order of effects across inputs as well: what a later input sends
 * waits for what an earlier one persists (`node/agent/lanes.ts`).
 */
import { unreachable } from '../assert.ts'
import type { Codec } from '../effect.ts'
import type { Sealer } from '../signed.ts'
import type { BootId, NodeId, Random } from '../types.ts'
import type {
  Repeated,
  ReplicationCommand,
  ReplicationEffect,
  ReplicationInput,
  SharedEntry
} from './api.ts'
import * as limits from './constants.ts'
import { hexOf } from './hash.ts'
import type { ReplicatedRecord, ReplicationMessage } from './message.ts'
import { Outbox, sizeOf } from './outbox.ts'
import { Publisher } from './publisher.ts'
import type { OwnRecord } from './record.ts'
import { Repair, type RepairStats } from './repair.ts'
import { ReplicaState } from './state.ts'
import type { ReplicationTimer } from './timer.ts'
import { TokenBuckets } from './token-bucket.ts'
import { type WriteCommand, Writer } from './writer.ts'

export interface ReplicaComponents {
  readonly random: Random
  readonly sealer: Sealer
  readonly codec: Codec
}

export interface ReplicaConfig {
  /** Drawn at each start: no dot is ever used twice, not even by a restored backup. */
  readonly boot: BootId
  /** Anti-entropy with one random peer. Bound: well above a round trip; traffic is one pair of
   * digests (about 120 bytes) each. */
  readonly repairEveryMs?: number
}

export interface ReplicaStats {
  readonly owners: number
  readonly ownRecords: number
  readonly registers: number
  readonly removed: number
  /** Signed removals that some rostered node may not hold yet. */
  readonly tombstones: number
  readonly pendingWrites: number
  readonly dropped: Readonly<Record<string, number>>
  readonly repair: Readonly<RepairStats>
}

const NO_VALUES: ReadonlyMap<string, Uint8Array> = new Map()

export class Replica {
  readonly #self: NodeId
  readonly #random: Random
  readonly #repairEveryMs: number
  readonly #state: ReplicaState
  readonly #publisher: Publisher
  readonly #writer: Writer
  readonly #repair: Repair
  readonly #authors = new TokenBuckets({
    burst: limits.AUTHOR_BYTES_BURST,
    perSecond: limits.AUTHOR_BYTES_PER_SECOND
  })
  /** Peers with an open link, and which opening it is. */
  readonly #links = new Map<NodeId, number>()
  #alive: readonly NodeId[] = []
  /** Writes that came before our incarnation was settled. */
  #early: WriteCommand[] = []
  #linkToken = 0
  #repairToken = 0
  #repairAtMs = 0
  #amnesiac = false
  #unread = 0

  constructor(components: ReplicaComponents, config: ReplicaConfig) {
    const { random, sealer } = components
    this.#self = sealer.self
    this.#random = random
    this.#repairEveryMs = config.repairEveryMs ?? limits.REPAIR_EVERY_MS
    this.#state = new ReplicaState(components, sealer.self)
    const state = this.#state
    this.#publisher = new Publisher({ sealer, state })
    const alive = (): readonly NodeId[] => this.#alive
    this.#writer = new Writer({ sealer, random, state, alive }, config.boot)
    this.#repair = new Repair({
      ...{ owners: state.owners, shared: state.shared, stability: state.stability, random },
      take: (page, out) => state.takePage(page, out, record => this.#seenOwn(record, out)),
      drop: state.drop
    })
  }

  /** Keys of one owner and what they read as. */
  own(node: NodeId): ReadonlyMap<string, Uint8Array> {
    return this.#state.owners.get(node)?.values ?? NO_VALUES
  }

  /** Nodes that have records, sorted. */
  owners(): readonly NodeId[] {
    return this.#state.owners.nodes()
  }

  /** Registers whose key begins with `prefix`, sorted by key. */
  shared(prefix: string): readonly SharedEntry[] {
    return this.#state.shared.entries(prefix)
  }

  /** True when a register may have been written by an operation that it tells of no more. */
  isForgetful(key: string): boolean {
    return this.#state.shared.isForgetful(key)
  }

  /** What an operation of a submitter has written before, as far as this node knows. */
  repeated(operation: string): readonly Repeated[] {
    return this.#writer.repeated(operation)
  }

  entry(key: string): SharedEntry | undefined {
    return this.#state.shared.entry(key)
  }

  /** That life has ended, for ever. */
  removed(uid: string): boolean {
    return this.#state.shared.removed(uid)
  }

  /** 16 hex digits over the whole replicated state: equal on equal replicas. */
  digest(): string {
    return hexOf(this.#state.owners.sum(), this.#state.shared.sum())
  }

  /** How many changes of shared registers this node has on its disk. */
  get changes(): number {
    return this.#state.stability.latest
  }

  /** Somebody of those that `counts` was seen, since the start, to hold the first so many. */
  isHeld(changes: number, counts: (peer: NodeId) => boolean): boolean {
    return this.#state.stability.isHeld(changes, counts)
  }

  /** A peer that had lost nothing gave us all it had, since the start. */
  get synced(): boolean {
    return this.#repair.synced
  }

  get amnesiac(): boolean {
    return this.#amnesiac
  }

  /** Records on this disk that this version of the program cannot read. */
  get unread(): number {
    return this.#unread
  }

  stats(): ReplicaStats {
    const { owners, shared, dropped } = this.#state
    return {
      owners: owners.nodes().length,
      ownRecords: owners.recordCount,
      registers: shared.registerCount,
      removed: shared.removedCount,
      tombstones: shared.tombstoneCount,
      pendingWrites: this.#writer.pendingCount,
      dropped: Object.fromEntries([...dropped].sort()),
      repair: { ...this.#repair.stats }
    }
  }

  /** The only entry. */
  handle(input: ReplicationInput, nowMs: number): ReplicationEffect[] {
    const out = new Outbox()
    this.#take(input, nowMs, out)
    if (this.#amnesiac && this.#repair.synced) this.#recover(out)
    return out.drain(key => {
      const entry = this.#state.shared.entry(key) ?? { key, current: undefined, conflicts: [] }
      return { kind: 'shared', entry }
    })
  }

  #take(input: ReplicationInput, nowMs: number, out: Outbox): void {
    switch (input.kind) {
      case 'start':
        return this.#start(input, nowMs, out)
      case 'message':
        if (input.from === undefined) return this.#published(input.message, nowMs, out)
        return this.#message(input.from, input.message, nowMs, out)
      case 'timer':
        return this.#timer(input.timer, nowMs, out)
      case 'link':
        if (input.state === 'open') return this.#greet(input.peer, nowMs, out)
        this.#links.delete(input.peer)
        return this.#repair.end(input.peer)
      case 'command':
        return this.#command(input.command, nowMs, out)
      default:
        unreachable(input)
    }
  }

  #start(input: Extract<ReplicationInput, { kind: 'start' }>, nowMs: number, out: Outbox): void {
    const marked = input.persisted.some(({ key }) => key === limits.AMNESIA_KEY)
    this.#setAmnesiac(input.amnesiac || marked)
    this.#unread = this.#state.load(
      input.persisted.filter(({ key }) => key !== limits.AMNESIA_KEY),
      out
    )
    if (this.#unread > 0) this.#setAmnesiac(true)
    this.#publisher.start()
    this.#repairBy(nowMs + this.#jitter(this.#repairEveryMs), nowMs, out)
  }

  #setAmnesiac(amnesiac: boolean): void {
    this.#amnesiac = amnesiac
    this.#repair.amnesiac = amnesiac
    this.#writer.amnesiac = amnesiac
    this.#publisher.held = amnesiac
  }

  #recover(out: Outbox): void {
    this.#setAmnesiac(false)
    out.persist(limits.AMNESIA_KEY, null, true)
    out.notify({ kind: 'resynced' })
    this.#publisher.flush(out)
  }

  #published(message: ReplicationMessage, nowMs: number, out: Outbox): void {
    if (message.kind !== 'delta') return this.#state.drop('channel')
    this.#takeAll(message.records, nowMs, out)
  }

  /** News that nobody asked for: so much of each author, repair brings the rest. */
  #takeAll(records: readonly ReplicatedRecord[], nowMs: number, out: Outbox): void {
    for (const record of records) {
      if (!this.#authors.take(record.author, sizeOf(record), nowMs)) this.#state.drop('rate')
      else this.#state.take(record, out, own => this.#seenOwn(own, out))
    }
  }

  #seenOwn(record: OwnRecord, out: Outbox): void {
    if (record.body.node === this.#self) this.#publisher.seen(record, out)
  }

  #message(from: NodeId, message: ReplicationMessage, nowMs: number, out: Outbox): void {
    switch (message.kind) {
      case 'delta':
        return this.#takeAll(message.records, nowMs, out)
      case 'store':
        if (!this.#authors.take(from, sizeOf(message.record), nowMs))
          return this.#state.drop('rate')
        return this.#writer.onStore(from, message, out)
      case 'stored':
        return this.#writer.onStored(from, message, out)
      case 'digest':
        this.#repair.onDigest(from, message, nowMs, out)
        return this.#state.collect(nowMs, out)
      case 'same':
        this.#repair.onSame(from, message, nowMs, out)
        return this.#state.collect(nowMs, out)
      case 'summary':
        return this.#repair.onSummary(from, message, nowMs, out)
      case 'want':
        return this.#repair.onWant(from, message, nowMs, out)
      case 'records': {
        const before = this.#repair.stats.recordsTaken
        this.#repair.onRecords(from, message, nowMs, out)
        if (this.#repair.stats.recordsTaken > before) {
          this.#repairBy(nowMs + this.#jitter(limits.REPAIR_AGAIN_MS), nowMs, out)
        }
        return
      }
      default:
        unreachable(message)
    }
  }

  #timer(timer: ReplicationTimer, nowMs: number, out: Outbox): void {
    switch (timer.kind) {
      case 'flush':
        return this.#publisher.flush(out)
      case 'repair':
        if (timer.token === this.#repairToken) this.#repairSomebody(nowMs, out)
        return
      case 'greet':
        if (this.#links.get(timer.peer) === timer.token) this.#repair.begin(timer.peer, nowMs, out)
        return
      case 'store':
        return this.#writer.onTimer(timer.write, timer.token, nowMs, out)
      default:
        unreachable(timer)
    }
  }

  #repairSomebody(nowMs: number, out: Outbox): void {
    this.#repairAtMs = Number.POSITIVE_INFINITY
    this.#repairBy(nowMs + this.#jitter(this.#repairEveryMs), nowMs, out)
    this.#state.collect(nowMs, out)
    const others = this.#alive.filter(peer => peer !== this.#self)
    const linked = others.filter(peer => this.#links.has(peer))
    const peers = linked.length > 0 ? linked : others
    const peer = peers.length > 0 ? peers[this.#random.int(peers.length)] : undefined
    if (peer !== undefined) this.#repair.begin(peer, nowMs, out)
  }

  /** Brings the next repair forward to `atMs`; never puts it off. */
  #repairBy(atMs: number, nowMs: number, out: Outbox): void {
    if (this.#repairToken > 0 && atMs >= this.#repairAtMs) return
    this.#repairAtMs = atMs
    this.#repairToken += 1
    out.schedule(atMs - nowMs, { kind: 'repair', token: this.#repairToken })
  }

  /** Plus or minus a fifth: meshes that start together must not repair together. */
  #jitter(ms: number): number {
    return Math.round(ms * 0.8) + this.#random.int(Math.max(1, Math.round(ms * 0.4)))
  }

  /** A link has opened: a join or a heal. */
  #greet(peer: NodeId, nowMs: number, out: Outbox): void {
    this.#linkToken += 1
    this.#links.set(peer, this.#linkToken)
    const first = this.#self < peer
    for (const afterMs of limits.GREET_AFTER_MS) {
      if (afterMs > 0) {
        out.schedule(afterMs, { kind: 'greet', peer, token: this.#linkToken })
      } else if (first) this.#repair.begin(peer, nowMs, out)
    }
  }

  #command(command: ReplicationCommand, nowMs: number, out: Outbox): void {
    switch (command.kind) {
      case 'own':
        return this.#publisher.own(command.key, command.value, out)
      case 'write':
      case 'confirm':
        return this.#write(command, nowMs, out)
      case 'members':
        return this.#members(command, nowMs, out)
      case 'incarnation': {
        this.#publisher.settle(command.incarnation, out)
        const early = this.#early
        this.#early = []
        for (const write of early) this.#writer.write(write, nowMs, out)
        return
      }
      case 'complete':
        return this.#publisher.complete(out)
      case 'flush':
        return this.#publisher.flush(out)
      default:
        unreachable(command)
    }
  }

  #write(command: WriteCommand, nowMs: number, out: Outbox): void {
    if (this.#publisher.settled) return this.#writer.write(command, nowMs, out)
    if (this.#early.length < limits.PENDING_WRITES_MAX) {
      this.#early.push(command)
      return
    }
    const { operation } = command
    out.notify({ kind: 'refused', operation, reason: 'limit', current: undefined })
  }

  #members(
    command: Extract<ReplicationCommand, { kind: 'members' }>,
    nowMs: number,
    out: Outbox
  ): void {
    this.#alive = command.alive
    const before = this.#state.owners.rostered
    const rostered = new Set([...command.rostered, this.#self])
    const { forgotten, welcome } = this.#state.owners.setRoster(rostered)
    for (const node of forgotten) this.#state.forget(node, out)
    this.#takeAll(welcome, nowMs, out)
    const joined = command.rostered.some(node => !before.has(node))
    // Their records may have been refused while they were strangers.
    if (joined && this.#state.dropped.has('stranger')) {
      this.#repairBy(nowMs + this.#jitter(limits.REPAIR_AGAIN_MS), nowMs, out)
    }
  }
}
