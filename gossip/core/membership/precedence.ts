/**
 * The one table of precedence: of two claims about a member, which one holds. SWIM 4.2's order
 * with memberlist's `left` on top. A higher incarnation wins; of the same incarnation the later
 * word in `alive, suspect, dead, left` does. So claims form a lattice: merging is commutative,
 * associative and idempotent, and every order of arrival ends in the same view.
 */
import type { MemberState } from '../types.ts'

export interface Claim {
  readonly incarnation: number
  readonly state: MemberState
}

export const STATE_RANK: Readonly<Record<MemberState, number>> = {
  alive: 0,
  suspect: 1,
  dead: 2,
  left: 3
}

/** Above 0 when `a` holds over `b`, 0 when they say the same. */
export function compareClaims(a: Claim, b: Claim): number {
  return a.incarnation - b.incarnation || STATE_RANK[a.state] - STATE_RANK[b.state]
}

/** True when `claim` changes what is `known`. */
export function supersedes(claim: Claim, known: Claim | undefined): boolean {
  return known === undefined || compareClaims(claim, known) > 0
}

export function mergeClaims(a: Claim, b: Claim): Claim {
  return compareClaims(a, b) >= 0 ? a : b
}
