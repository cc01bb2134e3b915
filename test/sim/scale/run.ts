/** A mesh of many. Prints one row a figure: min / median / max over the nodes. */
import { CommandLine } from '../options.ts'
import { DaemonMesh } from './daemons.ts'
import { row } from './figure.ts'
import { MemberMesh } from './members.ts'
import { Phases } from './phases.ts'

const PHASES = ['idle', 'change', 'silent', 'killed', 'doubt', 'starts', 'ten', 'quarter'] as const
const USAGE = `npm run scale -- [--nodes N] [--members] [--seed N] [--phases A,B]
                 [--doubt MINUTES] [--replicas N]
  --nodes N       hosts, from 2 on [10]
  --members       their membership machines alone: what fits into memory above some hundred
  --phases A,B    of ${PHASES.join(', ')} [all]; \`ten\` from 100 hosts on
  --doubt N       minutes of lost segments and starved daemons [1]
  --replicas N    of one workload, for the phase \`starts\` of whole daemons [0: left out]`

const line = new CommandLine(USAGE, {
  nodes: { type: 'string', default: '10' },
  members: { type: 'boolean', default: false },
  seed: { type: 'string', default: '1' },
  doubt: { type: 'string', default: '1' },
  phases: { type: 'string' },
  replicas: { type: 'string', default: '0' }
})
const nodes = line.whole('nodes', 2) ?? 2
const replicas = line.whole('replicas', 0) ?? 0
const doubtMs = (line.positive('doubt') ?? 1) * 60_000
const chosen = line.words('phases', PHASES) ?? PHASES

/** Below, ten are a quarter or more. */
const TEN_MIN = 100

const startedMs = performance.now()
const seed = line.whole('seed', 0) ?? 1
const mesh = line.flag('members') ? new MemberMesh(seed) : new DaemonMesh(seed)
const phases = new Phases(mesh)

async function starts(): Promise<void> {
  if (replicas === 0 || !(mesh instanceof DaemonMesh)) return
  const perSecond = await mesh.starts(replicas)
  phases.figures.push({ what: `${replicas} replicas: start`, unit: '/s', values: [perSecond] })
}

const all: Readonly<Record<(typeof PHASES)[number], () => Promise<void>>> = {
  idle: () => phases.idle(),
  change: () => phases.change(),
  silent: () => phases.silent(),
  killed: () => phases.killed(),
  doubt: () => phases.doubt(doubtMs),
  starts,
  ten: () => (nodes < TEN_MIN ? Promise.resolve() : phases.ten()),
  quarter: () => phases.quarter()
}

async function show(name: string, run: () => Promise<void>): Promise<void> {
  const shown = phases.figures.length
  await run()
  const rows = phases.figures.slice(shown)
  for (const figure of rows) process.stdout.write(`${row(figure)}\n`)
  if (rows.length === 0) return
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  const memoryMiB = Math.round(process.memoryUsage().rss / 2 ** 20)
  process.stderr.write(`${name}: done after ${seconds} s of real time, ${memoryMiB} MiB\n`)
}

await show('meet', () => phases.meet(nodes))
for (const name of PHASES) if (chosen.includes(name)) await show(name, all[name])
// A world has timers of its own for ever.
process.exit(0)
