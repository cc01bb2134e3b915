/**
 * Rule 7, above full mesh: when half of our neighbours are silent, the overlay may have fallen
 * apart rather than the mesh. Knock at the whole roster and connect to those that answer, before
 * anyone is called dead for being out of sight.
 */
import type { NodeId } from '../types.ts'
import type { MembershipInput } from './api.ts'
import type { Context } from './context.ts'
import type { Links } from './links.ts'
import type { Roster } from './members.ts'
import type { Overlay } from './overlay.ts'
import type { Suspicion } from './suspicion.ts'

const KNOCKS_PER_SECOND_MAX = 500
/** No watch has this token, and all knocks of a survey do. */
const TOKEN = -1

export interface SurveyComponents {
  readonly context: Context
  readonly roster: Roster
  readonly links: Links
  readonly overlay: Overlay
  readonly suspicion: Suspicion
  readonly dial: (peer: NodeId) => void
}

export class Survey {
  readonly #c: SurveyComponents
  #active = false
  readonly #queue = new Set<NodeId>()
  /** Knocked at, no answer yet. */
  readonly #asked = new Set<NodeId>()
  /** Until when (awake clock) one that answered may still link with us. */
  readonly #answered = new Map<NodeId, number>()

  constructor(components: SurveyComponents) {
    this.#c = components
  }

  /** It may not be declared dead for being outside of my side yet. */
  holds(id: NodeId): boolean {
    if (!this.#active) return false
    if (this.#asked.has(id) || this.#queue.has(id)) return true
    return (this.#answered.get(id) ?? 0) > this.#c.context.awakeMs
  }

  tick(): void {
    const { context, links, overlay } = this.#c
    if (overlay.fullMesh || !this.#troubled()) {
      this.#active = false
      return
    }
    if (!this.#active) {
      this.#active = true
      this.#asked.clear()
      this.#answered.clear()
      const others = [...overlay.graph.members].filter(id => id !== context.self)
      this.#queue.clear()
      for (const id of others) if (!links.has(id)) this.#queue.add(id)
    }
    const perTick = Math.max(1, Math.floor((KNOCKS_PER_SECOND_MAX * context.config.tickMs) / 1_000))
    for (const id of [...this.#queue].slice(0, perTick)) {
      this.#queue.delete(id)
      this.#knock(id)
    }
  }

  knocked(input: Extract<MembershipInput, { kind: 'knocked' }>): boolean {
    if (input.token !== TOKEN || !this.#asked.delete(input.peer)) return false
    const { context, roster, dial } = this.#c
    if (input.outcome === 'accepted') {
      this.#answered.set(input.peer, context.awakeMs + context.config.frozenMs)
      dial(input.peer)
    }
    roster.opine(input.peer, { daemonGone: input.outcome === 'refused' })
    return true
  }

  #knock(id: NodeId): void {
    const { context, roster, links } = this.#c
    const addresses = roster.get(id)?.addresses ?? []
    if (!roster.lives(id) || links.has(id) || addresses.length === 0) return
    this.#asked.add(id)
    context.stats.knocks += 1
    context.emit({ kind: 'knock', peer: id, addresses, token: TOKEN })
  }

  /** Half of our neighbours are silent. */
  #troubled(): boolean {
    const { overlay, suspicion } = this.#c
    const neighbours = [...overlay.neighbours()]
    const silent = neighbours.filter(id => suspicion.watches.has(id)).length
    return neighbours.length > 0 && silent * 2 >= neighbours.length
  }
}
