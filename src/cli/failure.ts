/** How a command ends when it fails: one line on stderr, and the exit code of the table. */
import { EXIT, formatError, ShoalError } from '../errors.ts'
import { Interrupted, type Terminal } from './terminal.ts'
import { plain } from './text.ts'

/** What went wrong is on stderr already; only the exit code is left to give. */
export class AlreadySaid extends Error {
  override readonly name = 'AlreadySaid'
  readonly exitCode: number
  constructor(exitCode: number) {
    super('already said')
    this.exitCode = exitCode
  }
}

/** Says the error, once and on one line; returns the exit code. */
export function reportFailure(terminal: Terminal, error: unknown): number {
  if (error instanceof AlreadySaid) return error.exitCode
  if (error instanceof Interrupted || terminal.signal.aborted) return EXIT.interrupted
  if (error instanceof ShoalError) {
    terminal.stderr.write(`${plain(formatError(error))}\n`)
    return error.exitCode
  }
  const message = error instanceof Error ? error.message : String(error)
  terminal.stderr.write(`error[INTERNAL]: ${plain(message)}; this is a bug in shoal\n`)
  if (terminal.env['SHOAL_DEBUG'] === '1' && error instanceof Error)
    terminal.stderr.write(`${error.stack}\n`)
  return EXIT.failure
}
