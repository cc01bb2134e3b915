/**
 * Ending a process: its signal to its group, the grace, SIGKILL, the shim, the record. Before each
 * signal the identity is read anew.
 */
import { RuntimeFailure } from '../runtime.ts'
import { pause } from '../wait.ts'
import { settled } from './launch.ts'
import { isAlive, type Proc, type ProcessIdentity, signalGroup } from './proc.ts'
import type { Record } from './record.ts'

const KILL_TIMEOUT_MS = 10_000
/** The shim writes the exit status and lets its readers finish; then it is told to go. */
const SHIM_TIMEOUT_MS = 1_000
const POLL_MIN_MS = 5
const POLL_MAX_MS = 100

export interface StopOptions {
  readonly graceMs: number
  readonly signal: string
}

/** Removes the record. Throws a transient failure, and keeps it, when SIGKILL does not take. */
export async function stopRecord(
  record: Record,
  proc: Proc,
  options: StopOptions,
  signal: AbortSignal
): Promise<void> {
  // One that is about to begin is waited for: killing its shim now could leave it behind.
  const { workload, shim } = await settled(record, proc, signal)
  if (workload !== undefined) await endWorkload(proc, workload, options, signal)
  if (shim !== undefined && !(await gone(proc, shim, SHIM_TIMEOUT_MS, signal)))
    await endShim(proc, shim, signal)
  await record.remove()
}

async function endWorkload(
  proc: Proc,
  workload: ProcessIdentity,
  options: StopOptions,
  signal: AbortSignal
): Promise<void> {
  if (!signalGroup(proc, workload, options.signal)) return
  if (await gone(proc, workload, options.graceMs, signal)) return
  signalGroup(proc, workload, 'SIGKILL')
  if (await gone(proc, workload, KILL_TIMEOUT_MS, signal)) return
  throw new RuntimeFailure(
    'transient',
    `process ${workload.pid} did not end within ${KILL_TIMEOUT_MS} ms of SIGKILL`
  )
}

async function endShim(proc: Proc, shim: ProcessIdentity, signal: AbortSignal): Promise<void> {
  signalGroup(proc, shim, 'SIGKILL')
  if (await gone(proc, shim, KILL_TIMEOUT_MS, signal)) return
  throw new RuntimeFailure('transient', `process ${shim.pid} (shim) does not end`)
}

/** True once this process does not live any more; false after `timeoutMs`. */
async function gone(
  proc: Proc,
  identity: ProcessIdentity,
  timeoutMs: number,
  signal: AbortSignal
): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs
  let waitMs = POLL_MIN_MS
  while (isAlive(proc, identity)) {
    const leftMs = deadlineMs - performance.now()
    if (leftMs <= 0) return false
    await pause(Math.min(waitMs, leftMs), signal)
    signal.throwIfAborted()
    waitMs = Math.min(waitMs * 2, POLL_MAX_MS)
  }
  return true
}
