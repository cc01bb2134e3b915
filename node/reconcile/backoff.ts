/** Delays between restarts of one slot: doubling, capped, forgotten after a good run. */

export interface BackoffConfig {
  readonly restartMinMs: number
  readonly restartMaxMs: number
  readonly restartResetMs: number
}

export class Backoff {
  readonly #config: BackoffConfig
  #failures = 0
  #notBeforeMs = 0
  #startedMs: number | undefined

  constructor(components: { config: BackoffConfig }) {
    this.#config = components.config
  }

  get failures(): number {
    return this.#failures
  }

  /** A start was asked for. */
  started(nowMs: number): void {
    this.#startedMs = nowMs
  }

  /** The start failed or the instance ended; counts once a start. */
  ended(nowMs: number): void {
    if (this.#startedMs === undefined && this.#failures > 0) return
    const ranMs = this.#startedMs === undefined ? 0 : nowMs - this.#startedMs
    this.#startedMs = undefined
    if (ranMs >= this.#config.restartResetMs) this.#failures = 0
    const { restartMinMs, restartMaxMs } = this.#config
    const delayMs = Math.min(restartMaxMs, restartMinMs * 2 ** Math.min(this.#failures, 30))
    // A first end after a good run restarts at once; a loop waits longer and longer.
    this.#notBeforeMs = ranMs >= this.#config.restartResetMs ? nowMs : nowMs + delayMs
    this.#failures += 1
  }

  /** What failed had a cause that is gone. */
  reset(): void {
    this.#failures = 0
    this.#notBeforeMs = 0
  }

  /** How long until the next start may be tried. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#notBeforeMs - nowMs)
  }
}
