/** `shoal version`: this program's, and the daemon's where one answers. */
import { version } from '../../api/version.ts'
import { ShoalError } from '../../errors.ts'
import type { Context } from '../context.ts'
import { type Format, printData } from '../output.ts'
import { plain } from '../text.ts'

export async function showVersion(context: Context, format: Format): Promise<void> {
  const { terminal } = context
  const daemon = await context.client
    .ready(context.signal)
    .then(view => view.version)
    .catch((error: unknown) => {
      if (error instanceof ShoalError) return null
      throw error
    })
  const view = { shoal: version(), node: process.versions.node, daemon }
  if (format === 'json' || format === 'yaml') return printData(terminal, format, view)
  terminal.stdout.write(`shoal ${view.shoal} (Node ${view.node})\n`)
  terminal.stdout.write(daemon === null ? 'no daemon answers\n' : `daemon ${plain(daemon)}\n`)
}
