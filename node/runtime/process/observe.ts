/**
 * What a record and the kernel say together, and whether this host has what the shim needs.
 */
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Instance } from '../runtime.ts'
import { baseEnv } from './prepare.ts'
import { ageMs, isAlive, type Proc } from './proc.ts'
import type { RecordState } from './record.ts'

const TOOLS = ['setsid', 'mkfifo', 'mv', 'rm', 'wc', 'cat'] as const

/** Throws with the name of what is missing. */
export async function requireTools(): Promise<void> {
  const places = (baseEnv()['PATH'] ?? '').split(delimiter)
  for (const tool of TOOLS) {
    const tries = await Promise.all(
      places.map(place =>
        access(join(place, tool)).then(
          () => true,
          () => false
        )
      )
    )
    if (!tries.includes(true)) throw new Error(`the program ${tool} is missing`)
  }
}

/** True while more may be written to the logs. */
export function shimLives(proc: Proc, state: RecordState): boolean {
  return state.shim !== undefined && isAlive(proc, state.shim)
}

export type Observed = Pick<Instance, 'state' | 'exitCode' | 'runningMs' | 'startedAt'>

/** The state of an instance, as far as it can be known. */
export function observe(proc: Proc, state: RecordState): Observed {
  const { shim, workload, exitCode } = state
  const nothing = { exitCode: undefined, runningMs: 0, startedAt: shim?.startedAt }
  if (shim === undefined) return { ...nothing, state: 'created' }
  if (exitCode !== undefined) return { ...nothing, state: 'exited', exitCode }
  if (workload === undefined) return { ...nothing, state: 'created' }
  if (isAlive(proc, workload))
    return { ...nothing, state: 'running', runningMs: ageMs(proc, workload) }
  // It has ended and the shim is about to write how; with the shim gone too, nobody knows.
  if (isAlive(proc, shim)) return { ...nothing, state: 'running' }
  return { ...nothing, state: 'exited' }
}
