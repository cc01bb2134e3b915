/**
 * Remembers what items held before a change, and tells which hold something else after it.
 * Services are remembered in one list of integers: a repair touches hundreds, and garbage would
 * cost more than the repair.
 */
import { compareIds } from './rank.ts'
import { globalResult, type Holding, sameAssignment, serviceResult } from './result.ts'
import type { ItemPin, ItemTable, NodeTable } from './tables.ts'
import type { ItemAssignment, Pending, PendingReason } from './types.ts'

const UNMARKED = -1
/** Existed under another id before, or not at all: nothing to remember here. */
const FRESH = -2
/** Up to this many pairs are compared each with each. */
const PAIRS_MAX = 32

type GlobalState = PendingReason | 'kept' | undefined

interface Extra {
  readonly pins: readonly ItemPin[]
  readonly pending: Pending | undefined
}

export class Journal {
  readonly #nodes: NodeTable
  readonly #items: ItemTable
  /** Where in the log the item's pairs begin (their number first). */
  #mark = new Int32Array(0)
  #log = new Int32Array(256)
  #logSize = 0
  #marked: number[] = []
  /** Pins and pending of the remembered services that have any. */
  readonly #extras = new Map<number, Extra>()
  /** What removed items held. */
  readonly #gone = new Map<string, ItemAssignment>()
  readonly #added = new Set<string>()
  /** global -> node id -> state before. */
  readonly #globalSeats = new Map<number, Map<string, GlobalState>>()

  constructor(nodes: NodeTable, items: ItemTable) {
    this.#nodes = nodes
    this.#items = items
  }

  /** Before anything of the service changes: pins, seats or pending. */
  service(k: number): void {
    this.#reserve(k)
    if (this.#mark[k] !== UNMARKED) return
    const items = this.#items
    const taken = items.taken[k]!
    this.#mark[k] = this.#logSize
    this.#marked.push(k)
    this.#append(taken)
    const pins = items.pins[k]!
    const pending = items.pending[k]
    if (pins.length === 0 && pending === undefined) return
    this.#extras.set(k, { pins: pins.map(pin => ({ ...pin })), pending })
  }

  /** Before an item is removed. */
  removed(k: number): void {
    const { uid } = this.#items.key[k]!
    if (!this.#gone.has(uid)) this.#gone.set(uid, this.#before(k))
  }

  /** After an item was added, maybe in place of a removed one. */
  added(k: number): void {
    this.#reserve(k)
    this.#mark[k] = FRESH
    this.#marked.push(k)
    const { uid } = this.#items.key[k]!
    if (!this.#gone.has(uid)) this.#added.add(uid)
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

  /** Uids whose seats or pending differ, sorted; forgets everything. */
  finish(): string[] {
    const { key, spec } = this.#items
    const changed = new Set(this.#added)
    for (const k of this.#marked) {
      const fresh = this.#mark[k] === FRESH
      if (!fresh && spec[k] !== undefined && this.#serviceChanged(k)) changed.add(key[k]!.uid)
    }
    for (const [uid, before] of this.#gone) {
      const after = this.result(uid)
      if (after === undefined || !sameAssignment(before, after)) changed.add(uid)
    }
    for (const [g, seats] of this.#globalSeats) {
      const { uid } = key[g]!
      if (!this.#gone.has(uid) && this.#globalChanged(g, seats)) changed.add(uid)
    }
    for (const k of this.#marked) this.#mark[k] = UNMARKED
    this.#marked = []
    this.#logSize = 0
    this.#extras.clear()
    this.#gone.clear()
    this.#added.clear()
    this.#globalSeats.clear()
    return [...changed].sort(compareIds)
  }

  /** What the item holds now. */
  result(uid: string): ItemAssignment | undefined {
    const k = this.#items.byUid.get(uid)
    return k === undefined ? undefined : this.#resultOf(k)
  }

  #resultOf(k: number): ItemAssignment {
    const items = this.#items
    const { uid } = items.key[k]!
    if (items.spec[k]!.kind === 'global') return globalResult(this.#nodes, uid, k)
    const [taken, pins] = [items.taken[k]!, items.pins[k]!]
    return serviceResult(this.#nodes, { uid, taken, pins, pending: items.pending[k] })
  }

  /** What the item held before the change. */
  #before(k: number): ItemAssignment {
    const start = this.#mark[k] ?? UNMARKED
    if (start < 0) return this.#resultOf(k)
    const taken = [...this.#log.subarray(start + 1, start + 1 + this.#log[start]!)]
    const { uid } = this.#items.key[k]!
    const extra = this.#extras.get(k)
    const holding: Holding = { uid, taken, pins: extra?.pins ?? [], pending: extra?.pending }
    return serviceResult(this.#nodes, holding)
  }

  #reserve(k: number): void {
    if (k < this.#mark.length) return
    const grown = new Int32Array(this.#items.capacity).fill(UNMARKED)
    grown.set(this.#mark)
    this.#mark = grown
  }

  #append(pairs: readonly number[]): void {
    const size = this.#logSize + 1 + pairs.length
    if (size > this.#log.length) {
      const grown = new Int32Array(size * 2)
      grown.set(this.#log)
      this.#log = grown
    }
    this.#log[this.#logSize] = pairs.length
    for (let i = 0; i < pairs.length; i++) this.#log[this.#logSize + 1 + i] = pairs[i]!
    this.#logSize = size
  }

  #serviceChanged(k: number): boolean {
    const items = this.#items
    const plain =
      !this.#extras.has(k) && items.pins[k]!.length === 0 && items.pending[k] === undefined
    const start = this.#mark[k]!
    const length = this.#log[start]!
    if (plain && length <= 2 * PAIRS_MAX && items.taken[k]!.length <= 2 * PAIRS_MAX) {
      return !this.#sameSeats(start + 1, start + 1 + length, items.taken[k]!)
    }
    return !sameAssignment(this.#before(k), this.#resultOf(k))
  }

  /** The common case, without building results. A node that was replaced keeps its name. */
  #sameSeats(from: number, to: number, taken: readonly number[]): boolean {
    const log = this.#log
    const { ids } = this.#nodes
    let total = 0
    for (let j = 1; j < taken.length; j += 2) total += taken[j]!
    for (let i = from; i < to; i += 2) {
      const seats = log[i + 1]!
      if (seats === 0) continue
      const id = ids[log[i]!]
      let same = false
      for (let j = 0; j < taken.length && !same; j += 2) {
        same = taken[j + 1] === seats && ids[taken[j]!] === id
      }
      if (!same) return false
      total -= seats
    }
    return total === 0
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
