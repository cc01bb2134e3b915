/**
 * Eligible nodes of an item by score, best first: all of them, or the K best without scoring the
 * rest. -ln(1-v) is never below v, so a draw alone tells that a node cannot be among the best.
 * The first few of each item are remembered: repair asks for little else.
 */
import type { Group } from './eligible.ts'
import { draw } from './hash.ts'
import { compareIds, exponential, scoreOf } from './rank.ts'
import type { ItemTable, NodeTable } from './tables.ts'

/** Up to this many nodes all are scored and none are remembered. */
const SCORE_ALL_MAX = 48
/** How many are remembered for an item. */
const REMEMBERED = 16
/** Rounding may put a score a hair below its bound. */
const SLACK = 1 - 1e-9
const TWO_32 = 4_294_967_296

export class Candidates {
  size = 0
  nodes = new Int32Array(REMEMBERED)
  scores = new Float64Array(REMEMBERED)
  /** The list may be shorter than was asked for; `extend` makes it whole. */
  partial = false
  readonly #nodes: NodeTable
  readonly #items: ItemTable
  #group!: Group
  #k = 0
  #count = 0
  #memory = new Int32Array(0)

  constructor(nodes: NodeTable, items: ItemTable) {
    this.#nodes = nodes
    this.#items = items
  }

  /** At least some of the `count` best of item k, from memory if it can be. */
  begin(group: Group, k: number, count: number): void {
    this.#group = group
    this.#k = k
    this.#count = count
    this.partial = group.size > Math.max(count, SCORE_ALL_MAX) && this.#recall()
    if (!this.partial) this.#best()
  }

  /** The `count` best, or all when there are no more. What was there stays in front. */
  extend(): void {
    this.partial = false
    this.#best()
  }

  all(group: Group, k: number): void {
    this.#group = group
    this.#k = k
    this.#count = group.size
    this.extend()
  }

  /** A newcomer that scores within what is remembered of item k takes its place there. */
  insert(k: number, newcomer: number, score: number): void {
    const items = this.#items
    const nodes = this.#nodes
    const memory = this.#memory
    const start = k * REMEMBERED
    const length = items.remembered[k]!
    const since = items.rememberedAt[k]!
    const itemHash = items.hash[k]!
    let size = 0
    for (let i = 0; i < length; i++) {
      const n = memory[start + i]!
      if (nodes.spec[n] !== undefined && nodes.born[n]! <= since) memory[start + size++] = n
    }
    let at = size
    while (at > 0 && this.#before(itemHash, newcomer, score, memory[start + at - 1]!)) at -= 1
    const full = size === REMEMBERED
    if (!full) size += 1
    if (at < REMEMBERED) {
      memory.copyWithin(start + at + 1, start + at, start + size - 1)
      memory[start + at] = newcomer
    }
    items.remembered[k] = size
    items.rememberedAt[k] = nodes.clock
    if (!full) return
    const last = memory[start + REMEMBERED - 1]!
    items.rememberedScore[k] = scoreOf(itemHash, nodes.hash[last]!, nodes.factor[last]!)
  }

  #before(itemHash: number, newcomer: number, score: number, other: number): boolean {
    const { hash, factor, ids } = this.#nodes
    const otherScore = scoreOf(itemHash, hash[other]!, factor[other]!)
    return score < otherScore || (score === otherScore && ids[newcomer]! < ids[other]!)
  }

  #best(): void {
    const count = this.#count
    const group = this.#group
    this.#reserve(group.size)
    const few = group.size <= Math.max(count, SCORE_ALL_MAX)
    if (few) this.#scoreAll()
    else this.#scoreBelow()
    this.#sort()
    this.size = Math.min(this.size, count)
    if (!few) this.#remember()
  }

  /** Entries of nodes that left, or whose id is another node's now, are passed over. */
  #recall(): boolean {
    const items = this.#items
    const nodes = this.#nodes
    const k = this.#k
    const length = items.remembered[k]!
    const since = items.rememberedAt[k]!
    const itemHash = items.hash[k]!
    let size = 0
    for (let i = 0; i < length; i++) {
      const n = this.#memory[k * REMEMBERED + i]!
      if (nodes.spec[n] === undefined || nodes.born[n]! > since) continue
      this.nodes[size] = n
      this.scores[size++] = exponential(draw(itemHash, nodes.hash[n]!)) * nodes.factor[n]!
    }
    this.size = size
    return size > 0
  }

  #remember(): void {
    const items = this.#items
    const k = this.#k
    if (this.#memory.length < items.capacity * REMEMBERED) {
      const grown = new Int32Array(items.capacity * REMEMBERED)
      grown.set(this.#memory)
      this.#memory = grown
    }
    const length = Math.min(this.size, REMEMBERED)
    for (let i = 0; i < length; i++) this.#memory[k * REMEMBERED + i] = this.nodes[i]!
    items.remembered[k] = length
    items.rememberedAt[k] = this.#nodes.clock
    items.rememberedScore[k] = this.scores[length - 1]!
  }

  #reserve(count: number): void {
    if (this.nodes.length >= count) return
    this.nodes = new Int32Array(count * 2)
    this.scores = new Float64Array(count * 2)
  }

  #scoreAll(): void {
    const { hash, factor } = this.#nodes
    const { list, size } = this.#group
    const itemHash = this.#items.hash[this.#k]!
    for (let i = 0; i < size; i++) {
      const n = list[i]!
      this.nodes[i] = n
      this.scores[i] = exponential(draw(itemHash, hash[n]!)) * factor[n]!
    }
    this.size = size
  }

  /** Guesses a score that a few more than `count` nodes are below; doubles it on a miss. */
  #scoreBelow(): void {
    const { hash, factor } = this.#nodes
    const { list, size, weightEighths } = this.#group
    const { nodes, scores } = this
    const itemHash = this.#items.hash[this.#k]!
    const count = this.#count
    const wanted = count + 4 + 3 * Math.sqrt(count)
    for (let ceiling = (wanted * 8) / weightEighths; ; ceiling *= 2) {
      const bar = (ceiling / SLACK) * TWO_32
      let found = 0
      for (let i = 0; i < size; i++) {
        const n = list[i]!
        const y = draw(itemHash, hash[n]!)
        if (y * factor[n]! > bar) continue
        const score = exponential(y) * factor[n]!
        if (score > ceiling) continue
        nodes[found] = n
        scores[found++] = score
      }
      this.size = found
      if (found >= count) return
    }
  }

  #sort(): void {
    if (this.size > SCORE_ALL_MAX * 4) this.#sortMany()
    else this.#sortFew()
  }

  #sortFew(): void {
    const { nodes, scores, size } = this
    const { ids } = this.#nodes
    for (let i = 1; i < size; i++) {
      const node = nodes[i]!
      const score = scores[i]!
      let at = i
      while (at > 0) {
        const other = scores[at - 1]!
        if (other < score) break
        if (other === score && compareIds(ids[nodes[at - 1]!]!, ids[node]!) < 0) break
        nodes[at] = nodes[at - 1]!
        scores[at] = other
        at -= 1
      }
      nodes[at] = node
      scores[at] = score
    }
  }

  #sortMany(): void {
    const { nodes, scores, size } = this
    const { ids } = this.#nodes
    const rows = Array.from({ length: size }, (_, i) => ({ node: nodes[i]!, score: scores[i]! }))
    rows.sort((a, b) => a.score - b.score || compareIds(ids[a.node]!, ids[b.node]!))
    for (const [i, row] of rows.entries()) {
      nodes[i] = row.node
      scores[i] = row.score
    }
  }
}
