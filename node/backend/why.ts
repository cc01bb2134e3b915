/** `shoal why`: what placement itself recorded, in words. No second algorithm. */
import { type Explanation, explain } from '../../placement/index.ts'
import type { WhyView } from '../../src/api/types.ts'
import type { WorkloadView } from '../agent/view.ts'
import { reportWorkload } from '../report/allocations.ts'
import { nodeName, type ReportContext } from '../report/context.ts'

export function reportWhy(context: ReportContext, workload: WorkloadView): WhyView {
  const { agent } = context
  const { spec } = workload.record
  const explanation = explain(agent.placing.input(), workload.item)
  const targets = agent.placing.targets(workload)
  const rank = agent.placing.rank(workload.item)
  const seated = new Set(targets.values())
  const takeover = [...targets].sort(([a], [b]) => a - b)
  return {
    workload: { project: spec.project, name: spec.name, uid: workload.uid },
    inputDigest: agent.placing.digest,
    viewHash: agent.placing.viewHash,
    lines: lines(context, workload, explanation),
    takeover: takeover.map(([slot, node]) => {
      const next = rank.find(other => other !== node && !seated.has(other))
      const fallback = rank.find(other => other !== node)
      const found = next ?? fallback
      return {
        slot,
        node: nodeName(context, node),
        next: found === undefined || workload.sticky ? null : nodeName(context, found)
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
    `${spec.project}/${spec.name}: ${spec.replicas} replicas, partition ${spec.partition}, ` +
      `rebalance ${spec.rebalance}, reconcile ${spec.reconcile}`
  ]
  if (workload.sticky) out.push('its slots stay where they ran: it has local data, or says so')
  if (workload.item !== workload.uid) {
    out.push(`placed together with the other services of project ${spec.project}`)
  }
  for (const row of reportWorkload(context, workload)) {
    const where = row.node === null ? 'nowhere' : `on ${row.node}`
    const reason = row.reason === '' ? '' : ` (${row.reason})`
    out.push(`slot ${row.slot}: ${row.state} ${where}${reason}`)
  }
  for (const verdict of explanation?.nodes ?? []) {
    out.push(`node ${nodeName(context, verdict.node)}: ${JSON.stringify(verdict)}`)
  }
  return out
}
