/**
 * `npm run nemesis -- [--minutes M] [--seed N] [--kills K] [--cuts C] [--pauses P]`: chaos against
 * real daemons in namespaces until so much was done, or the time is up; with `--engines` on real
 * Docker engines instead of the process runtime. Needs root. Ends with one line; exit code 1 on a
 * violation, and then history and logs are kept.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { nemesis } from '../test/helpers/nemesis.ts'

const SEED_BELOW = 2 ** 24
const PHASE_MS = 25_000
const USAGE =
  'npm run nemesis -- [--minutes M] [--seed N] [--kills K] [--cuts C] [--pauses P]' +
  ' [--engines] [--quiet]\n'

function usage(text: string): never {
  process.stderr.write(`error[USAGE]: ${text}\n${USAGE}`)
  process.exit(2)
}

function count(name: string, text: string): number {
  if (!/^\d{1,9}(\.\d+)?$/.test(text)) usage(`--${name} ${text} is no number`)
  return Number(text)
}

function readArguments(): ReturnType<typeof parse> {
  try {
    return parse()
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
}

function parse() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(randomInt(SEED_BELOW)) },
      kills: { type: 'string', default: '200' },
      cuts: { type: 'string', default: '50' },
      pauses: { type: 'string', default: '20' },
      engines: { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  return values
}

async function main(): Promise<void> {
  const values = readArguments()
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  // What people run, unless another program is named.
  process.env['SHOAL_BIN'] ??= 'bundle'
  const seed = Math.floor(count('seed', values.seed))
  process.stdout.write(`nemesis seed ${seed}\n`)
  const result = await nemesis({
    seed,
    engines: values.engines,
    wanted: {
      kills: count('kills', values.kills),
      cuts: count('cuts', values.cuts),
      pauses: count('pauses', values.pauses)
    },
    faultsMs: count('minutes', values.minutes) * 60_000,
    phaseMs: PHASE_MS,
    sampleOneIn: 1,
    say: text => {
      if (!values.quiet) process.stdout.write(`${text}\n`)
    }
  })
  for (const violation of result.violations) process.stdout.write(`${violation}\n`)
  if (result.kept !== '') process.stdout.write(`history, logs and stores: ${result.kept}\n`)
  if (!result.isEnough) process.stdout.write('the time was up before all of it was done\n')
  process.stdout.write(`${result.summary}\n`)
  process.exit(result.violations.length > 0 ? 1 : 0)
}

await main()
