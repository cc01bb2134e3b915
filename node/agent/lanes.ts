/**
 * The order in which effects leave (`architecture.md`, "The shape of a core"): within one lane
 * everything behind a `persist` waits until it is on disk; lanes do not wait for each other, so a
 * slow disk never delays a heartbeat. Pure: the daemon's driver and the simulator's world both
 * execute what comes out of here.
 */
import type { AgentEffect } from './api.ts'

export type Lane = 'member' | 'state'

/** Effects that wait for one disk. More means that the disk is gone for good. */
export const LANE_EFFECTS_MAX = 50_000

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

export class Lanes {
  readonly #waiting: Record<Lane, AgentEffect[]> = { member: [], state: [] }
  readonly #writing: Record<Lane, boolean> = { member: false, state: false }

  /** Takes the effects of one input; gives what may be executed now. */
  push(effects: readonly AgentEffect[]): Released {
    const out: { lane: Lane; effect: AgentEffect }[] = []
    for (const effect of effects) {
      const lane = laneOf(effect)
      if (lane === undefined) out.push({ lane: 'state', effect })
      else if (this.#writing[lane]) this.#waiting[lane].push(effect)
      else this.#release(lane, effect, out)
    }
    if (this.#length > LANE_EFFECTS_MAX) this.shed()
    return { effects: out, overflow: this.#length > LANE_EFFECTS_MAX }
  }

  /** Forgets the messages that wait: for a disk that did not take writes for long. */
  shed(): void {
    for (const lane of ['member', 'state'] as const) {
      this.#waiting[lane] = this.#waiting[lane].filter(effect => !isMessage(effect))
    }
  }

  get #length(): number {
    return this.#waiting.member.length + this.#waiting.state.length
  }

  /** The lane's `persist` is on disk: what waited behind it, up to the next one. */
  written(lane: Lane): Released {
    const out: { lane: Lane; effect: AgentEffect }[] = []
    this.#writing[lane] = false
    const queue = this.#waiting[lane]
    let taken = 0
    while (taken < queue.length && !this.#writing[lane]) {
      const effect = queue[taken]
      taken += 1
      if (effect !== undefined) this.#release(lane, effect, out)
    }
    queue.splice(0, taken)
    return { effects: out, overflow: false }
  }

  #release(lane: Lane, effect: AgentEffect, out: { lane: Lane; effect: AgentEffect }[]): void {
    if (effect.kind === 'persist') this.#writing[lane] = true
    out.push({ lane, effect })
  }
}
