/** Token buckets on the caller's clock: what a peer may ask of us. */

export interface Rate {
  readonly burst: number
  readonly perSecond: number
}

/** Buckets beyond are forgotten, least recently used first: their names get a new burst. */
const NAMES_MAX = 8_192

export class TokenBuckets {
  readonly #rate: Rate
  readonly #levels = new Map<string, { level: number; atMs: number }>()

  constructor(rate: Rate) {
    this.#rate = rate
  }

  /** Tokens left for `name`. */
  level(name: string, nowMs: number): number {
    const held = this.#levels.get(name)
    if (held === undefined) return this.#rate.burst
    const refill = ((nowMs - held.atMs) / 1_000) * this.#rate.perSecond
    return Math.min(this.#rate.burst, held.level + Math.max(0, refill))
  }

  /** Takes `tokens` when they are there. */
  take(name: string, tokens: number, nowMs: number): boolean {
    const level = this.level(name, nowMs)
    if (level < tokens) return false
    this.#levels.delete(name)
    this.#levels.set(name, { level: level - tokens, atMs: nowMs })
    if (this.#levels.size > NAMES_MAX) {
      const oldest = this.#levels.keys().next().value
      if (oldest !== undefined) this.#levels.delete(oldest)
    }
    return true
  }
}
