/**
 * What a node carries before any service chooses (`placement.md` C4): pins in order, then
 * globals in order. Neither is held to the load bound; both to the hard limits.
 */
import { comparePreludeOrder } from './order.ts'
import type { ItemTable, NodeTable } from './tables.ts'
import type { PendingReason, PlacementNode } from './types.ts'

export interface PreludeListener {
  /** A pin of the item is kept or not kept where it was otherwise. */
  pinChanged(k: number): void
  /** The global had `before` on the node, and has something else now. */
  globalChanged(g: number, node: string, before: PendingReason | 'kept' | undefined): void
}

type Misfit = 'cpu' | 'memory' | 'port'

/** Takes seats one by one while they fit. */
class Base {
  load = 0
  cpu = 0
  memory = 0
  ports: Set<string> | undefined
  readonly #items: ItemTable
  readonly #cpuCap: number
  readonly #memoryCap: number

  constructor(items: ItemTable, node: PlacementNode) {
    this.#items = items
    this.#cpuCap = node.cpuMillis
    this.#memoryCap = node.memoryMiB
  }

  /** Takes a seat, or says why it does not fit. */
  take(k: number): Misfit | undefined {
    const items = this.#items
    if (this.cpu + items.cpu[k]! > this.#cpuCap) return 'cpu'
    if (this.memory + items.memory[k]! > this.#memoryCap) return 'memory'
    const { ports } = items.spec[k]!
    if (this.ports !== undefined && ports.some(port => this.ports?.has(port))) return 'port'
    this.load += items.demand[k]!
    this.cpu += items.cpu[k]!
    this.memory += items.memory[k]!
    if (ports.length > 0) {
      this.ports ??= new Set()
      for (const port of ports) this.ports.add(port)
    }
    return undefined
  }
}

function samePorts(
  a: ReadonlySet<string> | undefined,
  b: ReadonlySet<string> | undefined
): boolean {
  if ((a?.size ?? 0) !== (b?.size ?? 0)) return false
  for (const port of a ?? []) if (!b?.has(port)) return false
  return true
}

export class Preludes {
  /** node id -> items with a pin to it, present or not. */
  readonly #pinned = new Map<string, Set<number>>()
  /** Globals in order. */
  readonly #globals: number[] = []
  readonly #nodes: NodeTable
  readonly #items: ItemTable

  constructor(nodes: NodeTable, items: ItemTable) {
    this.#nodes = nodes
    this.#items = items
  }

  get globals(): readonly number[] {
    return this.#globals
  }

  addPins(k: number): void {
    for (const { node } of this.#items.pins[k]!) {
      const items = this.#pinned.get(node)
      if (items === undefined) this.#pinned.set(node, new Set([k]))
      else items.add(k)
    }
  }

  removePins(k: number): void {
    for (const { node } of this.#items.pins[k]!) {
      const items = this.#pinned.get(node)
      items?.delete(k)
      if (items?.size === 0) this.#pinned.delete(node)
    }
  }

  addGlobal(k: number): void {
    const keys = this.#items.key
    this.#globals.push(k)
    this.#globals.sort((a, b) => comparePreludeOrder(keys[a]!, keys[b]!))
  }

  removeGlobal(k: number): void {
    this.#globals.splice(this.#globals.indexOf(k), 1)
  }

  /** Items with a pin to the node id. */
  pinnedTo(id: string): Iterable<number> {
    return this.#pinned.get(id) ?? []
  }

  /** Marks the pins of a node that left. */
  abandon(id: string): void {
    for (const k of this.pinnedTo(id)) {
      for (const pin of this.#items.pins[k]!) if (pin.node === id) pin.state = 'pinned node gone'
    }
  }

  /**
   * Settles one node anew. True when what the services meet there has changed.
   */
  settle(n: number, listener: PreludeListener): boolean {
    const nodes = this.#nodes
    const base = new Base(this.#items, nodes.spec[n]!)
    this.#settlePins(n, base, listener)
    this.#settleGlobals(n, base, listener)
    const same =
      base.load === nodes.baseLoad[n] &&
      base.cpu === nodes.baseCpu[n] &&
      base.memory === nodes.baseMemory[n] &&
      samePorts(base.ports, nodes.basePorts[n])
    nodes.baseLoad[n] = base.load
    nodes.baseCpu[n] = base.cpu
    nodes.baseMemory[n] = base.memory
    nodes.basePorts[n] = base.ports
    return !same
  }

  #settlePins(n: number, base: Base, listener: PreludeListener): void {
    const items = this.#items
    const node = this.#nodes.spec[n]!
    const pinned = this.#pinned.get(node.id)
    if (pinned === undefined) return
    const ordered = [...pinned].sort((a, b) => comparePreludeOrder(items.key[a]!, items.key[b]!))
    for (const k of ordered) {
      const matches = items.group[k]!.matches(node)
      let changed = false
      for (const pin of items.pins[k]!) {
        if (pin.node !== node.id) continue
        const before = pin.state
        if (!matches) pin.state = 'pinned node no longer matches'
        else pin.state = base.take(k) === undefined ? 'kept' : 'pinned node full'
        changed ||= before !== pin.state
      }
      if (changed) listener.pinChanged(k)
    }
  }

  #settleGlobals(n: number, base: Base, listener: PreludeListener): void {
    if (this.#globals.length === 0 && this.#nodes.globals[n]!.size === 0) return
    const node = this.#nodes.spec[n]!
    const before = this.#nodes.globals[n]!
    const after = new Map<number, PendingReason | 'kept'>()
    if (node.schedulable) {
      for (const g of this.#globals) {
        const group = this.#items.group[g]!
        if (!group.matches(node)) continue
        after.set(g, group.avoid.has(node.id) ? 'avoid' : (base.take(g) ?? 'kept'))
      }
    }
    this.#nodes.globals[n] = after
    for (const g of new Set([...before.keys(), ...after.keys()])) {
      if (before.get(g) !== after.get(g)) listener.globalChanged(g, node.id, before.get(g))
    }
  }
}
