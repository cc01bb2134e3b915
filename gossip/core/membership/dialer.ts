/** Whom we dial and when: the join addresses, missing neighbours, and the dead (rule 10). */
import type { NodeId } from '../types.ts'
import type { Context } from './context.ts'
import type { Links } from './links.ts'
import type { Roster } from './members.ts'
import { EVERYONE_MAX } from './observers.ts'
import type { Overlay } from './overlay.ts'

const FLIGHTS_MAX = 4
/** A newcomer learns all over its first link. The others wait until nobody has come for so long,
 * but not for ever, or a mesh that starts at once chokes on N * N handshakes. */
const CALM_MS = 1_000
const CALM_MAX_MS = 5_000
/** Between two dials: a handshake is some 20 ms of work on both sides. */
const FILL_MS = 250
/** Those that we do not observe and that do not observe us come later, and slower. */
const FAR_MS = 1_000
/** A dial without an answer is given up for counting; the executor's own limit is 5 s. */
const FLIGHT_MS = 6_000
const BACKOFF_MS = 1_000
const BACKOFF_MAX_MS = 10_000
/** A link that lived shorter was of no use; after so many of them in a row a dial has failed. */
const BRIEF_MS = 1_000
const BRIEF_MAX = 3
/** The greater id leaves the dial to the smaller one for so long. */
const YIELD_MS = 1_000
const HEAL_MS = 1_000
const HEAL_OLD_MS = 60 * 60_000
const HEAL_RARE_MS = 60_000

interface Missing {
  failures: number
  nextMs: number
  /** We were linked before: it waits for nobody. */
  readonly known: boolean
  readonly far: boolean
}

export interface DialerComponents {
  readonly context: Context
  readonly roster: Roster
  readonly links: Links
  readonly overlay: Overlay
}

export class Dialer {
  readonly #c: DialerComponents
  readonly #flights = new Map<NodeId, number>()
  readonly #missing = new Map<NodeId, Missing>()
  readonly #healed = new Map<NodeId, number>()
  /** Links in a row that were lost at once. */
  readonly #brief = new Map<NodeId, number>()
  readonly #met = new Set<NodeId>()
  #joinAddresses: readonly string[] = []
  #joinNextMs = Number.POSITIVE_INFINITY
  #joinBackoffMs = BACKOFF_MS
  #fillNextMs = 0
  /** When the first and the last came of those that came in a row. */
  #cameFirstMs = Number.NEGATIVE_INFINITY
  #cameLastMs = Number.NEGATIVE_INFINITY
  #healCursor: NodeId = ''
  #healNextMs = 0

  constructor(components: DialerComponents) {
    this.#c = components
  }

  /** A `join` waits for the roster of its first peer. */
  get joining(): boolean {
    return this.#joinAddresses.length > 0
  }

  join(addresses: readonly string[]): void {
    this.#joinAddresses = addresses
    this.#joinBackoffMs = BACKOFF_MS
    this.#joinNextMs = this.#c.context.nowMs
    this.#joinAgain()
  }

  /** Neighbours of before: at once, whoever has the smaller id. */
  restored(): void {
    const { context, overlay } = this.#c
    for (const id of overlay.neighbours()) {
      this.#missing.set(id, { failures: 0, nextMs: 0, known: true, far: false })
    }
    // Not all nodes in the same moment: a cut then heals in a fraction of a second.
    this.#healNextMs = context.nowMs + context.random.int(HEAL_MS)
    this.tick()
  }

  opened(peer: NodeId): void {
    this.#flights.delete(peer)
    this.#missing.delete(peer)
    this.#met.add(peer)
  }

  /** A roster came: the first peer may go. */
  joined(): void {
    this.#joinAddresses = []
  }

  failed(peer: NodeId): void {
    this.#flights.delete(peer)
    const missing = this.#missing.get(peer)
    if (missing === undefined) return
    const waitMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(missing.failures, 10))
    missing.failures += 1
    missing.nextMs = this.#c.context.nowMs + waitMs
  }

  /** Two clones take a link from each other as fast as the network is: no dial is of use then. */
  closed(peer: NodeId, livedMs: number): void {
    if (livedMs >= BRIEF_MS) return void this.#brief.delete(peer)
    const times = (this.#brief.get(peer) ?? 0) + 1
    this.#brief.set(peer, times)
    if (times < BRIEF_MAX) return
    this.#missing.set(peer, { failures: times - BRIEF_MAX, nextMs: 0, known: true, far: false })
    this.failed(peer)
  }

  end(peer: NodeId): void {
    const maps = [this.#flights, this.#missing, this.#healed, this.#met, this.#brief]
    for (const map of maps) map.delete(peer)
  }

  /** One dial now, beside the paced ones: its port is known to accept. */
  dial(peer: NodeId): void {
    const { context, links } = this.#c
    const waits = (this.#missing.get(peer)?.nextMs ?? 0) > context.nowMs
    if (waits && (this.#brief.get(peer) ?? 0) >= BRIEF_MAX) return
    const addresses = this.#addresses(peer)
    if (addresses.length === 0 || links.has(peer) || this.#flights.has(peer)) return
    this.#flights.set(peer, context.nowMs)
    context.stats.dials += 1
    context.emit({ kind: 'connect', peer, addresses })
  }

  tick(): void {
    const { nowMs } = this.#c.context
    for (const [peer, sinceMs] of this.#flights) {
      if (nowMs - sinceMs >= FLIGHT_MS) this.failed(peer)
    }
    this.#joinAgain()
    this.#fill()
    this.#heal()
  }

  #joinAgain(): void {
    const { context } = this.#c
    if (this.#joinAddresses.length === 0 || context.nowMs < this.#joinNextMs) return
    for (const address of this.#joinAddresses) {
      context.stats.dials += 1
      context.emit({ kind: 'connect', addresses: [address] })
    }
    this.#joinNextMs = context.nowMs + this.#joinBackoffMs
    this.#joinBackoffMs = Math.min(BACKOFF_MAX_MS, this.#joinBackoffMs * 2)
  }

  /** Links to neighbours that lack one. */
  #fill(): void {
    const { context, overlay, links, roster } = this.#c
    const { nowMs } = context
    for (const id of this.#missing.keys()) {
      if (!roster.lives(id) || links.has(id)) this.#missing.delete(id)
    }
    for (const id of overlay.neighbours()) {
      if (links.has(id) || this.#missing.has(id) || !roster.lives(id)) continue
      const known = this.#met.has(id)
      if (!known) this.#came()
      const far = !overlay.near(id)
      const nextMs = nowMs + (context.self < id ? 0 : YIELD_MS) + (far ? FAR_MS : 0)
      this.#missing.set(id, { failures: 0, nextMs, known, far })
    }
    const calm = nowMs - this.#cameLastMs >= CALM_MS || nowMs - this.#cameFirstMs >= CALM_MAX_MS
    // Whoever waits longest: those that never answer must not keep the rest from their turn.
    const due = [...this.#missing].filter(
      ([, { nextMs, known }]) => nowMs >= nextMs && (known || calm)
    )
    due.sort(([, a], [, b]) => a.nextMs - b.nextMs)
    const few = overlay.graph.members.size <= EVERYONE_MAX
    for (const [id, { known, far }] of due) {
      const paced = !known && !few
      if (this.#flights.size >= FLIGHTS_MAX || (paced && nowMs < this.#fillNextMs)) return
      if (paced) this.#fillNextMs = nowMs + (far ? FAR_MS : FILL_MS)
      this.dial(id)
    }
  }

  #came(): void {
    const { nowMs } = this.#c.context
    if (nowMs - this.#cameLastMs >= CALM_MS) this.#cameFirstMs = nowMs
    this.#cameLastMs = nowMs
  }

  /**
   * One dead member a second, round robin; those that are dead for an hour once a minute. Whoever
   * answers there is welcome: a host that was made anew has another identity at its old address,
   * and may be all that is left of the mesh we knew.
   */
  #heal(): void {
    const { context, roster } = this.#c
    if (context.nowMs < this.#healNextMs) return
    this.#healNextMs = context.nowMs + HEAL_MS
    const dead = roster.dead().filter(id => this.#healable(id, roster.get(id)?.sinceMs ?? 0))
    const next = dead.find(id => id > this.#healCursor) ?? dead[0]
    if (next === undefined) return
    this.#healCursor = next
    this.#healed.set(next, context.nowMs)
    const taken = this.#taken()
    const addresses = this.#addresses(next).filter(address => !taken.has(address))
    if (addresses.length === 0) return
    context.stats.dials += 1
    context.emit({ kind: 'connect', addresses })
  }

  /** Where we know who is there: those that we are linked with. */
  #taken(): Set<string> {
    const { links } = this.#c
    return new Set(links.peers().flatMap(peer => links.addresses(peer)))
  }

  #addresses(peer: NodeId): string[] {
    const { roster, links } = this.#c
    return [...new Set([...links.addresses(peer), ...(roster.get(peer)?.addresses ?? [])])]
  }

  #healable(id: NodeId, deadSinceMs: number): boolean {
    const { nowMs } = this.#c.context
    if (nowMs - deadSinceMs < HEAL_OLD_MS) return true
    return nowMs - (this.#healed.get(id) ?? Number.NEGATIVE_INFINITY) >= HEAL_RARE_MS
  }
}
