import { ok } from 'uvu/assert'
import { REPAIR_EVERY_MS } from '../../gossip/core/replication/constants.ts'
import { suite } from '../helpers/suite.ts'
import { DaemonMesh } from './scale/daemons.ts'
import { MemberMesh } from './scale/members.ts'
import type { Mesh } from './scale/mesh.ts'
import { Phases } from './scale/phases.ts'

const test = suite('simulated scale', { timeoutMs: 120_000 })
const DEAD_MS = 4_500
/** Above full mesh a node's say takes its way. */
const A_MEMBER_MS = 2
const SUSPECT_MS = 200
const IDLE_MESSAGES = 10
const IDLE_BYTES = 4_096
const VIEWS_MAX = 2
/** Per cent of the nodes. */
const MOST = 80
const AT_ONCE_MS = 200

type Ask = (what: string) => number

/** The bars of the protocol, on all nodes. */
async function bars(mesh: Mesh, count: number): Promise<Phases> {
  const phases = new Phases(mesh)
  const most: Ask = what => {
    const values = phases.figures.filter(figure => figure.what === what).flatMap(one => one.values)
    return values.length === 0 ? Number.NaN : Math.max(...values)
  }
  await phases.meet(count)
  await phases.idle()
  const [messages, bytes] = [most('idle: messages sent'), most('idle: bytes sent')]
  ok(messages <= IDLE_MESSAGES && bytes <= IDLE_BYTES, `idle: ${messages}/s, ${bytes} B/s`)
  await phases.change()
  await phases.silent()
  const limitMs = DEAD_MS + count * A_MEMBER_MS
  const deadMs = most('a host falls silent: dead on each')
  ok(deadMs <= limitMs, `dead after ${deadMs} ms`)
  await phases.killed()
  const suspectMs = most('a daemon is killed: suspected by each')
  ok(suspectMs <= SUSPECT_MS, `suspect after ${suspectMs} ms`)
  await phases.doubt(30_000)
  const deaths = most('5 % lost, 2 starved: false deaths')
  ok(deaths === 0, `${deaths} false deaths`)
  if (count >= 4) {
    await phases.quarter()
    const allMs = most('25 % fall silent: all dead on each')
    const views = most('25 % fall silent: changes of view')
    ok(allMs <= limitMs && views <= VIEWS_MAX, `${allMs} ms, ${views} changes of view`)
  }
  return phases
}

for (const count of [2, 3, 4, 10, 20, 65, 120]) {
  test(`${count} members hold the bars of membership`, async () => {
    await bars(new MemberMesh(1), count)
  })
}

for (const count of [10, 40]) {
  test(`${count} whole daemons do too, and a change reaches most at once, all by repair`, async () => {
    const { figures } = await bars(new DaemonMesh(1), count)
    const change = figures.find(({ what }) => what === 'a change: known by each')
    const times = [...(change?.values ?? [])].sort((a, b) => a - b)
    const most = times[Math.floor((MOST * times.length) / 100)] ?? Number.NaN
    const last = times.at(-1) ?? Number.NaN
    // Pubsub loses one message in so many; who missed it asks a peer in its next round.
    ok(most <= AT_ONCE_MS && last <= 2 * REPAIR_EVERY_MS, `${most} ms, the last ${last} ms`)
  })
}

test.run()
