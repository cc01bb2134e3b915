/** `x-shoal` of a service: what Compose has no words for. */
import { quote } from '../problem.ts'
import {
  type Constraint,
  DEFAULT_PRIORITY,
  type PartitionPolicy,
  type RebalancePolicy,
  type ReconcilePolicy,
  type RuntimeName,
  type SpreadPolicy
} from '../workload.ts'
import { readConstraint } from './deploy.ts'
import type { Scope } from './scope.ts'

export interface ShoalKeys {
  readonly runtime?: RuntimeName
  readonly partition?: PartitionPolicy
  readonly spread?: SpreadPolicy
  readonly reconcile: ReconcilePolicy
  readonly rebalance: RebalancePolicy
  readonly priority: number
  readonly onDataLoss: 'wait'
  readonly requires: readonly Constraint[]
}

export const RUNTIMES: readonly RuntimeName[] = ['docker', 'process', 'memory']
export const PARTITIONS: readonly PartitionPolicy[] = ['any-partition', 'manual']
export const RECONCILES: readonly ReconcilePolicy[] = [
  'keep-running',
  'ring-owner',
  'oldest-claim',
  'newest-claim'
]
export const REBALANCES: readonly RebalancePolicy[] = ['gradual', 'failover', 'never']
export const SPREADS: readonly SpreadPolicy[] = ['soft', 'hard', 'none']

const DEFAULTS: ShoalKeys = {
  reconcile: 'keep-running',
  rebalance: 'gradual',
  priority: DEFAULT_PRIORITY,
  onDataLoss: 'wait',
  requires: []
}

/** `majority-lease` is known, and never run as something else. */
function readPartition(scope: Scope): PartitionPolicy | undefined {
  const field = scope.field('partition')
  if (field?.node.kind === 'scalar' && field.node.value === 'majority-lease') {
    const message = 'not supported: majority-lease, it needs voters, which come later'
    const hint = `use ${PARTITIONS.join(' or ')}`
    scope.report.error('UNSUPPORTED', field.at, field.path, message, hint)
    return undefined
  }
  return scope.choice('partition', PARTITIONS)
}

function readOnDataLoss(scope: Scope): void {
  const field = scope.field('onDataLoss')
  const text = scope.text('onDataLoss')
  if (field === undefined || text === undefined || text === 'wait') return
  const message = `${quote(text)} is not one of the choices`
  scope.report.error('INVALID', field.at, field.path, message, 'use wait')
}

export function readShoal(service: Scope): ShoalKeys {
  const scope = service.mapping('x-shoal')
  if (scope === undefined) return DEFAULTS
  readOnDataLoss(scope)
  const runtime = scope.choice('runtime', RUNTIMES)
  const partition = readPartition(scope)
  const spread = scope.choice('spread', SPREADS)
  return {
    ...(runtime === undefined ? {} : { runtime }),
    ...(partition === undefined ? {} : { partition }),
    ...(spread === undefined ? {} : { spread }),
    reconcile: scope.choice('reconcile', RECONCILES) ?? DEFAULTS.reconcile,
    rebalance: scope.choice('rebalance', REBALANCES) ?? DEFAULTS.rebalance,
    priority: scope.whole('priority', 0, 9) ?? DEFAULTS.priority,
    onDataLoss: 'wait',
    requires: scope
      .textOrList('requires')
      .map(field => readConstraint(scope, field))
      .filter(constraint => constraint !== undefined)
  }
}
