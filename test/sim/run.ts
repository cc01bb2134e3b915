/**
 * The fuzzer. One seed replays to the same trace hash; many are summed up in the last line.
 * Everything that says what a seed does (`--nodes`, `--minutes`, `--sparse`) belongs to the seed.
 * Exit code 1 on a violation.
 */
import { existsSync } from 'node:fs'
import { minimise, planText } from './fuzz/minimise.ts'
import { drawOptions, type SeedOptions } from './fuzz/options.ts'
import { runSeed, type SeedResult } from './fuzz/run-seed.ts'
import { append, entryOf, productHash, Tally } from './fuzz/tally.ts'
import { CommandLine } from './options.ts'

const LOGS = ['none', 'short', 'long'] as const
const USAGE = `npm run sim -- [--seed N] [--runs N] [--nodes N] [--minutes N] [--sparse N]
               [--log short|long] [--minimise] [--tally FILE]
npm run sim -- --sum FILE
  --seed N      the first seed [1]
  --runs N      how many seeds, one after the other [1]
  --nodes N     hosts [drawn by the seed, 1 to 9]
  --minutes N   of simulated faults; what follows comes on top [10]
  --sparse N    faults and requests N times as rare; 0.5: twice as many [1]
  --log WORD    short: one line a transition; long: and what each daemon believes in the end
  --minimise    of a seed that breaks a promise: the few actions that still do
  --tally FILE  leaves a line a seed in the file
  --sum FILE    sums up the lines of this product`

const line = new CommandLine(USAGE, {
  seed: { type: 'string', default: '1' },
  runs: { type: 'string', default: '1' },
  nodes: { type: 'string' },
  minutes: { type: 'string' },
  sparse: { type: 'string' },
  log: { type: 'string', default: 'none' },
  minimise: { type: 'boolean', default: false },
  tally: { type: 'string' },
  sum: { type: 'string' }
})
const first = line.whole('seed', 0) ?? 1
const runs = line.whole('runs', 1) ?? 1
const wishes = {
  nodes: line.whole('nodes', 1),
  minutes: line.positive('minutes'),
  sparse: line.positive('sparse')
}
const [log] = line.words('log', LOGS) ?? []
const [tallyPath, sumPath] = [line.text('tally'), line.text('sum')]
const tally = new Tally()

function show(result: SeedResult): void {
  if (log !== 'none') process.stdout.write(`${result.lines.join('\n')}\n`)
  if (log === 'long') process.stdout.write(`${result.beliefs().join('\n')}\n`)
  const { seed, traceHash, violation, convergedMs } = result
  if (violation !== undefined) {
    process.stdout.write(`seed ${seed}: VIOLATION ${violation.message}\n`)
    if (!line.flag('minimise')) {
      process.stdout.write(`  replay:   ${replay(seed)} --log short\n`)
      process.stdout.write(`  minimise: ${replay(seed)} --minimise --log short\n`)
    }
  } else if (runs === 1) {
    const after = `converged ${convergedMs} ms after the last fault`
    // Clones have left nobody an address.
    const ended = convergedMs === undefined ? 'nobody can find anybody' : after
    process.stdout.write(`seed ${seed}: every promise kept, ${ended}, trace ${traceHash}\n`)
  }
}

function replay(seed: number): string {
  const given = Object.entries(wishes).filter(([, value]) => value !== undefined)
  const flags = given.map(([name, value]) => ` --${name} ${value}`).join('')
  return `npm run sim -- --seed ${seed}${flags}`
}

/** The options of one seed, or as little of them as still breaks the same. */
async function optionsOf(seed: number): Promise<SeedOptions> {
  const options = drawOptions(seed, wishes)
  if (!line.flag('minimise')) return options
  const smallest = await minimise(options)
  const { plan } = smallest.options
  process.stdout.write(
    `${planText(plan)}\n${plan.length} of ${options.plan.length} actions after ` +
      `${smallest.runs} runs\n`
  )
  return smallest.options
}

async function runAll(): Promise<void> {
  const product = tallyPath === undefined ? '' : productHash()
  const asked = JSON.stringify(wishes)
  for (let seed = first; seed < first + runs; seed += 1) {
    const startedMs = performance.now()
    const result = await runSeed(await optionsOf(seed))
    const entry = entryOf(result, { product, asked, realMs: performance.now() - startedMs })
    tally.add(entry)
    if (tallyPath !== undefined) append(tallyPath, entry)
    show(result)
  }
}

function sumUp(path: string): void {
  if (!existsSync(path)) {
    process.stderr.write(`error[NOT_FOUND]: no file ${path}; npm run sim -- --tally writes one\n`)
    process.exit(2)
  }
  const { said, others } = tally.read(path, productHash())
  for (const one of said) process.stdout.write(`${one}\n`)
  if (others > 0) process.stdout.write(`${others} lines of another product are left out\n`)
}

if (sumPath === undefined) await runAll()
else sumUp(sumPath)
if (tally.seeds === 0) process.stdout.write('no seed of this product\n')
else process.stdout.write(`${tally.bars()}${tally.summary()}\n`)
process.exit(tally.violations > 0 || tally.seeds === 0 ? 1 : 0)
