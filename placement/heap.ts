/** Items still to choose, earliest first. Positions must not change between `order` and `pop`. */
import type { ItemTable } from './tables.ts'

export class Heap {
  readonly #items: ItemTable
  #heap: number[] = []
  #queued = new Uint8Array(0)
  #ordered = true

  constructor(items: ItemTable) {
    this.#items = items
  }

  /** Queues the item once. */
  push(k: number): void {
    if (k >= this.#queued.length) {
      const grown = new Uint8Array(this.#items.capacity)
      grown.set(this.#queued)
      this.#queued = grown
    }
    if (this.#queued[k] === 1) return
    this.#queued[k] = 1
    this.#heap.push(k)
    if (this.#ordered) this.#up(this.#heap.length - 1)
  }

  /** While the order of items changes, pushes are only collected. */
  suspend(): void {
    this.#ordered = false
  }

  order(): void {
    const { position } = this.#items
    // A sorted array is a heap.
    this.#heap.sort((a, b) => position[a]! - position[b]!)
    this.#ordered = true
  }

  /** The earliest item, or -1. */
  pop(): number {
    const heap = this.#heap
    if (heap.length === 0) return -1
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      this.#down()
    }
    this.#queued[first] = 0
    return first
  }

  #up(from: number): void {
    const heap = this.#heap
    const { position } = this.#items
    const k = heap[from]!
    const key = position[k]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (position[heap[parent]!]! <= key) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = k
  }

  #down(): void {
    const heap = this.#heap
    const { position } = this.#items
    const k = heap[0]!
    const key = position[k]!
    const { length } = heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && position[heap[child + 1]!]! < position[heap[child]!]!) child += 1
      if (position[heap[child]!]! >= key) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = k
  }
}
