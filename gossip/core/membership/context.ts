/** What all parts of the machine share: who we are, what time it is, what is to be done. */
import type { Codec } from '../effect.ts'
import type { Sealer } from '../signed.ts'
import type { NodeId, Random } from '../types.ts'
import type { MemberEvent, MembershipEffect } from './api.ts'
import type { MembershipConfig } from './config.ts'
import type { MembershipMessage } from './message.ts'
import { ObserverGraph } from './observers.ts'

export interface MembershipComponents {
  readonly random: Random
  readonly sealer: Sealer
  readonly codec: Codec
  /** Who observes whom among these, which are sorted. Graphs are immutable: many machines in one
   * process may share them. */
  readonly graphOf?: (members: readonly NodeId[]) => ObserverGraph
}

/** Why a message, or a part of one, was not acted on. */
export type DropReason =
  | 'unlinked'
  | 'stale'
  | 'unknown'
  | 'members'
  | 'unasked'
  | 'impostor'
  | 'busy'
  | 'malformed'

/** Counters since the start, beside the transition they count. */
export interface MembershipStats {
  suspects: number
  refutes: number
  deaths: number
  vetoes: number
  alerts: number
  asks: number
  knocks: number
  dials: number
  repairs: number
  pauses: number
  dropped: Partial<Record<DropReason, number>>
}

export class Context {
  readonly self: NodeId
  readonly random: Random
  readonly sealer: Sealer
  readonly codec: Codec
  readonly config: MembershipConfig
  readonly graphOf: (members: readonly NodeId[]) => ObserverGraph
  /** The clock of the inputs. Never goes back. */
  nowMs = 0
  /** The same, but at most 250 ms an input: time that we were awake (rule 2). */
  awakeMs = 0
  readonly stats: MembershipStats = {
    suspects: 0,
    refutes: 0,
    deaths: 0,
    vetoes: 0,
    alerts: 0,
    asks: 0,
    knocks: 0,
    dials: 0,
    repairs: 0,
    pauses: 0,
    dropped: {}
  }
  #effects: MembershipEffect[] = []

  constructor(components: MembershipComponents, config: MembershipConfig) {
    this.self = components.sealer.self
    this.random = components.random
    this.sealer = components.sealer
    this.codec = components.codec
    this.graphOf = components.graphOf ?? (members => new ObserverGraph(members))
    this.config = config
  }

  emit(effect: MembershipEffect): void {
    this.#effects.push(effect)
  }

  send(to: NodeId, message: MembershipMessage): void {
    this.emit({ kind: 'send', to, channel: 'member', message })
  }

  notify(event: MemberEvent): void {
    this.emit({ kind: 'notify', event })
  }

  drop(reason: DropReason): void {
    this.stats.dropped[reason] = (this.stats.dropped[reason] ?? 0) + 1
  }

  /** What came up since the last call, in order. */
  take(): MembershipEffect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  /** `count` distinct entries at random, or all when there are fewer. */
  sample<T>(from: readonly T[], count: number): T[] {
    const pool = [...from]
    const chosen: T[] = []
    while (pool.length > 0 && chosen.length < count) {
      chosen.push(...pool.splice(this.random.int(pool.length), 1))
    }
    return chosen
  }
}
