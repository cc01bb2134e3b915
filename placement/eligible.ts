/**
 * Which nodes an item may use, by its spec alone: schedulable, matching every requirement, not
 * avoided. Items that ask for the same share one group, kept up to date as nodes come and go.
 */
import { canonicalRule } from './canonical.ts'
import type { PlacementItem, PlacementNode, Requirement } from './types.ts'
import { ZonePlan, type ZoneRequest } from './zones.ts'

function holds(requirement: Requirement, node: PlacementNode): boolean {
  const value = Object.hasOwn(node.attributes, requirement.attribute)
    ? node.attributes[requirement.attribute]
    : undefined
  const listed = value !== undefined && requirement.values.includes(value)
  switch (requirement.operator) {
    case 'in':
      return listed
    case 'not-in':
      return !listed
    default: {
      const never: never = requirement.operator
      throw new Error(`placement: unknown operator ${String(never)}`)
    }
  }
}

export class Group {
  readonly key: string
  readonly requirements: readonly Requirement[]
  readonly avoid: ReadonlySet<string>
  readonly plans = new Map<string, ZonePlan>()
  /** Items that use it; at 0 it is dropped. */
  users = 0
  /** Eligible nodes by integer id, in no order. */
  list = new Int32Array(16)
  size = 0
  /** Sum of weight * eighths of the eligible nodes. */
  weightEighths = 0
  /** Scratch of the fold: whether it admits the node that is being introduced. */
  admitsNewcomer = false
  readonly zoneNodes = new Map<number, number>()

  constructor(key: string, item: PlacementItem) {
    this.key = key
    this.requirements = item.requirements
    this.avoid = new Set(item.avoid)
  }

  /** Whether the node satisfies the requirements; says nothing of draining or avoidance. */
  matches(node: PlacementNode): boolean {
    for (const requirement of this.requirements) if (!holds(requirement, node)) return false
    return true
  }

  /** The requirements that the node does not satisfy, each once; `matches` is: none. */
  unmet(node: PlacementNode): readonly Requirement[] {
    const byText = new Map<string, Requirement>()
    for (const one of this.requirements) {
      if (!holds(one, node)) byText.set(JSON.stringify(one), one)
    }
    return [...byText.values()]
  }

  admits(node: PlacementNode): boolean {
    return node.schedulable && !this.avoid.has(node.id) && this.matches(node)
  }

  add(node: number, zone: number, weightEighths: number): void {
    if (this.size === this.list.length) {
      const grown = new Int32Array(this.size * 2)
      grown.set(this.list)
      this.list = grown
    }
    this.list[this.size++] = node
    this.weightEighths += weightEighths
    this.zoneNodes.set(zone, (this.zoneNodes.get(zone) ?? 0) + 1)
  }

  remove(node: number, zone: number, weightEighths: number): void {
    const at = this.list.subarray(0, this.size).indexOf(node)
    if (at < 0) return
    this.list[at] = this.list[--this.size]!
    this.weightEighths -= weightEighths
    const left = this.zoneNodes.get(zone)! - 1
    if (left === 0) this.zoneNodes.delete(zone)
    else this.zoneNodes.set(zone, left)
  }

  /** Joins the item to the plan of its zone rule. */
  plan(item: number, request: ZoneRequest): ZonePlan {
    const key = `${request.replicas} ${request.maxPerNode} ${request.hard}`
    let plan = this.plans.get(key)
    if (plan === undefined) {
      plan = new ZonePlan(request)
      plan.refresh(this.zoneNodes, this.size)
      this.plans.set(key, plan)
    }
    plan.members.add(item)
    return plan
  }

  leavePlan(item: number, plan: ZonePlan): void {
    plan.members.delete(item)
    if (plan.members.size > 0) return
    const { request } = plan
    this.plans.delete(`${request.replicas} ${request.maxPerNode} ${request.hard}`)
  }
}

/** All groups in use. */
export class Groups {
  readonly #byKey = new Map<string, Group>()

  all(): Iterable<Group> {
    return this.#byKey.values()
  }

  /** The group of the item; `fill` adds the present nodes to a new one. */
  enter(item: PlacementItem, fill: (group: Group) => void): Group {
    const plain = item.requirements.length === 0 && item.avoid.length === 0
    const key = plain ? '' : canonicalRule(item)
    let group = this.#byKey.get(key)
    if (group === undefined) {
      group = new Group(key, item)
      fill(group)
      this.#byKey.set(key, group)
    }
    group.users += 1
    return group
  }

  leave(group: Group): void {
    group.users -= 1
    if (group.users === 0) this.#byKey.delete(group.key)
  }
}
