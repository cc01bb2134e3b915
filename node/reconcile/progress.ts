/** How a slot goes, from what its runtime shows: the state that the node publishes. */
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import type { Instance } from './instance.ts'
import { restarts } from './plan.ts'

export interface Progress {
  readonly state: 'starting' | 'running' | 'healthy' | 'failed'
  readonly reason: string
  /** The runtime cannot make it work here: placement should try another node. */
  readonly elsewhere: boolean
  /** It becomes healthy by itself after so long; Infinity otherwise. */
  readonly dueMs: number
}

const SETTLED = { reason: '', elsewhere: false, dueMs: Number.POSITIVE_INFINITY } as const

/** What ended before must run so many times as long to count as healthy without a check: a crash
 * loop of some seconds looks well each time that it begins, and a roll would go on. */
const AGAIN_TIMES = 10

/**
 * State of an instance. `failures` counts its ends in a row, `healthyAfterMs` is how long one
 * without a check must run to count as healthy.
 */
export function progress(
  spec: WorkloadSpec,
  instance: Instance,
  init: { readonly failures: number; readonly healthyAfterMs: number }
): Progress {
  switch (instance.state) {
    case 'created':
      return { ...SETTLED, state: 'starting' }
    case 'running':
      return running(instance, init.healthyAfterMs * (init.failures > 0 ? AGAIN_TIMES : 1))
    case 'exited':
      return exited(spec, instance, init.failures)
  }
}

function running(instance: Instance, healthyAfterMs: number): Progress {
  switch (instance.health) {
    case 'healthy':
      return { ...SETTLED, state: 'healthy' }
    case 'starting':
      return { ...SETTLED, state: 'running', reason: 'health check has not passed yet' }
    case 'unhealthy':
      return { ...SETTLED, state: 'failed', reason: 'health check fails', elsewhere: true }
    case 'none': {
      const leftMs = healthyAfterMs - instance.runningMs
      if (leftMs <= 0) return { ...SETTLED, state: 'healthy' }
      return { ...SETTLED, state: 'running', dueMs: leftMs }
    }
  }
}

function exited(spec: WorkloadSpec, instance: Instance, failures: number): Progress {
  const code = instance.exitCode ?? 'unknown'
  if (!restarts(spec.restart, instance.exitCode)) {
    return { ...SETTLED, state: 'failed', reason: `ended with code ${code}` }
  }
  const times = failures > 1 ? ` ${failures} times` : ''
  // No count-down: each new text would be a record to publish.
  return { ...SETTLED, state: 'starting', reason: `exited with code ${code}${times}, restarts` }
}
