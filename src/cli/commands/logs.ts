/** `shoal logs`: lines of all replicas of a workload, from whatever node they run on. */
import type { LogEntry } from '../../api/types.ts'
import { type Context, findWorkload, type ReplicaRef } from '../context.ts'
import { painter } from '../output.ts'
import { plain, plainLog } from '../text.ts'

export interface LogOptions {
  readonly follow: boolean
  readonly tail: number | undefined
  readonly timestamps: boolean
}

export async function logs(context: Context, text: string, options: LogOptions): Promise<void> {
  const { client, terminal, signal } = context
  const ref = await findWorkload(context, text)
  const { follow, tail } = options
  const paint = painter(terminal)
  // Bytes for a pipe stay as they are; a terminal gets none that could rewrite it.
  const clean = terminal.isTty ? plainLog : (line: string) => line
  let isSilent = true
  if (follow) await sayWhatWaits(context, ref)
  for await (const entry of client.logs({ ...ref, follow, tail }, signal)) {
    isSilent = false
    if (entry.kind === 'note') {
      terminal.stderr.write(`note: ${prefixOf(entry)}${plain(entry.line)}\n`)
      continue
    }
    const time = options.timestamps ? `${plain(entry.time)} ` : ''
    const out = entry.stream === 'stderr' ? terminal.stderr : terminal.stdout
    const prefix = ref.slot === undefined ? paint('dim', prefixOf(entry)) : ''
    await written(out, `${prefix}${time}${clean(entry.line)}\n`)
  }
  if (isSilent && !follow) await sayWhatWaits(context, ref)
}

/** Nothing is logged where nothing runs: why it does not is what people look for. */
async function sayWhatWaits({ client, terminal, signal }: Context, ref: ReplicaRef): Promise<void> {
  const { project, name: workload, slot } = ref
  const all = await client.allocations({ all: false, project, workload }, signal)
  for (const one of all) {
    const waits = one.state === 'pending' || one.state === 'claimed'
    if (!waits || (slot !== undefined && one.slot !== slot)) continue
    const text = `${one.workload}/${one.slot} does not run: ${one.reason || one.state}`
    terminal.stderr.write(`note: ${plain(text)}\n`)
  }
}

function prefixOf(entry: LogEntry): string {
  if (entry.slot === null) return ''
  const node = entry.node === null ? '' : `@${plain(entry.node)}`
  return `${plain(entry.workload)}/${entry.slot}${node} | `
}

/** Waits for a slow reader, so that a long log is not held in memory. */
async function written(stream: NodeJS.WriteStream, text: string): Promise<void> {
  if (!stream.write(text)) await new Promise(resolve => stream.once('drain', resolve))
}
