/**
 * The awake clock (rule 2). Lifeguard stretches time-outs by a score of its own health; here the
 * clock itself stands still while we do not run, which needs no score and no tuning.
 */
import { assert } from '../assert.ts'
import type { Context } from './context.ts'

/** The most that one input advances the awake clock. */
export const AWAKE_STEP_MAX_MS = 250
/** A gap above this is a lag: sockets are drained before we judge. */
const LAG_MS = 2 * AWAKE_STEP_MAX_MS

export class Awareness {
  readonly #context: Context
  #started = false
  #lagging = false
  #lagged = false

  constructor(context: Context) {
    this.#context = context
  }

  /** Moves both clocks. Returns for how long we were paused, 0 when that is nothing special. */
  advance(nowMs: number): number {
    const context = this.#context
    assert(nowMs >= context.nowMs || !this.#started, 'time went back')
    const gapMs = this.#started ? nowMs - context.nowMs : 0
    this.#started = true
    context.nowMs = nowMs
    context.awakeMs += Math.min(gapMs, AWAKE_STEP_MAX_MS)
    if (gapMs > LAG_MS) this.#lagging = true
    if (gapMs <= context.config.silenceSuspectMs) return 0
    context.stats.pauses += 1
    return gapMs
  }

  /**
   * Asked once a tick: false for the tick of a lag, so that what waits is read first. In a lag that
   * lasts it has been, since the tick before: whoever is always late would else never find anybody
   * dead, and with three or four members nobody would without its report.
   */
  mayJudge(): boolean {
    const judges = !this.#lagging || this.#lagged
    this.#lagged = this.#lagging
    this.#lagging = false
    return judges
  }
}
