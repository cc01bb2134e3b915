/** The one place where the daemon reads time. Cores get `nowMs` as an argument. */

export interface Clock {
  /** Monotonic milliseconds since some start of its own; never goes back. */
  nowMs(): number
  /** Wall clock, for display only. */
  wallMs(): number
}

export const systemClock: Clock = {
  nowMs: () => Math.floor(performance.now()),
  wallMs: () => Date.now()
}

/** ISO text of a moment that the monotonic clock knows, for display. */
export function wallOf(clock: Clock, atMs: number): string {
  return new Date(clock.wallMs() - (clock.nowMs() - atMs)).toISOString()
}
