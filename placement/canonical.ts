/** One text for equal nodes and equal items, whatever the order of their lists and keys. */
import { compareIds } from './rank.ts'
import type { PlacementChange, PlacementItem, PlacementNode } from './types.ts'

function sorted(values: readonly string[]): string[] {
  return [...new Set(values)].sort(compareIds)
}

export function canonicalNode(node: PlacementNode): string {
  const attributes = Object.keys(node.attributes)
    .sort(compareIds)
    .map(name => [name, node.attributes[name]])
  return JSON.stringify([
    node.id,
    node.cpuMillis,
    node.memoryMiB,
    node.eighths,
    node.zone,
    node.schedulable,
    attributes
  ])
}

function requirements(item: PlacementItem): string[] {
  return item.requirements
    .map(each => JSON.stringify([each.attribute, each.operator, sorted(each.values)]))
    .sort(compareIds)
}

/** One text for items that may use the same nodes. */
export function canonicalRule(item: PlacementItem): string {
  return JSON.stringify([requirements(item), sorted(item.avoid)])
}

export function canonicalItem(item: PlacementItem): string {
  const pins = item.pins.map(pin => JSON.stringify([pin.slot, pin.node])).sort(compareIds)
  return JSON.stringify([
    item.uid,
    item.created,
    item.class,
    item.kind,
    item.replicas,
    item.cpuMillis,
    item.memoryMiB,
    item.balanceCpuMillis,
    item.balanceMemoryMiB,
    sorted(item.ports),
    requirements(item),
    item.maxPerNode,
    item.zones,
    sorted(item.avoid),
    pins
  ])
}

/** The last change of each node and item, in the order they were first named. */
export function latestChanges(changes: readonly PlacementChange[]): {
  readonly nodes: ReadonlyMap<string, PlacementNode | undefined>
  readonly items: ReadonlyMap<string, PlacementItem | undefined>
} {
  const nodes = new Map<string, PlacementNode | undefined>()
  const items = new Map<string, PlacementItem | undefined>()
  for (const change of changes) {
    switch (change.kind) {
      case 'node':
        nodes.set(change.node.id, change.node)
        break
      case 'node-gone':
        nodes.set(change.id, undefined)
        break
      case 'item':
        items.set(change.item.uid, change.item)
        break
      case 'item-gone':
        items.set(change.uid, undefined)
        break
      default: {
        const never: never = change
        throw new Error(`placement: unknown change ${JSON.stringify(never)}`)
      }
    }
  }
  return { nodes, items }
}
