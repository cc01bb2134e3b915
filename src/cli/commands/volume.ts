/** `shoal volume ls` and `shoal volume abandon`. */
import type { VolumeView } from '../../api/types.ts'
import { ShoalError } from '../../errors.ts'
import type { Context } from '../context.ts'
import { newOperation } from '../operation.ts'
import { type Column, type Format, printData, printList } from '../output.ts'
import { confirm } from '../terminal.ts'
import { plain, plural } from '../text.ts'

const COLUMNS: readonly Column<VolumeView>[] = [
  { header: 'PROJECT', value: row => row.project },
  { header: 'NAME', value: row => row.name },
  { header: 'KIND', value: row => row.kind },
  { header: 'WORKLOAD', value: row => (row.slot === null ? '' : `${row.workload}/${row.slot}`) },
  { header: 'NODE', value: row => row.node ?? '' },
  {
    header: 'STATE',
    value: row => row.state,
    tone: row => (row.state === 'waits' ? 'warn' : undefined)
  },
  { header: 'REASON', value: row => row.reason }
]

export async function volumeList(context: Context, format: Format): Promise<void> {
  await printList(context.terminal, format, {
    rows: await context.client.volumes(context.signal),
    columns: COLUMNS,
    name: row => row.name,
    none: 'there is no local data'
  })
}

export interface AbandonOptions {
  readonly project: string | undefined
  readonly slot: number | undefined
  readonly isSure: boolean
  readonly operation: string | undefined
}

export async function volumeAbandon(
  context: Context,
  format: Format,
  volume: string,
  options: AbandonOptions
): Promise<void> {
  const { client, signal, terminal } = context
  if (!options.isSure && process.stdin.isTTY !== true)
    throw new ShoalError('USAGE', 'giving data up wants a yes, and nobody can be asked here', {
      hint: `shoal volume abandon ${plain(volume)} -y`
    })
  const question = `Give up the data of ${plain(volume)}? It starts empty elsewhere.`
  if (!(await confirm(terminal, question, options.isSure)))
    throw new ShoalError('REFUSED', 'nothing was abandoned')
  const operation = options.operation ?? newOperation()
  const { project, slot } = options
  const answer = await client.abandon({ operation, volume, project, slot }, signal)
  if (format === 'json' || format === 'yaml') return printData(terminal, format, answer)
  for (const one of answer.abandoned) {
    const where = one.node === null ? '' : ` (its data was on ${plain(one.node)})`
    terminal.stdout.write(`${plain(`${one.project}/${one.name}/${one.slot}`)}${where}\n`)
  }
  for (const note of answer.notes) terminal.stderr.write(`note: ${plain(note)}\n`)
  terminal.stderr.write(`${plural(answer.abandoned.length, 'slot')} may start elsewhere now\n`)
}
