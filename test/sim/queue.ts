/** The virtual clock: what happens next, and when. Equal times keep the order of scheduling. */

interface Entry {
  readonly atMs: number
  readonly sequence: number
  readonly task: () => void
}

export class VirtualClock {
  nowMs = 0
  readonly #heap: Entry[] = []
  #sequence = 0

  get size(): number {
    return this.#heap.length
  }

  schedule(afterMs: number, task: () => void): void {
    const entry = { atMs: this.nowMs + Math.max(0, afterMs), sequence: this.#sequence++, task }
    const heap = this.#heap
    heap.push(entry)
    let index = heap.length - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !before(entry, above)) break
      heap[index] = above
      index = parent
    }
    heap[index] = entry
  }

  /** Runs the next task that is due by `untilMs`; false when there is none. */
  step(untilMs: number): boolean {
    const first = this.#heap[0]
    if (first === undefined || first.atMs > untilMs) {
      this.nowMs = Math.max(this.nowMs, untilMs)
      return false
    }
    this.#pop()
    this.nowMs = first.atMs
    first.task()
    return true
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const right = heap[child + 1]
      const left = heap[child]
      if (left === undefined) break
      if (right !== undefined && before(right, left)) child += 1
      const smaller = heap[child]
      if (smaller === undefined || !before(smaller, last)) break
      heap[index] = smaller
      index = child
    }
    heap[index] = last
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
