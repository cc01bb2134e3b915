/**
 * A look over CBOR bytes before anything is built from them. cbor-x understands far more than we
 * send (records compiled with `new Function`, packed tables, dates, regular expressions, shared
 * references); a peer gets none of it. What passes here is plain data of bounded depth and count,
 * ends exactly where the bytes end, and has one tag at most: the one that marks a `Signed`.
 *
 * One pass, no recursion, no allocation that grows with the input (RFC 8949 for the head byte).
 */

/** Marks `[author, bytes, signature]`: 'SH' in ASCII, from the first-come range of the registry. */
export const SIGNED_TAG = 0x5348
/** Arrays, maps and tags within each other. Our deepest message uses 9. */
export const DEPTH_MAX = 32
/** Values in one frame: 10,000 workloads of a digest with room to spare. */
export const ITEMS_MAX = 131_072

export type ScanVerdict = 'ok' | 'decode' | 'trailing'

const PROTO_KEY = [...'__proto__'].map(letter => letter.charCodeAt(0))

/** Bytes that follow the head byte to give its argument, by the low five bits; -1: not allowed. */
function argumentLength(low: number): number {
  if (low < 24) return 0
  if (low === 24) return 1
  if (low === 25) return 2
  if (low === 26) return 4
  // 27 is 64 bits: no length of ours needs it and no integer of ours is written so.
  // 28 to 30 are reserved, 31 is an indefinite length.
  return -1
}

function isProtoKey(bytes: Uint8Array, at: number, length: number): boolean {
  return length === PROTO_KEY.length && PROTO_KEY.every((code, i) => bytes[at + i] === code)
}

/** Bytes after the head of a major-7 item; -1: neither a float nor false, true, null, undefined. */
function simpleLength(low: number): number {
  if (low >= 20 && low <= 23) return 0
  if (low === 25) return 2
  if (low === 26) return 4
  if (low === 27) return 8
  return -1
}

/** Says whether `bytes` from `start` on are exactly one value of the kind we send. */
export function scan(bytes: Uint8Array, start: number): ScanVerdict {
  // Values still to come at each level; a map counts keys and values.
  const left = new Int32Array(DEPTH_MAX + 1)
  const isMap = new Uint8Array(DEPTH_MAX + 1)
  const end = bytes.byteLength
  let depth = 0
  let items = 0
  let at = start
  left[0] = 1
  while (depth >= 0) {
    if (left[depth] === 0) {
      depth -= 1
      continue
    }
    if (at >= end || ++items > ITEMS_MAX) return 'decode'
    const isKey = isMap[depth] === 1 && (left[depth] as number) % 2 === 0
    left[depth] = (left[depth] as number) - 1
    const head = bytes[at++] as number
    const major = head >> 5
    const low = head & 0x1f
    if (isKey && major !== 3) return 'decode'
    if (major === 7) {
      const length = simpleLength(low)
      if (length < 0 || at + length > end) return 'decode'
      at += length
      continue
    }
    const width = argumentLength(low)
    if (width < 0 || at + width > end) return 'decode'
    let argument = low
    if (width > 0) {
      argument = 0
      for (let i = 0; i < width; i++) argument = argument * 256 + (bytes[at++] as number)
    }
    if (major <= 1) continue
    if (major <= 3) {
      if (argument > end - at) return 'decode'
      if (isKey && isProtoKey(bytes, at, argument)) return 'decode'
      at += argument
      continue
    }
    // Arrays, maps, tags: every value takes a byte at least, so a bogus count ends here.
    const values = major === 4 ? argument : major === 5 ? argument * 2 : 1
    if (values > end - at || depth === DEPTH_MAX) return 'decode'
    if (major === 6 && (width !== 2 || argument !== SIGNED_TAG)) return 'decode'
    depth += 1
    left[depth] = values
    isMap[depth] = major === 5 ? 1 : 0
  }
  return at === end ? 'ok' : 'trailing'
}
