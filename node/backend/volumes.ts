/** `shoal volume ls`: where local data is, and which slots wait for it. */
import type { VolumeView } from '../../src/api/types.ts'
import type { WorkloadView } from '../agent/view.ts'
import { pendingReasons } from '../report/allocations.ts'
import { nodeName, type ReportContext } from '../report/context.ts'

export function reportVolumes(context: ReportContext): readonly VolumeView[] {
  const rows: VolumeView[] = []
  for (const workload of context.agent.view.workloads.values()) {
    rows.push(...workloadVolumes(context, workload))
  }
  const key = (row: VolumeView): string => `${row.project}/${row.name}/${row.slot}`
  return rows.sort((a, b) => (key(a) < key(b) ? -1 : 1))
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
