/** `shoal why`: what placement itself recorded, in words. No second algorithm. */
import type { Explanation, NodeExplanation } from '../../placement/index.ts'
import type { WhyView } from '../../src/api/types.ts'
import type { WorkloadView } from '../agent/view.ts'
import { reportWorkload } from '../report/allocations.ts'
import { nodeName, type ReportContext } from '../report/context.ts'
import { refusalText } from '../report/reasons.ts'

export function reportWhy(context: ReportContext, workload: WorkloadView): WhyView {
  const { agent } = context
  const { spec } = workload.record
  const explanation = agent.placing.explain(workload.item)
  const targets = agent.placing.targets(workload)
  const takeover = explanation?.takeover ?? []
  return {
    workload: { project: spec.project, name: spec.name, uid: workload.uid },
    inputDigest: agent.placing.digest,
    viewHash: agent.placing.viewHash,
    lines: lines(context, workload, explanation),
    takeover: [...targets]
      .sort(([a], [b]) => a - b)
      .map(([slot, node]) => {
        const next = takeover.find(other => other !== node)
        return {
          slot,
          node: nodeName(context, node),
          next: next === undefined || workload.sticky ? null : nodeName(context, next)
        }
      }),
    explanation
  }
}

function lines(
  context: ReportContext,
  workload: WorkloadView,
  explanation: Explanation | undefined
): readonly string[] {
  const { spec } = workload.record
  const out = [
    `${spec.project}/${spec.name}: ${spec.replicas} replica${spec.replicas === 1 ? '' : 's'}, ` +
      `partition ${spec.partition}, rebalance ${spec.rebalance}, reconcile ${spec.reconcile}`
  ]
  if (workload.sticky) out.push('its slots stay where they ran: it has local data, or says so')
  if (workload.item !== workload.uid) {
    out.push(`placed together with the other services of project ${spec.project}`)
  }
  for (const row of reportWorkload(context, workload)) {
    const where = row.node === null ? '' : ` on ${row.node}`
    const reason = row.reason === '' ? '' : ` (${row.reason})`
    out.push(`slot ${row.slot}: ${row.state}${where}${reason}`)
  }
  for (const node of explanation?.nodes ?? []) out.push(nodeLine(context, workload, node))
  return out
}

function nodeLine(context: ReportContext, workload: WorkloadView, node: NodeExplanation): string {
  const name = nodeName(context, node.node)
  const score = `score ${node.score.toFixed(6)}`
  const load = `load ${Math.round(node.load.used)} of ${Math.round(node.load.limit)}`
  switch (node.verdict) {
    case 'chosen': {
      const pinned = node.pinned > 0 ? `, ${node.pinned} pinned` : ''
      return `node ${name}: chosen for ${node.seats}${pinned} (${score}, ${load})`
    }
    case 'standby':
      return `node ${name}: standby, others rank better (${score}, ${load})`
    case 'refused':
      return `node ${name}: refused, ${refusalText(context, workload, node)} (${score}, ${load})`
  }
}
