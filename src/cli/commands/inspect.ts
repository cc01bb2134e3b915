/** `shoal inspect`: everything known of a workload, or of a node. */
import { ShoalError } from '../../errors.ts'
import { type Context, findWorkload } from '../context.ts'
import { type Format, printData } from '../output.ts'
import { plain } from '../text.ts'

export async function inspect(context: Context, format: Format, text: string): Promise<void> {
  const { client, signal, terminal } = context
  const found = await lookUp(context, text)
  const shown = format === 'yaml' || format === 'name' ? format : 'json'
  if (shown !== 'name') return printData(terminal, shown, found)
  const nodes = await client.nodes(signal)
  const node = nodes.find(one => one.name === text || one.id === text)
  terminal.stdout.write(`${plain(node?.name ?? text)}\n`)
}

/** A workload by its name, else a node by name or id. */
async function lookUp(context: Context, text: string): Promise<unknown> {
  const { client, signal } = context
  try {
    const ref = await findWorkload(context, text)
    const detail = await client.workload(ref, signal)
    if (ref.slot === undefined) return detail
    const allocation = detail.allocations.find(one => one.slot === ref.slot)
    if (allocation !== undefined) return allocation
    throw new ShoalError('NOT_FOUND', `${plain(text)}: no such replica`, {
      hint: `slots: ${detail.allocations.map(one => one.slot).join(', ') || 'none'}`
    })
  } catch (error) {
    if (!(error instanceof ShoalError) || error.code !== 'NOT_FOUND') throw error
    const node = (await client.nodes(signal)).find(one => one.name === text || one.id === text)
    if (node === undefined) throw error
    return node
  }
}
