/**
 * Ending the workloads of one "host" that run as processes on this machine: the process groups
 * that the API reported, each only while it still is the process that was reported.
 */
import { readFileSync } from 'node:fs'
import type { WorkloadDetail } from '../../api/types.ts'

/** A process by what no later one shares: its id and when it started. */
interface Identity {
  readonly pid: number
  readonly startTicks: number
}

/** Every process that the allocations on a node name in their `inspect`. */
export function processesOf(details: readonly WorkloadDetail[], nodeId: string): Identity[] {
  return details
    .flatMap(detail => detail.allocations)
    .filter(one => one.nodeId === nodeId && one.runtime === 'process')
    .flatMap(one => identitiesIn(one.inspect))
}

function identitiesIn(inspect: unknown): Identity[] {
  const { state } = (inspect ?? {}) as { readonly state?: Readonly<Record<string, unknown>> }
  return [state?.['shim'], state?.['workload']].flatMap(value => {
    const { pid, startTicks } = (value ?? {}) as Partial<Identity>
    return Number.isSafeInteger(pid) && Number.isSafeInteger(startTicks)
      ? [{ pid: pid as number, startTicks: startTicks as number }]
      : []
  })
}

/** SIGKILL to each group that is still led by the process that was reported. */
export function killGroups(processes: readonly Identity[]): void {
  for (const { pid, startTicks } of processes) {
    if (pid <= 1 || startTicksOf(pid) !== startTicks) continue
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // it ended by itself
    }
  }
}

/** Field 22 of /proc/PID/stat, after the name, which may hold anything. */
function startTicksOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  } catch {
    return undefined
  }
}
