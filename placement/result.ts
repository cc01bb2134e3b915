/** From seats by integer ids to the answer that leaves the room. */
import { compareIds } from './rank.ts'
import type { ItemPin, NodeTable } from './tables.ts'
import type { ItemAssignment, Pending } from './types.ts'

/** All that the answer for one service is made of. */
export interface Holding {
  readonly uid: string
  /** Pairs of node and seats. */
  readonly taken: readonly number[]
  readonly pins: readonly ItemPin[]
  readonly pending: Pending | undefined
}

function sortedSeats(counts: ReadonlyMap<string, number>): ItemAssignment['seats'] {
  return [...counts]
    .map(([node, seats]) => ({ node, seats }))
    .sort((a, b) => compareIds(a.node, b.node))
}

export function serviceResult(table: NodeTable, holding: Holding): ItemAssignment {
  const counts = new Map<string, number>()
  const add = (node: string, seats: number) => counts.set(node, (counts.get(node) ?? 0) + seats)
  const { taken } = holding
  for (let i = 0; i < taken.length; i += 2) {
    if (taken[i + 1]! > 0) add(table.ids[taken[i]!]!, taken[i + 1]!)
  }
  const pending: Pending[] = []
  for (const { slot, node, state } of holding.pins) {
    if (state === 'kept') add(node, 1)
    else pending.push({ slot, node, count: 1, reason: state, refused: {} })
  }
  if (holding.pending !== undefined) pending.push(holding.pending)
  return { uid: holding.uid, seats: sortedSeats(counts), pending }
}

export function globalResult(table: NodeTable, uid: string, global: number): ItemAssignment {
  const seats: { node: string; seats: number }[] = []
  const pending: (Pending & { node: string })[] = []
  for (let n = 0; n < table.size; n++) {
    if (table.spec[n] === undefined) continue
    const state = table.globals[n]!.get(global)
    const node = table.ids[n]!
    if (state === 'kept') seats.push({ node, seats: 1 })
    else if (state !== undefined) {
      pending.push({ slot: undefined, node, count: 1, reason: state, refused: { [state]: 1 } })
    }
  }
  seats.sort((a, b) => compareIds(a.node, b.node))
  pending.sort((a, b) => compareIds(a.node, b.node))
  return { uid, seats, pending }
}

function sameRefused(a: Pending['refused'], b: Pending['refused']): boolean {
  const keys = Object.keys(a) as (keyof typeof a)[]
  return keys.length === Object.keys(b).length && keys.every(key => a[key] === b[key])
}

function samePending(a: Pending, b: Pending): boolean {
  return (
    a.slot === b.slot &&
    a.node === b.node &&
    a.count === b.count &&
    a.reason === b.reason &&
    sameRefused(a.refused, b.refused)
  )
}

export function sameAssignment(a: ItemAssignment, b: ItemAssignment): boolean {
  return (
    a.seats.length === b.seats.length &&
    a.pending.length === b.pending.length &&
    a.seats.every(
      (seat, i) => seat.node === b.seats[i]!.node && seat.seats === b.seats[i]!.seats
    ) &&
    a.pending.every((pending, i) => samePending(pending, b.pending[i]!))
  )
}
