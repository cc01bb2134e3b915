/**
 * A node that returns after a real absence takes its share back in steps, and the slower the more
 * often it came and went (`protocols.md` 4, "Returning nodes"). Computed by the owner alone from
 * its own persisted starts and published with its load factor; it scales the draw and the soft
 * bound, never hard limits or pins.
 */
import { EIGHTHS_FULL } from './load-factor.ts'

/** What a daemon remembers of its own runs. Wall clock: only a restart reads it. */
export interface StartHistory {
  /** Starts, newest last. */
  readonly startsMs: readonly number[]
  /** When the last run was last seen alive. */
  readonly aliveMs: number
}

export const STARTS_MAX = 32
/** A shorter absence is a restart: nothing was lost that would have to be taken back slowly. */
const ABSENCE_MS = 60_000
const STEP_MS = 30_000
/** Starts within this window count as flapping from the third on. */
const FLAP_WINDOW_MS = 10 * 60_000
const FLAPS_FREE = 2
const FLAP_DELAY_MAX_MS = 10 * 60_000

/** History with this start added. */
export function withStart(history: StartHistory | undefined, wallMs: number): StartHistory {
  const startsMs = [...(history?.startsMs ?? []), wallMs].slice(-STARTS_MAX)
  return { startsMs, aliveMs: wallMs }
}

export class Ramp {
  readonly #startMs: number
  readonly #delayMs: number
  readonly #needed: boolean

  /** `history`: of the runs before this one. A node that never ran has nothing to take back. */
  constructor(init: {
    readonly history: StartHistory | undefined
    readonly wallMs: number
    readonly nowMs: number
  }) {
    const { history, wallMs, nowMs } = init
    this.#startMs = nowMs
    this.#needed = history !== undefined && wallMs - history.aliveMs >= ABSENCE_MS
    const recent = (history?.startsMs ?? []).filter(start => wallMs - start < FLAP_WINDOW_MS).length
    const flaps = Math.max(0, recent - FLAPS_FREE)
    this.#delayMs = flaps === 0 ? 0 : Math.min(FLAP_DELAY_MAX_MS, STEP_MS * 2 ** (flaps - 1))
  }

  /** 2, 4 or 8 eighths. `anyFull`: another living node already offers everything; when nobody
   * does (all return from a power cut), a ramp would only leave work waiting. */
  eighths(nowMs: number, anyFull: boolean): number {
    if (!this.#needed || !anyFull) return EIGHTHS_FULL
    const ranMs = nowMs - this.#startMs - this.#delayMs
    if (ranMs < STEP_MS) return EIGHTHS_FULL / 4
    return ranMs < 2 * STEP_MS ? EIGHTHS_FULL / 2 : EIGHTHS_FULL
  }
}
