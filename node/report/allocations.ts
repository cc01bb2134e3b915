/** `shoal ps`: every claimed slot, and every slot that nobody holds with the reason. */
import type { Pending } from '../../placement/types.ts'
import type { AllocationState, AllocationView, HealthState } from '../../src/api/types.ts'
import { volumeNames } from '../agent/prepare.ts'
import type { Claim, WorkloadView } from '../agent/view.ts'
import { ageText, nodeName, type ReportContext } from './context.ts'

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
  for (const pending of context.agent.placing.seats(workload.item).pending) {
    const text = pendingText(context, workload, pending)
    if (pending.slot === undefined) other = text
    else bySlot.set(pending.slot, text)
  }
  return { bySlot, other }
}

function pendingText(context: ReportContext, workload: WorkloadView, pending: Pending): string {
  if (pending.reason === 'pinned node gone' && pending.node !== undefined) {
    return goneText(context, workload, pending.node)
  }
  if (pending.node !== undefined) return `${nodeName(context, pending.node)}: ${pending.reason}`
  const { spec } = workload.record
  switch (pending.reason) {
    case 'no-nodes':
      return 'no node can take workloads'
    case 'filter': {
      const asked = spec.constraints.map(one => `${one.attribute}${one.operator}${one.value}`)
      const runtime = `runtime ${spec.runtime}`
      return `no node has ${[runtime, ...asked].join(', ')}`
    }
    case 'avoid':
      return `failed on every node: ${failureText(context, workload)}`
    case 'cpu':
    case 'memory':
      return `no node has enough ${pending.reason} left`
    case 'port':
      return 'its host port is taken on every node that could run it'
    case 'maxPerNode':
      return `at most ${spec.maxPerNode} on a node, and every node has that many`
    case 'zone':
      return 'its zone rule leaves no node'
    default:
      return pending.reason
  }
}

function failureText(context: ReportContext, workload: WorkloadView): string {
  const failures = [...context.agent.view.failed(workload.uid).values()]
  return failures[0]?.reason ?? 'no node accepted it'
}

function goneText(context: ReportContext, workload: WorkloadView, node: string): string {
  const { agent, clock } = context
  const member = agent.view.members.get(node)
  const name = nodeName(context, node)
  const state = member?.state ?? 'unknown'
  const age = member === undefined ? '' : ` ${ageText(clock.nowMs() - member.sinceMs)}`
  const [volume] = volumeNames(workload.record.spec)
  if (volume === undefined) return `it stays on ${name} (${state}${age})`
  return `its data is on ${name} (${state}${age})`
}
