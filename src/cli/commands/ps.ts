/** `shoal ps`: every replica, where it runs or why it waits. */
import type { AllocationView } from '../../api/types.ts'
import { type Context, unknownWorkload } from '../context.ts'
import { type Column, type Format, printList, toneOf } from '../output.ts'
import { ago } from '../text.ts'

export async function ps(
  context: Context,
  format: Format,
  options: { readonly all: boolean; readonly of: string | undefined }
): Promise<void> {
  const [project, workload] = options.of?.split('/') ?? []
  const filter = { all: options.all, project, workload }
  const rows = await context.client.allocations(filter, context.signal)
  if (rows.length === 0 && options.of !== undefined) {
    const known = await context.client.workloads(context.signal)
    const isKnown = known.some(
      one => one.project === project && (workload === undefined || one.name === workload)
    )
    if (!isKnown) throw unknownWorkload(options.of, known)
  }
  await printList(context.terminal, format, {
    rows,
    columns: columns(Date.now()),
    name: row => `${row.project}/${row.workload}/${row.slot}`,
    none: 'nothing runs; deploy a Compose file with: shoal deploy -f compose.yaml'
  })
}

function columns(now: number): readonly Column<AllocationView>[] {
  return [
    { header: 'PROJECT', value: row => row.project },
    { header: 'WORKLOAD', value: row => row.workload },
    { header: 'SLOT', value: row => String(row.slot) },
    { header: 'NODE', value: row => row.node ?? '' },
    { header: 'STATE', value: row => row.state, tone: row => toneOf(row.state) },
    { header: 'SINCE', value: row => ago(row.startedAt, now) },
    { header: 'RUNTIME', value: row => row.runtime },
    { header: 'GENERATION', value: row => row.generation, wide: true },
    { header: 'HEALTH', value: row => row.health, wide: true },
    { header: 'INSTANCE', value: row => row.instance.slice(0, 12), wide: true },
    { header: 'REASON', value: row => row.reason }
  ]
}
