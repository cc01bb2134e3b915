/**
 * One container as the engine describes it, read into an `Instance`.
 */
import type { ContainerInspectInfo } from 'dockerode'
import { markOf, type Owner } from '../labels.ts'
import type { HealthState, Instance, InstanceState } from '../runtime.ts'

const STATES: Readonly<Record<string, InstanceState>> = {
  created: 'created',
  running: 'running',
  paused: 'running',
  restarting: 'running',
  exited: 'exited',
  dead: 'exited',
  removing: 'exited'
}

const HEALTH: Readonly<Record<string, HealthState>> = {
  starting: 'starting',
  healthy: 'healthy',
  unhealthy: 'unhealthy'
}

/** What an engine says of something that never started: year 1. */
const YEAR_MIN = 1970
const RUNS_MAX = 10_000

/**
 * How long each container has been running. An engine tells only a wall-clock start; the
 * difference is taken once, when a run is first seen, and counted on our own monotonic clock from
 * then on, so that a later jump of the wall clock changes nothing.
 */
export class RunClock {
  readonly #seen = new Map<string, { readonly startedAt: string; readonly zeroMs: number }>()

  /** Milliseconds since `startedAt` (ISO 8601, the engine's) of container `id`. */
  runningMs(id: string, startedAt: string): number {
    const nowMs = performance.now()
    const seen = this.#seen.get(id)
    if (seen?.startedAt === startedAt) return nowMs - seen.zeroMs
    const ageMs = Math.max(0, Date.now() - Date.parse(startedAt))
    if (this.#seen.size >= RUNS_MAX) this.#seen.clear()
    this.#seen.set(id, { startedAt, zeroMs: nowMs - ageMs })
    return ageMs
  }

  forget(id: string): void {
    this.#seen.delete(id)
  }
}

/** Undefined when the container is not ours. */
export function instanceOf(
  info: ContainerInspectInfo,
  owner: Owner,
  clock: RunClock
): Instance | undefined {
  const mark = markOf(info.Config.Labels, owner)
  if (mark === undefined) return undefined
  const state = STATES[info.State.Status] ?? (info.State.Running ? 'running' : 'exited')
  const began = info.State.StartedAt
  const startedAt = new Date(began).getUTCFullYear() > YEAR_MIN ? began : undefined
  if (state !== 'running') clock.forget(info.Id)
  return {
    id: info.Id,
    runtime: 'docker',
    mark,
    state,
    health: HEALTH[info.State.Health?.Status ?? ''] ?? 'none',
    exitCode: state === 'exited' ? info.State.ExitCode : undefined,
    runningMs:
      state === 'running' && startedAt !== undefined ? clock.runningMs(info.Id, startedAt) : 0,
    startedAt
  }
}
