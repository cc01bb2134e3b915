/** The pure function from view to assignment (`placement.md` C). */
import type { Explanation } from './explain.ts'
import { Placer } from './placer.ts'
import type { Assignment, PlacementInput } from './types.ts'

/**
 * Places everything in the input. The same input gives the same answer everywhere and always:
 * no history, no clock, no order of lists enters. Throws only on input that breaks its types
 * (ids used twice, sizes that are not whole numbers).
 */
export function assign(input: PlacementInput): Assignment {
  return new Placer(input).assignment()
}

/** Why the item is where `assign` puts it; undefined when the input has no such item. */
export function explain(input: PlacementInput, uid: string): Explanation | undefined {
  return new Placer(input).explain(uid)
}
