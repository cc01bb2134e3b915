/** `shoal nodes`: every member, as the asked node sees it. */
import type { NodeView } from '../../api/types.ts'
import type { Context } from '../context.ts'
import { type Column, type Format, printList, toneOf } from '../output.ts'
import { ago, cores, memory } from '../text.ts'

export async function nodes(context: Context, format: Format): Promise<void> {
  await printList(context.terminal, format, {
    rows: await context.client.nodes(context.signal),
    columns: columns(Date.now()),
    name: row => row.name,
    none: 'no nodes'
  })
}

function columns(now: number): readonly Column<NodeView>[] {
  return [
    { header: 'NAME', value: row => row.name },
    { header: 'STATE', value: row => row.state, tone: row => toneOf(row.state) },
    { header: 'SINCE', value: row => ago(row.since, now) },
    { header: 'PHASE', value: row => (row.state === 'left' ? '' : row.phase) },
    { header: 'ZONE', value: row => row.zone },
    { header: 'CPUS', value: row => said(row.capacity.cpuMillis, cores) },
    { header: 'MEMORY', value: row => said(row.capacity.memoryMiB, memory) },
    { header: 'RUNTIMES', value: row => row.runtimes.join(',') },
    { header: 'VERSION', value: row => row.version, wide: true },
    { header: 'LABELS', value: row => labelText(row.labels), wide: true },
    { header: 'ID', value: row => row.id, wide: true },
    { header: 'ADDRESS', value: row => row.addresses[0]?.split('/p2p/')[0] ?? '' },
    { header: 'NOTE', value: noteOf }
  ]
}

/** A member that has not said yet what it has, or says nothing any more, has none. */
function said(amount: number, text: (amount: number) => string): string {
  return amount === 0 ? '' : text(amount)
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}

function noteOf(node: NodeView): string {
  if (node.self) return 'this node'
  if (node.daemonGone) return 'its daemon is gone, its host answers'
  if (node.state === 'alive' && !node.directPath) return 'no direct path from here'
  return ''
}
