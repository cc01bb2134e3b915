/** `shoal token create`: the token alone on stdout, for a file or a pipe. */
import type { Context } from '../context.ts'
import { type Format, printData } from '../output.ts'

export async function tokenCreate(context: Context, format: Format): Promise<void> {
  const { terminal, client, signal } = context
  const answer = await client.token(signal)
  if (format === 'json' || format === 'yaml') return printData(terminal, format, answer)
  terminal.stdout.write(`${answer.token}\n`)
  if (terminal.isTty)
    terminal.stderr.write('It holds the mesh key: whoever has it can join and read everything.\n')
}
