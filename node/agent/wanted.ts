/**
 * Whether an action that has waited (for the disk, for its turn) is still to be done. While a disk
 * is slow or full the world goes on: a start of then may be a second copy now.
 */
import type { NodeId } from '../../gossip/core/types.ts'
import type { Action } from '../reconcile/action.ts'
import type { View } from './view.ts'

/**
 * Stops are always wanted. A start is, while the claim that it is for stands, and nobody is known
 * to have the data that it would be started without.
 */
export function isWanted(view: View, self: NodeId, action: Action): boolean {
  if (action.kind === 'stop') return true
  const { uid, slot, claim } = action.mark
  const record = view.claim(uid, slot, self)
  const workload = view.workloads.get(uid)
  if (record === undefined || record.state === 'stopping' || workload === undefined) return false
  // A restart keeps the mark that the instance was started with.
  if (action.kind !== 'restart' && record.claim !== claim) return false
  return !workload.sticky || record.data.length > 0 || !isElsewhere(view, self, action)
}

function isElsewhere(view: View, self: NodeId, { mark: { uid, slot } }: Action): boolean {
  return view
    .claimsAt(uid, slot)
    .some(
      ({ node, record }) =>
        node !== self && record.data.length > 0 && !view.abandoned(uid, slot, record.claim)
    )
}
