/** `shoal volume ls`: where local data is, which slots wait for it, and what nobody uses. */
import type { VolumeView } from '../../src/api/types.ts'
import type { WorkloadView } from '../agent/view.ts'
import { pendingReasons } from '../report/allocations.ts'
import { nodeName, type ReportContext } from '../report/context.ts'
import type { FoundVolume } from './inspect.ts'

/** `found`: what the nodes say that they have. */
export function reportVolumes(
  context: ReportContext,
  found: readonly FoundVolume[]
): readonly VolumeView[] {
  const rows: VolumeView[] = []
  for (const workload of context.agent.view.workloads.values()) {
    rows.push(...workloadVolumes(context, workload))
  }
  rows.push(...unused(context, rows, found))
  const key = (row: VolumeView): string =>
    `${row.project}/${row.name}/${row.slot ?? ''}/${row.nodeId}`
  return rows.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** Named volumes on nodes where no workload that exists has them: data that `rm` left. */
function unused(
  context: ReportContext,
  rows: readonly VolumeView[],
  found: readonly FoundVolume[]
): readonly VolumeView[] {
  const { members, workloads } = context.agent.view
  const key = (...parts: readonly (string | null)[]): string => parts.join('/')
  const known = new Set(rows.map(row => key(row.nodeId, row.project, row.name)))
  const shared = new Set<string>()
  for (const { record } of workloads.values()) {
    for (const volume of record.spec.volumes) {
      if (volume.kind === 'volume' && volume.shared) {
        shared.add(key(record.spec.project, volume.name))
      }
    }
  }
  return found
    .filter(({ node, project, name }) => !known.has(key(node, project, name)))
    .filter(({ project, name }) => !shared.has(key(project, name)))
    .map(({ node, project, name }) => ({
      project,
      name,
      kind: 'volume',
      workload: '',
      slot: null,
      node: nodeName(context, node),
      nodeId: node,
      nodeState: members.get(node)?.state ?? null,
      state: 'unused',
      reason: 'no workload here uses it'
    }))
}

function workloadVolumes(context: ReportContext, workload: WorkloadView): VolumeView[] {
  const { view, placing } = context.agent
  const { spec } = workload.record
  const rows: VolumeView[] = []
  const pins = placing.item(workload.item)?.pins ?? []
  for (const volume of spec.volumes) {
    if (volume.kind === 'tmpfs' || (volume.kind === 'volume' && volume.shared)) continue
    const name = volume.kind === 'volume' ? volume.name : volume.source
    for (const claim of view.claims(workload.uid)) {
      if (view.abandoned(workload.uid, claim.slot, claim.record.claim)) continue
      const living = view.living(claim.node)
      const waits = !living && pins.some(pin => pin.node === claim.node)
      rows.push({
        project: spec.project,
        name,
        kind: volume.kind,
        workload: spec.name,
        slot: claim.slot,
        node: nodeName(context, claim.node),
        nodeId: claim.node,
        nodeState: view.members.get(claim.node)?.state ?? null,
        state: living ? 'used' : waits ? 'waits' : 'idle',
        reason: waits ? (pendingReasons(context, workload).bySlot.get(claim.slot) ?? '') : ''
      })
    }
  }
  return rows
}
