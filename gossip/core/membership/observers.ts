/**
 * Who observes whom (`protocols.md` 2.1; Rapid, section 4.1, its K rings). Up to `EVERYONE_MAX`
 * members everyone observes everyone. Above that each member has K distinct observers: on each of
 * K rings the first successor that is not chosen already. A join or a leave changes O(K) edges.
 */
import type { NodeId } from '../types.ts'

export const RINGS = 8
export const EVERYONE_MAX = 9

/** FNV-1a over the text, then murmur3's finaliser: spreads ids that differ in one character. */
export function hash32(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed + 1, 0x9e3779b1)) >>> 0
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** The observer graph of one set of members. Immutable; equal on all nodes of equal views. */
export class ObserverGraph {
  readonly #observers = new Map<NodeId, ReadonlySet<NodeId>>()
  readonly #subjects = new Map<NodeId, Set<NodeId>>()
  readonly members: ReadonlySet<NodeId>

  constructor(members: Iterable<NodeId>) {
    const sorted = [...members].sort()
    this.members = new Set(sorted)
    for (const id of sorted) this.#subjects.set(id, new Set())
    if (sorted.length <= EVERYONE_MAX) {
      for (const id of sorted) this.#observers.set(id, new Set(sorted.filter(one => one !== id)))
    } else this.#fromRings(sorted)
    for (const [subject, observers] of this.#observers) {
      for (const observer of observers) this.#subjects.get(observer)?.add(subject)
    }
  }

  /** Who observes `subject`; empty when it is no member. */
  observers(subject: NodeId): ReadonlySet<NodeId> {
    return this.#observers.get(subject) ?? NOBODY
  }

  /** Whom `observer` observes. */
  subjects(observer: NodeId): ReadonlySet<NodeId> {
    return this.#subjects.get(observer) ?? NOBODY
  }

  #fromRings(sorted: readonly NodeId[]): void {
    const chosen = new Map<NodeId, Set<NodeId>>(sorted.map(id => [id, new Set()]))
    for (let ring = 0; ring < RINGS; ring++) {
      const keyed = sorted.map(id => ({ id, key: hash32(id, ring) }))
      keyed.sort((a, b) => a.key - b.key || (a.id < b.id ? -1 : 1))
      for (const [index, { id }] of keyed.entries()) {
        const own = chosen.get(id) as Set<NodeId>
        // More members than rings: a successor that is not chosen exists.
        for (let step = 1; step < keyed.length; step++) {
          const next = (keyed[(index + step) % keyed.length] as { id: NodeId }).id
          if (own.has(next)) continue
          own.add(next)
          break
        }
      }
    }
    for (const [id, own] of chosen) this.#observers.set(id, own)
  }
}

const NOBODY: ReadonlySet<NodeId> = new Set()
