/**
 * The commands that people run most, imported as one: a file more costs a millisecond at each
 * start.
 */
import { EXIT } from '../errors.ts'
import { nodes } from './commands/nodes.ts'
import { ps } from './commands/ps.ts'
import { status } from './commands/status.ts'
import { type Context, openContext } from './context.ts'
import { reportFailure } from './failure.ts'
import type { FastCommand } from './fast.ts'
import type { Terminal } from './terminal.ts'

/** Gives the exit code. */
export async function runFast(terminal: Terminal, command: FastCommand): Promise<number> {
  try {
    await runRead(openContext(terminal, command), command)
    return EXIT.ok
  } catch (error) {
    return reportFailure(terminal, error)
  }
}

export async function runRead(context: Context, command: FastCommand): Promise<void> {
  if (!command.watch) return await show(context, command)
  const { watch } = await import('./watch.ts')
  await watch(context.terminal, command.format, terminal => show({ ...context, terminal }, command))
}

async function show(context: Context, command: FastCommand): Promise<void> {
  const { name, format, all, of } = command
  switch (name) {
    case 'ps':
      return ps(context, format, { all, of })
    case 'nodes':
      return nodes(context, format)
    case 'status':
      return status(context, format, command.check)
  }
}
