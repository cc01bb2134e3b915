import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { equal, is, match, ok } from 'uvu/assert'
import { suite } from '../helpers/suite.ts'
import { minimise } from './fuzz/minimise.ts'
import { ALL_FAULTS, drawOptions } from './fuzz/options.ts'
import { runSeed, type SeedResult } from './fuzz/run-seed.ts'
import { Tally } from './fuzz/tally.ts'

const test = suite('simulated faults', { timeoutMs: 300_000 })
/** Of the seeds that every change runs through; `npm run sim` runs any others. */
const SEEDS = Number(process.env['SHOAL_SIM_SEEDS'] ?? 24)
const MINUTES = 3
/** Faults by the hundred a second find other things: what comes back between two of them. */
const DENSE = { minutes: 2, sparse: 0.02 } as const

const results: SeedResult[] = []

test('seeds keep every promise under faults, and converge when these end', async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const result = await runSeed(drawOptions(seed, { minutes: MINUTES }))
    is(result.violation, undefined, `npm run sim -- --seed ${seed} --minutes ${MINUTES}`)
    results.push(result)
  }
})

test('seeds keep every promise under a hail of faults, too', async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violation } = await runSeed(drawOptions(seed, DENSE))
    is(violation, undefined, `npm run sim -- --seed ${seed} --minutes 2 --sparse ${DENSE.sparse}`)
  }
})

test('every fault that the simulator has was exercised', () => {
  const seen = new Set(results.flatMap(result => [...result.faults.keys()]))
  const missing = [...new Set(ALL_FAULTS.flatMap(fault => fault.ids))].filter(id => !seen.has(id))
  equal(missing, [])
})

test('messages as bytes or by reference: a daemon cannot tell', async () => {
  const hashes: string[] = []
  for (const wire of ['bytes', 'objects'] as const) {
    const options = drawOptions(3, { minutes: 2 })
    hashes.push((await runSeed({ ...options, wire })).traceHash)
  }
  equal(hashes[0], hashes[1])
})

test('people were heard, daemons died, and things went wrong', () => {
  const asked = results.reduce((sum, result) => sum + result.asked, 0)
  const crashes = results.reduce((sum, result) => sum + result.crashes, 0)
  ok(asked > SEEDS && crashes > SEEDS, `${asked} requests, ${crashes} crashes`)
})

test('a plan that breaks a promise is cut down to the actions that do', async () => {
  const options = drawOptions(11, { minutes: 10 })
  const culprits = [options.plan[7], options.plan.at(-3)]
  const small = await minimise(options, async ({ plan }) => {
    const breaks = culprits.every(one => one !== undefined && plan.includes(one))
    return { violation: breaks ? { check: 'S1', message: 'S1: lost' } : undefined }
  })
  equal(small.options.plan, culprits)
  ok(small.runs < options.plan.length, `${small.runs} runs`)
})

test('ranges that ran in parts come to one sum: each seed of this product once', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'shoal-tally-')), 'tally')
  const part = { faults: [['F1', 3]], figures: [['ready', 7]], realMs: 1_000, asked: '{}' } as const
  const line = { ...part, product: 'p', simulatedMs: 3_600_000, crashes: 2, requests: 5 }
  const broken = { ...line, seed: 2, violation: 'S1: lost' }
  const lines = [
    { ...line, seed: 1 },
    broken,
    broken,
    { ...line, seed: 1, asked: '{"minutes":2}' },
    { ...line, seed: 3, product: 'q' }
  ].map(one => JSON.stringify(one))
  writeFileSync(path, `${lines.join('\n')}\n${lines[0]?.slice(0, 20)}`)
  const tally = new Tally()
  equal(tally.read(path, 'p'), { said: ['seed 2 ({}): VIOLATION S1: lost'], others: 1 })
  match(tally.summary(), /^3 runs, 3\.0 cluster-hours, 9 faults \(F1:9\), 6 crashes, 15 requests/)
  match(tally.summary(), / 3600 x real time, 1 violations$/)
  is(tally.bars(), 'ready: n 3, 7/7/7 ms\n')
  rmSync(dirname(path), { recursive: true })
})

test.run()
