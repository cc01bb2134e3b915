/**
 * A virtual clock: time passes only when it is told to. Tasks of one instant run in the order in
 * which they were scheduled, so one seed gives one run.
 */
import type { Clock } from '../../node/clock.ts'

interface Task {
  readonly atMs: number
  readonly order: number
  /** Undefined once it was taken back. */
  run: (() => void) | undefined
}

/** Wall time at the start of every world: any fixed moment. */
export const EPOCH_MS = Date.UTC(2026, 0, 1)

export class VirtualClock implements Clock {
  #nowMs = 0
  #order = 0
  #size = 0
  readonly #heap: Task[] = []

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return EPOCH_MS + Math.floor(this.#nowMs)
  }

  /** Tasks that wait. */
  get size(): number {
    return this.#size
  }

  schedule(afterMs: number, run: () => void): () => void {
    const task: Task = { atMs: this.#nowMs + Math.max(0, afterMs), order: this.#order++, run }
    push(this.#heap, task)
    this.#size += 1
    return () => {
      if (task.run !== undefined) this.#size -= 1
      task.run = undefined
    }
  }

  /** Runs the next task that is due by `untilMs`; false when there is none, and it is then. */
  step(untilMs: number): boolean {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || first.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return false
      }
      pop(this.#heap)
      const { run } = first
      if (run === undefined) continue
      this.#nowMs = first.atMs
      this.#size -= 1
      first.run = undefined
      run()
      return true
    }
  }

  /** Lets `ms` pass. */
  run(ms: number): void {
    const untilMs = this.#nowMs + ms
    while (this.step(untilMs));
  }

  /** As `run`, and lets promises settle before and after each task. */
  async settle(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    do await new Promise(resolve => setImmediate(resolve))
    while (this.step(untilMs))
  }
}

function before(a: Task, b: Task): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

function push(heap: Task[], task: Task): void {
  let index = heap.push(task) - 1
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (!before(task, heap[parent] as Task)) break
    heap[index] = heap[parent] as Task
    index = parent
  }
  heap[index] = task
}

function pop(heap: Task[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let index = 0
  for (;;) {
    let child = 2 * index + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1] as Task, heap[child] as Task)) child += 1
    if (!before(heap[child] as Task, last)) break
    heap[index] = heap[child] as Task
    index = child
  }
  heap[index] = last
}
