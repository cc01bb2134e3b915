/** `shoal ps`: every claimed slot, and every slot that nobody holds with the reason. */
import type { AllocationState, AllocationView, HealthState } from '../../src/api/types.ts'
import type { Claim } from '../agent/claim-book.ts'
import type { WorkloadView } from '../agent/view.ts'
import { nodeName, type ReportContext } from './context.ts'
import { pendingText } from './reasons.ts'

const HEALTH: ReadonlySet<string> = new Set(['none', 'starting', 'healthy', 'unhealthy'])

/** Rows of one workload: its claims on living nodes, then what is pending. */
export function reportWorkload(
  context: ReportContext,
  workload: WorkloadView
): readonly AllocationView[] {
  const { view } = context.agent
  const living = view.claims(workload.uid).filter(claim => view.living(claim.node))
  const rows = living.map(claim => claimRow(context, workload.uid, claim))
  const held = new Set(
    living.filter(claim => claim.record.state !== 'stopping').map(claim => claim.slot)
  )
  return [...rows, ...pendingRows(context, workload, held)].sort(byName)
}

/** Rows of the whole mesh; `all` also shows what is left of removed workloads. */
export function reportAllocations(
  context: ReportContext,
  filter: {
    readonly all: boolean
    readonly project: string | undefined
    readonly workload: string | undefined
  }
): readonly AllocationView[] {
  const { view } = context.agent
  const rows: AllocationView[] = []
  for (const workload of view.workloads.values()) rows.push(...reportWorkload(context, workload))
  for (const uid of view.claimed()) {
    if (view.workloads.has(uid)) continue
    const left = view.claims(uid).filter(claim => view.living(claim.node))
    rows.push(...left.map(claim => claimRow(context, uid, claim)))
  }
  return rows
    .filter(row => filter.project === undefined || row.project === filter.project)
    .filter(row => filter.workload === undefined || row.workload === filter.workload)
    .filter(row => filter.all || view.workloads.has(row.uid))
    .sort(byName)
}

function byName(a: AllocationView, b: AllocationView): number {
  const key = (row: AllocationView): string => `${row.project}/${row.workload}`
  if (key(a) !== key(b)) return key(a) < key(b) ? -1 : 1
  return a.slot - b.slot || ((a.nodeId ?? '') < (b.nodeId ?? '') ? -1 : 1)
}

function claimRow(context: ReportContext, uid: string, claim: Claim): AllocationView {
  const { record, node, slot } = claim
  return {
    project: record.project,
    workload: record.workload,
    uid,
    slot,
    node: nodeName(context, node),
    nodeId: node,
    state: record.state,
    reason: record.reason,
    generation: record.generation,
    runtime: record.runtime,
    startedAt: record.startedAt === '' ? null : record.startedAt,
    instance: record.instance,
    health: (HEALTH.has(record.health) ? record.health : 'none') as HealthState
  }
}

function pendingRows(
  context: ReportContext,
  workload: WorkloadView,
  held: ReadonlySet<number>
): readonly AllocationView[] {
  const { placing } = context.agent
  const { record, uid } = workload
  const missing = record.spec.replicas - held.size
  if (missing <= 0) return []
  const targets = placing.targets(workload)
  const reasons = pendingReasons(context, workload)
  const rows: AllocationView[] = []
  for (let slot = 0; slot < record.spec.replicas && rows.length < missing; slot++) {
    if (held.has(slot)) continue
    const target = targets.get(slot)
    const reason =
      target === undefined
        ? (reasons.bySlot.get(slot) ?? reasons.other)
        : `${nodeName(context, target)} is about to claim it`
    rows.push(pendingRow(workload, slot, reason))
  }
  return rows.map(row => ({ ...row, uid }))
}

function pendingRow(workload: WorkloadView, slot: number, reason: string): AllocationView {
  const { spec } = workload.record
  return {
    project: spec.project,
    workload: spec.name,
    uid: workload.uid,
    slot,
    node: null,
    nodeId: null,
    state: 'pending' satisfies AllocationState,
    reason,
    generation: workload.generation,
    runtime: spec.runtime,
    startedAt: null,
    instance: '',
    health: 'none'
  }
}

/** Why slots of a workload have no seat: by slot where a pin says so, else for all. */
export function pendingReasons(
  context: ReportContext,
  workload: WorkloadView
): { readonly bySlot: ReadonlyMap<number, string>; readonly other: string } {
  const bySlot = new Map<number, string>()
  let other = 'not placed yet'
  const { placing } = context.agent
  for (const pending of placing.seats(workload.item).pending) {
    const text = pendingText(context, workload, pending, () => placing.explain(workload.item))
    if (pending.slot === undefined) other = text
    else bySlot.set(pending.slot, text)
  }
  return { bySlot, other }
}
