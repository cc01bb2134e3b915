/** The ways between hosts: open or cut in each direction, with delay, loss and little room. */
import type { Random } from '../../../gossip/core/types.ts'

export interface PathFaults {
  /** Segments of a thousand that have to be sent again, each time anew. */
  readonly lossPerMille: number
  readonly delayMinMs: number
  readonly delaySpreadMs: number
  /** Of a thousand segments that take up to `tailMs` longer. */
  readonly tailPerMille: number
  readonly tailMs: number
  /** 0: no limit. */
  readonly bytesPerSecond: number
}

export const CALM_PATHS: PathFaults = {
  lossPerMille: 0,
  delayMinMs: 1,
  delaySpreadMs: 4,
  tailPerMille: 0,
  tailMs: 0,
  bytesPerSecond: 0
}

/** First retransmission of TCP on a short path, doubled each time. */
export const RETRANSMIT_MS = 200
const RETRANSMITS_MAX = 6

export class Paths {
  faults: PathFaults = CALM_PATHS
  readonly #random: Random
  /** `a>b`: nothing from a reaches b. */
  readonly #cuts = new Set<string>()
  readonly #own = new Map<string, PathFaults>()

  constructor(random: Random) {
    this.#random = random
  }

  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`)
  }

  mend(from: string, to: string): void {
    this.#cuts.delete(`${from}>${to}`)
  }

  /** Ends all cuts; what a path has of its own (slow, lossy) stays. */
  heal(): void {
    this.#cuts.clear()
  }

  isOpen(from: string, to: string): boolean {
    return this.#cuts.size === 0 || !this.#cuts.has(`${from}>${to}`)
  }

  /** Both ways: what a handshake needs. */
  isWhole(a: string, b: string): boolean {
    return this.isOpen(a, b) && this.isOpen(b, a)
  }

  get isHealed(): boolean {
    return this.#cuts.size === 0
  }

  /** Faults of one path, for its direction; undefined for those of all. */
  set(from: string, to: string, faults: PathFaults | undefined): void {
    if (faults === undefined) this.#own.delete(`${from}>${to}`)
    else this.#own.set(`${from}>${to}`, faults)
  }

  of(from: string, to: string): PathFaults {
    return this.#own.size === 0 ? this.faults : (this.#own.get(`${from}>${to}`) ?? this.faults)
  }

  /** How long one segment takes on an open path, its retransmissions included. */
  delayMs(from: string, to: string): number {
    const faults = this.of(from, to)
    const random = this.#random
    let delay = faults.delayMinMs + random.int(faults.delaySpreadMs * 16 + 1) / 16
    if (faults.lossPerMille > 0) {
      for (let k = 0; k < RETRANSMITS_MAX && random.int(1_000) < faults.lossPerMille; k += 1) {
        delay += RETRANSMIT_MS * 2 ** k
      }
    }
    if (faults.tailPerMille > 0 && random.int(1_000) < faults.tailPerMille) {
      delay += random.int(faults.tailMs + 1)
    }
    return delay
  }
}
