/** A heap of tasks by time, those of one instant in the order in which they were added. */

export type Task = { readonly atMs: number; readonly order: number; readonly run: () => void }

function before(a: Task, b: Task): boolean {
  return a.atMs - b.atMs < 0 || (a.atMs === b.atMs && a.order < b.order)
}

export function push(heap: Task[], task: Task): void {
  let index = heap.push(task) - 1
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (!before(task, heap[parent] as Task)) break
    heap[index] = heap[parent] as Task
    index = parent
  }
  heap[index] = task
}

export function pop(heap: Task[]): void {
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
