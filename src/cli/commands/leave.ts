/** `shoal leave`: this node announces that it goes, stops what it runs, and its daemon ends. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ShoalError } from '../../errors.ts'
import type { Context } from '../context.ts'
import { confirm } from '../terminal.ts'
import { plain } from '../text.ts'

const GONE_TIMEOUT_MS = 30_000
const POLL_MS = 100

export async function leave(
  context: Context,
  options: { readonly isSure: boolean }
): Promise<void> {
  const { client, signal, terminal } = context
  const ready = await client.ready(signal)
  const question = `Node ${plain(ready.name)} leaves the mesh; what runs here moves. Sure?`
  if (!(await confirm(terminal, question, options.isSure)))
    throw new ShoalError('REFUSED', 'nothing was changed')
  const answer = await client.leave(signal)
  for (const note of answer.notes) terminal.stderr.write(`note: ${plain(note)}\n`)
  await untilGone(context)
  terminal.stdout.write(`${plain(ready.name)} has left\n`)
}

async function untilGone({ client, signal }: Context): Promise<void> {
  const deadline = performance.now() + GONE_TIMEOUT_MS
  while (performance.now() < deadline) {
    try {
      await client.ready(signal)
    } catch (error) {
      if (error instanceof ShoalError && error.code === 'NO_DAEMON') return
      throw error
    }
    await sleep(POLL_MS, undefined, { signal })
  }
  throw new ShoalError('TIMEOUT', `the daemon still answers after ${GONE_TIMEOUT_MS / 1_000} s`, {
    hint: 'it has announced that it leaves; see its log'
  })
}
