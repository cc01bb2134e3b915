/**
 * The plain reading of `placement.md` C2-C5: no repair, no caches, no skipped levels or rounds.
 * Slow on purpose; the real fold must give the same seats and the same number pending.
 */
import { type Bound, closingRoom, LADDER, loadBound, nodeLimit } from '../../placement/capacity.ts'
import type { PlacementInput, PlacementItem, PlacementNode } from '../../placement/index.ts'
import { compareOrder, comparePreludeOrder, orderKey } from '../../placement/order.ts'
import { itemSize, nodeWeight, rank } from '../../placement/rank.ts'

interface State {
  readonly node: PlacementNode
  load: number
  cpu: number
  memory: number
  readonly ports: Set<string>
}

export interface Plain {
  /** uid -> node -> seats. */
  readonly seats: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** uid -> replicas without a seat, pins and globals included. */
  readonly pending: ReadonlyMap<string, number>
}

const INFINITE = Number.POSITIVE_INFINITY

function matches(item: PlacementItem, node: PlacementNode): boolean {
  return item.requirements.every(({ attribute, operator, values }) => {
    const value = node.attributes[attribute]
    return (value !== undefined && values.includes(value)) === (operator === 'in')
  })
}

function fits(state: State, item: PlacementItem): boolean {
  return (
    state.cpu + item.cpuMillis <= state.node.cpuMillis &&
    state.memory + item.memoryMiB <= state.node.memoryMiB &&
    !item.ports.some(port => state.ports.has(port))
  )
}

function take(state: State, item: PlacementItem): void {
  state.load += itemSize(item)
  state.cpu += item.cpuMillis
  state.memory += item.memoryMiB
  for (const port of item.ports) state.ports.add(port)
}

class Choice {
  readonly counts = new Map<string, number>()
  readonly zones = new Map<string, number>()
  readonly #item: PlacementItem
  readonly #ranked: readonly State[]
  readonly #bound: Bound
  readonly #caps = new Map<string, number>()
  #level = 0
  #extra = 0
  need: number

  constructor(item: PlacementItem, ranked: readonly State[], bound: Bound, need: number) {
    this.#item = item
    this.#ranked = ranked
    this.#bound = bound
    this.need = need
    if (item.zones !== 'none' && ranked.length > 0) this.#quota()
  }

  #quota(): void {
    const { replicas, maxPerNode, zones } = this.#item
    const nodes = this.#ranked.length
    const per = maxPerNode > 0 ? maxPerNode : INFINITE
    const inZone = new Map<string, number>()
    for (const { node } of this.#ranked) inZone.set(node.zone, (inZone.get(node.zone) ?? 0) + 1)
    for (const [zone, count] of inZone) {
      const most = zones === 'hard' ? per : Math.min(per, Math.ceil(replicas / nodes))
      this.#caps.set(zone, count * most)
    }
    if (zones === 'hard') {
      const least = Math.min(...this.#caps.values())
      for (const [zone, cap] of this.#caps) this.#caps.set(zone, Math.min(cap, least + 1))
    }
    const sum = (level: number): number =>
      [...this.#caps.values()].reduce((total, cap) => total + Math.min(level, cap), 0)
    const total = Math.min(replicas, sum(replicas))
    for (let level = 0; level <= replicas; level++) if (sum(level) <= total) this.#level = level
    this.#extra = total - sum(this.#level)
  }

  count(zone: string, node: string): void {
    this.counts.set(node, (this.counts.get(node) ?? 0) + 1)
    this.zones.set(zone, (this.zones.get(zone) ?? 0) + 1)
  }

  #zoneOpen(zone: string): boolean {
    if (this.#item.zones === 'none') return true
    const seats = this.zones.get(zone) ?? 0
    if (seats >= this.#caps.get(zone)!) return false
    const above = [...this.zones.values()].filter(count => count > this.#level).length
    return seats < this.#level || (seats === this.#level && above < this.#extra)
  }

  #round(node: PlacementNode): number {
    const seats = this.counts.get(node.id) ?? 0
    return seats === 0 ? 0 : Math.ceil((seats * 8) / node.eighths)
  }

  #levelOf(state: State): number {
    if (!fits(state, this.#item)) return 13
    const limit = nodeLimit(this.#bound, nodeWeight(state.node) * state.node.eighths)
    const room = Math.max(itemSize(this.#item), closingRoom(this.#bound, limit))
    for (let level = 0; level < 12; level++) {
      if (state.load + room <= limit * LADDER[level]!) return level
    }
    return 12
  }

  #pass(list: readonly State[], round: number, quota: boolean, levelMax: number): void {
    const { maxPerNode } = this.#item
    for (let level = 0; level <= levelMax; level++) {
      for (const state of list) {
        if (this.need === 0) return
        const { node } = state
        if (this.#round(node) > round) continue
        if (maxPerNode > 0 && (this.counts.get(node.id) ?? 0) >= maxPerNode) continue
        if (quota && !this.#zoneOpen(node.zone)) continue
        if (this.#levelOf(state) > level) continue
        take(state, this.#item)
        this.count(node.zone, node.id)
        this.need -= 1
      }
    }
  }

  run(): void {
    const { replicas, zones } = this.#item
    const all = this.#ranked
    const zoneCount = new Set(all.map(state => state.node.zone)).size
    const spread = zones !== 'none' && replicas > 1 ? 10 * zoneCount : 0
    this.#pass(all.slice(0, Math.max(2 * replicas + 16, spread)), 0, true, 12)
    this.#pass(all, 0, true, 12)
    if (zones !== 'hard') this.#pass(all, 0, false, 12)
    for (const levelMax of [3, 12]) {
      for (let round = 1; round <= 8 * replicas && this.need > 0; round++) {
        this.#pass(all, round, true, levelMax)
        if (zones !== 'hard') this.#pass(all, round, false, levelMax)
      }
    }
  }
}

/** Seats and pending without rescue. Pins: at most one a slot in the input. */
export function plainAssign(input: PlacementInput): Plain {
  const states = new Map<string, State>()
  for (const node of input.nodes) {
    states.set(node.id, { node, load: 0, cpu: 0, memory: 0, ports: new Set() })
  }
  const keys = new Map(input.items.map(item => [item.uid, orderKey(item, 0)]))
  const inPrelude = [...input.items].sort((a, b) =>
    comparePreludeOrder(keys.get(a.uid)!, keys.get(b.uid)!)
  )
  const counts = new Map(input.items.map(item => [item.uid, new Map<string, number>()]))
  const pending = new Map(input.items.map(item => [item.uid, 0]))
  const add = (uid: string, node: string): void => {
    counts.get(uid)!.set(node, (counts.get(uid)!.get(node) ?? 0) + 1)
  }
  const wait = (uid: string): void => void pending.set(uid, pending.get(uid)! + 1)
  const pinsOf = (item: PlacementItem) =>
    item.kind === 'global'
      ? []
      : [...item.pins].sort((a, b) => a.slot - b.slot).slice(0, item.replicas)
  for (const item of inPrelude) {
    for (const pin of [...pinsOf(item)].sort((a, b) => a.slot - b.slot)) {
      const state = states.get(pin.node)
      if (state === undefined || !matches(item, state.node) || !fits(state, item)) wait(item.uid)
      else {
        take(state, item)
        add(item.uid, pin.node)
      }
    }
  }
  let demand = 0
  const eligible = (item: PlacementItem): PlacementNode[] =>
    input.nodes.filter(
      node => node.schedulable && matches(item, node) && !item.avoid.includes(node.id)
    )
  for (const item of inPrelude.filter(each => each.kind === 'global')) {
    demand += itemSize(item) * eligible(item).length
    for (const state of states.values()) {
      if (!state.node.schedulable || !matches(item, state.node)) continue
      if (item.avoid.includes(state.node.id) || !fits(state, item)) wait(item.uid)
      else {
        take(state, item)
        add(item.uid, state.node.id)
      }
    }
  }
  const services = input.items.filter(item => item.kind === 'service')
  const replicas = services.reduce((sum, item) => sum + item.replicas, 0)
  demand += services.reduce((sum, item) => sum + item.replicas * itemSize(item), 0)
  const weights = input.nodes
    .filter(node => node.schedulable)
    .reduce((sum, node) => sum + nodeWeight(node) * node.eighths, 0)
  const bound = loadBound(demand, weights, replicas)
  for (const item of services.sort((a, b) => compareOrder(keys.get(a.uid)!, keys.get(b.uid)!))) {
    const ranked = rank(item, eligible(item), input.salt).map(id => states.get(id)!)
    const choice = new Choice(item, ranked, bound, item.replicas - pinsOf(item).length)
    for (const [id, seats] of counts.get(item.uid)!) {
      for (let i = 0; i < seats; i++) choice.count(states.get(id)!.node.zone, id)
    }
    choice.run()
    counts.set(item.uid, choice.counts)
    pending.set(item.uid, pending.get(item.uid)! + choice.need)
  }
  return { seats: counts, pending }
}
