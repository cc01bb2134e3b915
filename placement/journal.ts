/** Remembers what items held before a change, and tells which hold something else after it. */
import { compareIds } from './rank.ts'
import { globalResult, type Holding, sameAssignment, serviceResult } from './result.ts'
import type { ItemTable, NodeTable } from './tables.ts'
import type { ItemAssignment, PendingReason } from './types.ts'

type GlobalState = PendingReason | 'kept' | undefined

export class Journal {
  readonly #nodes: NodeTable
  readonly #items: ItemTable
  readonly #services = new Map<string, Holding>()
  readonly #globals = new Map<string, ItemAssignment>()
  readonly #added = new Set<string>()
  /** global -> node id -> state before. */
  readonly #globalSeats = new Map<number, Map<string, GlobalState>>()

  constructor(nodes: NodeTable, items: ItemTable) {
    this.#nodes = nodes
    this.#items = items
  }

  /** Before anything of the item changes: pins, seats or pending. */
  service(k: number): void {
    const { uid } = this.#items.key[k]!
    if (this.#services.has(uid) || this.#known(uid)) return
    this.#services.set(uid, this.#holding(k))
  }

  /** Before a global is removed. */
  global(g: number): void {
    const { uid } = this.#items.key[g]!
    if (!this.#services.has(uid) && !this.#known(uid)) {
      this.#globals.set(uid, globalResult(this.#nodes, uid, g))
    }
  }

  /** A global's seat on a node changes from `state`. */
  globalSeat(g: number, node: string, state: GlobalState): void {
    let seats = this.#globalSeats.get(g)
    if (seats === undefined) {
      seats = new Map()
      this.#globalSeats.set(g, seats)
    }
    if (!seats.has(node)) seats.set(node, state)
  }

  /** An item that did not exist before, unless it was removed in the same change. */
  added(uid: string): void {
    if (!this.#services.has(uid) && !this.#globals.has(uid)) this.#added.add(uid)
  }

  /** Uids whose seats or pending differ, sorted; forgets everything. */
  finish(): string[] {
    const changed = new Set(this.#added)
    for (const [uid, before] of this.#services) if (this.#serviceChanged(before)) changed.add(uid)
    for (const [uid, before] of this.#globals) {
      const after = this.result(uid)
      if (after === undefined || !sameAssignment(before, after)) changed.add(uid)
    }
    for (const [g, seats] of this.#globalSeats) {
      const uid = this.#items.key[g]!.uid
      if (!this.#globals.has(uid) && this.#globalChanged(g, seats)) changed.add(uid)
    }
    this.#services.clear()
    this.#globals.clear()
    this.#added.clear()
    this.#globalSeats.clear()
    return [...changed].sort(compareIds)
  }

  /** What the item holds now. */
  result(uid: string): ItemAssignment | undefined {
    const k = this.#items.byUid.get(uid)
    if (k === undefined) return undefined
    if (this.#items.spec[k]!.kind === 'global') return globalResult(this.#nodes, uid, k)
    return serviceResult(this.#nodes, this.#holding(k))
  }

  #known(uid: string): boolean {
    return this.#globals.has(uid) || this.#added.has(uid)
  }

  #holding(k: number): Holding {
    const items = this.#items
    return {
      uid: items.key[k]!.uid,
      nodes: items.nodes[k]!,
      seats: items.seats[k]!,
      pins: items.pins[k]!.map(pin => ({ ...pin })),
      pending: items.pending[k]
    }
  }

  #serviceChanged(before: Holding): boolean {
    const k = this.#items.byUid.get(before.uid)
    if (k === undefined) return true
    if (this.#items.spec[k]!.kind === 'service' && this.#sameSeats(before, k)) return false
    return !sameAssignment(serviceResult(this.#nodes, before), this.result(before.uid)!)
  }

  /** The common case without building results: the same seats in the same order, no more. */
  #sameSeats(before: Holding, k: number): boolean {
    const items = this.#items
    if (before.pins.length > 0 || items.pins[k]!.length > 0) return false
    if (before.pending !== undefined || items.pending[k] !== undefined) return false
    const nodes = items.nodes[k]!
    const seats = items.seats[k]!
    let j = 0
    for (let i = 0; i < before.nodes.length; i++) {
      if (before.seats[i] === 0) continue
      while (j < nodes.length && seats[j] === 0) j += 1
      if (j === nodes.length || nodes[j] !== before.nodes[i] || seats[j] !== before.seats[i])
        return false
      j += 1
    }
    while (j < nodes.length && seats[j] === 0) j += 1
    return j === nodes.length
  }

  #globalChanged(g: number, seats: ReadonlyMap<string, GlobalState>): boolean {
    for (const [id, before] of seats) {
      const n = this.#nodes.byId.get(id)
      const after = n === undefined ? undefined : this.#nodes.globals[n]!.get(g)
      if (before !== after) return true
    }
    return false
  }
}
