/**
 * Rule 7, above full mesh: whoever is out of sight may be cut off from the overlay and not from us.
 * Knock at those before they are called dead, and connect to those that answer.
 */
import type { NodeId } from '../types.ts'
import type { MembershipInput } from './api.ts'
import type { Context } from './context.ts'
import type { Links } from './links.ts'
import type { Roster } from './members.ts'
import { RINGS } from './observers.ts'
import type { Overlay } from './overlay.ts'

const KNOCKS_PER_SECOND_MAX = 500
/** A tick, at random: through those that are met first most others come into sight. */
const DIALS_MAX = 8
/** With fewer links that are not silent we dial whom we hear of: by few, news come late. */
const LINKS_WANTED = RINGS
/** No watch has this token, and all knocks of a survey do. */
const TOKEN = -1

export interface SurveyComponents {
  readonly context: Context
  readonly roster: Roster
  readonly links: Links
  readonly overlay: Overlay
  /** Whose alerts came of late. */
  readonly originators: () => readonly NodeId[]
  readonly dial: (peer: NodeId) => void
}

export class Survey {
  readonly #c: SurveyComponents
  /** Out of sight, in the order in which they came to be: waiting for their knock. */
  readonly #queue = new Set<NodeId>()
  /** Knocked at, no answer yet. */
  readonly #asked = new Set<NodeId>()
  /** Until when (awake clock) one that answered may still be heard on our side. */
  readonly #answered = new Map<NodeId, number>()
  /** Known to live on our side, and not dialled yet. */
  readonly #met = new Set<NodeId>()
  /** Answered nothing: they are what they seem. */
  readonly #silent = new Set<NodeId>()

  constructor(components: SurveyComponents) {
    this.#c = components
  }

  /** Nobody on my side observes it, and nothing is heard of it. */
  doubt(id: NodeId): void {
    if (this.#c.overlay.fullMesh || this.#silent.has(id)) return
    if (!this.#asked.has(id) && !this.#answered.has(id)) this.#queue.add(id)
  }

  /** It is in sight again, or no longer a living member. */
  end(id: NodeId): void {
    for (const room of [this.#queue, this.#asked, this.#answered, this.#silent]) room.delete(id)
  }

  /** It may not be declared dead for being outside of my side yet. */
  holds(id: NodeId): boolean {
    if (this.#asked.has(id) || this.#queue.has(id)) return true
    return (this.#answered.get(id) ?? 0) > this.#c.context.awakeMs
  }

  tick(): void {
    const { tickMs } = this.#c.context.config
    const perTick = Math.max(1, Math.floor((KNOCKS_PER_SECOND_MAX * tickMs) / 1_000))
    for (const id of [...this.#queue].slice(0, perTick)) {
      this.#queue.delete(id)
      this.#knock(id)
    }
    this.#dial()
  }

  #dial(): void {
    const { context, links, overlay, roster, originators, dial } = this.#c
    if (overlay.fullMesh) return this.#met.clear()
    let wanted = LINKS_WANTED - links.heard().length
    if (wanted > 0) for (const id of originators()) this.#met.add(id)
    for (const id of context.sample([...this.#met], DIALS_MAX)) {
      this.#met.delete(id)
      if (!roster.lives(id) || links.has(id) || (wanted <= 0 && !this.#answered.has(id))) continue
      dial(id)
      wanted -= 1
    }
  }

  knocked(input: Extract<MembershipInput, { kind: 'knocked' }>): boolean {
    const { peer, token, outcome } = input
    if (token !== TOKEN || !this.#asked.delete(peer)) return false
    const { context, roster } = this.#c
    if (outcome === 'accepted') {
      this.#answered.set(peer, context.awakeMs + context.config.frozenMs)
      this.#met.add(peer)
    } else this.#silent.add(peer)
    roster.opine(peer, { daemonGone: outcome === 'refused' })
    return true
  }

  #knock(id: NodeId): void {
    const { context, roster } = this.#c
    const addresses = roster.get(id)?.addresses ?? []
    if (addresses.length === 0) return void this.#silent.add(id)
    this.#asked.add(id)
    context.stats.knocks += 1
    context.emit({ kind: 'knock', peer: id, addresses, token: TOKEN })
  }
}
