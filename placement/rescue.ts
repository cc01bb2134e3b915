/**
 * Rescue (`placement.md` C7): in a small mesh, replicas that found no room go first within their
 * class, and the fold runs again; the round with the least pending is kept. No search through
 * arrangements: a few rounds find most of what a search would.
 */
import { Fold } from './fold.ts'
import type { PlacementChange } from './types.ts'

/** Above this many replicas what is pending stays pending, with its reason. */
export const RESCUE_REPLICAS_MAX = 2_000
export const RESCUE_ROUNDS_MAX = 6

/** class -> replicas pending, lowest class first. */
function pendingByClass(fold: Fold): (readonly [number, number])[] {
  const counts = new Map<number, number>()
  for (const k of fold.pendingItems) {
    const { class: rank } = fold.items.spec[k]!
    counts.set(rank, (counts.get(rank) ?? 0) + fold.items.pending[k]!.count)
  }
  return [...counts].sort((a, b) => a[0] - b[0])
}

/** Negative when `a` leaves less pending, the lowest class counting first. */
function comparePending(
  a: readonly (readonly [number, number])[],
  b: readonly (readonly [number, number])[]
): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    // The side without an entry for the lower class leaves nothing pending in it.
    if (a[i]![0] !== b[i]![0]) return b[i]![0] - a[i]![0]
    if (a[i]![1] !== b[i]![1]) return a[i]![1] - b[i]![1]
  }
  return a.length - b.length
}

/** Items that would be helped by choosing earlier: something earlier took the room. */
function promotable(fold: Fold): string[] {
  const uids: string[] = []
  for (const k of fold.pendingItems) {
    const { refused } = fold.items.pending[k]!
    if ((refused.cpu ?? 0) + (refused.memory ?? 0) + (refused.port ?? 0) > 0) {
      uids.push(fold.items.spec[k]!.uid)
    }
  }
  return uids
}

/** Whether a rescue would be tried on this fold. */
export function needsRescue(fold: Fold): boolean {
  return fold.replicas <= RESCUE_REPLICAS_MAX && promotable(fold).length > 0
}

/** The best of the fold and its rescue rounds; ties go to the earliest. */
export function rescue(base: Fold, salt: string, input: readonly PlacementChange[]): Fold {
  let best = base
  let last = base
  const promotions = new Map<string, number>()
  for (let round = 0; round < RESCUE_ROUNDS_MAX; round++) {
    const uids = promotable(last)
    if (uids.length === 0) break
    for (const uid of uids) promotions.set(uid, (promotions.get(uid) ?? 0) - 1)
    last = new Fold(salt, new Map(promotions))
    last.apply(input)
    if (comparePending(pendingByClass(last), pendingByClass(best)) < 0) best = last
  }
  return best
}
