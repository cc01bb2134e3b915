/**
 * Runs one ring of tests: `node --import tsx test/run.ts fast|sim|e2e [pattern]`.
 * Ends with the line `N passed, N failed, N skipped` and exit code 1 on a failure, an unhandled
 * rejection, a file that registered nothing, or no test at all.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parse } from 'uvu/parse'

const RINGS: Record<string, RegExp> = {
  fast: /^(?!sim\/|e2e\/).*\.test\.ts$/,
  sim: /^sim\/.*\.test\.ts$/,
  e2e: /^e2e\/.*\.e2e\.ts$/
}

const root = fileURLToPath(new URL('.', import.meta.url))
const ring = process.argv[2] ?? 'fast'
const wanted = process.argv[3]
const pattern = RINGS[ring]
if (pattern === undefined) {
  process.stderr.write(`unknown ring ${ring}: one of ${Object.keys(RINGS).join(', ')}\n`)
  process.exit(2)
}

const stray: string[] = []
for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
  process.on(event, (error: unknown) => {
    stray.push(
      `${event}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
    )
  })
}

const parsed = await parse(root, pattern)
// Every other file, for the second of two processes.
const [shard = 1, shards = 1] = (process.env['SHOAL_SHARD'] ?? '1/1').split('/').map(Number)
const suites = parsed.suites
  .filter(entry => wanted === undefined || entry.name.includes(wanted))
  .filter((_, index) => index % shards === shard - 1)

// As `uvu/run` does, but a file that cannot be imported fails by itself and the rest still runs.
interface UvuGlobal {
  UVU_DEFER?: number
  UVU_INDEX?: number
  UVU_QUEUE: unknown[][]
}
const uvuGlobal = globalThis as unknown as UvuGlobal
// Before anything loads uvu, which looks at it once: else uvu also runs by itself, from a timer,
// and tests run twice, side by side, or not at all.
uvuGlobal.UVU_DEFER = 1
const uvu = (await import('uvu')) as unknown as { exec(bail?: boolean): Promise<void> }
const { results } = await import('./helpers/suite.ts')
for (const [index, { name, file }] of suites.entries()) {
  uvuGlobal.UVU_INDEX = index
  uvuGlobal.UVU_QUEUE[index] = [name]
  try {
    await import(pathToFileURL(file).href)
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    stray.push(`${name} cannot be imported: ${text}`)
    continue
  }
  if (uvuGlobal.UVU_QUEUE[index].length < 2)
    stray.push(`${name} registers nothing; does it end with .run()?`)
}
await uvu.exec()

const all = results()
const count = (outcome: string): number => all.filter(result => result.outcome === outcome).length
let failed = count('failed')
for (const line of stray) process.stdout.write(`\nnot part of any test: ${line}\n`)
failed += stray.length
if (all.length === 0 && stray.length === 0) {
  process.stdout.write(`no test was run in ring ${ring}\n`)
  failed += 1
}
for (const result of all) {
  if (result.outcome === 'failed')
    process.stdout.write(`failed: ${result.suite}: ${result.name}: ${result.detail}\n`)
}
const slow = [...all].sort((a, b) => b.durationMs - a.durationMs).slice(0, 5)
for (const result of slow) {
  if (result.durationMs > 1_000)
    process.stdout.write(
      `slow: ${(result.durationMs / 1_000).toFixed(1)} s ${result.suite}: ${result.name}\n`
    )
}
const summary = { passed: count('passed'), failed, skipped: count('skipped') }
if (process.env['SHOAL_RESULTS'] !== undefined)
  writeFileSync(process.env['SHOAL_RESULTS'], JSON.stringify({ ring, ...summary }))
process.stdout.write(
  `\n${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped\n`
)
// An open handle must not hang the run; uvu never forces the exit.
process.exit(failed > 0 ? 1 : 0)
