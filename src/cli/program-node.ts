/** Commands about this host's own daemon, and the demonstration. */
import { type Command, Option } from '@commander-js/extra-typings'
import { DAEMON_FLAGS, type DaemonFlag, type FlagValues } from '../api/daemon-flags.ts'
import { openContext } from './context.ts'
import * as shared from './options.ts'
import { formatOf } from './options.ts'
import type { Terminal } from './terminal.ts'

const START_TIMEOUT_MS = 30_000

interface StartOptions {
  readonly foreground?: true
  readonly timeout: number
  readonly [flag: string]: unknown
}

export function addNode(program: Command, terminal: Terminal): void {
  addUp(program, terminal)
  program
    .command('leave')
    .description('leave the mesh; what runs here moves, the daemon ends')
    .addOption(shared.sureOption())
    .addOption(shared.socketOption())
    .action(async options => {
      const { leave } = await import('./commands/index.ts')
      await leave(openContext(terminal, options), { isSure: options.yes === true })
    })
  program
    .command('token')
    .description('join tokens')
    .command('create')
    .description('print a token for shoal join; it holds the mesh key')
    .option('--out <file>', 'write it to this file, mode 0600, instead')
    .addOption(shared.outputOption())
    .addOption(shared.socketOption())
    .action(async options => {
      const { tokenCreate } = await import('./commands/index.ts')
      await tokenCreate(openContext(terminal, options), {
        format: formatOf(options),
        out: options.out
      })
    })
  addDemo(program, terminal)
}

function addDemo(program: Command, terminal: Terminal): void {
  program
    .command('demo')
    .description('three local daemons, an app, one of them killed, the takeover; cleans up')
    .addOption(
      new Option('--runtime <runtime>', 'what runs the app [containers where they can be had]')
        .choices(['docker', 'process', 'auto'])
        .default('auto')
    )
    .option('--docker-host <url>', 'the container engine, as unix:///path')
    .action(async options => {
      const { demo } = await import('./demo/demo.ts')
      const { runtime } = options
      await demo(terminal, {
        runtime: runtime === 'docker' || runtime === 'process' ? runtime : undefined,
        dockerHost: options.dockerHost
      })
    })
}

function addUp(program: Command, terminal: Terminal): void {
  const up = daemonFlags(
    program
      .command('up')
      .description('start the daemon here: a new mesh, or the one in its data directory')
  )
  up.addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .action(async options => {
      const { up: run } = await import('./commands/index.ts')
      await run(terminal, { ...startOptions(options), format: formatOf(options) })
    })
  const join = daemonFlags(
    program
      .command('join')
      .description('start the daemon here as a member of an existing mesh')
      .argument('<token or address>', 'a token, or the address of any member')
      .option('--token-file <file>', 'the token, when an address is given; - for standard input')
  )
  join
    .addOption(shared.outputOption())
    .addOption(shared.quietOption())
    .action(async (target, options) => {
      const { join: run } = await import('./commands/index.ts')
      const { tokenFile } = options
      await run(terminal, target, {
        ...startOptions(options),
        format: formatOf(options),
        tokenFile: typeof tokenFile === 'string' ? tokenFile : undefined
      })
    })
}

/** Adds the flags of shoald that people give here, from the one table. */
function daemonFlags<Args extends unknown[], Options extends Record<string, unknown>>(
  command: Command<Args, Options>
): Command<Args, Options & { foreground?: true; timeout: number }> {
  for (const [name, row] of Object.entries(DAEMON_FLAGS)) {
    if (!row.cli) continue
    const env = 'env' in row ? `, env ${row.env}` : ''
    const option = new Option(`--${name} ${row.value}`, `${row.help} [${row.default}${env}]`)
    if ('choices' in row) option.choices(row.choices)
    if (row.type === 'list') option.argParser(shared.collect)
    command.addOption(option)
  }
  return command
    .option('--foreground', 'do not detach; log to this terminal')
    .addOption(
      shared.timeoutOption('how long to wait until it is ready', START_TIMEOUT_MS)
    ) as never
}

function startOptions(options: StartOptions): {
  readonly values: FlagValues
  readonly isForeground: boolean
  readonly timeoutMs: number
} {
  const values: FlagValues = {}
  for (const name of Object.keys(DAEMON_FLAGS) as DaemonFlag[]) {
    const given = options[camelCase(name)]
    if (!DAEMON_FLAGS[name].cli || given === undefined) continue
    values[name] = given as string | readonly string[]
  }
  return { values, isForeground: options.foreground === true, timeoutMs: options.timeout }
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
