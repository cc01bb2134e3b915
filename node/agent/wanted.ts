/**
 * Whether an action that has waited (for the disk, for its turn) is still to be done. While a disk
 * is slow or full the world goes on: a start of then may be a second copy now.
 */
import type { NodeId } from '../../gossip/core/types.ts'
import type { Action } from '../reconcile/action.ts'
import type { View } from './view.ts'

/** Stops are always wanted. A start is, while the claim that it is for stands. */
export function isWanted(view: View, self: NodeId, action: Action): boolean {
  if (action.kind === 'stop') return true
  const { uid, slot, claim } = action.mark
  const record = view.claim(uid, slot, self)
  // A restart keeps the mark that the instance was started with.
  const same = action.kind === 'restart' || record?.claim === claim
  return record !== undefined && same && record.state !== 'stopping' && view.workloads.has(uid)
}
