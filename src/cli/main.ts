#!/usr/bin/env node
/** `shoal`: parses the command line, runs one command, says one line when it fails. */
import { version } from '../api/version.ts'
import { openTerminal } from './terminal.ts'

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${version()}\n`)
    return 0
  }
  const terminal = openTerminal()
  const { runProgram } = await import('./run.ts')
  return runProgram(terminal, argv)
}

// Set, not exit(): what is still in a pipe is written first.
process.exitCode = await main(process.argv.slice(2))
