/** `shoald`: parses flags, runs one daemon, ends with the exit code of the one error table. */
import '../gossip/libp2p/polyfill.ts'
import { daemonHelp, daemonOptions, flagValues } from '../src/api/daemon-flags.ts'
import { keepable, mergeOptions, readKeptOptions } from '../src/api/kept-options.ts'
import { version } from '../src/api/version.ts'
import { formatError, ShoalError } from '../src/errors.ts'
import { Daemon } from './daemon.ts'
import { createLog } from './log.ts'

function fail(error: unknown): never {
  const known =
    error instanceof ShoalError
      ? error
      : new ShoalError('INTERNAL', error instanceof Error ? error.message : String(error))
  process.stderr.write(`${formatError(known)}\n`)
  process.exit(known.exitCode)
}

async function main(): Promise<void> {
  const argv = process.argv.slice(2)
  if (argv.includes('--help')) {
    process.stdout.write(`usage: shoald [flags]\n\n${daemonHelp()}\n`)
    return
  }
  if (argv.includes('--version')) {
    process.stdout.write(`${version()}\n`)
    return
  }
  const context = { env: process.env, uid: process.getuid?.() ?? 0 }
  const given = flagValues(argv)
  const { dataDir } = daemonOptions(given, context)
  const merged = mergeOptions(readKeptOptions(dataDir), given)
  const options = daemonOptions(merged.values, context)
  const log = createLog({
    node: options.name ?? 'shoald',
    level: options.logLevel,
    format: options.logFormat
  })
  for (const note of [...options.notes, ...merged.notes]) log.info(note)
  const exit = (): void => process.exit(0)
  const daemon = new Daemon({
    options,
    kept: keepable(merged.values),
    version: version(),
    log,
    exit,
    fail
  })
  const stop = (): void => {
    daemon.stop().then(exit, fail)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  await daemon.start()
}

// Nobody may read it any more, or its disk may be full: that ends nothing.
process.stderr.on('error', () => {})
main().catch(fail)
