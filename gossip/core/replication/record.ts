/**
 * What one owner says of itself. The newest (incarnation, counter) of each key counts. A deleted
 * key stays as a record without value, until the owner collects such tombstones with a *marker*:
 * a signed record under the key '' that lists the hashes of all records its owner still stands
 * by; every other record older than the marker is void, whoever replays it. (chitchat's
 * `last_gc_version`, but the list makes it safe to apply at once, in any order, with gaps.)
 *
 * The state is a function of the set of records taken, whatever their order or number.
 */
import type { Signed } from '../signed.ts'
import type { OwnBody } from './api.ts'
import { compareBytes, compareVersions, type Version } from './clock.ts'
import { OWN_BYTES_MAX, OWN_KEYS_MAX } from './constants.ts'
import { type Hash, HashSum, hashBytes, unpackHashes } from './hash.ts'

/** Key of the marker. */
export const MARKER_KEY = ''

export type OwnRecord = Signed<OwnBody>

export interface OwnChange {
  readonly key: string
  /** `undefined`: the record is gone from the state. */
  readonly record: OwnRecord | undefined
  /** What the key reads as now, when that has changed. */
  readonly value?: Uint8Array | null
}

export type OwnVerdict =
  /** Changed the state. */
  | 'applied'
  /** Known, older than what is known, or voided by its owner. */
  | 'old'
  /** Its version is taken by other bytes: the greater bytes stay. */
  | 'clash'
  /** The owner has too much. */
  | 'limit'

interface Entry {
  readonly record: OwnRecord
  readonly hash: Hash
}

export class OwnerRecords {
  readonly sum = new HashSum()
  readonly #entries = new Map<string, Entry>()
  readonly #values = new Map<string, Uint8Array>()
  /** Hashes that the marker stands by. */
  #listed = new Set<Hash>()
  #bytes = 0
  #tombstones = 0

  get size(): number {
    return this.#entries.size
  }

  get tombstones(): number {
    return this.#tombstones
  }

  /** Keys and what they read as. */
  get values(): ReadonlyMap<string, Uint8Array> {
    return this.#values
  }

  /** Every record with its hash, the marker and the tombstones too. */
  records(): IterableIterator<Entry> {
    return this.#entries.values()
  }

  get(key: string): OwnRecord | undefined {
    return this.#entries.get(key)?.record
  }

  /** The greatest version held. */
  newest(): Version | undefined {
    let newest: Version | undefined
    for (const { record } of this.#entries.values()) {
      if (newest === undefined || compareVersions(record.body, newest) > 0) newest = record.body
    }
    return newest
  }

  /** Takes one record. `changes` gets what changed, in order. */
  merge(record: OwnRecord, changes: OwnChange[]): OwnVerdict {
    const { key } = record.body
    const hash = hashBytes(record.bytes)
    const held = this.#entries.get(key)
    const isVoid = key !== MARKER_KEY && this.#voided(record, hash)
    if (held !== undefined) {
      if (held.hash === hash) return 'old'
      const order = compareVersions(record.body, held.record.body)
      if (order < 0) return 'old'
      if (order === 0) {
        const isGreater = compareBytes(record.bytes, held.record.bytes) > 0
        if (isGreater && !isVoid) this.#set(record, hash, changes)
        return 'clash'
      }
    }
    if (isVoid) return 'old'
    if (held === undefined && this.#entries.size >= OWN_KEYS_MAX) return 'limit'
    const grows = record.bytes.byteLength - (held?.record.bytes.byteLength ?? 0)
    if (this.#bytes + grows > OWN_BYTES_MAX) return 'limit'
    this.#set(record, hash, changes)
    return 'applied'
  }

  #set(record: OwnRecord, hash: Hash, changes: OwnChange[]): void {
    const { key, value } = record.body
    this.#unset(key)
    this.#entries.set(key, { record, hash })
    this.sum.add(hash)
    this.#bytes += record.bytes.byteLength
    if (key === MARKER_KEY) {
      changes.push({ key, record })
      this.#mark(value, changes)
      return
    }
    if (value === null) this.#tombstones += 1
    const before = this.#values.get(key)
    if (value === null) this.#values.delete(key)
    else this.#values.set(key, value)
    const same = value === null ? before === undefined : sameBytes(before, value)
    changes.push(same ? { key, record } : { key, record, value })
  }

  #unset(key: string): void {
    const held = this.#entries.get(key)
    if (held === undefined) return
    this.#entries.delete(key)
    this.sum.remove(held.hash)
    this.#bytes -= held.record.bytes.byteLength
    if (key !== MARKER_KEY && held.record.body.value === null) this.#tombstones -= 1
  }

  /** A new marker: drops what it does not stand by. */
  #mark(value: Uint8Array | null, changes: OwnChange[]): void {
    this.#listed = new Set(value === null ? [] : unpackHashes(value))
    for (const [key, { record, hash }] of [...this.#entries]) {
      if (key === MARKER_KEY || !this.#voided(record, hash)) continue
      this.#unset(key)
      const read = this.#values.delete(key)
      changes.push(read ? { key, record: undefined, value: null } : { key, record: undefined })
    }
  }

  #voided(record: OwnRecord, hash: Hash): boolean {
    const marker = this.#entries.get(MARKER_KEY)
    if (marker === undefined || this.#listed.has(hash)) return false
    return compareVersions(record.body, marker.record.body) < 0
  }
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && compareBytes(a, b) === 0
}
