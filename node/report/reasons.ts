/** What placement recorded (pending, refusals, unmet requirements) in words. Decides nothing. */
import type {
  Explanation,
  NodeExplanation,
  Pending,
  Requirement,
  Share
} from '../../placement/index.ts'
import { volumeNames } from '../agent/prepare.ts'
import type { WorkloadView } from '../agent/view.ts'
import { ageText, nodeName, type ReportContext } from './context.ts'

/** A reason names so many nodes; `why` lists them all. */
const NODES_NAMED_MAX = 3
const RUNTIME = 'runtime.'
const LABEL = 'node.labels.'

/** Why one node takes no (further) replica, said behind its name. */
export function refusalText(
  context: ReportContext,
  workload: WorkloadView,
  node: NodeExplanation
): string {
  switch (node.reason) {
    case 'cpu':
      return `cpu in millicores: ${shareText(node.cpuMillis)}`
    case 'memory':
      return `memory in MiB: ${shareText(node.memoryMiB)}`
    case 'port':
      return `host port ${node.port ?? ''} is taken`
    case 'filter':
      return node.unmet.map(unmetText).join(', ')
    case 'avoid':
      return 'it failed there'
    case 'draining':
      return 'it is draining'
    case 'maxPerNode':
      return 'it has as many as one node may have'
    case 'pinned':
      return pinnedText(context, workload)
    case 'zone':
      return 'its zone has its share'
    case 'round':
      return 'another node has fewer'
    case 'level':
      return 'it is busier than nodes that were enough'
    default:
      return node.reason ?? 'unknown'
  }
}

/** Why replicas have no seat. `explain` gives what placement recorded of the item. */
export function pendingText(
  context: ReportContext,
  workload: WorkloadView,
  pending: Pending,
  explain: () => Explanation | undefined
): string {
  if (pending.node !== undefined) {
    return atNodeText(context, workload, { ...pending, node: pending.node }, explain)
  }
  const { spec } = workload.record
  const others = (): string => {
    const unfit = (pending.refused.filter ?? 0) > 0 ? unfitText(context, explain()) : ''
    return unfit === '' ? '' : ` (${unfit})`
  }
  switch (pending.reason) {
    case 'no-nodes':
      return 'no node can take workloads'
    case 'filter':
      return nobodyText(context, explain())
    case 'avoid':
      return `failed on every node that could run it: ${failureText(context, workload)}${others()}`
    case 'cpu':
    case 'memory':
      return `no node has enough ${pending.reason} left${others()}`
    case 'port':
      return `its host port is taken on every node that could run it${others()}`
    case 'maxPerNode':
      return `at most ${spec.maxPerNode} on a node, and every node has that many${others()}`
    case 'zone':
      return `its zone rule leaves no node${others()}`
    default:
      return pending.reason
  }
}

/** Distinct reasons with the replicas they hold back: `2 replicas: no alive node runs docker`. */
export function pendingTexts(
  context: ReportContext,
  workload: WorkloadView,
  pending: readonly Pending[],
  explain: () => Explanation | undefined
): readonly string[] {
  const counts = new Map<string, number>()
  for (const one of pending) {
    const text = pendingText(context, workload, one, explain)
    counts.set(text, (counts.get(text) ?? 0) + one.count)
  }
  return [...counts].map(([text, count]) => `${count} replica${count === 1 ? '' : 's'}: ${text}`)
}

function shareText(share: Share): string {
  return `${share.used} used and ${share.wanted} wanted of ${share.limit}`
}

/** A pinned slot, or a global: it waits for this very node. */
function atNodeText(
  context: ReportContext,
  workload: WorkloadView,
  pending: Pending & { readonly node: string },
  explain: () => Explanation | undefined
): string {
  const where = heldText(context, workload, pending.node)
  switch (pending.reason) {
    case 'pinned node gone':
      return where
    case 'pinned node full':
      return `${where}, which is full`
    case 'pinned node no longer matches': {
      const row = explain()?.nodes.find(one => one.node === pending.node)
      return `${where}, which no longer fits: ${row?.unmet.map(unmetText).join(', ') ?? ''}`
    }
    default:
      return `${nodeName(context, pending.node)}: ${pending.reason}`
  }
}

/** `its data is on mini-2 (dead 4 min)`. */
function heldText(context: ReportContext, workload: WorkloadView, node: string): string {
  const { agent, clock } = context
  const member = agent.view.members.get(node)
  const age = member === undefined ? '' : ` ${ageText(clock.nowMs() - member.sinceMs)}`
  const state = member?.state === 'alive' ? '' : ` (${member?.state ?? 'unknown'}${age})`
  const what = volumeNames(workload.record.spec).length > 0 ? 'its data is' : 'it stays'
  return `${what} on ${nodeName(context, node)}${state}`
}

/** Pins hold every replica; where. */
function pinnedText(context: ReportContext, workload: WorkloadView): string {
  const pins = context.agent.placing.item(workload.item)?.pins ?? []
  const nodes = [...new Set(pins.map(pin => pin.node))].sort()
  return listed(nodes.map(node => heldText(context, workload, node)))
}

/** No node fits: what none of them has, else what each lacks. */
function nobodyText(context: ReportContext, explanation: Explanation | undefined): string {
  const rows = explanation?.nodes.filter(row => row.reason === 'filter') ?? []
  const [first, ...rest] = rows.map(row => new Map(row.unmet.map(one => [unmetText(one), one])))
  const common = [...(first ?? [])].filter(([text]) => rest.every(other => other.has(text)))
  if (common.length === 0) return `no alive node fits: ${unfitText(context, explanation)}`
  const asked = common.map(([, one]) => askedText(one)).join(', or ')
  return `no alive node ${asked}${drainingText(context, explanation)}`
}

/** Nodes that would fit and take nothing new. */
function drainingText(context: ReportContext, explanation: Explanation | undefined): string {
  const rows = explanation?.nodes.filter(row => row.reason === 'draining' && row.unmet.length === 0)
  const names = listed((rows ?? []).map(row => nodeName(context, row.node)))
  return names === '' ? '' : ` and takes new replicas (draining: ${names})`
}

function unfitText(context: ReportContext, explanation: Explanation | undefined): string {
  const rows = explanation?.nodes.filter(row => row.reason === 'filter') ?? []
  return listed(
    rows.map(row => {
      const [first] = row.unmet
      return first === undefined ? '' : nodeLacks(nodeName(context, row.node), first)
    })
  )
}

function listed(texts: readonly string[]): string {
  const more = texts.length - NODES_NAMED_MAX
  return [...texts.slice(0, NODES_NAMED_MAX), ...(more > 0 ? [`${more} more`] : [])].join(', ')
}

function nodeLacks(name: string, one: Requirement): string {
  return `${name}${one.attribute.startsWith(RUNTIME) ? '' : ':'} ${unmetText(one)}`
}

/** A requirement as it was asked: `label disk=ssd`, `node.name!=n1`. */
function ruleText({ attribute, operator, values }: Requirement): string {
  const sign = operator === 'in' ? '=' : '!='
  const value = values.join('|')
  return attribute.startsWith(LABEL)
    ? `label ${attribute.slice(LABEL.length)}${sign}${value}`
    : `${attribute}${sign}${value}`
}

/** What a node says no to: `runs no docker`, `label disk=ssd: no`. */
function unmetText(one: Requirement): string {
  return one.attribute.startsWith(RUNTIME)
    ? `runs no ${one.attribute.slice(RUNTIME.length)}`
    : `${ruleText(one)}: no`
}

/** What no node does: `runs docker`, `has label disk=ssd`. */
function askedText(one: Requirement): string {
  return one.attribute.startsWith(RUNTIME)
    ? `runs ${one.attribute.slice(RUNTIME.length)}`
    : `has ${ruleText(one)}`
}

function failureText(context: ReportContext, workload: WorkloadView): string {
  const failures = [...context.agent.view.failed(workload.uid).values()]
  return failures[0]?.reason ?? 'no node accepted it'
}
