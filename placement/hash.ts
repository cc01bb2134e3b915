/**
 * Hashing: one keyed hash a string, integer mixing from then on. HalfSipHash-2-4 (Aumasson and
 * Bernstein's SipHash with 32-bit words), 64-bit result, over the UTF-16LE bytes of the string.
 * Keyed by the mesh's salt, so that who chooses ids cannot aim at a node.
 */

export interface Hash64 {
  readonly low: number
  readonly high: number
}

/** Key of hashes that must not depend on a mesh: view hash and assignment digest. */
export const PLAIN_KEY: Hash64 = { low: 0x73686f61, high: 0x6c2f7631 }

const state = new Int32Array(4)

function rounds(count: number): void {
  let v0 = state[0]!
  let v1 = state[1]!
  let v2 = state[2]!
  let v3 = state[3]!
  for (let i = 0; i < count; i++) {
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
  }
  state[0] = v0
  state[1] = v1
  state[2] = v2
  state[3] = v3
}

function absorb(word: number): void {
  state[3]! ^= word
  rounds(2)
  state[0]! ^= word
}

/** HalfSipHash-2-4-64 of the string's UTF-16LE bytes. Both halves are unsigned. */
export function hash64(text: string, key: Hash64): Hash64 {
  state[0] = key.low
  state[1] = key.high ^ 0xee
  state[2] = 0x6c796765 ^ key.low
  state[3] = 0x74656462 ^ key.high
  const length = text.length
  const even = length - (length % 2)
  for (let i = 0; i < even; i += 2) absorb(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16))
  absorb((even < length ? text.charCodeAt(even) : 0) | ((length * 2) << 24))
  state[2]! ^= 0xee
  rounds(4)
  const low = (state[1]! ^ state[3]!) >>> 0
  state[1]! ^= 0xdd
  rounds(4)
  return { low, high: (state[1]! ^ state[3]!) >>> 0 }
}

/** The mesh's hash key. */
export function saltKey(salt: string): Hash64 {
  return hash64(salt, PLAIN_KEY)
}

/** 32 bits of an id under the mesh's key, as a signed integer (the form the mixers want). */
export function idHash(id: string, key: Hash64): number {
  return hash64(id, key).low | 0
}

/** Full avalanche of 32 bits (the constants of `lowbias32`); signed. */
export function mix(value: number): number {
  let x = value
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return x ^ (x >>> 16)
}

/** The draw of a pair of hashed ids, 0..2^32-1. */
export function draw(a: number, b: number): number {
  return mix(a ^ b) >>> 0
}

/** The draw of an item's slot on a node. */
export function slotDraw(item: number, slot: number, node: number): number {
  return draw(mix((item + Math.imul(slot + 1, 0x9e3779b1)) | 0), node)
}

/** 16 hex digits. */
export function hex64(low: number, high: number): string {
  const half = (value: number): string => (value >>> 0).toString(16).padStart(8, '0')
  return half(high) + half(low)
}
