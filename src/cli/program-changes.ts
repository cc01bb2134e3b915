/** Commands that change what the mesh wants. */
import type { Command } from '@commander-js/extra-typings'
import { openContext } from './context.ts'
import * as shared from './options.ts'
import { formatOf } from './options.ts'
import type { Terminal } from './terminal.ts'

const DEPLOY_TIMEOUT_MS = 300_000
const REMOVE_TIMEOUT_MS = 120_000

export function addChanges(program: Command, terminal: Terminal): void {
  program
    .command('deploy')
    .description('run a Compose file on the mesh; waits until it is healthy')
    .option('-f, --file <file>', 'the Compose file, - for standard input [compose.yaml]')
    .option('-p, --project <name>', 'project name [the name in the file, or its folder]')
    .option('--dry-run', 'show the plan, write nothing')
    .option('--prune', 'remove services of the project that are not in the file')
    .option('--allow-unsupported <key>', 'accept that this key has no effect', shared.collect)
    .addOption(shared.timeoutOption('how long to wait', DEPLOY_TIMEOUT_MS))
    .addOption(shared.detachOption())
    .addOption(shared.operationOption())
    .addOption(shared.sureOption())
    .addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .addOption(shared.socketOption())
    .action(async options => {
      const { deploy } = await import('./commands/index.ts')
      await deploy(openContext(terminal, options), formatOf(options), {
        file: options.file,
        project: options.project,
        allowUnsupported: options.allowUnsupported ?? [],
        isDetached: options.detach === true,
        isDryRun: options.dryRun === true,
        isSure: options.yes === true,
        prune: options.prune === true,
        timeoutMs: options.timeout,
        operation: options.operation
      })
    })
  addScaleAndRemove(program, terminal)
  addVolume(program, terminal)
}

function addScaleAndRemove(program: Command, terminal: Terminal): void {
  program
    .command('scale')
    .description('set the number of replicas')
    .argument('<project/service=N>', 'for example demo/web=3')
    .addOption(shared.timeoutOption('how long to wait', DEPLOY_TIMEOUT_MS))
    .addOption(shared.detachOption())
    .addOption(shared.operationOption())
    .addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .addOption(shared.socketOption())
    .action(async (text, options) => {
      const { scale } = await import('./commands/index.ts')
      await scale(openContext(terminal, options), formatOf(options), text, {
        isDetached: options.detach === true,
        timeoutMs: options.timeout,
        operation: options.operation
      })
    })
  program
    .command('rm')
    .description('remove a project or one of its services; volumes stay')
    .argument('<project[/service]>', 'what to remove')
    .addOption(shared.timeoutOption('how long to wait', REMOVE_TIMEOUT_MS))
    .addOption(shared.detachOption())
    .addOption(shared.operationOption())
    .addOption(shared.sureOption())
    .addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .addOption(shared.socketOption())
    .action(async (text, options) => {
      const { remove } = await import('./commands/index.ts')
      await remove(openContext(terminal, options), formatOf(options), text, {
        isDetached: options.detach === true,
        timeoutMs: options.timeout,
        operation: options.operation,
        isSure: options.yes === true
      })
    })
}

function addVolume(program: Command, terminal: Terminal): void {
  const volume = program.command('volume').description('local data')
  volume
    .command('ls')
    .description('local data, and the nodes that hold it')
    .addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .addOption(shared.socketOption())
    .action(async options => {
      const { volumeList } = await import('./commands/index.ts')
      await volumeList(openContext(terminal, options), formatOf(options))
    })
  volume
    .command('abandon')
    .description('give up data on a dead node, so that its replicas start elsewhere, empty')
    .argument('<volume>', 'as shoal volume ls shows it')
    .option('-p, --project <name>', 'when several projects have one of that name')
    .option('--slot <number>', 'only of this slot', shared.whole)
    .addOption(shared.operationOption())
    .addOption(shared.sureOption())
    .addOption(shared.outputOption())
    .addOption(shared.socketOption())
    .action(async (name, options) => {
      const { volumeAbandon } = await import('./commands/index.ts')
      await volumeAbandon(openContext(terminal, options), formatOf(options), name, {
        project: options.project,
        slot: options.slot,
        isSure: options.yes === true,
        operation: options.operation
      })
    })
}
