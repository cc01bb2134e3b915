/** Length-prefixed frames on a byte stream: an unsigned varint, then so many bytes. */
import { FrameError } from '../codec.ts'
import { FRAME_BYTES_MAX } from '../core/types.ts'

/** 256 KiB needs 19 bits. */
const PREFIX_BYTES_MAX = 3

/** Frames one after the other, each behind its length. */
export function prefixFrames(frames: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const frame of frames) length += PREFIX_BYTES_MAX + frame.byteLength
  const out = new Uint8Array(length)
  let at = 0
  for (const frame of frames) {
    let rest = frame.byteLength
    while (rest > 0x7f) {
      out[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    out[at++] = rest
    out.set(frame, at)
    at += frame.byteLength
  }
  return out.subarray(0, at)
}

/**
 * Cuts what arrives into frames. Work and memory are linear in what arrives, however it is cut up.
 * Throws `FrameError` `size` on a length that is zero, too large, or written too long; after that
 * the stream has no frames any more.
 */
export class FrameReader {
  readonly #onFrame: (frame: Uint8Array) => void
  readonly #bytesMax: number
  #length = 0
  #prefixBytes = 0
  #frame: Uint8Array | undefined
  #filled = 0

  constructor(onFrame: (frame: Uint8Array) => void, bytesMax = FRAME_BYTES_MAX) {
    this.#onFrame = onFrame
    this.#bytesMax = bytesMax
  }

  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.byteLength) {
      if (this.#frame !== undefined) {
        at += this.#fill(this.#frame, chunk, at)
        continue
      }
      if (!this.#takePrefix(chunk[at++] as number)) continue
      const end = at + this.#length
      if (end <= chunk.byteLength) {
        // Whole within the chunk: no copy.
        const frame = chunk.subarray(at, end)
        at = end
        this.#reset()
        this.#onFrame(frame)
      } else {
        this.#frame = new Uint8Array(this.#length)
      }
    }
  }

  #fill(frame: Uint8Array, chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + frame.byteLength - this.#filled)
    frame.set(part, this.#filled)
    this.#filled += part.byteLength
    if (this.#filled === frame.byteLength) {
      this.#reset()
      this.#onFrame(frame)
    }
    return part.byteLength
  }

  /** Takes one byte of the length; true when that was the last. */
  #takePrefix(byte: number): boolean {
    this.#length += (byte & 0x7f) << (7 * this.#prefixBytes)
    this.#prefixBytes += 1
    if ((byte & 0x80) !== 0) {
      if (this.#prefixBytes === PREFIX_BYTES_MAX) throw new FrameError('size', 'length too long')
      return false
    }
    if (this.#length === 0) throw new FrameError('size', 'a frame of no bytes')
    if (this.#length > this.#bytesMax) throw new FrameError('size', `${this.#length} bytes`)
    return true
  }

  #reset(): void {
    this.#frame = undefined
    this.#filled = 0
    this.#length = 0
    this.#prefixBytes = 0
  }
}
