/**
 * What LevelDB does not tell (`promises.md` finding 1): whether a record is the one that was
 * written, and whether all of them are there. Each record carries a checksum over its key and
 * value; the store keeps a count and an order-independent digest of all of them.
 */
import { createHash } from 'node:crypto'

export const CHECKSUM_BYTES = 8
const MASK = (1n << 64n) - 1n
const SEPARATOR = Uint8Array.of(0)

function checksum(key: string, value: Uint8Array): Buffer {
  const hash = createHash('sha256').update(key, 'utf8').update(SEPARATOR).update(value)
  return hash.digest().subarray(0, CHECKSUM_BYTES)
}

export interface Wrapped {
  readonly bytes: Uint8Array
  readonly hash: bigint
}

/** The record as it goes to disk: checksum, value. */
export function wrap(key: string, value: Uint8Array): Wrapped {
  const sum = checksum(key, value)
  return { bytes: Buffer.concat([sum, value]), hash: sum.readBigUInt64BE() }
}

/** The value, when its checksum is right. */
export function unwrap(
  key: string,
  bytes: Uint8Array
): { readonly value: Uint8Array; readonly hash: bigint } | undefined {
  if (bytes.byteLength < CHECKSUM_BYTES) return undefined
  // A copy, and a plain one: LevelDB's Buffer may be a view of something larger.
  const value = new Uint8Array(bytes.subarray(CHECKSUM_BYTES))
  const sum = checksum(key, value)
  const same = sum.equals(bytes.subarray(0, CHECKSUM_BYTES))
  return same ? { value, hash: sum.readBigUInt64BE() } : undefined
}

/** What the store holds, by key. */
export class Inventory {
  readonly #entries = new Map<string, { hash: bigint; bytes: number }>()
  #digest = 0n
  #bytes = 0

  get count(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Sum of all hashes, modulo 2^64, as 16 hex digits. */
  get digest(): string {
    return this.#digest.toString(16).padStart(16, '0')
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  set(key: string, hash: bigint, valueBytes: number): void {
    this.delete(key)
    const bytes = Buffer.byteLength(key) + valueBytes
    this.#entries.set(key, { hash, bytes })
    this.#digest = (this.#digest + hash) & MASK
    this.#bytes += bytes
  }

  delete(key: string): void {
    const held = this.#entries.get(key)
    if (held === undefined) return
    this.#entries.delete(key)
    this.#digest = (this.#digest - held.hash) & MASK
    this.#bytes -= held.bytes
  }
}
