/**
 * A mesh of many: `npm run scale -- --nodes N [--members] [--seed N] [--phases A,B]
 * [--doubt MINUTES] [--replicas N]`. Prints one row a figure: min / median / max over the nodes.
 * `--members`: their membership machines alone, which is what fits into memory above a thousand.
 */
import { parseArgs } from 'node:util'
import { DaemonMesh } from './daemons.ts'
import { row } from './figure.ts'
import { MemberMesh } from './members.ts'
import { Phases } from './phases.ts'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '10' },
    members: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    doubt: { type: 'string', default: '1' },
    phases: { type: 'string' },
    replicas: { type: 'string', default: '0' }
  }
})

/** Below, ten are a quarter or more. */
const TEN_MIN = 100

const startedMs = performance.now()
const seed = Number(values.seed)
const mesh = values.members ? new MemberMesh(seed) : new DaemonMesh(seed)
const phases = new Phases(mesh)

async function starts(): Promise<void> {
  const replicas = Number(values.replicas)
  if (replicas === 0 || !(mesh instanceof DaemonMesh)) return
  const perSecond = await mesh.starts(replicas)
  phases.figures.push({ what: `${replicas} replicas: start`, unit: '/s', values: [perSecond] })
}

const all: Readonly<Record<string, () => Promise<void>>> = {
  meet: () => phases.meet(Number(values.nodes)),
  idle: () => phases.idle(),
  change: () => phases.change(),
  silent: () => phases.silent(),
  killed: () => phases.killed(),
  doubt: () => phases.doubt(Number(values.doubt) * 60_000),
  starts,
  ten: () => (Number(values.nodes) < TEN_MIN ? Promise.resolve() : phases.ten()),
  quarter: () => phases.quarter()
}

const chosen = values.phases?.split(',') ?? Object.keys(all)
for (const [name, run] of Object.entries(all)) {
  if (name !== 'meet' && !chosen.includes(name)) continue
  const shown = phases.figures.length
  await run()
  for (const figure of phases.figures.slice(shown)) process.stdout.write(`${row(figure)}\n`)
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  const memoryMiB = Math.round(process.memoryUsage().rss / 2 ** 20)
  process.stderr.write(`${name}: ${seconds} s, ${memoryMiB} MiB\n`)
}
// A world has timers of its own for ever.
process.exit(0)
