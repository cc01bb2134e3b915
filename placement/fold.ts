/**
 * The fold of `placement.md` C1-C5, kept up to date: items in one total order, each choosing all
 * its seats given what earlier ones took. Building it and changing it go through the same steps;
 * the state after any history is the state of a fold built from the input of that moment.
 */
import { canonicalItem, canonicalNode, latestChanges } from './canonical.ts'
import { type Bound, closingRoom, loadBound, nodeLimit } from './capacity.ts'
import { Chooser } from './choose.ts'
import { type Group, Groups } from './eligible.ts'
import { draw, type Hash64, saltKey } from './hash.ts'
import { Journal } from './journal.ts'
import { compareOrder, Order, orderKey } from './order.ts'
import { Preludes } from './prelude.ts'
import { exponential, itemSize } from './rank.ts'
import { pendingOf } from './refuse.ts'
import { Repair } from './repair.ts'
import { ItemTable, NodeTable } from './tables.ts'
import type { ItemAssignment, PlacementChange, PlacementItem, PlacementNode } from './types.ts'

const TWO_32 = 4_294_967_296

/** uid -> promo (C7); absent: 0. */
export type Promotions = ReadonlyMap<string, number>

export class Fold {
  readonly nodes = new NodeTable()
  readonly items = new ItemTable()
  readonly chooser = new Chooser(this.nodes, this.items)
  /** Replicas of all services. */
  replicas = 0
  readonly #key: Hash64
  readonly #promotions: Promotions
  readonly #groups = new Groups()
  readonly #order = new Order()
  readonly #preludes = new Preludes(this.nodes, this.items)
  readonly #repair = new Repair(this.nodes, this.items, this.chooser)
  readonly #journal = new Journal(this.nodes, this.items)
  readonly #pendingItems = new Set<number>()
  #demand = 0
  #weightEighths = 0
  #bound: Bound = { perWeight: 0, room: 0 }
  /** Within one change: */
  readonly #joined: number[] = []
  readonly #unsettled = new Set<string>()
  readonly #touchedGroups = new Set<Group>()
  #nodeSetChanged = false
  #globalsChanged = false

  constructor(salt: string, promotions: Promotions = new Map()) {
    this.#key = saltKey(salt)
    this.#promotions = promotions
  }

  /** Applies the changes as one; returns the uids whose seats or pending changed, sorted. */
  apply(changes: readonly PlacementChange[]): string[] {
    const latest = latestChanges(changes)
    this.nodes.clock += 1
    this.#repair.suspend()
    // Items first: what a removed global held is still there to be remembered.
    for (const [uid, item] of latest.items) this.#changeItem(uid, item)
    for (const [id, node] of latest.nodes) this.#changeNode(id, node)
    const { key, spec, position } = this.items
    const known = this.#order.settle(key, k => spec[k] !== undefined, position)
    this.#settlePreludes()
    this.#rebound()
    if (this.#nodeSetChanged) this.#spreadNodeChanges(known)
    this.#repair.run(
      k => this.#journal.service(k),
      k => this.#recordPending(k)
    )
    const changed = this.#journal.finish()
    this.nodes.recycle()
    this.items.recycle()
    this.#joined.length = 0
    this.#nodeSetChanged = false
    return changed
  }

  of(uid: string): ItemAssignment | undefined {
    return this.#journal.result(uid)
  }

  /** Services with unplaced replicas that are not waiting for a pin. */
  get pendingItems(): ReadonlySet<number> {
    return this.#pendingItems
  }

  #changeNode(id: string, node: PlacementNode | undefined): void {
    const old = this.nodes.byId.get(id)
    if (old !== undefined) {
      if (node !== undefined && canonicalNode(node) === canonicalNode(this.nodes.spec[old]!)) return
      this.#leave(old)
    }
    if (node !== undefined) this.#join(node)
  }

  #leave(n: number): void {
    const { nodes } = this
    const node = nodes.spec[n]!
    this.#nodeSetChanged = true
    for (const k of this.#preludes.pinnedTo(node.id)) {
      this.#journal.service(k)
      this.#repair.push(k)
    }
    this.#preludes.abandon(node.id)
    for (const [g, state] of nodes.globals[n]!) this.#journal.globalSeat(g, node.id, state)
    this.#repair.vacate(n, k => this.#journal.service(k))
    const weight = nodes.weightEighths[n]!
    if (node.schedulable) this.#weightEighths -= weight
    for (const group of this.#groups.all()) {
      if (!group.admits(node)) continue
      group.remove(n, nodes.zone[n]!, weight)
      this.#touchedGroups.add(group)
    }
    nodes.remove(n)
  }

  #join(node: PlacementNode): void {
    const { nodes } = this
    const n = nodes.add(node, this.#key)
    this.#nodeSetChanged = true
    this.#joined.push(n)
    this.#unsettled.add(node.id)
    const weight = nodes.weightEighths[n]!
    if (node.schedulable) this.#weightEighths += weight
    for (const group of this.#groups.all()) {
      if (!group.admits(node)) continue
      group.add(n, nodes.zone[n]!, weight)
      this.#touchedGroups.add(group)
    }
  }

  #changeItem(uid: string, item: PlacementItem | undefined): void {
    const old = this.items.byUid.get(uid)
    if (old === undefined) {
      if (item !== undefined) this.#addItem(item)
      return
    }
    const before = this.items.spec[old]!
    if (item !== undefined) {
      if (before === item || canonicalItem(before) === canonicalItem(item)) return
      if (this.#sameKind(old, item)) {
        this.#editItem(old, item)
        return
      }
    }
    this.#removeItem(old)
    if (item !== undefined) this.#addItem(item)
  }

  /** Whether the item keeps its place in the order and what a seat of it takes. */
  #sameKind(k: number, item: PlacementItem): boolean {
    const before = this.items.spec[k]!
    const key = orderKey(item, this.#promotions.get(item.uid) ?? 0)
    return (
      before.kind === 'service' &&
      item.kind === 'service' &&
      compareOrder(this.items.key[k]!, key) === 0 &&
      before.cpuMillis === item.cpuMillis &&
      before.memoryMiB === item.memoryMiB &&
      itemSize(before) === itemSize(item) &&
      JSON.stringify(before.ports) === JSON.stringify(item.ports)
    )
  }

  #addItem(item: PlacementItem): void {
    const k = this.items.add(item, this.#key, this.#promotions.get(item.uid) ?? 0)
    this.#journal.added(k)
    this.#enter(k)
    if (item.kind === 'global') {
      this.#preludes.addGlobal(k)
      this.#globalsChanged = true
    } else {
      this.#order.add(k)
      this.#repair.push(k)
    }
  }

  #editItem(k: number, item: PlacementItem): void {
    this.#journal.service(k)
    this.#exit(k)
    this.items.setSpec(k, item)
    this.items.forget(k)
    this.#enter(k)
    this.#repair.push(k)
  }

  #removeItem(k: number): void {
    this.#journal.removed(k)
    if (this.items.spec[k]!.kind === 'global') {
      this.#preludes.removeGlobal(k)
      this.#globalsChanged = true
    } else {
      this.#repair.withdraw(k)
      this.#order.drop()
    }
    this.#exit(k)
    this.#pendingItems.delete(k)
    this.items.remove(k)
  }

  /** Enters the item's group, plan, pins and demand. */
  #enter(k: number): void {
    const { items, nodes } = this
    const item = items.spec[k]!
    const group = this.#groups.enter(item, fresh => {
      for (let n = 0; n < nodes.size; n++) {
        const node = nodes.spec[n]
        if (node !== undefined && fresh.admits(node)) {
          fresh.add(n, nodes.zone[n]!, nodes.weightEighths[n]!)
        }
      }
    })
    items.group[k] = group
    items.plan[k] = undefined
    if (item.kind === 'global') return
    if (item.zones !== 'none') {
      const { replicas, maxPerNode } = item
      items.plan[k] = group.plan(k, { replicas, maxPerNode, hard: item.zones === 'hard' })
    }
    this.#demand += items.demand[k]! * item.replicas
    this.replicas += item.replicas
    this.#preludes.addPins(k)
    for (const pin of items.pins[k]!) this.#unsettled.add(pin.node)
  }

  #exit(k: number): void {
    const { items } = this
    const item = items.spec[k]!
    const group = items.group[k]!
    const plan = items.plan[k]
    if (plan !== undefined) group.leavePlan(k, plan)
    this.#groups.leave(group)
    if (item.kind === 'global') return
    this.#demand -= items.demand[k]! * item.replicas
    this.replicas -= item.replicas
    this.#preludes.removePins(k)
    for (const pin of items.pins[k]!) this.#unsettled.add(pin.node)
  }

  #settlePreludes(): void {
    if (this.#globalsChanged) for (const id of this.nodes.byId.keys()) this.#unsettled.add(id)
    for (const id of this.#unsettled) {
      const n = this.nodes.byId.get(id)
      if (n !== undefined) this.#settle(n)
    }
    this.#unsettled.clear()
    this.#globalsChanged = false
  }

  #settle(n: number): void {
    const { nodes } = this
    const load = nodes.baseLoad[n]!
    const cpu = nodes.baseCpu[n]!
    const memory = nodes.baseMemory[n]!
    for (const k of this.#preludes.pinnedTo(nodes.ids[n]!)) this.#journal.service(k)
    const changed = this.#preludes.settle(n, {
      pinChanged: k => this.#repair.push(k),
      globalChanged: (g, node, before) => this.#journal.globalSeat(g, node, before)
    })
    if (!changed) return
    const moreLoad = nodes.baseLoad[n]! - load
    const moreCpu = nodes.baseCpu[n]! - cpu
    const moreMemory = nodes.baseMemory[n]! - memory
    this.#repair.walk(n, 0, moreLoad, moreCpu, moreMemory)
  }

  /** The bound is one for the whole mesh; it moves in steps, so rarely. */
  #rebound(): void {
    const { nodes, items } = this
    let demand = this.#demand
    for (const g of this.#preludes.globals) demand += items.demand[g]! * items.group[g]!.size
    const bound = loadBound(demand, this.#weightEighths, this.replicas)
    const before = this.#bound
    this.#bound = bound
    if (bound.perWeight !== before.perWeight || bound.room !== before.room) {
      for (const n of nodes.byId.values()) {
        this.#setLimit(n)
        this.#repair.walk(n, 0, 0, 0, 0)
      }
    } else {
      for (const n of this.#joined) if (nodes.spec[n] !== undefined) this.#setLimit(n)
    }
  }

  #setLimit(n: number): void {
    const limit = nodeLimit(this.#bound, this.nodes.weightEighths[n]!)
    this.nodes.limit[n] = limit
    this.nodes.room[n] = closingRoom(this.#bound, limit)
  }

  /** Dirties what depends on the set of nodes, and what would have looked at a newcomer. */
  #spreadNodeChanges(known: number): void {
    const { items } = this
    for (const group of this.#touchedGroups) {
      for (const plan of group.plans.values()) {
        if (!plan.refresh(group.zoneNodes, group.size)) continue
        for (const k of plan.members) this.#repair.push(k)
      }
    }
    this.#touchedGroups.clear()
    for (let k = 0; k < items.size; k++) if (items.wide[k] === 1) this.#repair.push(k)
    if (known > 0) for (const n of this.#joined) this.#introduce(n)
  }

  #introduce(n: number): void {
    const { nodes, items } = this
    const node = nodes.spec[n]
    if (node === undefined) return
    for (const group of this.#groups.all()) group.admitsNewcomer = group.admits(node)
    const nodeHash = nodes.hash[n]!
    const factor = nodes.factor[n]!
    const { reachScore, rememberedScore, hash, group } = items
    for (let k = 0; k < items.size; k++) {
      const reach = reachScore[k]!
      const known = rememberedScore[k]!
      const bar = Math.max(reach, known)
      const y = draw(hash[k]!, nodeHash)
      // A score is never below its draw, but for rounding. What is gone has a bar below zero.
      if (y * factor > bar * (TWO_32 * 1.000001) || !group[k]!.admitsNewcomer) continue
      const score = exponential(y) * factor
      if (score <= known) this.chooser.candidates.insert(k, n, score)
      if (score <= reach) this.#repair.push(k)
    }
  }

  #recordPending(k: number): void {
    const pending = pendingOf(this.nodes, this.items, this.chooser, k)
    this.items.pending[k] = pending
    if (pending === undefined) this.#pendingItems.delete(k)
    else this.#pendingItems.add(k)
  }
}
