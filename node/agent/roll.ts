/** A changed template goes through the slots in their order, one at a time (`protocols.md` 4). */
import type { NodeId } from '../../gossip/core/types.ts'
import type { View, WorkloadView } from './view.ts'

/**
 * The slot up to which copies may be made anew now: the lowest whose copy is not of the new
 * template and healthy. Infinity when all are, -1 when one has failed with the new template.
 */
export function rollTurn(
  view: View,
  { uid, generation }: WorkloadView,
  targets: ReadonlyMap<number, NodeId>
): number {
  for (const failure of view.failed(uid).values()) if (failure.generation === generation) return -1
  for (const { record } of view.claims(uid)) {
    if (record.state === 'failed' && record.generation === generation) return -1
  }
  let turn = Number.POSITIVE_INFINITY
  for (const [slot, node] of targets) {
    const record = view.claim(uid, slot, node)
    if (record?.generation !== generation || record.state !== 'healthy') turn = Math.min(turn, slot)
  }
  return turn
}
