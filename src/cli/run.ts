/** Runs commander, and turns its errors into ours: one line, with the nearest known name. */
import { type Command, CommanderError } from '@commander-js/extra-typings'
import { EXIT, ShoalError } from '../errors.ts'
import { nearest } from '../spec/nearest.ts'
import { reportFailure } from './failure.ts'
import { createProgram } from './program.ts'
import type { Terminal } from './terminal.ts'

export async function runProgram(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const program = createProgram(terminal)
  quieten(program, terminal)
  try {
    if (argv.length === 0) {
      program.outputHelp()
      return EXIT.ok
    }
    await program.parseAsync([...argv], { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportFailure(terminal, error)
    if (error.exitCode === 0) return EXIT.ok
    return reportFailure(terminal, usageError(program, argv, error))
  }
}

/** Errors are said by us; help goes where commander sends it. */
function quieten(command: Command, terminal: Terminal): void {
  command.exitOverride().configureOutput({
    writeOut: text => void terminal.stdout.write(text),
    writeErr: () => {},
    getOutHasColors: () => terminal.hasColour
  })
  for (const child of command.commands) quieten(child as Command, terminal)
}

function usageError(program: Command, argv: readonly string[], error: CommanderError): ShoalError {
  if (error.code === 'commander.help') {
    const names = program.commands.find(one => one.name() === argv[0])?.commands ?? []
    const list = names.map(one => `${argv[0]} ${one.name()}`).join(', ')
    return new ShoalError('USAGE', `${argv[0]} needs a command`, { hint: `one of: ${list}` })
  }
  const [line = ''] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = /\(Did you mean (?:one of )?(.+?)\?\)/.exec(error.message)?.[1]
  const hint = suggestion ?? nearestCommand(program, line)
  return new ShoalError('USAGE', line.replace(/\.$/, ''), {
    hint: hint === undefined ? 'see shoal --help' : `did you mean ${hint}?`
  })
}

function nearestCommand(program: Command, line: string): string | undefined {
  const name = /^unknown command '(.+)'$/.exec(line)?.[1]
  if (name === undefined) return undefined
  return nearest(
    name,
    program.commands.map(one => one.name())
  )
}
