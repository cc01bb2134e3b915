/** The one whole workload spec that tests start from. */
import type { WorkloadSpec } from '../../src/spec/workload.ts'

export function spec(fields: Partial<WorkloadSpec> = {}): WorkloadSpec {
  return {
    project: 'demo',
    name: 'web',
    runtime: 'memory',
    env: {},
    init: true,
    ports: [],
    volumes: [],
    labels: {},
    restart: 'always',
    stopSignal: 'SIGTERM',
    stopGraceMs: 1_000,
    replicas: 1,
    resources: { cpuMillis: 0, memoryMiB: 0, cpuLimitMillis: 0, memoryLimitMiB: 0 },
    constraints: [],
    maxPerNode: 0,
    partition: 'any-partition',
    reconcile: 'keep-running',
    rebalance: 'gradual',
    onDataLoss: 'wait',
    spread: 'soft',
    priority: 5,
    ...fields
  }
}
