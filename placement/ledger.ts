/**
 * What one node was asked for, in the order of choice: an entry for every item that looked at it
 * (with its seats there, maybe none), and before each entry the sums taken until then. The sums
 * make the state that any item met an O(log n) look-up; repair shifts them.
 */

/** Position in the order of each item, by integer id. */
export type Positions = Int32Array

const FIRST_CAPACITY = 16

export class Ledger {
  size = 0
  item = new Int32Array(FIRST_CAPACITY)
  seats = new Uint16Array(FIRST_CAPACITY)
  /** Level the item met at no seats of its own, no higher than it cared for. */
  level = new Uint8Array(FIRST_CAPACITY)
  /** Sums before the entry, pins and globals included. */
  load = new Float64Array(FIRST_CAPACITY)
  cpu = new Float64Array(FIRST_CAPACITY)
  memory = new Float64Array(FIRST_CAPACITY)
  /** Sums after the last entry. */
  loadEnd = 0
  cpuEnd = 0
  memoryEnd = 0

  clear(): void {
    this.size = 0
    this.loadEnd = 0
    this.cpuEnd = 0
    this.memoryEnd = 0
  }

  /** Index of the first entry at or after the position. */
  find(position: number, positions: Positions): number {
    const { item, size } = this
    if (size === 0 || positions[item[size - 1]!]! < position) return size
    let low = 0
    let high = size - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (positions[item[middle]!]! < position) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Opens a gap at the index; its sums are those of the entry that stood there. */
  insert(at: number, item: number, level: number): void {
    if (this.size === this.item.length) this.#grow()
    const { size } = this
    if (at < size) {
      this.item.copyWithin(at + 1, at, size)
      this.seats.copyWithin(at + 1, at, size)
      this.level.copyWithin(at + 1, at, size)
      this.load.copyWithin(at + 1, at, size)
      this.cpu.copyWithin(at + 1, at, size)
      this.memory.copyWithin(at + 1, at, size)
    } else {
      this.load[at] = this.loadEnd
      this.cpu[at] = this.cpuEnd
      this.memory[at] = this.memoryEnd
    }
    this.item[at] = item
    this.seats[at] = 0
    this.level[at] = level
    this.size = size + 1
  }

  /** Closes the gap; later sums still count the entry's seats (the caller walks). */
  delete(at: number): void {
    const { size } = this
    this.item.copyWithin(at, at + 1, size)
    this.seats.copyWithin(at, at + 1, size)
    this.level.copyWithin(at, at + 1, size)
    this.load.copyWithin(at, at + 1, size)
    this.cpu.copyWithin(at, at + 1, size)
    this.memory.copyWithin(at, at + 1, size)
    this.size = size - 1
  }

  #grow(): void {
    const capacity = this.item.length * 2
    const grow = <T extends Int32Array | Uint16Array | Uint8Array | Float64Array>(
      from: T,
      to: T
    ): T => {
      to.set(from)
      return to
    }
    this.item = grow(this.item, new Int32Array(capacity))
    this.seats = grow(this.seats, new Uint16Array(capacity))
    this.level = grow(this.level, new Uint8Array(capacity))
    this.load = grow(this.load, new Float64Array(capacity))
    this.cpu = grow(this.cpu, new Float64Array(capacity))
    this.memory = grow(this.memory, new Float64Array(capacity))
  }
}
