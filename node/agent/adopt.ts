/** What an instance that is there says about its claim. */
import type { Instance } from '../reconcile/instance.ts'
import { volumeNames } from './prepare.ts'
import type { AllocationRecord } from './records.ts'
import type { WorkloadView } from './view.ts'

/** What an instance may have written to, kept by identity where nothing is new. */
export function dataOf(
  before: readonly string[],
  instance: Instance,
  workload: WorkloadView
): readonly string[] {
  if (instance.state === 'created') return before
  const now = volumeNames(workload.record.spec)
  return now.every(name => before.includes(name))
    ? before
    : [...new Set([...before, ...now])].sort()
}

/** A claim for an instance that runs without one: a returned daemon whose records are gone. */
export function adopt(instance: Instance, workload: WorkloadView): AllocationRecord {
  return {
    project: workload.record.spec.project,
    workload: workload.record.spec.name,
    claim: instance.mark.claim,
    sequence: 0,
    state: instance.state === 'running' ? 'running' : 'starting',
    reason: 'adopted',
    generation: instance.mark.generation,
    runtime: instance.runtime,
    replaces: [],
    beats: [],
    pinned: false,
    paced: false,
    ran: true,
    data: dataOf([], instance, workload),
    instance: instance.id,
    health: instance.health,
    startedAt: instance.startedAt ?? ''
  }
}
