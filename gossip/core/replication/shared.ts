/**
 * All shared registers and the removed lives. A removal is not a write among others: it adds uids
 * to a set that only grows, and no write of such a uid is ever held, whenever it comes. The signed
 * removal is kept as evidence until every rostered node holds it; then the uid alone stays.
 */
import type { Repeated, SharedBody, SharedEntry } from './api.ts'
import { compareText } from './clock.ts'
import { BUCKET_COUNT, EVIDENCE_MAX, PAST_MAX, REGISTERS_MAX, REMOVED_MAX } from './constants.ts'
import { type Hash, HashSum, hashText } from './hash.ts'
import { partOf } from './operations.ts'
import {
  mergeWrite,
  type Register,
  type RegisterVerdict,
  readRegister,
  type SharedWrite,
  type Sibling
} from './register.ts'
import type { Stability } from './stability.ts'

export type SharedVerdict = RegisterVerdict | 'removed' | 'limit'

export type SharedChange =
  | {
      readonly kind: 'register'
      readonly key: string
      readonly before: readonly Sibling[]
      readonly after: readonly Sibling[]
    }
  /** A life has ended; `evidence` undefined: only its uid is known. */
  | {
      readonly kind: 'removed'
      readonly uid: string
      readonly evidence: SharedWrite | undefined
    }

interface Removed {
  readonly evidence: SharedWrite | undefined
  readonly changedAt: number
}

export interface Bucket {
  readonly sum: HashSum
  readonly keys: Set<string>
  readonly uids: Set<string>
}

export function removedHash(uid: string): Hash {
  return hashText(`removed/${uid}`)
}

function bucketOf(text: string): number {
  return hashText(text) % BUCKET_COUNT
}

export class SharedState {
  readonly #stability: Stability
  readonly #registers = new Map<string, Register>()
  readonly #removed = new Map<string, Removed>()
  readonly #keysOfUid = new Map<string, Set<string>>()
  readonly #buckets: readonly Bucket[]
  readonly #sum = new HashSum()
  /** Removed uids with evidence, oldest change first. */
  readonly #tombstones = new Set<string>()

  constructor(stability: Stability) {
    this.#stability = stability
    this.#buckets = Array.from({ length: BUCKET_COUNT }, () => ({
      sum: new HashSum(),
      keys: new Set<string>(),
      uids: new Set<string>()
    }))
  }

  get buckets(): readonly Bucket[] {
    return this.#buckets
  }

  get registerCount(): number {
    return this.#registers.size
  }

  get removedCount(): number {
    return this.#removed.size
  }

  get tombstoneCount(): number {
    return this.#tombstones.size
  }

  sum(): Hash {
    return this.#sum.value()
  }

  removed(uid: string): boolean {
    return this.#removed.has(uid)
  }

  evidence(uid: string): SharedWrite | undefined {
    return this.#removed.get(uid)?.evidence
  }

  /** The highest order that a name is known to have had, in lives that have ended too; 0: none. */
  highestOrder(key: string): number {
    let highest = 0
    for (const { write } of this.#registers.get(key)?.siblings ?? []) {
      highest = Math.max(highest, write.body.order)
    }
    for (const uid of this.#tombstones) {
      const body = this.#removed.get(uid)?.evidence?.body
      if (body?.key === key) highest = Math.max(highest, body.order)
    }
    return highest
  }

  /** What its registers and the ends of lives tell of an operation. */
  parts(operation: string): readonly Repeated[] {
    const found = new Map<string, Repeated>()
    const look = ({ body }: SharedWrite): void => {
      const { key, uid } = body
      const part = partOf(operation, key)
      const one = [body, ...body.past].find(said => said.operation === part)
      if (one !== undefined) found.set(key, { key, uid, parts: one.parts, request: one.request })
    }
    for (const { siblings } of this.#registers.values())
      for (const { write } of siblings) look(write)
    for (const uid of this.#tombstones) {
      const evidence = this.evidence(uid)
      if (evidence !== undefined) look(evidence)
    }
    return [...found.values()]
  }

  /** True when so much was written that it tells of no more than the last operations. */
  isForgetful(key: string): boolean {
    const siblings = this.#registers.get(key)?.siblings ?? []
    return siblings.some(({ write }) => write.body.past.length >= PAST_MAX)
  }

  register(key: string): Register | undefined {
    return this.#registers.get(key)
  }

  entry(key: string): SharedEntry | undefined {
    const register = this.#registers.get(key)
    return register === undefined ? undefined : readRegister(key, register.siblings)
  }

  entries(prefix: string): readonly SharedEntry[] {
    return [...this.#registers.values()]
      .filter(register => register.key.startsWith(prefix))
      .sort((a, b) => compareText(a.key, b.key))
      .map(register => readRegister(register.key, register.siblings))
  }

  /** Takes one write or removal, whoever brought it. */
  merge(write: SharedWrite, changes: SharedChange[]): SharedVerdict {
    const { key, uid, remove, ends } = write.body
    for (const ended of ends) this.#remove(ended, write, changes)
    if (remove) return this.#remove(uid, write, changes)
    if (this.#removed.has(uid)) return 'removed'
    const before = this.#registers.get(key)
    if (before === undefined && this.#registers.size >= REGISTERS_MAX) return 'limit'
    const merged = mergeWrite(before?.siblings ?? [], write)
    if (merged.siblings !== before?.siblings) {
      this.#set(key, before?.siblings ?? [], merged.siblings, changes)
    }
    return merged.verdict
  }

  /** Takes the bare word of a peer that a life has ended. */
  mergeRemoved(uid: string, changes: SharedChange[]): SharedVerdict {
    return this.#remove(uid, undefined, changes)
  }

  get hasTombstones(): boolean {
    return this.#tombstones.size > 0
  }

  /** Shrinks the evidence that every rostered node holds and that is old. Gives the uids. */
  collect(stable: number, old: number): readonly string[] {
    const collected: string[] = []
    for (const uid of this.#tombstones) {
      const removed = this.#removed.get(uid)
      // Oldest first: those behind it are younger.
      if (removed === undefined || removed.changedAt > stable) break
      if (removed.changedAt > old && this.#tombstones.size <= EVIDENCE_MAX) break
      this.#tombstones.delete(uid)
      this.#removed.set(uid, { evidence: undefined, changedAt: removed.changedAt })
      collected.push(uid)
    }
    return collected
  }

  #remove(uid: string, evidence: SharedWrite | undefined, changes: SharedChange[]): SharedVerdict {
    if (this.#removed.has(uid)) return 'known'
    if (this.#removed.size >= REMOVED_MAX) return 'limit'
    this.#removed.set(uid, { evidence, changedAt: this.#stability.next() })
    if (evidence !== undefined) this.#tombstones.add(uid)
    const hash = removedHash(uid)
    const bucket = this.#buckets[bucketOf(uid)] as Bucket
    bucket.uids.add(uid)
    bucket.sum.add(hash)
    this.#sum.add(hash)
    changes.push({ kind: 'removed', uid, evidence })
    for (const key of [...(this.#keysOfUid.get(uid) ?? [])].sort()) {
      const siblings = this.#registers.get(key)?.siblings ?? []
      const after = siblings.filter(sibling => sibling.write.body.uid !== uid)
      this.#set(key, siblings, after, changes)
    }
    return 'applied'
  }

  #set(
    key: string,
    before: readonly Sibling[],
    after: readonly Sibling[],
    changes: SharedChange[]
  ): void {
    const bucket = this.#buckets[bucketOf(key)] as Bucket
    for (const { hash, write } of before) {
      bucket.sum.remove(hash)
      this.#sum.remove(hash)
      this.#unindex(write.body)
    }
    for (const { hash, write } of after) {
      bucket.sum.add(hash)
      this.#sum.add(hash)
      const keys = this.#keysOfUid.get(write.body.uid) ?? new Set()
      this.#keysOfUid.set(write.body.uid, keys.add(key))
    }
    const changedAt = this.#stability.next()
    if (after.length === 0) {
      this.#registers.delete(key)
      bucket.keys.delete(key)
    } else {
      this.#registers.set(key, { key, siblings: after, changedAt })
      bucket.keys.add(key)
    }
    changes.push({ kind: 'register', key, before, after })
  }

  #unindex(body: SharedBody): void {
    const keys = this.#keysOfUid.get(body.uid)
    keys?.delete(body.key)
    if (keys?.size === 0) this.#keysOfUid.delete(body.uid)
  }
}
