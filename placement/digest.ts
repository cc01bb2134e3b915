/**
 * What nodes gossip to find out that they agree: a hash of the whole placement input and a
 * digest of the seats. Both are sums of 64-bit hashes, so the order of lists cannot matter and a
 * change costs only what changed.
 */
import { canonicalItem, canonicalNode, latestChanges } from './canonical.ts'
import { type Hash64, hash64, hex64, mix, PLAIN_KEY } from './hash.ts'
import type { Assignment, ItemAssignment, PlacementChange, PlacementInput } from './types.ts'

/** Sums of the two halves, each modulo 2^32. */
class Sum {
  low = 0
  high = 0

  add(hash: Hash64): void {
    this.low = (this.low + hash.low) | 0
    this.high = (this.high + hash.high) | 0
  }

  subtract(hash: Hash64): void {
    this.low = (this.low - hash.low) | 0
    this.high = (this.high - hash.high) | 0
  }
}

/** The view hash, kept while nodes and items change. */
export class ViewHash {
  readonly #sum = new Sum()
  readonly #nodes = new Map<string, Hash64>()
  readonly #items = new Map<string, Hash64>()

  constructor(input: PlacementInput) {
    this.#sum.add(hash64(JSON.stringify(['view', input.salt, input.version]), PLAIN_KEY))
    for (const node of input.nodes) this.#set(this.#nodes, node.id, `node${canonicalNode(node)}`)
    for (const item of input.items) this.#set(this.#items, item.uid, `item${canonicalItem(item)}`)
  }

  apply(changes: readonly PlacementChange[]): void {
    const latest = latestChanges(changes)
    for (const [id, node] of latest.nodes) {
      this.#set(this.#nodes, id, node && `node${canonicalNode(node)}`)
    }
    for (const [uid, item] of latest.items) {
      this.#set(this.#items, uid, item && `item${canonicalItem(item)}`)
    }
  }

  /** 16 hex digits. */
  value(): string {
    return hex64(this.#sum.low, this.#sum.high)
  }

  #set(parts: Map<string, Hash64>, id: string, text: string | undefined): void {
    const before = parts.get(id)
    if (before !== undefined) this.#sum.subtract(before)
    if (text === undefined) parts.delete(id)
    else {
      const after = hash64(text, PLAIN_KEY)
      parts.set(id, after)
      this.#sum.add(after)
    }
  }
}

/** Covers all of the placement input and nothing else; 16 hex digits. */
export function viewHash(input: PlacementInput): string {
  return new ViewHash(input).value()
}

/** The digest of an assignment, kept while items change. */
export class AssignmentDigest {
  readonly #sum = new Sum()
  readonly #items = new Map<string, Hash64>()
  readonly #nodeHashes = new Map<string, Hash64>()

  /** Replaces what one item holds; undefined when it is gone. */
  set(uid: string, item: ItemAssignment | undefined): void {
    const before = this.#items.get(uid)
    if (before !== undefined) this.#sum.subtract(before)
    if (item === undefined || item.seats.length === 0) {
      this.#items.delete(uid)
      return
    }
    const after = this.#itemHash(item)
    this.#items.set(uid, after)
    this.#sum.add(after)
  }

  /** 16 hex digits. */
  value(): string {
    return hex64(this.#sum.low, this.#sum.high)
  }

  #itemHash(item: ItemAssignment): Hash64 {
    const uid = hash64(item.uid, PLAIN_KEY)
    const sum = new Sum()
    for (const seat of item.seats) {
      const node = this.#nodeHash(seat.node)
      const low = mix(mix(uid.low ^ seat.seats) ^ node.high)
      sum.add({ low, high: mix(mix(uid.high + low) ^ node.low) })
    }
    return sum
  }

  #nodeHash(id: string): Hash64 {
    let hash = this.#nodeHashes.get(id)
    if (hash === undefined) {
      hash = hash64(id, PLAIN_KEY)
      this.#nodeHashes.set(id, hash)
    }
    return hash
  }
}

/** Covers uid, node and count of every seat, not slot numbers nor what is pending. */
export function assignmentDigest(assignment: Assignment): string {
  const digest = new AssignmentDigest()
  for (const item of assignment.items) digest.set(item.uid, item)
  return digest.value()
}
