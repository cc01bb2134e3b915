/**
 * What a submission would do, told before it is done: the same pure placement over a view with the
 * changed workloads laid over it. `--dry-run` and the answer of a real deploy show this.
 */
import { type Explanation, Placer } from '../../placement/index.ts'
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

export interface Forecast {
  readonly workload: WorkloadView
  readonly assignment: ItemAssignment
  /** What that placement recorded of the item. */
  readonly explain: () => Explanation | undefined
}

/** By uid of each written workload that stays. */
export function forecast(
  components: { readonly view: View; readonly placing: Placing },
  writes: readonly ForecastWrite[]
): ReadonlyMap<string, Forecast> {
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
  const placer = new Placer({ ...placing.input(), items })
  const result = new Map<string, Forecast>()
  for (const workload of puts) {
    const assignment = placer.of(workload.item)
    const explain = (): Explanation | undefined => placer.explain(workload.item)
    if (assignment !== undefined) result.set(workload.uid, { workload, assignment, explain })
  }
  return result
}
