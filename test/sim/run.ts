/**
 * The fuzzer: `npm run sim -- [--seed N] [--runs N] [--nodes N] [--minutes N] [--sparse N]
 * [--log short|long] [--minimise] [--tally FILE]`. One seed replays to the same trace hash; many
 * are summed up in the last line. `--sparse N`: faults and requests N times as rare. `--tally`
 * leaves a line a seed in a file, `npm run sim -- --sum FILE` sums up those that are of this
 * product. Exit code 1 on a violation.
 */
import { parseArgs } from 'node:util'
import { minimise, planText } from './fuzz/minimise.ts'
import { drawOptions, type SeedOptions } from './fuzz/options.ts'
import { runSeed, type SeedResult } from './fuzz/run-seed.ts'
import { append, entryOf, productHash, Tally } from './fuzz/tally.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    nodes: { type: 'string' },
    minutes: { type: 'string' },
    sparse: { type: 'string' },
    log: { type: 'string', default: 'none' },
    minimise: { type: 'boolean', default: false },
    tally: { type: 'string' },
    sum: { type: 'string' }
  }
})

const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text)

const wishes = {
  nodes: number(values.nodes),
  minutes: number(values.minutes),
  sparse: number(values.sparse)
}
const tally = new Tally()

function show(result: SeedResult): void {
  if (values.log !== 'none') process.stdout.write(`${result.lines.join('\n')}\n`)
  if (values.log === 'long') process.stdout.write(`${result.beliefs().join('\n')}\n`)
  const { seed, traceHash, violation, convergedMs } = result
  if (violation !== undefined) {
    process.stdout.write(`seed ${seed}: VIOLATION ${violation.message}\n`)
  } else if (Number(values.runs) === 1) {
    process.stdout.write(`seed ${seed}: converged after ${convergedMs} ms, trace ${traceHash}\n`)
  }
}

/** The options of one seed, or as little of them as still breaks the same. */
async function optionsOf(seed: number): Promise<SeedOptions> {
  const options = drawOptions(seed, wishes)
  if (!values.minimise) return options
  const smallest = await minimise(options)
  const { plan } = smallest.options
  process.stdout.write(
    `${planText(plan)}\n${plan.length} of ${options.plan.length} actions after ` +
      `${smallest.runs} runs\n`
  )
  return smallest.options
}

async function runAll(): Promise<void> {
  const first = Number(values.seed)
  const product = values.tally === undefined ? '' : productHash()
  const asked = JSON.stringify(wishes)
  for (let seed = first; seed < first + Number(values.runs); seed += 1) {
    const startedMs = performance.now()
    const result = await runSeed(await optionsOf(seed))
    const entry = entryOf(result, { product, asked, realMs: performance.now() - startedMs })
    tally.add(entry)
    if (values.tally !== undefined) append(values.tally, entry)
    show(result)
  }
}

if (values.sum === undefined) await runAll()
else for (const said of tally.read(values.sum, productHash())) process.stdout.write(`${said}\n`)
process.stdout.write(`${tally.bars()}${tally.summary()}\n`)
process.exit(tally.violations > 0 ? 1 : 0)
