/** Public face of placement: the pure function from view to assignment, and what explains it. */
export { assign, explain } from './assign.ts'
export { assignmentDigest, ViewHash, viewHash } from './digest.ts'
export type { Explanation, NodeExplanation, NodeReason, Share } from './explain.ts'
export { Placer } from './placer.ts'
export { rank } from './rank.ts'
export { type SlotSeat, slots } from './slots.ts'
export type {
  Assignment,
  ItemAssignment,
  Pending,
  PendingReason,
  Pin,
  PlacementChange,
  PlacementInput,
  PlacementItem,
  PlacementNode,
  Requirement,
  SlotClaim
} from './types.ts'
