/**
 * Incremental repair (`placement.md` C8). Dirty items choose again in the order of the fold; the
 * difference of each choice is written to the ledgers, and every later entry whose item would
 * now meet another level is dirty in turn. A choice only ever dirties later items, so it ends,
 * and it ends in the state that choosing everything from scratch has.
 */
import { LEVEL_NO, ladderLevel } from './capacity.ts'
import { type Chooser, portHeldBefore } from './choose.ts'
import { Heap } from './heap.ts'
import type { ItemTable, NodeTable } from './tables.ts'

export class Repair {
  readonly #nodes: NodeTable
  readonly #items: ItemTable
  readonly #chooser: Chooser
  readonly #queue: Heap

  constructor(nodes: NodeTable, items: ItemTable, chooser: Chooser) {
    this.#nodes = nodes
    this.#items = items
    this.#chooser = chooser
    this.#queue = new Heap(items)
  }

  /** Marks an item dirty. */
  push(k: number): void {
    this.#queue.push(k)
  }

  /** Before positions change. */
  suspend(): void {
    this.#queue.suspend()
  }

  /** Chooses for all that is dirty; `before` and `after` frame each choice's commit. */
  run(before: (k: number) => void, after: (k: number) => void): void {
    this.#queue.order()
    for (let k = this.#queue.pop(); k >= 0; k = this.#queue.pop()) {
      if (this.#items.spec[k] === undefined) continue
      this.#chooser.run(k)
      before(k)
      // Reads the levels of nodes it may not have looked at yet, so it comes before the commit.
      after(k)
      this.#commit(k)
    }
  }

  /**
   * Adds to the sums from the entry on, and marks every item that would now meet another level,
   * or that depends on this node in full.
   */
  walk(n: number, from: number, load: number, cpu: number, memory: number): void {
    const items = this.#items
    const ledger = this.#nodes.ledger[n]!
    const limit = this.#nodes.limit[n]!
    const room = this.#nodes.room[n]!
    const cpuCap = this.#nodes.cpu[n]!
    const memoryCap = this.#nodes.memory[n]!
    for (let at = from; at < ledger.size; at++) {
      const k = ledger.item[at]!
      ledger.load[at]! += load
      ledger.cpu[at]! += cpu
      ledger.memory[at]! += memory
      if (items.wide[k] === 1) {
        this.#queue.push(k)
        continue
      }
      let level = 0
      const total = ledger.load[at]! + Math.max(items.demand[k]!, room)
      if (ledger.cpu[at]! + items.cpu[k]! > cpuCap) level = LEVEL_NO
      else if (ledger.memory[at]! + items.memory[k]! > memoryCap) level = LEVEL_NO
      else if (items.hasPorts[k] === 1 && this.#portRefuses(n, k)) level = LEVEL_NO
      else if (total > limit) level = ladderLevel(total, limit)
      if (Math.min(level, items.reachLevel[k]! + 1) !== ledger.level[at]!) this.#queue.push(k)
    }
    ledger.loadEnd += load
    ledger.cpuEnd += cpu
    ledger.memoryEnd += memory
  }

  /** Takes an item that is gone, or changes size or place in the order, out of all ledgers. */
  withdraw(k: number): void {
    const taken = this.#items.taken[k]!
    for (let i = 0; i < taken.length; i += 2) this.#erase(taken[i]!, k, taken[i + 1]!)
    taken.length = 0
  }

  /** A node leaves: everyone with an entry forgets it, and chooses anew if that matters. */
  vacate(n: number, before: (k: number) => void): void {
    const items = this.#items
    const ledger = this.#nodes.ledger[n]!
    for (let at = 0; at < ledger.size; at++) {
      const k = ledger.item[at]!
      const taken = items.taken[k]!
      before(k)
      let i = 0
      while (taken[i] !== n) i += 2
      taken.copyWithin(i, i + 2)
      taken.length -= 2
      // Refused on the first walk and never asked again: the walk is the same without the node.
      if (ledger.seats[at] === 0 && items.reachLevel[k] === 0 && items.wide[k] === 0) continue
      this.#queue.push(k)
    }
  }

  #commit(k: number): void {
    const items = this.#items
    const chooser = this.#chooser
    const taken = items.taken[k]!
    items.wide[k] = chooser.wide ? 1 : 0
    items.reachLevel[k] = chooser.reachLevel
    items.reachScore[k] = chooser.reachScore
    for (let i = 0; i < taken.length; i += 2) {
      if (!chooser.looked(taken[i]!)) this.#erase(taken[i]!, k, taken[i + 1]!)
    }
    const { seenSize } = chooser
    for (let i = 0; i < seenSize; i++) {
      const n = chooser.seen[i]!
      const seats = chooser.seats[n]!
      this.#write(n, k, seats, Math.min(chooser.level[n]!, chooser.reachLevel + 1))
      taken[2 * i] = n
      taken[2 * i + 1] = seats
    }
    taken.length = 2 * seenSize
  }

  #write(n: number, k: number, seats: number, level: number): void {
    const items = this.#items
    const ledger = this.#nodes.ledger[n]!
    const at = ledger.find(items.position[k]!, items.position)
    if (at === ledger.size || ledger.item[at] !== k) ledger.insert(at, k, level)
    else ledger.level[at] = level
    const more = seats - ledger.seats[at]!
    if (more === 0) return
    ledger.seats[at] = seats
    if (items.hasPorts[k] === 1) this.#holdPorts(n, k, seats > 0)
    this.walk(n, at + 1, more * items.demand[k]!, more * items.cpu[k]!, more * items.memory[k]!)
  }

  #erase(n: number, k: number, seats: number): void {
    const items = this.#items
    const ledger = this.#nodes.ledger[n]!
    const at = ledger.find(items.position[k]!, items.position)
    ledger.delete(at)
    if (seats === 0) return
    if (items.hasPorts[k] === 1) this.#holdPorts(n, k, false)
    this.walk(n, at, -seats * items.demand[k]!, -seats * items.cpu[k]!, -seats * items.memory[k]!)
  }

  #holdPorts(n: number, k: number, held: boolean): void {
    let byPort = this.#nodes.ports[n]
    if (byPort === undefined) {
      byPort = new Map()
      this.#nodes.ports[n] = byPort
    }
    for (const port of new Set(this.#items.spec[k]!.ports)) {
      const others = (byPort.get(port) ?? []).filter(other => other !== k)
      if (held) others.push(k)
      if (others.length > 0) byPort.set(port, others)
      else byPort.delete(port)
    }
  }

  #portRefuses(n: number, k: number): boolean {
    for (const port of this.#items.spec[k]!.ports) {
      if (portHeldBefore(this.#nodes, this.#items, n, port, k)) return true
    }
    return false
  }
}
