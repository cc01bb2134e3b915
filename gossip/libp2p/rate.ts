/** How fast a peer may talk: two token buckets, of bytes and of frames. */

export interface RateInit {
  readonly bytesPerSecond: number
  readonly bytesBurst: number
  readonly framesPerSecond: number
  readonly framesBurst: number
}

export class RateGate {
  readonly #init: RateInit
  #bytes: number
  #frames: number
  #atMs: number

  constructor(init: RateInit, nowMs: number) {
    this.#init = init
    this.#bytes = init.bytesBurst
    this.#frames = init.framesBurst
    this.#atMs = nowMs
  }

  /** Takes a frame out of the buckets; gives the time until they are above zero again. */
  take(bytes: number, nowMs: number): number {
    const { bytesPerSecond, bytesBurst, framesPerSecond, framesBurst } = this.#init
    const seconds = Math.max(0, nowMs - this.#atMs) / 1_000
    this.#atMs = nowMs
    this.#bytes = Math.min(bytesBurst, this.#bytes + seconds * bytesPerSecond) - bytes
    this.#frames = Math.min(framesBurst, this.#frames + seconds * framesPerSecond) - 1
    const waitSeconds = Math.max(-this.#bytes / bytesPerSecond, -this.#frames / framesPerSecond)
    return waitSeconds <= 0 ? 0 : Math.ceil(waitSeconds * 1_000)
  }
}
