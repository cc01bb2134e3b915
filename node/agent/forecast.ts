/**
 * What a submission would do, told before it is done: the same pure placement over a view with the
 * changed workloads laid over it. `--dry-run` and the answer of a real deploy show this.
 */
import { assign } from '../../placement/index.ts'
import type { ItemAssignment, PlacementItem } from '../../placement/types.ts'
import { itemInput, overlay } from './mapping.ts'
import type { Placing } from './placing.ts'
import type { WorkloadRecord } from './records.ts'
import { type View, type WorkloadView, workloadView } from './view.ts'

export interface ForecastWrite {
  readonly key: string
  readonly uid: string
  /** Undefined: the workload is removed. */
  readonly record: WorkloadRecord | undefined
}

/** Seats by uid of each written workload that stays. */
export function forecast(
  components: { readonly view: View; readonly placing: Placing },
  writes: readonly ForecastWrite[]
): ReadonlyMap<string, ItemAssignment> {
  const { view, placing } = components
  const puts: WorkloadView[] = []
  const drops: string[] = []
  for (const { key, uid, record } of writes) {
    if (record === undefined) drops.push(uid)
    else puts.push(workloadView(uid, key, record, 0))
  }
  const laid = overlay(view, puts, drops)
  const items = [...laid.items.keys()]
    .map(item => itemInput(laid, item))
    .filter((item): item is PlacementItem => item !== undefined)
  const assignment = assign({ ...placing.input(), items })
  const byItem = new Map(assignment.items.map(item => [item.uid, item]))
  const result = new Map<string, ItemAssignment>()
  for (const workload of puts) {
    const found = byItem.get(workload.item)
    if (found !== undefined) result.set(workload.uid, found)
  }
  return result
}
