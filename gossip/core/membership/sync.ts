/**
 * Anti-entropy of the roster (rule 9): a digest of `BUCKETS` hashes, then the rows of those that
 * differ, in pages. memberlist's push-pull, but early (1, 2, 4 s) and only of what differs.
 */

import type { Signed } from '../signed.ts'
import type { NodeId } from '../types.ts'
import type { Context } from './context.ts'
import type { Links } from './links.ts'
import type { Roster } from './members.ts'
import {
  BUCKETS,
  type ForgetBody,
  type MembershipMessage,
  PAGE_BYTES_MAX,
  PAGE_ROWS_MAX,
  type RosterRow
} from './message.ts'
import { hash32 } from './observers.ts'
import { STATE_RANK } from './precedence.ts'

/** After the first peer: these, then every `repairMs`. */
const EARLY_MS = [1_000, 2_000, 4_000]
/** Between repairs while somebody is suspect. Above full mesh what is relayed misses one node in
 * fifty: a refutation that did would stand as a suspicion until the next repair. */
const DOUBT_MS = 500
/** What a `Signed` adds to its bytes in a page: author, signature, heads. */
const SIGNED_OVERHEAD_BYTES = 192

export interface SyncComponents {
  readonly context: Context
  readonly roster: Roster
  readonly links: Links
  /** False: our own row is not to be published yet. */
  readonly settled: () => boolean
}

function bucketOf(id: NodeId): number {
  return hash32(id, RING_OF_BUCKETS) % BUCKETS
}

const RING_OF_BUCKETS = 1_000

export class Sync {
  readonly #c: SyncComponents
  #startedMs: number | undefined
  #nextMs = Number.POSITIVE_INFINITY
  #doubtNextMs = Number.POSITIVE_INFINITY
  #early = 0
  /** Of one revision of the roster: each of N peers asks for them again. */
  #made: { readonly key: string; ids: readonly NodeId[]; buckets: readonly number[] | undefined }

  constructor(components: SyncComponents) {
    this.#c = components
    this.#made = { key: '', ids: [], buckets: undefined }
  }

  /** The first peer's roster is in. */
  start(): void {
    const { context } = this.#c
    this.#startedMs = context.nowMs
    this.#early = 0
    this.#nextMs = context.nowMs + (EARLY_MS[0] as number)
  }

  tick(): void {
    const { context, links } = this.#c
    if (this.#startedMs === undefined) return
    if (this.#mayMiss()) this.#doubtNextMs = Math.min(this.#doubtNextMs, context.nowMs + DOUBT_MS)
    else this.#doubtNextMs = Number.POSITIVE_INFINITY
    if (context.nowMs >= this.#doubtNextMs) {
      this.#doubtNextMs = context.nowMs + DOUBT_MS
      // Of a side of a cut most links lead to the other.
      return this.#ask(links.heard())
    }
    if (context.nowMs < this.#nextMs) return
    this.#early += 1
    const early = EARLY_MS[this.#early]
    const jitterMs = context.random.int(Math.ceil(context.config.repairMs / 5))
    this.#nextMs =
      early === undefined
        ? context.nowMs + context.config.repairMs - jitterMs
        : this.#startedMs + early
    this.#ask(links.peers())
  }

  /** Somebody is suspect, and not all are linked with us, who would tell us otherwise. */
  #mayMiss(): boolean {
    const { roster, links } = this.#c
    return roster.doubted && links.size < roster.living().length - 1
  }

  #ask(peers: readonly NodeId[]): void {
    const { context } = this.#c
    const peer = peers[context.random.int(Math.max(1, peers.length))]
    if (peer !== undefined) this.greet(peer)
  }

  /** Asks a peer for what differs. */
  greet(peer: NodeId): void {
    this.#c.context.stats.repairs += 1
    this.#c.context.send(peer, { kind: 'digest', buckets: this.#buckets() })
  }

  /** Answers a digest with our rows where it differs, and asks for theirs in turn. */
  digest(from: NodeId, theirs: readonly number[]): void {
    const ours = this.#buckets()
    const differing = ours.flatMap((hash, bucket) => (hash === theirs[bucket] ? [] : [bucket]))
    this.#reply(from, differing, differing)
  }

  /** A page asked for ours in return. */
  wanted(from: NodeId, buckets: readonly number[]): void {
    if (buckets.length > 0) this.#reply(from, buckets, [])
  }

  #reply(to: NodeId, buckets: readonly number[], want: readonly number[]): void {
    const { context, roster } = this.#c
    const wanted = new Set(buckets)
    let rows: RosterRow[] = []
    let forgets: Signed<ForgetBody>[] = []
    let bytes = 0
    const page = (done: boolean): void => {
      const message: MembershipMessage = {
        kind: 'roster',
        rows,
        forgets,
        want: done ? want : [],
        done
      }
      context.send(to, message)
      rows = []
      forgets = []
      bytes = 0
    }
    const make = (more: number): void => {
      const full = rows.length + forgets.length >= PAGE_ROWS_MAX
      if (full || bytes + more > PAGE_BYTES_MAX) page(false)
      bytes += more
    }
    for (const id of wanted.size === 0 ? [] : this.#fresh().ids) {
      const row = wanted.has(bucketOf(id)) ? roster.row(id) : undefined
      if (row === undefined) continue
      make(sizeOf(row))
      rows.push(row)
    }
    for (const [id, forget] of [...roster.forgets].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!wanted.has(bucketOf(id))) continue
      make(forget.bytes.byteLength + SIGNED_OVERHEAD_BYTES)
      forgets.push(forget)
    }
    page(true)
  }

  #buckets(): readonly number[] {
    const made = this.#fresh()
    made.buckets ??= this.#hash(made.ids)
    return made.buckets
  }

  #hash(ids: readonly NodeId[]): number[] {
    const buckets = new Array<number>(BUCKETS).fill(0)
    for (const id of ids) {
      const member = this.#c.roster.get(id)
      if (member === undefined) continue
      // Suspicion is opinion: it makes no difference to repair.
      const state = member.state === 'suspect' ? 'alive' : member.state
      const bucket = bucketOf(id)
      const hash = hash32(`${id} ${member.incarnation} ${STATE_RANK[state]}`, 0)
      buckets[bucket] = ((buckets[bucket] as number) ^ hash) >>> 0
    }
    return buckets
  }

  #fresh(): { readonly ids: readonly NodeId[]; buckets: readonly number[] | undefined } {
    const { context, roster, settled } = this.#c
    const key = `${roster.revision} ${settled()}`
    if (this.#made.key !== key) {
      const ids = [...roster.members.keys()].sort()
      const shown = settled() ? ids : ids.filter(id => id !== context.self)
      this.#made = { key, ids: shown, buckets: undefined }
    }
    return this.#made
  }
}

function sizeOf(row: RosterRow): number {
  const signed = [row.alive, ...row.obituaries, ...(row.leave === undefined ? [] : [row.leave])]
  return signed.reduce((sum, one) => sum + one.bytes.byteLength + SIGNED_OVERHEAD_BYTES, 0)
}
