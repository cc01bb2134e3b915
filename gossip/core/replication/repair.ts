/**
 * Anti-entropy between two replicas (`protocols.md` 3). A digest that is equal ends it at once:
 *
 *   A -> B  digest   one hash of all owner records, one of all shared state
 *   B -> A  same     or, when they differ,
 *   B -> A  summary  a hash of each owner's records and of each of 64 buckets of shared state
 *   A -> B  want     for the groups that differ, the hashes of all that A holds of them
 *   B -> A  records  what A lacks, in pages; the last one also names what B lacks
 *   A -> B  records  that; then A sends a digest again, until nothing changes any more
 *
 * B keeps nothing of it: each step answers what it was asked, so lost messages cost a round only.
 * A replica fills itself from one peer at a time, however many it met at once; the others wait
 * their turn, and mostly have nothing left to say then.
 */
import type { NodeId, Random } from '../types.ts'
import * as limits from './constants.ts'
import { type Hash, packHashes, unpackHashes } from './hash.ts'
import type {
  DigestMessage,
  RecordsMessage,
  ReplicatedRecord,
  Same,
  Summary,
  Want
} from './message.ts'
import { type Outbox, paginate, sizeOf } from './outbox.ts'
import type { Owners } from './owners.ts'
import { removedHash, type SharedState } from './shared.ts'
import type { Stability } from './stability.ts'
import { TokenBuckets } from './token-bucket.ts'

export interface RepairComponents {
  readonly owners: Owners
  readonly shared: SharedState
  readonly stability: Stability
  readonly random: Random
  /** Takes what a peer sent into the state. */
  readonly take: (page: RecordsMessage, out: Outbox) => Taken
  /** Counts what was dropped, by reason. */
  readonly drop: (reason: string) => void
}

export interface Taken {
  /** Records that changed the state. */
  readonly fresh: number
  /** Records of owners that the roster does not name (yet). */
  readonly strangers: number
}

interface Exchange {
  rounds: number
  /** When it last moved. */
  atMs: number
  /** Every group that differed was asked for in full. */
  whole: boolean
  /** New records since the last digest. */
  moved: number
  /** Pages since the last `want`. */
  pages: number
}

export interface RepairStats {
  exchanges: number
  equal: number
  recordsTaken: number
  recordsServed: number
  bytesServed: number
}

export class Repair {
  readonly stats: RepairStats = {
    exchanges: 0,
    equal: 0,
    recordsTaken: 0,
    recordsServed: 0,
    bytesServed: 0
  }
  /** We lost state and know it. */
  amnesiac = false
  /** A peer that had lost nothing gave us all it had, since the start. */
  synced = false
  readonly #c: RepairComponents
  readonly #exchanges = new Map<NodeId, Exchange>()
  /** Peers that we told what we lack, until when their answer is welcome. */
  readonly #expected = new Map<NodeId, number>()
  readonly #amnesiacs = new Set<NodeId>()
  /** Whom we take records from now, and when it last gave some. */
  #source: { readonly peer: NodeId; readonly sinceMs: number; atMs: number } | undefined
  /** Peers that differ from us, too, in the order we noticed. */
  readonly #waiting = new Set<NodeId>()
  readonly #requests = new TokenBuckets({
    burst: limits.REQUEST_BURST,
    perSecond: limits.REQUEST_PER_SECOND
  })
  readonly #served = new TokenBuckets({
    burst: limits.SERVE_BYTES_BURST,
    perSecond: limits.SERVE_BYTES_PER_SECOND
  })

  constructor(components: RepairComponents) {
    this.#c = components
  }

  /** Compares ourselves with a peer, unless we are at it. */
  begin(peer: NodeId, nowMs: number, out: Outbox): void {
    const running = this.#exchanges.get(peer)
    if (running !== undefined && nowMs - running.atMs < limits.EXCHANGE_SILENCE_MS) return
    this.#exchanges.set(peer, { rounds: 0, atMs: nowMs, whole: true, moved: 0, pages: 0 })
    this.stats.exchanges += 1
    this.#sendDigest(peer, out)
  }

  /** The link is gone, and with it what was asked over it. */
  end(peer: NodeId): void {
    this.#exchanges.delete(peer)
    this.#expected.delete(peer)
    this.#amnesiacs.delete(peer)
    this.#waiting.delete(peer)
    if (this.#source?.peer === peer) this.#source = undefined
  }

  /** Makes that peer the one we take records from, or puts it in line. */
  #mayTake(peer: NodeId, nowMs: number): boolean {
    const source = this.#source
    const fresh =
      source !== undefined &&
      nowMs - source.atMs < limits.EXCHANGE_SILENCE_MS &&
      nowMs - source.sinceMs < limits.SOURCE_MS_MAX
    if (fresh && source.peer !== peer) {
      this.#waiting.add(peer)
      return false
    }
    const sinceMs = fresh ? source.sinceMs : nowMs
    this.#source = { peer, sinceMs, atMs: nowMs }
    this.#waiting.delete(peer)
    return true
  }

  /** Nothing more comes from that peer: the next one in line is asked. */
  #finish(peer: NodeId, nowMs: number, out: Outbox): void {
    this.#exchanges.delete(peer)
    if (this.#source !== undefined && this.#source.peer !== peer) return
    this.#source = undefined
    const [next] = this.#waiting
    if (next === undefined) return
    this.#waiting.delete(next)
    this.begin(next, nowMs, out)
  }

  onDigest(from: NodeId, message: DigestMessage, nowMs: number, out: Outbox): void {
    if (!this.#requests.take(from, 1, nowMs)) return this.#c.drop('rate')
    const { own, shared } = this.#heads()
    const sharedEqual = message.shared.every((byte, index) => byte === shared[index])
    const ownEqual = message.own.every((byte, index) => byte === own[index])
    // A digest leaves after what it covers is on the sender's disk.
    if (sharedEqual && !message.amnesiac) this.#c.stability.equal(from)
    if (sharedEqual && ownEqual) {
      out.send(from, { kind: 'same', own, shared, amnesiac: this.amnesiac })
      if (!message.amnesiac) this.#filledBy(from)
      return
    }
    const owners = this.#c.owners.sorted().flatMap(entry => [entry.hash, entry.records.sum.value()])
    const buckets = this.#c.shared.buckets.map(bucket => bucket.sum.value())
    out.send(from, {
      kind: 'summary',
      owners: packHashes(owners),
      buckets: packHashes(buckets),
      amnesiac: this.amnesiac
    })
  }

  /** We hold what it holds. Of a newcomer, which is not in yet, that says nothing. */
  #filledBy(peer: NodeId): void {
    if (this.#c.owners.rostered.has(peer)) this.synced = true
  }

  onSame(from: NodeId, message: Same, nowMs: number, out: Outbox): void {
    if (!this.#exchanges.has(from)) return this.#c.drop('unasked')
    this.#finish(from, nowMs, out)
    this.stats.equal += 1
    if (message.amnesiac) return
    this.#filledBy(from)
    const { shared } = this.#heads()
    if (message.shared.every((byte, index) => byte === shared[index])) {
      this.#c.stability.equal(from)
    }
  }

  onSummary(from: NodeId, message: Summary, nowMs: number, out: Outbox): void {
    const exchange = this.#exchanges.get(from)
    if (exchange === undefined) return this.#c.drop('unasked')
    exchange.atMs = nowMs
    if (message.amnesiac) this.#amnesiacs.add(from)
    else this.#amnesiacs.delete(from)
    const want = this.#compare(message, exchange)
    if (want.owners.length + want.buckets.length === 0) this.#finish(from, nowMs, out)
    else if (this.#mayTake(from, nowMs)) out.send(from, want)
    else this.#exchanges.delete(from)
  }

  /** The groups that differ, as far as one message holds them. */
  #compare(message: Summary, exchange: Exchange): Want {
    let room = limits.WANT_HASHES_MAX
    exchange.whole = true
    exchange.pages = 0
    const fits = (hashes: readonly Hash[]): boolean => {
      room -= hashes.length + 4
      if (room < 0) exchange.whole = false
      return room >= 0
    }
    const buckets: Want['buckets'][number][] = []
    const owners: Want['owners'][number][] = []
    const theirs = unpackHashes(message.buckets)
    const differing = [...theirs.keys()].filter(
      bucket => this.#c.shared.buckets[bucket]?.sum.value() !== theirs[bucket]
    )
    for (const bucket of this.#rotate(differing)) {
      const have = this.#bucketItems(bucket).map(item => item.hash)
      if (fits(have)) buckets.push({ bucket, have: packHashes(have) })
    }
    for (const owner of this.#rotate(this.#differingOwners(message.owners))) {
      const held = [...(this.#c.owners.byHash(owner)?.records.records() ?? [])]
      const have = held.map(({ hash }) => hash)
      if (fits(have)) owners.push({ owner: packHashes([owner]), have: packHashes(have) })
    }
    return { kind: 'want', owners, buckets }
  }

  /** Begins anywhere: what does not fit today is not the same every time. */
  #rotate<T>(items: readonly T[]): readonly T[] {
    if (items.length < 2) return items
    const at = this.#c.random.int(items.length)
    return [...items.slice(at), ...items.slice(0, at)]
  }

  #differingOwners(bytes: Uint8Array): Hash[] {
    const theirs = new Map<Hash, Hash>()
    const flat = unpackHashes(bytes)
    for (let i = 0; i + 1 < flat.length; i += 2) theirs.set(flat[i] as Hash, flat[i + 1] as Hash)
    const differing: Hash[] = []
    for (const { hash, records } of this.#c.owners.sorted()) {
      if (theirs.get(hash) !== records.sum.value()) differing.push(hash)
      theirs.delete(hash)
    }
    return [...differing, ...theirs.keys()]
  }

  onWant(from: NodeId, message: Want, nowMs: number, out: Outbox): void {
    if (!this.#requests.take(from, 1, nowMs)) return this.#c.drop('rate')
    const records = new Map<Hash, ReplicatedRecord>()
    const removed: string[] = []
    const lack: Hash[] = []
    for (const { owner, have } of message.owners) {
      const theirs = new Set(unpackHashes(have))
      const held = this.#c.owners.byHash(unpackHashes(owner)[0] ?? 0)?.records.records() ?? []
      for (const { record, hash } of held) if (!theirs.delete(hash)) records.set(hash, record)
      lack.push(...theirs)
    }
    for (const { bucket, have } of message.buckets) {
      const theirs = new Set(unpackHashes(have))
      for (const item of this.#bucketItems(bucket)) {
        if (theirs.delete(item.hash)) continue
        if (item.record === undefined) removed.push(item.uid)
        else records.set(item.hash, item.record)
      }
      lack.push(...theirs)
    }
    this.#answer(from, { records: [...records.values()], removed, lack }, nowMs, out)
  }

  #answer(
    to: NodeId,
    found: {
      records: readonly ReplicatedRecord[]
      removed: readonly string[]
      lack: readonly Hash[]
    },
    nowMs: number,
    out: Outbox
  ): void {
    const pages = paginate(found.records)
    const sent = pages
      .slice(0, limits.ANSWER_PAGES_MAX)
      .filter(page => this.#serve(to, page, nowMs))
    if (pages.length > 0 && sent.length === 0) return this.#c.drop('rate')
    const removed = found.removed.slice(0, limits.PAGE_UIDS_MAX)
    const complete = sent.length === pages.length && removed.length === found.removed.length
    for (const records of sent) out.send(to, { ...EMPTY_PAGE, records })
    // A page of its own: with uids and hashes a full page of records would not fit a frame.
    const ask = found.lack.length > 0 && this.#mayTake(to, nowMs)
    const lack = packHashes(ask ? found.lack.slice(0, limits.WANT_HASHES_MAX / 2) : [])
    out.send(to, { ...EMPTY_PAGE, removed, lack, last: true, complete, pages: sent.length + 1 })
    if (ask) this.#expected.set(to, nowMs + limits.EXCHANGE_SILENCE_MS)
  }

  onRecords(from: NodeId, message: RecordsMessage, nowMs: number, out: Outbox): void {
    const exchange = this.#exchanges.get(from)
    const expected = (this.#expected.get(from) ?? Number.NEGATIVE_INFINITY) >= nowMs
    if (exchange === undefined && !expected) return this.#c.drop('unasked')
    const taken = this.#c.take(message, out)
    this.stats.recordsTaken += taken.fresh
    if (this.#source?.peer === from) this.#source.atMs = nowMs
    if (message.last && message.pages === 0) return this.#endOfPush(from, nowMs, out)
    if (exchange === undefined) return
    exchange.atMs = nowMs
    exchange.moved += taken.fresh
    exchange.pages += 1
    // What we may not take yet is missing still.
    if (taken.strangers > 0) exchange.whole = false
    if (!message.last) return
    exchange.moved += this.#push(from, message.lack, nowMs, out)
    const whole = exchange.whole && message.complete && exchange.pages === message.pages
    if (whole && !this.#amnesiacs.has(from)) this.#filledBy(from)
    const again = exchange.moved > 0 && exchange.rounds < limits.EXCHANGE_ROUNDS_MAX
    exchange.rounds += 1
    exchange.moved = 0
    if (again) this.#sendDigest(from, out)
    else this.#finish(from, nowMs, out)
  }

  #endOfPush(from: NodeId, nowMs: number, out: Outbox): void {
    this.#expected.delete(from)
    if (!this.#exchanges.has(from)) this.#finish(from, nowMs, out)
  }

  /** Sends what the peer said it lacks of what we listed; gives how much. */
  #push(to: NodeId, lack: Uint8Array, nowMs: number, out: Outbox): number {
    const wanted = new Set(unpackHashes(lack))
    if (wanted.size === 0) return 0
    const records: ReplicatedRecord[] = []
    const removed: string[] = []
    for (const { records: owned } of this.#c.owners.sorted()) {
      for (const { hash, record } of owned.records()) if (wanted.has(hash)) records.push(record)
    }
    for (let bucket = 0; bucket < limits.BUCKET_COUNT; bucket++) {
      for (const item of this.#bucketItems(bucket)) {
        if (!wanted.has(item.hash)) continue
        if (item.record === undefined) removed.push(item.uid)
        else records.push(item.record)
      }
    }
    const pages = paginate([...new Set(records)]).slice(0, limits.ANSWER_PAGES_MAX)
    const sent = pages.filter(page => this.#serve(to, page, nowMs))
    for (const page of sent) out.send(to, { ...EMPTY_PAGE, records: page })
    const uids = removed.slice(0, limits.PAGE_UIDS_MAX)
    out.send(to, { ...EMPTY_PAGE, removed: uids, last: true })
    return sent.reduce((count, page) => count + page.length, 0) + uids.length
  }

  #serve(to: NodeId, page: readonly ReplicatedRecord[], nowMs: number): boolean {
    const size = page.reduce((sum, record) => sum + sizeOf(record), 0)
    if (!this.#served.take(to, size, nowMs)) return false
    this.stats.bytesServed += size
    this.stats.recordsServed += page.length
    return true
  }

  #bucketItems(bucket: number): Item[] {
    const { keys, uids } = this.#c.shared.buckets[bucket] ?? { keys: [], uids: [] }
    const items: Item[] = []
    for (const key of keys) {
      for (const { write, hash } of this.#c.shared.register(key)?.siblings ?? []) {
        items.push({ hash, record: write, uid: '' })
      }
    }
    for (const uid of uids) {
      items.push({ hash: removedHash(uid), record: this.#c.shared.evidence(uid), uid })
    }
    return items
  }

  #heads(): { own: Uint8Array; shared: Uint8Array } {
    const own = packHashes([this.#c.owners.sum()])
    return { own, shared: packHashes([this.#c.shared.sum()]) }
  }

  #sendDigest(peer: NodeId, out: Outbox): void {
    out.send(peer, { kind: 'digest', ...this.#heads(), amnesiac: this.amnesiac })
  }
}

/** What a bucket holds: a write, or a removed life with or without its evidence. */
interface Item {
  readonly hash: Hash
  readonly record: ReplicatedRecord | undefined
  readonly uid: string
}

const EMPTY_PAGE: RecordsMessage = {
  kind: 'records',
  records: [],
  removed: [],
  lack: new Uint8Array(0),
  last: false,
  complete: false,
  pages: 0
}
