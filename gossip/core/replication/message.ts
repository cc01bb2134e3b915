/**
 * Messages between replicas, and the reader that lets nothing else in. What it gets was decoded
 * and its signatures verified; every field is hostile all the same.
 */
import { bytes, type Check, count, flag, isRecord, list, text } from '../check.ts'
import { Signed } from '../signed.ts'
import type { NodeId } from '../types.ts'
import type { Dot, OwnBody, PastOperation, SharedBody, VersionVector } from './api.ts'
import { covers } from './clock.ts'
import * as limits from './constants.ts'
import { HASH_BYTES } from './hash.ts'

export type ReplicatedRecord = Signed<OwnBody> | Signed<SharedBody>

/** Fast path: news, for everybody or for one peer. */
export interface Delta {
  readonly kind: 'delta'
  readonly records: readonly ReplicatedRecord[]
}

/** Take this write to your disk and tell. Answered by `stored`. */
export interface StoreRequest {
  readonly kind: 'store'
  readonly record: Signed<SharedBody>
}

export interface Stored {
  readonly kind: 'stored'
  readonly key: string
  readonly dot: Dot
  /** False: something that the write has not seen stands in its way; it came as a delta before. */
  readonly held: boolean
}

/** Opens an exchange: one hash of all owner records, one of all shared state. */
export interface DigestMessage {
  readonly kind: 'digest'
  readonly own: Uint8Array
  readonly shared: Uint8Array
  /** The sender knows that it lost state: its word that nothing is missing counts for nothing. */
  readonly amnesiac: boolean
}

/** Answers a digest that is equal; echoes it. */
export interface Same {
  readonly kind: 'same'
  readonly own: Uint8Array
  readonly shared: Uint8Array
  readonly amnesiac: boolean
}

/** Answers a digest that differs: a hash of each owner's id and records, and of each bucket. */
export interface Summary {
  readonly kind: 'summary'
  readonly owners: Uint8Array
  readonly buckets: Uint8Array
  readonly amnesiac: boolean
}

/** For each group that differs, the hashes of all records I hold of it. */
export interface Want {
  readonly kind: 'want'
  readonly owners: readonly { readonly owner: Uint8Array; readonly have: Uint8Array }[]
  readonly buckets: readonly { readonly bucket: number; readonly have: Uint8Array }[]
}

/** A page of what the other lacks. The last one says what its sender lacks in turn. */
export interface RecordsMessage {
  readonly kind: 'records'
  readonly records: readonly ReplicatedRecord[]
  /** Removed lives whose signed removal was collected. */
  readonly removed: readonly string[]
  readonly lack: Uint8Array
  readonly last: boolean
  /** With `last`: nothing was left out for want of space or tokens. */
  readonly complete: boolean
  /** With `last`: pages of this answer, this one too; 0 when it was no answer to a `want`. */
  readonly pages: number
}

export type ReplicationMessage =
  | Delta
  | StoreRequest
  | Stored
  | DigestMessage
  | Same
  | Summary
  | Want
  | RecordsMessage

const id: Check<NodeId> = (value): value is string =>
  text(limits.ID_LENGTH_MAX)(value) && value !== ''
const key = text(limits.KEY_LENGTH_MAX)
const UID = /^[0-9a-f]{32}$/

export function isUid(value: unknown): value is string {
  return typeof value === 'string' && UID.test(value)
}

function isDot(value: unknown): value is Dot {
  return isRecord(value) && id(value['node']) && id(value['boot']) && count(value['counter'])
}

const vector: Check<VersionVector> = list(limits.VECTOR_ENTRIES_MAX, isDot)
const ends = list(limits.SIBLINGS_MAX, isUid)

function isPast(value: unknown): value is PastOperation {
  if (!isRecord(value) || !isOperation(value['operation'])) return false
  return isDot(value['dot']) && isParts(value['parts']) && isRequest(value['request'])
}

export const isRequest = text(limits.REQUEST_LENGTH_MAX)

export function isParts(value: unknown): value is number {
  return count(value) && value >= 1
}

export function isOperation(value: unknown): value is string {
  return text(limits.OPERATION_LENGTH_MAX)(value) && value !== ''
}

/** A record's own words about itself; `author` is who signed them. */
export function isOwnBody(value: unknown, author: NodeId): value is OwnBody {
  if (!isRecord(value) || value['kind'] !== 'own') return false
  const { node, incarnation, counter, key: name, value: content } = value
  if (node !== author || !count(incarnation) || !count(counter) || !key(name)) return false
  // The marker's value is a list of hashes (`record.ts`).
  if (name === '') return isHashes(limits.OWN_KEYS_MAX)(content)
  return content === null || bytes(limits.OWN_VALUE_BYTES_MAX)(content)
}

export function isSharedBody(value: unknown, author: NodeId): value is SharedBody {
  if (!isRecord(value) || value['kind'] !== 'shared' || !isDot(value['dot'])) return false
  const { order, base, remove, value: content } = value
  return (
    value['dot'].node === author &&
    key(value['key']) &&
    isUid(value['uid']) &&
    vector(value['vector']) &&
    !covers(value['vector'], value['dot']) &&
    flag(remove) &&
    (remove
      ? content === null
      : content === null || bytes(limits.SHARED_VALUE_BYTES_MAX)(content)) &&
    isOperation(value['operation']) &&
    isParts(value['parts']) &&
    isRequest(value['request']) &&
    count(value['wroteAtMs']) &&
    count(order) &&
    count(base) &&
    order >= 1 &&
    order <= limits.ORDER_MAX &&
    base < order &&
    ends(value['ends']) &&
    !(value['ends'] as readonly string[]).includes(value['uid']) &&
    list(limits.PAST_MAX, isPast)(value['past'])
  )
}

export function isReplicatedRecord(value: unknown): value is ReplicatedRecord {
  if (!(value instanceof Signed) || !id(value.author)) return false
  if (!bytes(limits.RECORD_BYTES_MAX)(value.bytes) || !bytes(limits.ID_LENGTH_MAX)(value.signature))
    return false
  return isOwnBody(value.body, value.author) || isSharedBody(value.body, value.author)
}

export function isSharedRecord(value: ReplicatedRecord): value is Signed<SharedBody> {
  return value.body.kind === 'shared'
}

/** Kinds of a newer version are left out; anything else that is odd refuses the message. */
function isFuture(value: unknown): boolean {
  const body: unknown = value instanceof Signed ? value.body : undefined
  if (!isRecord(body) || typeof body['kind'] !== 'string') return false
  return body['kind'] !== 'own' && body['kind'] !== 'shared'
}

function readRecords(value: unknown): readonly ReplicatedRecord[] | undefined {
  if (!Array.isArray(value) || value.length > limits.PAGE_RECORDS_MAX) return undefined
  const known = (value as unknown[]).filter(entry => !isFuture(entry))
  return known.every(isReplicatedRecord) ? known : undefined
}

function isHashes(max: number): Check<Uint8Array> {
  return (value): value is Uint8Array =>
    bytes(max * HASH_BYTES)(value) && value.byteLength % HASH_BYTES === 0
}

const one: Check<Uint8Array> = (value): value is Uint8Array =>
  bytes(HASH_BYTES)(value) && value.byteLength === HASH_BYTES
const have = isHashes(limits.WANT_HASHES_MAX)
/** Owners ever named in one message: members, each as two hashes. */
const owners = isHashes(2 * 4_096)
const buckets: Check<Uint8Array> = (value): value is Uint8Array =>
  bytes(limits.BUCKET_COUNT * HASH_BYTES)(value) &&
  value.byteLength === limits.BUCKET_COUNT * HASH_BYTES

function isWantedOwner(value: unknown): value is Want['owners'][number] {
  return isRecord(value) && one(value['owner']) && have(value['have'])
}

function isWantedBucket(value: unknown): value is Want['buckets'][number] {
  if (!isRecord(value) || !count(value['bucket'])) return false
  return value['bucket'] < limits.BUCKET_COUNT && have(value['have'])
}

/** Gives the message when every field of it is sound; else undefined, and it must be dropped. */
export function readReplicationMessage(value: unknown): ReplicationMessage | undefined {
  if (!isRecord(value)) return undefined
  switch (value['kind']) {
    case 'delta':
    case 'records':
      return readPage(value['kind'], value)
    case 'store': {
      const record = value['record']
      if (!isReplicatedRecord(record) || !isSharedRecord(record)) return undefined
      return { kind: 'store', record }
    }
    case 'stored': {
      const { key: name, dot, held } = value
      if (!key(name) || !isDot(dot) || !flag(held)) return undefined
      return { kind: 'stored', key: name, dot, held }
    }
    case 'digest':
    case 'same': {
      const { kind, own, shared, amnesiac } = value
      return one(own) && one(shared) && flag(amnesiac) ? { kind, own, shared, amnesiac } : undefined
    }
    case 'summary': {
      const { amnesiac } = value
      if (!owners(value['owners']) || value['owners'].byteLength % (2 * HASH_BYTES) !== 0)
        return undefined
      if (!buckets(value['buckets']) || !flag(amnesiac)) return undefined
      return { kind: 'summary', owners: value['owners'], buckets: value['buckets'], amnesiac }
    }
    case 'want':
      return readWant(value)
    default:
      return undefined
  }
}

function readPage(
  kind: 'delta' | 'records',
  value: Readonly<Record<string, unknown>>
): ReplicationMessage | undefined {
  const records = readRecords(value['records'])
  if (records === undefined) return undefined
  if (kind === 'delta') return { kind, records }
  const { removed, lack, last, complete, pages } = value
  if (!list(limits.PAGE_UIDS_MAX, isUid)(removed) || !have(lack)) return undefined
  if (!flag(last) || !flag(complete) || !count(pages)) return undefined
  return { kind, records, removed, lack, last, complete, pages }
}

function readWant(value: Readonly<Record<string, unknown>>): Want | undefined {
  const wantedOwners = value['owners']
  const wantedBuckets = value['buckets']
  if (!list(4_096, isWantedOwner)(wantedOwners)) return undefined
  if (!list(limits.BUCKET_COUNT, isWantedBucket)(wantedBuckets)) return undefined
  return { kind: 'want', owners: wantedOwners, buckets: wantedBuckets }
}
