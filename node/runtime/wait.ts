/**
 * Waiting with limits: every call to an engine has a deadline and listens to its caller's signal.
 * Linked by hand instead of `AbortSignal.any`, which keeps its sources alive on Node 20.
 */
import { setMaxListeners } from 'node:events'
import { RuntimeFailure } from './runtime.ts'

/**
 * Calls `task` when the signal aborts; returns how to take that back. Does nothing for one that has
 * aborted. A daemon's one signal carries many waits at once, and that is no leak.
 */
export function onAbort(signal: AbortSignal, task: () => void): () => void {
  setMaxListeners(0, signal)
  signal.addEventListener('abort', task, { once: true })
  return () => signal.removeEventListener('abort', task)
}

/** Resolves after `ms`, or at once when the signal aborts. Never throws. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) {
      resolve()
      return
    }
    const done = (): void => {
      clearTimeout(timer)
      release()
      resolve()
    }
    const timer = setTimeout(done, ms)
    const release = onAbort(signal, done)
  })
}

export interface Limit {
  /** What is waited for, as it stands in the message: `docker: create`. */
  readonly what: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Runs `work` with a signal that aborts at the deadline or with the caller's. Settles then even if
 * `work` never does (an engine that hangs answers nothing at all).
 * Throws the caller's abort reason, or a transient `RuntimeFailure` at the deadline.
 */
export function within<T>(limit: Limit, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { what, timeoutMs, signal } = limit
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const inner = new AbortController()
    const settle = (finish: () => void): void => {
      clearTimeout(timer)
      release()
      finish()
    }
    const aborted = (): void => {
      settle(() => reject(signal.reason))
      inner.abort(signal.reason)
    }
    const timer = setTimeout(() => {
      const failure = new RuntimeFailure('transient', `${what}: no answer within ${timeoutMs} ms`)
      settle(() => reject(failure))
      inner.abort(failure)
    }, timeoutMs)
    const release = onAbort(signal, aborted)
    work(inner.signal).then(
      value => settle(() => resolve(value)),
      error => settle(() => reject(error))
    )
  })
}

/** One at a time a key, in order of arrival. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<unknown>>()

  /** A caller whose signal aborted while it waited gets the abort reason at its turn. */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    const mine = before.then(() => {
      signal.throwIfAborted()
      return work()
    })
    const tail = mine.catch(() => undefined)
    this.#tails.set(key, tail)
    try {
      return await mine
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    }
  }
}

/** Maps with at most `parallelMax` calls at once, in order. */
export async function mapLimited<T, R>(
  items: readonly T[],
  parallelMax: number,
  work: (item: T) => Promise<R>
): Promise<R[]> {
  const results: R[] = new Array(items.length)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++
      results[index] = await work(items[index] as T)
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallelMax, items.length) }, worker))
  return results
}
