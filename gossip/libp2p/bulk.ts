/**
 * Bulk streams as duplexes for it-pipe. `messageStreamToDuplex` of `@libp2p/utils` reads ahead
 * without a bound: the muxer grants window for what lies unread in its queue. Here an unread
 * backlog pauses the stream, so that a slow reader slows the sender down, hop by hop.
 */
import type { Stream } from '@libp2p/interface'
import { BULK_READ_BYTES } from './limits.ts'
import type { BulkStream } from './types.ts'

function isBroken(stream: Stream): boolean {
  return stream.status === 'reset' || stream.status === 'aborted'
}

class Reader implements AsyncIterableIterator<Uint8Array> {
  readonly #stream: Stream
  readonly #chunks: Uint8Array[] = []
  #bytes = 0
  #hasEnded = false
  /** The writer said that it was done. */
  #isComplete: boolean
  #error: Error | undefined
  #wake: (() => void) | undefined

  constructor(stream: Stream) {
    this.#stream = stream
    this.#isComplete = stream.remoteWriteStatus === 'closed' && stream.status === 'open'
    stream.addEventListener('message', event => {
      const chunk = event.data.subarray()
      this.#chunks.push(chunk)
      this.#bytes += chunk.byteLength
      if (this.#bytes > BULK_READ_BYTES && stream.readStatus === 'readable') stream.pause()
      this.#wake?.()
    })
    stream.addEventListener('remoteCloseWrite', () => {
      this.#isComplete = true
    })
    // 'end' comes after the last byte was given out, also to a reader that paused; 'close' says
    // why there is no more, and comes before it or after.
    stream.addEventListener('end', () => this.#end())
    stream.addEventListener('close', event => {
      if (event.error !== undefined) this.#finish(event.error)
      else if (stream.readableEnded) this.#end()
    })
    // It may be over before anybody looked.
    if (isBroken(stream)) this.#finish(new Error(`stream ${stream.status}`))
    else if (stream.readableEnded) this.#end()
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#bytes -= chunk.byteLength
        if (this.#bytes < BULK_READ_BYTES / 2) this.#resume()
        return { done: false, value: chunk }
      }
      if (this.#error !== undefined) throw this.#error
      if (this.#hasEnded) return { done: true, value: undefined }
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
  }

  /** The reader has seen enough: what still comes is of no use. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#chunks.length = 0
    if (!this.#hasEnded) this.#stream.abort(new Error('not read to its end'))
    return { done: true, value: undefined }
  }

  /** A peer that dies ends its streams too: only a writer that closed has written all. */
  #end(): void {
    if (this.#isComplete) this.#finish(undefined)
    else if (this.#stream.status === 'closed')
      this.#finish(new Error('connection lost in mid-stream'))
  }

  #finish(error: Error | undefined): void {
    this.#hasEnded = true
    this.#error ??= error
    this.#wake?.()
  }

  #resume(): void {
    if (this.#stream.readStatus !== 'paused') return
    try {
      this.#stream.resume()
    } catch {
      // The connection is gone; what had arrived was given out before that threw.
    }
  }
}

/** Waits until the stream takes more, or is over. */
function drained(stream: Stream): Promise<void> {
  return new Promise(resolve => {
    const settle = (): void => {
      stream.removeEventListener('drain', settle)
      stream.removeEventListener('close', settle)
      resolve()
    }
    stream.addEventListener('drain', settle)
    stream.addEventListener('close', settle)
    if (stream.status !== 'open' || !stream.writableNeedsDrain) settle()
  })
}

async function writeAll(
  stream: Stream,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  broken: Promise<never>
): Promise<void> {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  try {
    for (;;) {
      // A source that waits for ever must not keep a broken stream from being noticed.
      const step = await Promise.race([iterator.next(), broken])
      if (step.done === true) break
      if (stream.status !== 'open') await broken
      if (!stream.send(step.value)) await Promise.race([drained(stream), broken])
    }
    await stream.close()
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    // Not awaited: a source that waits for ever would never let go.
    Promise.resolve(iterator.return?.()).catch(() => {})
    throw error
  }
}

/** Wraps a libp2p stream. Must be called before data can arrive unheard: at once. */
export function bulkStream(stream: Stream, peer: string, signal?: AbortSignal): BulkStream {
  const reader = new Reader(stream)
  const broken = new Promise<never>((_, reject) => {
    stream.addEventListener('close', event => reject(event.error ?? new Error('stream closed')))
    if (isBroken(stream) || stream.status === 'closed') reject(new Error(`stream ${stream.status}`))
  })
  broken.catch(() => {})
  const onAbort = (): void => stream.abort(new Error('aborted'))
  signal?.addEventListener('abort', onAbort)
  stream.addEventListener('close', () => signal?.removeEventListener('abort', onAbort))
  return {
    peer,
    protocol: stream.protocol,
    source: reader,
    sink: source => writeAll(stream, source, broken),
    abort: reason => stream.abort(reason)
  }
}
