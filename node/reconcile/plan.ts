/**
 * Desired against observed, one slot at a time: the next action, or none. Pure and level-triggered:
 * it may be asked at any moment and again; a missed event only costs time.
 */
import type { RestartPolicy, RuntimeName, WorkloadSpec } from '../../src/spec/workload.ts'
import type { Action } from './action.ts'
import type { Instance, InstanceMark } from './instance.ts'

/** What this node wants of one slot; undefined is "nothing of it here". */
export interface DesiredSlot {
  readonly spec: WorkloadSpec
  readonly mark: InstanceMark
  /** Volumes and paths that must be here: it has written to them. */
  readonly data: readonly string[]
}

export interface SlotPlanInput {
  readonly desired: DesiredSlot | undefined
  /** Everything seen with this (uid, slot), whatever its generation or runtime. */
  readonly instances: readonly Instance[]
  /** How long back-off still forbids a start. */
  readonly waitMs: number
  readonly stopGraceMs: number
  readonly stopSignal: string
  /** Why it stops, for logs. */
  readonly why: string
}

export type SlotPlan =
  | { readonly kind: 'act'; readonly action: Action }
  /** Start again after so long. */
  | { readonly kind: 'wait'; readonly afterMs: number }
  /** As desired, or nothing left to stop. */
  | { readonly kind: 'settled' }

/** True when an ended instance is to be started again. */
export function restarts(policy: RestartPolicy, exitCode: number | undefined): boolean {
  switch (policy) {
    case 'no':
      return false
    case 'on-failure':
      return exitCode !== 0
    case 'always':
      return true
  }
}

function stop(instance: Instance, input: SlotPlanInput, why: string): SlotPlan {
  return {
    kind: 'act',
    action: {
      kind: 'stop',
      runtime: instance.runtime,
      instance: instance.id,
      mark: instance.mark,
      graceMs: input.stopGraceMs,
      signal: input.stopSignal,
      why
    }
  }
}

function matches(instance: Instance, runtime: RuntimeName, generation: string): boolean {
  return instance.runtime === runtime && instance.mark.generation === generation
}

/**
 * The next action for one slot. Another generation on the same node is stopped before the new one
 * starts (its ports and volumes are the same).
 */
export function planSlot(input: SlotPlanInput): SlotPlan {
  const { desired, instances, waitMs } = input
  if (desired === undefined) {
    const first = instances[0]
    return first === undefined ? { kind: 'settled' } : stop(first, input, input.why)
  }
  const { spec, mark, data } = desired
  const stale = instances.find(instance => !matches(instance, spec.runtime, mark.generation))
  if (stale !== undefined) return stop(stale, input, `generation ${mark.generation} follows`)
  const instance = instances[0]
  // `created`: the start was cut short; a runtime adopts what it created.
  if (instance === undefined || instance.state === 'created') {
    if (waitMs > 0) return { kind: 'wait', afterMs: waitMs }
    return { kind: 'act', action: { kind: 'start', runtime: spec.runtime, spec, mark, data } }
  }
  if (instance.state === 'running') return { kind: 'settled' }
  if (!restarts(spec.restart, instance.exitCode)) return { kind: 'settled' }
  if (waitMs > 0) return { kind: 'wait', afterMs: waitMs }
  const action: Action = {
    kind: 'restart',
    runtime: instance.runtime,
    instance: instance.id,
    mark: instance.mark
  }
  return { kind: 'act', action }
}
