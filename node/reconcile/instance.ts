/**
 * What a runtime reports of the instances it runs. Lives here, in a pure room, because planning
 * reads it; the runtimes produce it.
 */
import type { RuntimeName } from '../../src/spec/workload.ts'

/** What every instance carries, as labels or in its record on disk. */
export interface InstanceMark {
  readonly mesh: string
  readonly uid: string
  readonly slot: number
  /** Text form of the spec's dot. */
  readonly generation: string
  readonly project: string
  readonly workload: string
  /** The claim that started it: random hex, new at each start decision. */
  readonly claim: string
}

export type InstanceState = 'created' | 'running' | 'exited'
export type HealthState = 'none' | 'starting' | 'healthy' | 'unhealthy'

/** What the runtime sees of one instance. */
export interface Instance {
  /** The runtime's own id (container id, process record id). */
  readonly id: string
  readonly runtime: RuntimeName
  readonly mark: InstanceMark
  readonly state: InstanceState
  readonly health: HealthState
  readonly exitCode: number | undefined
  /** How long it has been running, by the runtime's own monotonic account; 0 unless running. */
  readonly runningMs: number
  /** Wall clock, for display. ISO 8601. */
  readonly startedAt: string | undefined
}

/** `permanent`: the engine refuses and would refuse again (image missing, bad command). */
export type FailureKind = 'permanent' | 'transient'
