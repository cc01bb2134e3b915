/**
 * One shared register: the writes of a name that none other has seen (its siblings). Merging is
 * the join of sets under "superseded by", so order, repetition and grouping do not matter.
 */
import type { Signed } from '../signed.ts'
import type { Dot, SharedBody, SharedEntry } from './api.ts'
import { compareBytes, compareRank, sameDot, supersedes } from './clock.ts'
import { SIBLINGS_MAX } from './constants.ts'
import { type Hash, hashBytes } from './hash.ts'

export type SharedWrite = Signed<SharedBody>

export interface Sibling {
  readonly write: SharedWrite
  readonly hash: Hash
}

export interface Register {
  readonly key: string
  /** Best rank first. */
  readonly siblings: readonly Sibling[]
  /** Position in our own log of shared changes (`stability.ts`). */
  readonly changedAt: number
}

export type RegisterVerdict =
  | 'applied'
  /** Held already. */
  | 'known'
  /** Something held has seen it. */
  | 'superseded'
  /** Nothing held has seen it, but everybody had held writes of a later order: too late. */
  | 'late'
  /** Its dot is taken by other bytes: the greater bytes stay. */
  | 'clash'

export interface Merged {
  readonly verdict: RegisterVerdict
  readonly siblings: readonly Sibling[]
}

/** The later of two writes, when one has seen the other. Liars who claim both ways go by rank. */
function verdictOn(incoming: SharedBody, held: SharedBody): 'wins' | 'seen' | 'late' | 'both' {
  const wins = supersedes(incoming, held)
  const loses = supersedes(held, incoming)
  if (wins !== undefined && loses !== undefined)
    return compareRank(incoming, held) < 0 ? 'wins' : 'seen'
  if (wins !== undefined) return 'wins'
  if (loses === undefined) return 'both'
  return loses === 'seen' ? 'seen' : 'late'
}

/** Joins one write. Pure. */
export function mergeWrite(siblings: readonly Sibling[], write: SharedWrite): Merged {
  const hash = hashBytes(write.bytes)
  const twin = siblings.find(sibling => sameDot(sibling.write.body.dot, write.body.dot))
  if (twin !== undefined) {
    if (twin.hash === hash) return { verdict: 'known', siblings }
    if (compareBytes(write.bytes, twin.write.bytes) < 0) return { verdict: 'clash', siblings }
    const others = siblings.filter(sibling => sibling !== twin)
    return { verdict: 'clash', siblings: mergeWrite(others, write).siblings }
  }
  const verdicts = siblings.map(sibling => verdictOn(write.body, sibling.write.body))
  if (verdicts.includes('seen')) return { verdict: 'superseded', siblings }
  if (verdicts.includes('late')) return { verdict: 'late', siblings }
  const kept = siblings.filter((_, index) => verdicts[index] !== 'wins')
  const joined = [...kept, { write, hash }].sort((a, b) => compareRank(a.write.body, b.write.body))
  return { verdict: 'applied', siblings: joined.slice(0, SIBLINGS_MAX) }
}

/** The same operation, submitted to two nodes that did not know of each other's writing it. */
function repeats(write: SharedBody, better: SharedBody): boolean {
  return (
    write.uid === better.uid &&
    (write.operation === better.operation ||
      better.past.some(past => past.operation === write.operation))
  )
}

/** What a register reads as: the best rank, and the other lives and edits beside it. */
export function readRegister(key: string, siblings: readonly Sibling[]): SharedEntry {
  const writes = siblings.map(sibling => sibling.write)
  const bodies = writes.map(write => write.body)
  const [current, ...conflicts] = writes.filter(({ body }) => !isHidden(body, bodies))
  return { key, current, conflicts }
}

/** True when a later write carries what it did. */
function isHidden(write: SharedBody, writes: readonly SharedBody[]): boolean {
  if (writes.length === 1) return false
  const behind = before(write, writes)
  return writes.some(other => {
    if (other === write || !before(other, writes).has(write)) return false
    // Each carries the other, as when two sides did the same in two orders: the better rank stays.
    return !behind.has(other) || compareRank(other, write) < 0
  })
}

/** Those whose operation a write carries, or one of these does. */
function before(write: SharedBody, writes: readonly SharedBody[]): Set<SharedBody> {
  const found = new Set([write])
  for (const at of found) {
    for (const other of writes) if (repeats(other, at)) found.add(other)
  }
  return found
}

/** The dot under which a register holds an operation, or held it a few writes ago. */
export function findOperation(
  siblings: readonly Sibling[],
  operation: string
): { readonly dot: Dot; readonly write: SharedWrite | undefined } | undefined {
  for (const { write } of siblings) {
    if (write.body.operation === operation) return { dot: write.body.dot, write }
  }
  for (const { write } of siblings) {
    const past = write.body.past.find(entry => entry.operation === operation)
    if (past !== undefined) return { dot: past.dot, write: undefined }
  }
  return undefined
}
