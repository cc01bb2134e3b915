/** `shoal ps`: every replica, where it runs or why it waits. */
import type { AllocationView } from '../../api/types.ts'
import { type Context, findReplicas, unknownWorkload } from '../context.ts'
import { type Column, type Format, printList, toneOf } from '../output.ts'
import { ago } from '../text.ts'

export async function ps(
  context: Context,
  format: Format,
  options: { readonly all: boolean; readonly of: string | undefined }
): Promise<void> {
  const of = options.of === undefined ? undefined : await findReplicas(context, options.of)
  const filter = { all: options.all, project: of?.project, workload: of?.name }
  const found = await context.client.allocations(filter, context.signal)
  const rows = found.filter(row => of?.slot === undefined || row.slot === of.slot)
  if (rows.length === 0 && of !== undefined) {
    const known = await context.client.workloads(context.signal)
    const isKnown = known.some(
      one => one.project === of.project && (of.name === undefined || one.name === of.name)
    )
    if (!isKnown || of.slot !== undefined) throw unknownWorkload(options.of ?? '', known)
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
    { header: 'INSTANCE', value: row => instanceText(row.instance), wide: true },
    { header: 'REASON', value: row => row.reason }
  ]
}

/** Twelve letters of a container's id find it; a process goes by its name. */
function instanceText(instance: string): string {
  return /^[0-9a-f]{64}$/.test(instance) ? instance.slice(0, 12) : instance
}
