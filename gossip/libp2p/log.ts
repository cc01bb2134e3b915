/** Logging: nothing of libp2p's own, and never a flood of ours. */
import type { ComponentLogger, Logger } from '@libp2p/interface'
import { Lru } from '../lru.ts'
import type { HostLog } from './types.ts'

const silent: Logger = Object.assign(() => {}, {
  error: () => {},
  trace: () => {},
  enabled: false,
  newScope: (): Logger => silent
})

/** libp2p formats a dozen trace lines a frame; this one costs nothing. */
export const silentLogger: ComponentLogger = { forComponent: () => silent }

const SUBJECTS_MAX = 256

/** Writes a line about one subject at most once in `periodMs`; says how many it kept back. */
export class RateLimitedLog {
  readonly #log: HostLog
  readonly #periodMs: number
  readonly #seen = new Lru<string, { atMs: number; kept: number }>(SUBJECTS_MAX)

  constructor(log: HostLog, periodMs = 30_000) {
    this.#log = log
    this.#periodMs = periodMs
  }

  warn(subject: string, line: string): void {
    const nowMs = performance.now()
    const last = this.#seen.get(subject)
    if (last !== undefined && nowMs - last.atMs < this.#periodMs) {
      last.kept += 1
      return
    }
    const kept = last === undefined || last.kept === 0 ? '' : ` (and ${last.kept} times before)`
    this.#seen.set(subject, { atMs: nowMs, kept: 0 })
    this.#log.warn(`${line}${kept}`)
  }
}
