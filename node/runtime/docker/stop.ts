/**
 * Stopping: the signal, the grace, SIGKILL, removal. Done in steps of our own, because the engine's
 * stop counts in whole seconds and takes a signal only from API 1.42 on.
 */
import type { ContainerInspectInfo } from 'dockerode'
import { RuntimeFailure } from '../runtime.ts'
import { pause } from '../wait.ts'
import { type Engine, statusOf } from './engine.ts'

/** A SIGKILL that has not taken by then is a process in the kernel's hands (a dead disk, NFS). */
const KILL_TIMEOUT_MS = 10_000
const WAIT_RETRY_MS = 100
const REMOVAL_POLL_MS = 100
const REMOVAL_POLLS_MAX = 50

/** Already gone, or already not running: what was wanted. */
const GONE = new Set([404, 409, 304])

async function ignoreGone(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!GONE.has(statusOf(error) ?? 0)) throw error
  }
}

/** Idempotent. Throws a transient failure when it cannot be killed. */
export async function stopContainer(
  engine: Engine,
  info: ContainerInspectInfo,
  options: { readonly graceMs: number; readonly signal: string },
  signal: AbortSignal
): Promise<void> {
  const id = info.Id
  if (info.State.Running) {
    if (info.State.Paused)
      await ignoreGone(
        engine.call('unpause', signal, (docker, abortSignal) =>
          docker.getContainer(id).unpause({ abortSignal } as object)
        )
      )
    await killContainer(engine, id, options.signal, signal)
    if (!(await ended(engine, id, options.graceMs, signal))) {
      await killContainer(engine, id, 'SIGKILL', signal)
      if (!(await ended(engine, id, KILL_TIMEOUT_MS, signal)))
        throw new RuntimeFailure(
          'transient',
          `container ${id} did not end within ${KILL_TIMEOUT_MS} ms of SIGKILL`
        )
    }
  }
  await removeContainer(engine, id, signal)
}

async function killContainer(
  engine: Engine,
  id: string,
  name: string,
  signal: AbortSignal
): Promise<void> {
  await ignoreGone(
    engine.call(`send ${name}`, signal, (docker, abortSignal) =>
      docker.getContainer(id).kill({ signal: name, abortSignal })
    )
  )
}

/** True once it does not run; false after `timeoutMs`. Survives an engine that restarts. */
async function ended(
  engine: Engine,
  id: string,
  timeoutMs: number,
  signal: AbortSignal
): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const leftMs = Math.max(1, deadlineMs - performance.now())
    try {
      await engine.call(
        'wait',
        signal,
        (docker, abortSignal) => docker.getContainer(id).wait({ abortSignal } as object),
        leftMs
      )
      return true
    } catch (error) {
      if (signal.aborted) throw error
      if (statusOf(error) === 404) return true
      if (performance.now() >= deadlineMs) return false
    }
    await pause(WAIT_RETRY_MS, signal)
  }
}

/** Removes it and its anonymous volumes, never a named one. Idempotent. */
export async function removeContainer(
  engine: Engine,
  id: string,
  signal: AbortSignal
): Promise<void> {
  for (let poll = 0; poll < REMOVAL_POLLS_MAX; poll++) {
    try {
      await engine.call(
        'remove',
        signal,
        (docker, abortSignal) =>
          docker.getContainer(id).remove({ force: true, v: true, abortSignal }),
        engine.timeouts.createMs
      )
      return
    } catch (error) {
      if (statusOf(error) === 404) return
      // 409: a removal is under way; wait until it is done.
      if (statusOf(error) !== 409) throw error
      await pause(REMOVAL_POLL_MS, signal)
      signal.throwIfAborted()
    }
  }
  throw new RuntimeFailure('transient', `container ${id} is being removed and stays`)
}
