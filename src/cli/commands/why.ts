/** `shoal why`: why replicas are where they are, and who takes over. */
import { type Context, findWorkload } from '../context.ts'
import { type Format, printData } from '../output.ts'
import { plain } from '../text.ts'

export async function why(context: Context, format: Format, text: string): Promise<void> {
  const ref = await findWorkload(context, text)
  const view = await context.client.why(ref, context.signal)
  const { stdout } = context.terminal
  if (format === 'json' || format === 'yaml') return printData(context.terminal, format, view)
  if (format === 'name') {
    stdout.write(`${plain(view.workload.project)}/${plain(view.workload.name)}\n`)
    return
  }
  for (const line of view.lines) stdout.write(`${plain(line)}\n`)
  for (const { slot, node, next } of view.takeover) {
    const now = node === null ? 'waits' : `runs on ${plain(node)}`
    const then = next === null ? 'nobody could take over' : `next is ${plain(next)}`
    stdout.write(`slot ${slot} ${now}; ${then}\n`)
  }
  stdout.write(`view ${plain(view.viewHash)}, input ${plain(view.inputDigest)}\n`)
}
