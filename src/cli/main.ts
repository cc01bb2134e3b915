#!/usr/bin/env node
/** `shoal`: parses the command line, runs one command, says one line when it fails. */
import { version } from '../api/version.ts'
import { parseFast } from './fast.ts'
import { openTerminal } from './terminal.ts'

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${version()}\n`)
    return 0
  }
  const terminal = openTerminal()
  const fast = parseFast(argv)
  if (fast === undefined) {
    const { runProgram } = await import('./run.ts')
    return runProgram(terminal, argv)
  }
  const { runFast } = await import('./fast-run.ts')
  return runFast(terminal, fast)
}

// Set, not exit(): what is still in a pipe is written first.
process.exitCode = await main(process.argv.slice(2))
