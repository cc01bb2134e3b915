/** `shoal why`: why replicas are where they are, and who takes over. */
import type { WhyView } from '../../api/types.ts'
import { ShoalError } from '../../errors.ts'
import { type Context, findWorkload } from '../context.ts'
import { type Format, printData } from '../output.ts'
import { plain } from '../text.ts'

const SLOT = /^slot (\d+): /

export async function why(context: Context, format: Format, text: string): Promise<void> {
  const ref = await findWorkload(context, text)
  const all = await context.client.why(ref, context.signal)
  const view = ref.slot === undefined ? all : ofSlot(all, ref.slot, text)
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

/** The same without the lines of other slots. */
function ofSlot(view: WhyView, slot: number, text: string): WhyView {
  const isOther = (line: string): boolean => Number(SLOT.exec(line)?.[1] ?? slot) !== slot
  if (!view.lines.some(line => SLOT.exec(line)?.[1] === String(slot)))
    throw new ShoalError('NOT_FOUND', `${plain(text)}: no such replica`, {
      hint: `see shoal ps ${plain(`${view.workload.project}/${view.workload.name}`)}`
    })
  return {
    ...view,
    lines: view.lines.filter(line => !isOther(line)),
    takeover: view.takeover.filter(one => one.slot === slot)
  }
}
