/**
 * How much of its capacity a node offers, in eighths, computed by its owner alone from its own load
 * (`placement.md` D). Raw load never enters placement: two peers with 1 % noise would disagree on
 * 0.5 % of all replicas. A step costs the mesh an eighth of this node's replicas, so steps are
 * rare: at most one in five minutes, down as far as needed, up by one.
 */

export const EIGHTHS_FULL = 8
const EIGHTHS_MIN = 2
/** Time constant of the moving average. */
const SMOOTH_MS = 60_000
/** A step needs a difference of more than so many eighths, else noise would step to and fro. */
const STEP_EIGHTHS = 1.5
const STEP_MIN_MS = 5 * 60_000
/** Runnable tasks a core up to which a node offers everything. */
const LOAD_FREE = 1

export class LoadFactor {
  #eighths = EIGHTHS_FULL
  #smooth: number | undefined
  #sampledMs: number
  #steppedMs: number

  /** `nowMs`: when the daemon started; nothing steps in its first five minutes. */
  constructor(init: { readonly nowMs: number }) {
    this.#sampledMs = init.nowMs
    this.#steppedMs = init.nowMs
  }

  get eighths(): number {
    return this.#eighths
  }

  /** Takes one sample of runnable tasks a core; returns the factor to publish. */
  sample(loadPerCore: number, nowMs: number): number {
    const weight = 1 - Math.exp(-(nowMs - this.#sampledMs) / SMOOTH_MS)
    this.#sampledMs = nowMs
    const before = this.#smooth ?? loadPerCore
    this.#smooth = before + weight * (loadPerCore - before)
    const exact = Math.max(
      EIGHTHS_MIN,
      (EIGHTHS_FULL * LOAD_FREE) / Math.max(LOAD_FREE, this.#smooth)
    )
    if (nowMs - this.#steppedMs < STEP_MIN_MS) return this.#eighths
    if (this.#eighths - exact > STEP_EIGHTHS) this.#step(Math.round(exact), nowMs)
    else if (exact - this.#eighths > STEP_EIGHTHS) this.#step(this.#eighths + 1, nowMs)
    else if (exact >= EIGHTHS_FULL && this.#eighths < EIGHTHS_FULL) {
      this.#step(this.#eighths + 1, nowMs)
    }
    return this.#eighths
  }

  #step(eighths: number, nowMs: number): void {
    this.#eighths = Math.min(EIGHTHS_FULL, Math.max(EIGHTHS_MIN, eighths))
    this.#steppedMs = nowMs
  }
}
