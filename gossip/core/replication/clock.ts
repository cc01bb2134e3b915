/**
 * Order of records. Owner records: (incarnation, counter). Shared writes: dots and version
 * vectors (dotted version vectors, Preguica et al. 2010); a Lamport counter breaks ties between
 * concurrent writes and bounds the vectors. Wall time orders nothing.
 */
import type { Dot, OwnBody, SharedBody, VersionVector } from './api.ts'
import { ORDER_MAX } from './constants.ts'

export type Version = Pick<OwnBody, 'incarnation' | 'counter'>

/** Negative, zero or positive, as sort wants it. */
export function compareVersions(a: Version, b: Version): number {
  return a.incarnation - b.incarnation || a.counter - b.counter
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

export function sameDot(a: Dot, b: Dot): boolean {
  return a.counter === b.counter && a.boot === b.boot && a.node === b.node
}

function compareDots(a: Dot, b: Dot): number {
  return compareText(a.node, b.node) || compareText(a.boot, b.boot) || a.counter - b.counter
}

/** The vector has seen that write. */
export function covers(vector: VersionVector, dot: Dot): boolean {
  return vector.some(
    entry => entry.counter >= dot.counter && entry.boot === dot.boot && entry.node === dot.node
  )
}

/**
 * The least vector that covers everything the writes have seen, and the writes. Sorted. `own`: the
 * last dot of whoever asks: what others say to have seen beyond it was never written.
 */
export function joinVectors(writes: readonly SharedBody[], own: Dot): VersionVector {
  const entries = new Map<string, Dot>()
  for (const write of writes) {
    for (const { node, boot, counter } of [...write.vector, write.dot]) {
      if (node === own.node && boot === own.boot && counter > own.counter) continue
      const name = `${node}/${boot}`
      if (counter > (entries.get(name)?.counter ?? -1)) entries.set(name, { node, boot, counter })
    }
  }
  return [...entries.values()].sort(compareDots)
}

/**
 * How the later of two writes knows of the earlier one; undefined when it does not. Whoever has
 * seen a write has a higher order: a vector that names writes to come is a lie, and beats none of
 * them. `base` speaks of its own life only: orders of a name begin anew once all know of its
 * removal, and another life that was seen is among `ends`.
 */
export function supersedes(later: SharedBody, earlier: SharedBody): 'seen' | 'base' | undefined {
  if (covers(later.vector, earlier.dot) && mayHaveSeen(later, earlier)) return 'seen'
  return earlier.uid === later.uid && earlier.order <= later.base ? 'base' : undefined
}

/** Orders end at their maximum, where only two that both say so are known to lie. */
function mayHaveSeen(later: SharedBody, earlier: SharedBody): boolean {
  if (later.order > earlier.order) return true
  return later.order === ORDER_MAX && !covers(earlier.vector, later.dot)
}

/** Rank of concurrent writes, best first: Lamport counter, then the author. Same everywhere. */
export function compareRank(a: SharedBody, b: SharedBody): number {
  return b.order - a.order || compareDots(a.dot, b.dot)
}
