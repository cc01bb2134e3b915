/**
 * Slot numbers (`placement.md` C6): given by peers to the seats of one item after placement.
 * Numbers follow claims, so that nobody who keeps a seat is renumbered.
 */
import { draw, type Hash64, idHash, saltKey, slotDraw } from './hash.ts'
import { compareIds } from './rank.ts'
import type { ItemAssignment, PlacementItem, SlotClaim } from './types.ts'

export interface SlotSeat {
  readonly slot: number
  readonly node: string
}

interface Holder {
  readonly node: string
  readonly hash: number
  /** Draw of item and node, without weights: a load factor must not decide a duel. */
  readonly draw: number
  left: number
}

function better(a: number, b: number, x: Holder, y: Holder): boolean {
  return a < b || (a === b && compareIds(x.node, y.node) < 0)
}

class Slots {
  readonly #taken = new Map<number, Holder>()
  readonly #holders: readonly Holder[]
  readonly #byNode: ReadonlyMap<string, Holder>
  readonly #itemHash: number

  constructor(uid: string, seats: ItemAssignment['seats'], key: Hash64) {
    this.#itemHash = idHash(uid, key)
    this.#holders = seats.map(seat => {
      const hash = idHash(seat.node, key)
      return { node: seat.node, hash, draw: draw(this.#itemHash, hash), left: seat.seats }
    })
    this.#byNode = new Map(this.#holders.map(holder => [holder.node, holder]))
  }

  /** Pinned numbers stay with their node, and stay reserved while it is away. */
  pin(pins: readonly SlotClaim[], reserved: Set<number>): void {
    for (const { slot, node } of pins) {
      reserved.add(slot)
      const holder = this.#byNode.get(node)
      if (holder !== undefined && holder.left > 0) this.#take(slot, holder)
    }
  }

  /** Claimed numbers, lowest first; twice claimed: the better draw of those with seats left. */
  keep(claims: readonly SlotClaim[], reserved: ReadonlySet<number>, below: number): void {
    const bySlot = new Map<number, Holder[]>()
    for (const { slot, node } of claims) {
      const holder = this.#byNode.get(node)
      if (holder === undefined || reserved.has(slot) || slot >= below) continue
      if (!Number.isSafeInteger(slot) || slot < 0) continue
      const others = bySlot.get(slot)
      if (others === undefined) bySlot.set(slot, [holder])
      else others.push(holder)
    }
    for (const slot of [...bySlot.keys()].sort((a, b) => a - b)) {
      let best: Holder | undefined
      for (const holder of bySlot.get(slot)!) {
        if (holder.left === 0) continue
        if (best === undefined || better(holder.draw, best.draw, holder, best)) best = holder
      }
      if (best !== undefined) this.#take(slot, best)
    }
  }

  /** The seats left take the lowest free numbers, each number its best node. */
  fill(reserved: ReadonlySet<number>): void {
    let left = this.#holders.reduce((sum, holder) => sum + holder.left, 0)
    for (let slot = 0; left > 0; slot++) {
      if (this.#taken.has(slot) || reserved.has(slot)) continue
      let best: Holder | undefined
      let bestDraw = 0
      for (const holder of this.#holders) {
        if (holder.left === 0) continue
        const value = slotDraw(this.#itemHash, slot, holder.hash)
        if (best !== undefined && !better(value, bestDraw, holder, best)) continue
        best = holder
        bestDraw = value
      }
      this.#take(slot, best!)
      left -= 1
    }
  }

  result(): SlotSeat[] {
    return [...this.#taken]
      .map(([slot, holder]) => ({ slot, node: holder.node }))
      .sort((a, b) => a.slot - b.slot)
  }

  #take(slot: number, holder: Holder): void {
    this.#taken.set(slot, holder)
    holder.left -= 1
  }
}

/** At most one pin a slot, as in placement: the lowest node id; the R lowest slots. */
function pinsBySlot(item: PlacementItem): SlotClaim[] {
  const bySlot = new Map<number, string>()
  for (const { slot, node } of item.pins) {
    if (!Number.isSafeInteger(slot) || slot < 0) continue
    const other = bySlot.get(slot)
    if (other === undefined || compareIds(node, other) < 0) bySlot.set(slot, node)
  }
  return [...bySlot]
    .map(([slot, node]) => ({ slot, node }))
    .sort((a, b) => a.slot - b.slot)
    .slice(0, item.replicas)
}

/**
 * A distinct slot number for every seat, by slot. `seats` are those of the item's assignment,
 * `claims` who holds which number now (claims of nodes without a seat are passed over).
 * What is not pinned has its numbers within 0..R-1 where others are; a copy that nobody moves, or
 * an item without pins, may keep a higher one after a scale-down.
 */
export function slots(
  item: PlacementItem,
  seats: ItemAssignment['seats'],
  claims: readonly SlotClaim[],
  salt: string
): readonly SlotSeat[] {
  const table = new Slots(item.uid, seats, saltKey(salt))
  const reserved = new Set<number>()
  table.pin(pinsBySlot(item), reserved)
  const sticky = item.pins.length > 0
  table.keep(claims, reserved, sticky ? item.replicas : Number.POSITIVE_INFINITY)
  table.fill(reserved)
  return table.result()
}
