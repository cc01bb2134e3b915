/**
 * What a bundle of the simulator does: runs the seeds that it is asked for and prints one line of
 * JSON for each, until one of the wanted checks has noticed something.
 */
import { drawOptions } from '../fuzz/options.ts'
import { runSeed } from '../fuzz/run-seed.ts'
import type { SeedLine, SeedRange } from './run-bundle.ts'

async function runOne(seed: number, range: SeedRange): Promise<SeedLine> {
  const { minutes, nodes } = range
  try {
    const { violation, traceHash } = await runSeed(drawOptions(seed, { minutes, nodes }))
    return { seed, check: violation?.check, message: violation?.message, traceHash }
  } catch (error) {
    // Broken code may break the simulator as well: no check has noticed anything.
    return { seed, check: 'error', message: String(error), traceHash: '' }
  }
}

for (const range of JSON.parse(process.argv[2] ?? '[]') as readonly SeedRange[]) {
  for (let seed = range.first; seed < range.first + range.runs; seed += 1) {
    const line = await runOne(seed, range)
    process.stdout.write(`${JSON.stringify(line)}\n`)
    if (line.check !== undefined && range.until.includes(line.check)) break
  }
}
process.exit(0)
