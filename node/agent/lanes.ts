/**
 * The order in which effects leave (`architecture.md`, "The shape of a core"): within one lane
 * everything behind a `persist` waits until it is on disk; lanes do not wait for each other, so a
 * slow disk never delays a heartbeat. Pure: the daemon's driver and the simulator's world both
 * execute what comes out of here.
 */
import type { PersistedRecord } from '../../gossip/core/effect.ts'
import type { AgentEffect } from './api.ts'

export type Lane = 'member' | 'state'

/** Effects and records that wait for the disk. More means that it is gone for good. */
export const LANES_MAX = 100_000

export interface Released {
  /** To be executed now, in this order. A `persist` ends with a call of `written(lane)`. */
  readonly effects: readonly { readonly lane: Lane; readonly effect: AgentEffect }[]
  /** The disk does not keep up at all: the daemon must stop. */
  readonly overflow: boolean
}

/** What may be lost on the way is lost without harm, and of no use when it is old. */
function isMessage(effect: AgentEffect): boolean {
  switch (effect.kind) {
    case 'send':
    case 'publish':
    case 'knock':
    case 'connect':
      return true
    default:
      return false
  }
}

/** Which lane an effect is for; undefined when it never waits. */
function laneOf(effect: AgentEffect): Lane | undefined {
  switch (effect.kind) {
    case 'schedule':
    case 'event':
      return undefined
    case 'send':
      return effect.channel === 'member' ? 'member' : 'state'
    case 'persist':
      return effect.records.every(record => record.key.startsWith('member/')) ? 'member' : 'state'
    case 'knock':
    case 'connect':
    case 'disconnect':
      return 'member'
    case 'publish':
    case 'run':
    case 'reply':
      return 'state'
  }
}

type Persist = Extract<AgentEffect, { kind: 'persist' }>

/** What waits for the disk in one lane. */
class Waiting {
  isWriting = false
  /** Released once the write that is under way is on disk. */
  behind: AgentEffect[] = []
  /** All that is to be written after it, as one batch: the last word on a key counts. */
  readonly #next = new Map<string, PersistedRecord>()
  #sync = false
  /** Released once that is on disk too. */
  #behindNext: AgentEffect[] = []

  get length(): number {
    return this.behind.length + this.#behindNext.length + this.#next.size
  }

  add(effect: AgentEffect): void {
    if (effect.kind === 'persist') {
      for (const record of effect.records) this.#next.set(record.key, record)
      this.#sync ||= effect.sync
    } else if (this.#next.size === 0) this.behind.push(effect)
    else this.#behindNext.push(effect)
  }

  /** The next batch; what waits behind it waits from now on for the write that is under way. */
  take(): Persist | undefined {
    if (this.#next.size === 0) return undefined
    const batch: Persist = { kind: 'persist', records: [...this.#next.values()], sync: this.#sync }
    this.behind = this.#behindNext
    this.#next.clear()
    this.#sync = false
    this.#behindNext = []
    return batch
  }

  shed(): void {
    this.behind = this.behind.filter(effect => !isMessage(effect))
    this.#behindNext = this.#behindNext.filter(effect => !isMessage(effect))
  }
}

export class Lanes {
  readonly #lanes: Record<Lane, Waiting> = { member: new Waiting(), state: new Waiting() }

  /** Takes the effects of one input; gives what may be executed now. */
  push(effects: readonly AgentEffect[]): Released {
    const out: { lane: Lane; effect: AgentEffect }[] = []
    for (const effect of effects) {
      const lane = laneOf(effect)
      if (lane === undefined) out.push({ lane: 'state', effect })
      else if (this.#lanes[lane].isWriting) this.#lanes[lane].add(effect)
      else {
        this.#lanes[lane].isWriting = effect.kind === 'persist'
        out.push({ lane, effect })
      }
    }
    if (this.#length > LANES_MAX) this.shed()
    return { effects: out, overflow: this.#length > LANES_MAX }
  }

  /** Forgets the messages that wait: for a disk that did not take writes for long. */
  shed(): void {
    for (const lane of Object.values(this.#lanes)) lane.shed()
  }

  get #length(): number {
    return this.#lanes.member.length + this.#lanes.state.length
  }

  /**
   * The lane's `persist` is on disk: what waited behind it, then the next one. That holds all that
   * came meanwhile: a slow disk takes a larger batch as fast as a small one, and what waits for it
   * grows no longer than the state itself. What is sent or started behind an earlier part of the
   * batch only waits longer.
   */
  written(lane: Lane): Released {
    const waiting = this.#lanes[lane]
    const released = waiting.behind
    const batch = waiting.take()
    waiting.isWriting = batch !== undefined
    if (batch === undefined) waiting.behind = []
    const effects = batch === undefined ? released : [...released, batch]
    return { effects: effects.map(effect => ({ lane, effect })), overflow: false }
  }
}
