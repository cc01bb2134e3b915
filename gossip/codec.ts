/**
 * Bytes <-> messages. A frame is a version byte, a codec byte and a body: CBOR without records or
 * shared structures, so that every frame can be read alone and by every version. A `Signed` inside
 * is a tag holding author, bytes and signature; its `bytes` are a frame themselves, and `body` is
 * what they decode to. Bytes are hostile: size, version, codec and shape (`cbor-scan.ts`) are
 * checked before a value is built, and a failure is a `FrameError` with one reason word.
 *
 * Messages are plain data: null, undefined, booleans, numbers, text, `Uint8Array`, arrays, plain
 * objects and `Signed`. No bigint, no Date, no Map: encoding one is a bug and asserts.
 */
import { addExtension, Encoder } from 'cbor-x'
import { SIGNED_TAG, scan } from './cbor-scan.ts'
import { assert } from './core/assert.ts'
import type { Codec } from './core/effect.ts'
import { Signed } from './core/signed.ts'
import { FRAME_BYTES_MAX, type NodeId } from './core/types.ts'

export const FRAME_VERSION = 1
/** The only codec of version 1. */
export const CODEC_CBOR = 1
/** `Signed` values in one frame, nested ones too: some 100 ms of verifying at the very worst. */
export const SIGNED_MAX = 1_024
/** A `Signed` in the body of a `Signed`, and so on. */
export const SIGNED_DEPTH_MAX = 4

const HEAD_BYTES = 2
const SIGNATURE_BYTES = 64
const AUTHOR_LENGTH_MAX = 128

export type FrameFault = 'size' | 'version' | 'codec' | 'decode' | 'signature' | 'trailing'

/** Bytes that are no frame of ours. Nothing was built from them; nothing changed. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
  readonly reason: FrameFault

  constructor(reason: FrameFault, message: string = reason) {
    super(`frame: ${message}`)
    this.reason = reason
  }
}

/** Says whether `signature` over `bytes` is the author's. */
export type Verify = (author: NodeId, bytes: Uint8Array, signature: Uint8Array) => boolean

type Opened = { -readonly [Key in keyof Signed]: Signed[Key] }

/** `Signed` values met by the decoding that runs now, to be verified and opened after it. */
let met: Signed[] | undefined

addExtension<Signed, unknown>({
  Class: Signed,
  tag: SIGNED_TAG,
  encode: (value, encodeFn) => encodeFn([value.author, value.bytes, value.signature]),
  decode: parts => {
    if (met === undefined) throw new FrameError('decode', 'a signed value outside of a frame')
    if (met.length >= SIGNED_MAX) throw new FrameError('size', 'too many signed values')
    const signed = toSigned(parts)
    met.push(signed)
    return signed
  }
})

const cbor = new Encoder({
  useRecords: false,
  variableMapSize: true,
  mapsAsObjects: true,
  tagUint8Array: false,
  // A `Signed` outlives its frame by far: a view would keep the whole frame in memory.
  copyBuffers: true
})

function toSigned(parts: unknown): Signed {
  if (Array.isArray(parts) && parts.length === 3) {
    const [author, bytes, signature] = parts as unknown[]
    if (
      typeof author === 'string' &&
      author.length <= AUTHOR_LENGTH_MAX &&
      bytes instanceof Uint8Array &&
      signature instanceof Uint8Array &&
      signature.byteLength <= SIGNATURE_BYTES
    )
      return new Signed(author, undefined, bytes, signature)
  }
  throw new FrameError('decode', 'a signed value is author, bytes and signature')
}

/** Encodes plain data. Throws `FrameError` `size` above the limit; anything unreadable asserts. */
export function encode(value: unknown): Uint8Array {
  const body = cbor.encode(value)
  const length = HEAD_BYTES + body.byteLength
  if (length > FRAME_BYTES_MAX) throw new FrameError('size', `${length} bytes is over the limit`)
  const frame = new Uint8Array(length)
  frame[0] = FRAME_VERSION
  frame[1] = CODEC_CBOR
  frame.set(body, HEAD_BYTES)
  assert(scan(frame, HEAD_BYTES) === 'ok', 'a message is plain data')
  return frame
}

function checkHead(frame: Uint8Array): void {
  if (frame.byteLength > FRAME_BYTES_MAX) throw new FrameError('size', 'over the limit')
  if (frame.byteLength <= HEAD_BYTES) throw new FrameError('size', 'too short')
  if (frame[0] !== FRAME_VERSION) throw new FrameError('version', `version ${frame[0]}`)
  if (frame[1] !== CODEC_CBOR) throw new FrameError('codec', `codec ${frame[1]}`)
}

/** Decodes one frame; `Signed` values in it are left unopened in `into`. */
function decodeShallow(frame: Uint8Array, into: Signed[]): unknown {
  checkHead(frame)
  const verdict = scan(frame, HEAD_BYTES)
  if (verdict !== 'ok') throw new FrameError(verdict)
  met = into
  try {
    // A plain view: a Buffer would make every byte string in it a Buffer.
    return cbor.decode(
      new Uint8Array(frame.buffer, frame.byteOffset + HEAD_BYTES, frame.byteLength - HEAD_BYTES)
    )
  } catch (error) {
    if (error instanceof FrameError) throw error
    throw new FrameError('decode', error instanceof Error ? error.message : String(error))
  } finally {
    met = undefined
  }
}

function decodeWith(frame: Uint8Array, verify: Verify | undefined): unknown {
  // Grows while it is walked: opening a body may meet further signed values. The walk is ours and
  // not cbor-x's, which copies the outer bytes for each nested decoding.
  const signed: Signed[] = []
  const value = decodeShallow(frame, signed)
  let levelEnd = signed.length
  let depth = 1
  for (let i = 0; i < signed.length; i++) {
    if (i === levelEnd) {
      levelEnd = signed.length
      depth += 1
    }
    if (depth > SIGNED_DEPTH_MAX) throw new FrameError('decode', 'signed values nested too deep')
    const one = signed[i] as Opened
    if (verify !== undefined && !verify(one.author, one.bytes, one.signature))
      throw new FrameError('signature', `not signed by ${one.author}`)
    one.body = decodeShallow(one.bytes, signed)
  }
  return value
}

/** Decodes without verifying: for our own disk. Throws `FrameError`. */
export function decode(frame: Uint8Array): unknown {
  return decodeWith(frame, undefined)
}

/** Decodes what a peer sent: one bad signature refuses the whole frame. Throws `FrameError`. */
export function decodeVerified(frame: Uint8Array, verify: Verify): unknown {
  return decodeWith(frame, verify)
}

/** For the cores' executors: persistence, where bytes are our own. */
export const codec: Codec = { encode, decode }
