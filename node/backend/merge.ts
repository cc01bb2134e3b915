/** Several async sources as one, without holding more than a bounded part of any in memory. */

const QUEUE_MAX = 1_024

/** Merges ordered sources by `before`; one value of each is held at a time. */
export async function* mergeOrdered<T>(
  sources: readonly AsyncIterable<T>[],
  before: (a: T, b: T) => boolean
): AsyncGenerator<T> {
  const iterators = sources.map(source => source[Symbol.asyncIterator]())
  const heads = await Promise.all(iterators.map(iterator => iterator.next()))
  try {
    for (;;) {
      let best = -1
      for (const [index, head] of heads.entries()) {
        const leader = heads[best]
        if (head.done === true) continue
        if (leader === undefined || before(head.value, leader.value)) best = index
      }
      const head = heads[best]
      const iterator = iterators[best]
      if (head === undefined || iterator === undefined) return
      yield head.value
      heads[best] = await iterator.next()
    }
  } finally {
    await Promise.allSettled(iterators.map(iterator => iterator.return?.()))
  }
}

/** Values as they arrive; a slow reader holds the sources back. Ends with them or the signal. */
export async function* mergeArriving<T>(
  sources: readonly AsyncIterable<T>[],
  signal: AbortSignal
): AsyncGenerator<T> {
  const queue: T[] = []
  const stalled: (() => void)[] = []
  let open = sources.length
  let ended = false
  let wake = (): void => {}
  const pump = async (source: AsyncIterable<T>): Promise<void> => {
    try {
      for await (const value of source) {
        if (ended) return
        queue.push(value)
        wake()
        if (queue.length >= QUEUE_MAX) await new Promise<void>(resolve => stalled.push(resolve))
      }
    } finally {
      open -= 1
      wake()
    }
  }
  const onAbort = (): void => wake()
  signal.addEventListener('abort', onAbort, { once: true })
  const pumps = sources.map(pump)
  try {
    while (!signal.aborted) {
      const value = queue.shift()
      if (value !== undefined) {
        yield value
        if (queue.length === 0) for (const resume of stalled.splice(0)) resume()
      } else if (open === 0) return
      else {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  } finally {
    ended = true
    signal.removeEventListener('abort', onAbort)
    for (const resume of stalled.splice(0)) resume()
    // The sources end with the caller's signal; their faults were theirs to tell.
    void Promise.allSettled(pumps)
  }
}
