/**
 * The sending half of a kept stream: one a peer and channel, opened when there is something to
 * send, on whatever connection is the best one now. Frames of one turn leave in one write. What
 * waits is bounded; a peer that takes nothing for `stallMs` is cut off.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { prefixFrames } from './frames.ts'
import type { HostLimits } from './limits.ts'
import { drop, type HostStats } from './stats.ts'

/** Streams that may fail to open, or break, one after the other, before the queue is dropped. */
const FAILURES_MAX = 3
const OPEN_TIMEOUT_MS = 5_000
/** One write; larger ones only make the other side wait for the first frame. */
const WRITE_BYTES_MAX = 64 * 1024

export interface KeptStreamInit {
  readonly protocol: string
  /** Full queue: a heartbeat is worth more than the one before it, a page is not. */
  readonly whenFull: 'drop-oldest' | 'refuse'
}

export interface KeptStreamComponents {
  readonly limits: HostLimits
  readonly stats: HostStats
  readonly best: () => Connection | undefined
  readonly onStall: () => void
}

export class KeptStream {
  readonly #components: KeptStreamComponents
  readonly #init: KeptStreamInit
  readonly #queue: Uint8Array[] = []
  #queuedBytes = 0
  #stream: Stream | undefined
  #connection: Connection | undefined
  #isOpening = false
  #isFlushing = false
  #failures = 0
  #stall: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(components: KeptStreamComponents, init: KeptStreamInit) {
    this.#components = components
    this.#init = init
  }

  /** Queues a frame. False when it, and not an older one, was dropped. */
  send(frame: Uint8Array): boolean {
    const { limits, stats } = this.#components
    if (this.#isClosed) return false
    while (
      this.#queue.length >= limits.queueFramesMax ||
      (this.#queue.length > 0 && this.#queuedBytes + frame.byteLength > limits.queueBytesMax)
    ) {
      drop(stats, 'queue-full')
      if (this.#init.whenFull === 'refuse') return false
      this.#queuedBytes -= this.#queue.shift()?.byteLength ?? 0
    }
    this.#queue.push(frame)
    this.#queuedBytes += frame.byteLength
    if (!this.#isFlushing) {
      this.#isFlushing = true
      queueMicrotask(() => {
        this.#isFlushing = false
        this.#flush()
      })
    }
    return true
  }

  /** The best connection changed. */
  reroute(): void {
    if (this.#queue.length > 0) this.#flush()
  }

  /** Drops what waits and ends the stream. */
  close(): void {
    this.#isClosed = true
    this.#dropQueue('link-closed')
    this.#letGo()
  }

  #dropQueue(reason: string): void {
    if (this.#queue.length > 0) drop(this.#components.stats, reason, this.#queue.length)
    this.#queue.length = 0
    this.#queuedBytes = 0
  }

  /** Steps away from the stream; what was written to it still leaves. */
  #letGo(): void {
    clearTimeout(this.#stall)
    this.#stall = undefined
    const stream = this.#stream
    this.#stream = undefined
    this.#connection = undefined
    stream?.close({ signal: AbortSignal.timeout(OPEN_TIMEOUT_MS) }).catch((error: Error) => {
      stream.abort(error)
    })
  }

  #flush(): void {
    if (this.#isClosed || this.#isOpening || this.#queue.length === 0) return
    const best = this.#components.best()
    if (best === undefined) return
    if (this.#stream !== undefined && this.#connection !== best) this.#letGo()
    const stream = this.#stream
    if (stream === undefined) {
      void this.#open(best)
      return
    }
    while (this.#queue.length > 0 && !stream.writableNeedsDrain) {
      const frames = this.#take()
      try {
        stream.send(prefixFrames(frames))
      } catch {
        this.#broke(stream)
        return
      }
      this.#failures = 0
    }
    if (stream.writableNeedsDrain) this.#watchStall()
  }

  #take(): Uint8Array[] {
    let bytes = 0
    let count = 0
    for (const frame of this.#queue) {
      bytes += frame.byteLength
      if (count > 0 && bytes > WRITE_BYTES_MAX) break
      count += 1
    }
    const frames = this.#queue.splice(0, count)
    for (const frame of frames) {
      this.#queuedBytes -= frame.byteLength
      this.#components.stats.bytesOut += frame.byteLength
    }
    this.#components.stats.framesOut += frames.length
    return frames
  }

  #watchStall(): void {
    if (this.#stall !== undefined) return
    this.#stall = setTimeout(() => {
      this.#stall = undefined
      drop(this.#components.stats, 'stalled')
      this.#components.onStall()
    }, this.#components.limits.stallMs)
  }

  async #open(connection: Connection): Promise<void> {
    this.#isOpening = true
    try {
      const stream = await connection.newStream(this.#init.protocol, {
        signal: AbortSignal.timeout(OPEN_TIMEOUT_MS)
      })
      this.#isOpening = false
      if (this.#isClosed) {
        stream.abort(new Error('link closed'))
        return
      }
      this.#stream = stream
      this.#connection = connection
      stream.addEventListener('drain', () => {
        clearTimeout(this.#stall)
        this.#stall = undefined
        // libp2p marks the stream writable in a listener of its own; go after it.
        queueMicrotask(() => this.#flush())
      })
      stream.addEventListener('close', () => this.#broke(stream))
      this.#flush()
    } catch {
      this.#isOpening = false
      this.#failed()
    }
  }

  /** The other side, or the connection, ended the stream. */
  #broke(stream: Stream): void {
    if (this.#stream !== stream) return
    clearTimeout(this.#stall)
    this.#stall = undefined
    this.#stream = undefined
    this.#connection = undefined
    this.#failed()
  }

  #failed(): void {
    this.#failures += 1
    if (this.#failures >= FAILURES_MAX) {
      this.#failures = 0
      this.#dropQueue('stream-broke')
      return
    }
    this.#flush()
  }
}
