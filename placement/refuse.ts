/** Why a node does not take one more replica of the item that has just chosen. */
import { LEVEL_NO } from './capacity.ts'
import type { Chooser } from './choose.ts'
import type { ItemTable, NodeTable } from './tables.ts'
import type { Pending, PendingReason } from './types.ts'

/** In the order of checking: the later the check, the nearer the node was to saying yes. */
const CHECKS = ['filter', 'avoid', 'cpu', 'memory', 'port', 'maxPerNode', 'zone'] as const
export type Check = (typeof CHECKS)[number]

/** The first check that refuses, or undefined when the node would take it. */
export function refusal(
  nodes: NodeTable,
  items: ItemTable,
  chooser: Chooser,
  k: number,
  n: number
): Check | undefined {
  const spec = items.spec[k]!
  const node = nodes.spec[n]!
  const group = items.group[k]!
  if (!group.matches(node)) return 'filter'
  if (group.avoid.has(node.id)) return 'avoid'
  if (chooser.levelOf(n) === LEVEL_NO) {
    const used = chooser.usage(n)
    if (used.cpu + items.cpu[k]! > nodes.cpu[n]!) return 'cpu'
    if (used.memory + items.memory[k]! > nodes.memory[n]!) return 'memory'
    return 'port'
  }
  if (spec.maxPerNode > 0 && chooser.total(n) >= spec.maxPerNode) return 'maxPerNode'
  if (spec.zones === 'hard' && !chooser.zoneOpen(n)) return 'zone'
  return undefined
}

/** What is pending after a choice: counts by the first check that refused each node. */
export function pendingOf(
  nodes: NodeTable,
  items: ItemTable,
  chooser: Chooser,
  k: number
): Pending | undefined {
  if (chooser.need === 0) return undefined
  const counts = new Map<Check, number>()
  for (let n = 0; n < nodes.size; n++) {
    if (nodes.spec[n]?.schedulable !== true) continue
    const check = refusal(nodes, items, chooser, k, n)
    if (check !== undefined) counts.set(check, (counts.get(check) ?? 0) + 1)
  }
  const refused: Partial<Record<PendingReason, number>> = {}
  let reason: PendingReason = 'no-nodes'
  for (const check of CHECKS) {
    const count = counts.get(check)
    if (count === undefined) continue
    refused[check] = count
    reason = check
  }
  return { slot: undefined, node: undefined, count: chooser.need, reason, refused }
}
