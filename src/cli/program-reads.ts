/** Commands that only look. */
import type { Command } from '@commander-js/extra-typings'
import { openContext } from './context.ts'
import * as shared from './options.ts'
import { formatOf } from './options.ts'
import type { Terminal } from './terminal.ts'

const NO_FILTER = { all: false, check: false, of: undefined, socket: undefined } as const

export function addReads(program: Command, terminal: Terminal): void {
  program
    .command('ps')
    .description('replicas: where each runs, or why it waits')
    .argument('[name]', 'only of project, service, project/service or project/service/slot')
    .option('-a, --all', 'also what is stopping')
    .addOption(shared.watchOption())
    .addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .addOption(shared.socketOption())
    .action(async (of, options) => {
      const { runRead } = await import('./fast-run.ts')
      await runRead(openContext(terminal, options), {
        ...NO_FILTER,
        name: 'ps',
        format: formatOf(options),
        all: options.all === true,
        watch: options.watch === true,
        of
      })
    })
  program
    .command('nodes')
    .description('members of the mesh')
    .addOption(shared.watchOption())
    .addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .addOption(shared.socketOption())
    .action(async options => {
      const { runRead } = await import('./fast-run.ts')
      const format = formatOf(options)
      const watch = options.watch === true
      await runRead(openContext(terminal, options), { ...NO_FILTER, name: 'nodes', format, watch })
    })
  program
    .command('status')
    .description('is everything all right?')
    .option('--check', 'end with code 3 unless it is')
    .addOption(shared.watchOption())
    .addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .addOption(shared.socketOption())
    .action(async options => {
      const { runRead } = await import('./fast-run.ts')
      const format = formatOf(options)
      const watch = options.watch === true
      const check = options.check === true
      await runRead(openContext(terminal, options), {
        ...NO_FILTER,
        name: 'status',
        format,
        watch,
        check
      })
    })
  addDetails(program, terminal)
}

function addDetails(program: Command, terminal: Terminal): void {
  program
    .command('inspect')
    .description('everything known of a workload, a replica or a node')
    .argument('<name>', 'project/service[/slot], service, or node')
    .addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .addOption(shared.socketOption())
    .action(async (name, options) => {
      const { inspect } = await import('./commands/index.ts')
      await inspect(openContext(terminal, options), formatOf(options), name)
    })
  program
    .command('why')
    .description('why replicas are where they are, and who takes over')
    .addArgument(shared.workloadArgument('project/service, or service'))
    .addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .addOption(shared.socketOption())
    .action(async (workload, options) => {
      const { why } = await import('./commands/index.ts')
      await why(openContext(terminal, options), formatOf(options), workload)
    })
  program
    .command('logs')
    .description('log lines of all replicas of a workload, from every node')
    .addArgument(shared.workloadArgument('project/service[/slot], or service'))
    .option('-f, --follow', 'go on with what comes')
    .option('-n, --tail <lines>', 'only the last lines of each replica', shared.whole)
    .option('-t, --timestamps', 'show times')
    .addOption(shared.socketOption())
    .action(async (workload, options) => {
      const { logs } = await import('./commands/index.ts')
      await logs(openContext(terminal, options), workload, {
        follow: options.follow === true,
        tail: options.tail,
        timestamps: options.timestamps === true
      })
    })
  program
    .command('version')
    .description('versions of this program and of the daemon')
    .addOption(shared.outputOption())
    .addOption(shared.socketOption())
    .action(async options => {
      const { showVersion } = await import('./commands/index.ts')
      await showVersion(openContext(terminal, options), formatOf(options))
    })
}
