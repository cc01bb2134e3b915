/**
 * Hashes for comparing states, not for trust: what is compared is signed. A record's hash covers
 * its signed bytes. Sums do not depend on order, so a set's digest is kept up by adding and
 * subtracting.
 */

/** 53 bits, so that it is an exact number and a cheap key. */
export type Hash = number

export const HASH_BYTES = 8
const LOW = 2 ** 32
const HIGH_MASK = 0x1fffff

function finish(first: number, second: number): Hash {
  let a = Math.imul(first ^ (first >>> 16), 2246822507)
  a ^= Math.imul(second ^ (second >>> 13), 3266489909)
  let b = Math.imul(second ^ (second >>> 16), 2246822507)
  b ^= Math.imul(a ^ (a >>> 13), 3266489909)
  return (b & HIGH_MASK) * LOW + (a >>> 0)
}

/** Two multiplicative lanes over the bytes. */
export function hashBytes(bytes: Uint8Array): Hash {
  let a = 0xdeadbeef ^ bytes.length
  let b = 0x41c6ce57
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    a = Math.imul(a ^ byte, 2654435761)
    b = Math.imul(b ^ byte, 1597334677)
    a = (a << 13) | (a >>> 19)
  }
  return finish(a, b)
}

export function hashText(text: string): Hash {
  let a = 0x2f0b4f4d ^ text.length
  let b = 0x6a09e667
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 2654435761)
    b = Math.imul(b ^ unit, 1597334677)
    a = (a << 13) | (a >>> 19)
  }
  return finish(a, b)
}

/** Hashes as bytes, for a message: 8 each, most significant first. */
export function packHashes(hashes: readonly Hash[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(hashes.length * HASH_BYTES))
  hashes.forEach((hash, index) => {
    view.setUint32(index * HASH_BYTES, Math.floor(hash / LOW))
    view.setUint32(index * HASH_BYTES + 4, hash >>> 0)
  })
  return new Uint8Array(view.buffer)
}

/** The reverse of `packHashes`; the length was checked before. */
export function unpackHashes(bytes: Uint8Array): Hash[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const hashes: Hash[] = []
  for (let at = 0; at + HASH_BYTES <= bytes.byteLength; at += HASH_BYTES) {
    hashes.push((view.getUint32(at) & HIGH_MASK) * LOW + view.getUint32(at + 4))
  }
  return hashes
}

/** Order-independent digest of a set of hashes. */
export class HashSum {
  #high = 0
  #low = 0

  add(hash: Hash): void {
    this.#high = (this.#high + this.#spread(hash)) >>> 0
    this.#low = (this.#low + (hash >>> 0)) >>> 0
  }

  remove(hash: Hash): void {
    this.#high = (this.#high - this.#spread(hash)) >>> 0
    this.#low = (this.#low - (hash >>> 0)) >>> 0
  }

  /** As one hash, for comparing and packing. */
  value(): Hash {
    return (this.#high & HIGH_MASK) * LOW + this.#low
  }

  /** 32 more bits than 21 in the upper lane, of another mixture of the hash. */
  #spread(hash: Hash): number {
    const low = hash >>> 0
    const high = Math.floor(hash / LOW)
    return Math.imul(low ^ (low >>> 15), 2654435761) ^ Math.imul(high, 40503)
  }
}

/** 16 hex digits of two hashes. */
export function hexOf(first: Hash, second: Hash): string {
  const a = finish(first >>> 0, Math.floor(first / LOW) ^ (second >>> 0))
  const b = finish(second >>> 0, Math.floor(second / LOW) ^ 0x9e3779b9)
  const mixed = [(a >>> 0) ^ Math.floor(b / LOW), (b >>> 0) ^ Math.floor(a / LOW)]
  return mixed.map(lane => (lane >>> 0).toString(16).padStart(8, '0')).join('')
}
