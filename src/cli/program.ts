/**
 * The tree of commands. What a command does is imported when it runs, so that `shoal ps` loads no
 * reader of Compose files and no schema.
 */
import { Command } from '@commander-js/extra-typings'
import { version } from '../api/version.ts'
import { addChanges } from './program-changes.ts'
import { addNode } from './program-node.ts'
import { addReads } from './program-reads.ts'
import type { Terminal } from './terminal.ts'

const EXITS = `
Exit codes: 0 ok, 1 failure, 2 usage or bad input, 3 not converged or not placeable, 4 timeout,
5 no daemon, 6 refused, 7 not found, 8 conflict, 9 outcome unknown, 130 Ctrl-C.
Whoever may open the daemon's socket may run anything on the mesh, as with Docker's.`

export function createProgram(terminal: Terminal): Command {
  const program = new Command('shoal')
    .description('Containers that keep running on whatever machines are left.')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand(true)
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: false })
    .addHelpText('after', EXITS)
  addNode(program, terminal)
  addChanges(program, terminal)
  addReads(program, terminal)
  return program
}
