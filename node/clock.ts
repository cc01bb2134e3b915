/**
 * The one place where the daemon reads time and waits. Cores get `nowMs` as an argument; what
 * executes their effects gets a clock, the system's or the simulator's.
 */

export interface Clock {
  /** Monotonic milliseconds since some start of its own; never goes back. */
  nowMs(): number
  /** Wall clock, for display only. */
  wallMs(): number
  /** Calls `task` once, not before `afterMs` have passed. Gives what takes it back. */
  schedule(afterMs: number, task: () => void): () => void
}

export const systemClock: Clock = {
  nowMs: () => Math.floor(performance.now()),
  wallMs: () => Date.now(),
  schedule: (afterMs, task) => {
    const timer = setTimeout(task, afterMs)
    return () => clearTimeout(timer)
  }
}

/** ISO text of a moment that the monotonic clock knows, for display. */
export function wallOf(clock: Clock, atMs: number): string {
  return new Date(clock.wallMs() - (clock.nowMs() - atMs)).toISOString()
}

/** Calls `task` every `everyMs`, first after so long. Gives what ends it. */
export function repeat(clock: Clock, everyMs: number, task: () => void): () => void {
  let cancel = clock.schedule(everyMs, again)
  function again(): void {
    cancel = clock.schedule(everyMs, again)
    task()
  }
  return () => cancel()
}

/** Resolves after `ms`, or earlier when the signal aborts: the caller looks at the signal. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const end = (): void => {
      cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const cancel = clock.schedule(ms, end)
    signal.addEventListener('abort', end)
  })
}

/** Does `work` with a signal that aborts with `parent`, or as TimeoutError after `ms`. */
export async function within<Result>(
  clock: Clock,
  limit: { readonly ms: number; readonly parent: AbortSignal },
  work: (signal: AbortSignal) => Promise<Result>
): Promise<Result> {
  const { ms, parent } = limit
  const controller = new AbortController()
  const follow = (): void => controller.abort(parent.reason)
  if (parent.aborted) follow()
  parent.addEventListener('abort', follow)
  const cancel = clock.schedule(ms, () => {
    controller.abort(new DOMException(`no answer within ${ms} ms`, 'TimeoutError'))
  })
  try {
    return await work(controller.signal)
  } finally {
    cancel()
    parent.removeEventListener('abort', follow)
  }
}
