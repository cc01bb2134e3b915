/**
 * The fuzzer: `npm run sim -- [--seed N] [--runs N] [--nodes N] [--minutes N] [--log short|long]
 * [--minimise]`. One seed replays to the same trace hash; many are summed up in the last line. Exit
 * code 1 on a violation.
 */
import { parseArgs } from 'node:util'
import { minimise, planText } from './fuzz/minimise.ts'
import { drawOptions, type SeedOptions } from './fuzz/options.ts'
import { runSeed, type SeedResult } from './fuzz/run-seed.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    nodes: { type: 'string' },
    minutes: { type: 'string' },
    log: { type: 'string', default: 'none' },
    minimise: { type: 'boolean', default: false }
  }
})

const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text)

const startedMs = performance.now()
const total = { runs: 0, simulatedMs: 0, crashes: 0, asked: 0, violations: 0 }
const faults = new Map<string, number>()
const figures = new Map<string, number[]>()

function note(result: SeedResult): void {
  total.runs += 1
  total.simulatedMs += result.simulatedMs
  total.crashes += result.crashes
  total.asked += result.asked
  for (const [id, count] of result.faults) faults.set(id, (faults.get(id) ?? 0) + count)
  for (const [what, value] of result.figures) {
    figures.set(what, [...(figures.get(what) ?? []), value])
  }
  if (values.log !== 'none') process.stdout.write(`${result.lines.join('\n')}\n`)
  if (values.log === 'long') process.stdout.write(`${result.beliefs().join('\n')}\n`)
  const { seed, traceHash, violation, convergedMs } = result
  if (violation !== undefined) {
    total.violations += 1
    process.stdout.write(`seed ${seed}: VIOLATION ${violation.message}\n`)
  } else if (Number(values.runs) === 1) {
    process.stdout.write(`seed ${seed}: converged after ${convergedMs} ms, trace ${traceHash}\n`)
  }
}

/** The options of one seed, or as little of them as still breaks the same. */
async function optionsOf(seed: number): Promise<SeedOptions> {
  const wishes = { nodes: number(values.nodes), minutes: number(values.minutes) }
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

/** What drills measured: n, min/median/max over the seeds that had this one. */
function bars(): string {
  const lines = [...figures]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, values]) => {
      const sorted = values.sort((a, b) => a - b)
      const [least, median, most] = [0, sorted.length >> 1, sorted.length - 1].map(at => sorted[at])
      return `${what}: n ${sorted.length}, ${least}/${median}/${most}\n`
    })
  return lines.join('')
}

function summary(): string {
  const hours = total.simulatedMs / 3_600_000
  const speed = total.simulatedMs / (performance.now() - startedMs)
  const kinds = [...faults].sort(([a], [b]) => Number(a.slice(1)) - Number(b.slice(1)))
  const sum = kinds.reduce((count, [, more]) => count + more, 0)
  return (
    `${total.runs} runs, ${hours.toFixed(1)} cluster-hours, ${sum} faults ` +
    `(${kinds.map(([id, count]) => `${id}:${count}`).join(' ')}), ${total.crashes} crashes, ` +
    `${total.asked} requests, ${Math.round(speed)} x real time, ${total.violations} violations`
  )
}

const first = Number(values.seed)
for (let seed = first; seed < first + Number(values.runs); seed += 1) {
  note(await runSeed(await optionsOf(seed)))
}
process.stdout.write(`${bars()}${summary()}\n`)
process.exit(total.violations > 0 ? 1 : 0)
