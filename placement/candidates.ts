/**
 * Eligible nodes of an item by score, best first: all of them, or the K best without scoring the
 * rest. -ln(1-v) is never below v, so a draw alone tells that a node cannot be among the best.
 */
import type { Group } from './eligible.ts'
import { draw } from './hash.ts'
import { compareIds, exponential } from './rank.ts'
import type { NodeTable } from './tables.ts'

/** Below this many nodes all are scored. */
const SCORE_ALL_MAX = 48
/** Rounding may put a score a hair below its bound. */
const SLACK = 1 - 1e-9
const TWO_32 = 4_294_967_296

export class Candidates {
  size = 0
  nodes = new Int32Array(0)
  scores = new Float64Array(0)
  readonly #table: NodeTable

  constructor(table: NodeTable) {
    this.#table = table
  }

  /** The `count` best, or all when there are no more. */
  best(group: Group, itemHash: number, count: number): void {
    this.#reserve(group.size)
    if (group.size <= Math.max(count, SCORE_ALL_MAX)) this.#scoreAll(group, itemHash)
    else this.#scoreBelow(group, itemHash, count)
    this.#sort()
    this.size = Math.min(this.size, count)
  }

  all(group: Group, itemHash: number): void {
    this.best(group, itemHash, group.size)
  }

  #reserve(count: number): void {
    if (this.nodes.length >= count) return
    this.nodes = new Int32Array(count * 2)
    this.scores = new Float64Array(count * 2)
  }

  #scoreAll(group: Group, itemHash: number): void {
    const { hash, factor } = this.#table
    for (let i = 0; i < group.size; i++) {
      const n = group.list[i]!
      this.nodes[i] = n
      this.scores[i] = exponential(draw(itemHash, hash[n]!)) * factor[n]!
    }
    this.size = group.size
  }

  /** Guesses a score that a few more than `count` nodes are below; doubles it on a miss. */
  #scoreBelow(group: Group, itemHash: number, count: number): void {
    const { hash, factor } = this.#table
    const { list, size } = group
    const wanted = count + 4 + 3 * Math.sqrt(count)
    for (let ceiling = (wanted * 8) / group.weightEighths; ; ceiling *= 2) {
      const bar = (ceiling / SLACK) * TWO_32
      let found = 0
      for (let i = 0; i < size; i++) {
        const n = list[i]!
        const y = draw(itemHash, hash[n]!)
        if (y * factor[n]! > bar) continue
        const score = exponential(y) * factor[n]!
        if (score > ceiling) continue
        this.nodes[found] = n
        this.scores[found++] = score
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
    const { ids } = this.#table
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
    const { ids } = this.#table
    const rows = Array.from({ length: size }, (_, i) => ({ node: nodes[i]!, score: scores[i]! }))
    rows.sort((a, b) => a.score - b.score || compareIds(ids[a.node]!, ids[b.node]!))
    for (const [i, row] of rows.entries()) {
      nodes[i] = row.node
      scores[i] = row.score
    }
  }
}
