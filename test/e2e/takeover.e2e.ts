/**
 * The main path with real engines on four hosts: join, deploy, a host killed, a daemon killed, a
 * host back. What runs where is asked of the engines, never of shoal.
 */
import { equal, is, match, ok } from 'uvu/assert'
import { EngineEvents } from '../helpers/engine-events.ts'
import { suite } from '../helpers/suite.ts'
import type { Replica, Testbed } from '../helpers/testbed.ts'
import { sleep } from '../helpers/testbed-run.ts'
import { composeFile, SharedBed, webService } from '../helpers/testbed-shared.ts'

const test = suite('takeover', { requires: ['root', 'docker'], timeoutMs: 60_000 })

const REPLICAS = 8
const WEB = ['shop', 'web'] as const
/** Bounds for a machine that runs the whole ring; the bench measures the real ones. */
const TAKEOVER_MS_MAX = 9_000
const SURPLUS_MS_MAX = 10_000

const bed = new SharedBed({ hosts: 4 }, async opened => {
  await opened.mesh()
})

/** What must be equal when nothing was recreated or restarted. */
const identity = (replicas: readonly Replica[]): string[] =>
  replicas.map(({ host, id, slot, startedAt }) => `${slot} ${host.name} ${id} ${startedAt}`)

const slots = (replicas: readonly Replica[]): number[] =>
  replicas.map(({ slot }) => slot).sort((a, b) => a - b)

const ALL_SLOTS = Array.from({ length: REPLICAS }, (_, i) => i)

async function openEvents(opened: Testbed): Promise<EngineEvents> {
  return await EngineEvents.open(
    Object.fromEntries(opened.hosts.map(host => [host.name, host.engine.socket]))
  )
}

let foreign: { readonly id: string; readonly startedAt: string }[] = []

test('a Compose file is deployed and spread evenly over all hosts', async () => {
  const opened = await bed.get()
  foreign = await Promise.all(
    opened.hosts.map(async ({ engine }) => {
      const id = await engine.runForeign('not-ours', 'busybox:local', ['sleep', '3600'])
      return { id, startedAt: (await engine.inspect(id)).State.StartedAt }
    })
  )
  const file = composeFile(opened, 'shop', webService(REPLICAS))
  const said = await opened
    .host(2)
    .daemon.client.run(['deploy', '-f', file, '-p', 'shop', '--timeout', '30s'])
  equal(said.code, 0, said.stdout + said.stderr)
  for (const slot of ALL_SLOTS)
    match(said.stdout + said.stderr, new RegExp(`web/${slot}\\b`), `no line for ${slot}`)
  const replicas = await opened.settled(WEB, REPLICAS)
  equal(slots(replicas).length, REPLICAS)
  equal(new Set(slots(replicas)).size, REPLICAS)
  const counts = opened.hosts.map(host => replicas.filter(r => r.host === host).length)
  equal(counts, [2, 2, 2, 2])
})

test('containers carry what was promised for them', async () => {
  const opened = await bed.get()
  for (const { host, id } of await opened.replicas(...WEB)) {
    const { HostConfig, Config } = await host.engine.inspect(id)
    equal(HostConfig.RestartPolicy.Name, 'no')
    is(HostConfig.Init, true)
    equal(HostConfig.LogConfig.Config, { 'max-file': '3', 'max-size': '10m' })
    equal(Config.Labels['shoal.managed'], 'true')
  }
})

test('every host gives the same answer', async () => {
  const opened = await bed.get()
  const answers = await Promise.all(
    opened.hosts.map(async ({ daemon }) => {
      const status = await daemon.client.converges()
      const rows = await daemon.client.runs(...WEB, REPLICAS)
      const seats = rows.map(row => `${row.slot}@${row.node}`).sort()
      return JSON.stringify([status.viewHash, seats])
    })
  )
  equal(new Set(answers).size, 1, answers.join('\n'))
  await opened.host(4).daemon.client.converges()
  const text = await opened.host(4).daemon.client.must(['status'])
  match(text, /^OK: 4 nodes, 8 replicas/)
})

test('logs of replicas on other hosts are read from any host', async () => {
  const opened = await bed.get()
  const said = await opened.host(3).daemon.client.must(['logs', 'shop/web'])
  const lines = said.split('\n').filter(line => line.includes('web starts on'))
  equal(lines.length, REPLICAS, said)
})

test('a daemon that is back in time restarts and duplicates nothing', async () => {
  const opened = await bed.get()
  const before = identity(await opened.replicas(...WEB))
  const { daemon } = opened.host(2)
  await daemon.kill()
  await daemon.up()
  await sleep(3_000)
  equal(identity(await opened.replicas(...WEB)), before)
  await daemon.client.runs(...WEB, REPLICAS)
})

test('a daemon that is back late keeps its own, and the surplus goes', async () => {
  const opened = await bed.get()
  const before = await opened.replicas(...WEB)
  const { daemon } = opened.host(3)
  const events = await openEvents(opened)
  try {
    await daemon.kill()
    await opened.settled(WEB, REPLICAS + 2, { timeoutMs: TAKEOVER_MS_MAX })
    await daemon.up()
    const after = await opened.settled(WEB, REPLICAS, { timeoutMs: SURPLUS_MS_MAX })
    equal(identity(after), identity(before))
  } finally {
    events.close()
  }
})

test('a killed host is replaced elsewhere, and the rest is left alone', async () => {
  const opened = await bed.get()
  const victim = opened.host(4)
  const before = (await opened.replicas(...WEB)).filter(({ host }) => host !== victim)
  const lost = REPLICAS - before.length
  ok(lost > 0)
  const events = await openEvents(opened)
  try {
    const atMs = await victim.kill()
    const tookMs = await events.nth(
      lost,
      atMs,
      event => event.action === 'start' && event.attributes['shoal.workload'] === 'web',
      TAKEOVER_MS_MAX
    )
    process.stdout.write(`\n  ${lost} of ${REPLICAS} back in ${(tookMs / 1000).toFixed(2)} s\n`)
  } finally {
    events.close()
  }
  const others = opened.hosts.filter(host => host !== victim)
  const after = await opened.settled(WEB, REPLICAS, { on: others })
  equal(new Set(slots(after)).size, REPLICAS)
  const kept = new Set(identity(after))
  equal(
    identity(before).filter(row => !kept.has(row)),
    []
  )
  const text = (await opened.host(1).daemon.client.run(['status'])).stdout
  match(text, /^(OK|NOT OK): .*h4/)
})

test('a host that returns runs nothing twice and moves nothing at once', async () => {
  const opened = await bed.get()
  const victim = opened.host(4)
  const before = identity(await opened.replicas(...WEB))
  await victim.startEngine()
  await victim.daemon.up()
  await victim.daemon.client.sees(['h1', 'h2', 'h3', 'h4'])
  await sleep(3_000)
  const after = await opened.settled(WEB, REPLICAS)
  const kept = new Set(identity(after))
  equal(
    before.filter(row => !kept.has(row)),
    [],
    'a replica that ran was recreated'
  )
})

test('scale changes the count, and keeps what can be kept', async () => {
  const opened = await bed.get()
  const { client } = opened.host(2).daemon
  // A project of its own: after the deaths before this, paced moves of the other are still due.
  const count = ['count', 'web'] as const
  const file = composeFile(opened, 'count', webService(4))
  await client.must(['deploy', '-f', file, '-p', 'count', '--timeout', '30s'])
  const before = new Set(identity(await opened.settled(count, 4)))
  await client.must(['scale', 'count/web=7'])
  const more = await opened.settled(count, 7)
  equal(identity(more).filter(row => before.has(row)).length, 4)
  await client.must(['scale', 'count/web=3'])
  equal((await opened.settled(count, 3)).length, 3)
  await client.must(['rm', 'count', '-y'])
  await opened.settled(count, 0)
})

test('rm stops what is ours and touches nothing else', async () => {
  const opened = await bed.get()
  await opened.host(1).daemon.client.must(['rm', 'shop', '-y'])
  await opened.settled(WEB, 0)
  const left = await Promise.all(
    opened.hosts.map(async ({ engine }, i) => {
      const detail = await engine.inspect(foreign[i]?.id ?? '')
      return { id: detail.Id, startedAt: detail.State.StartedAt, running: detail.State.Running }
    })
  )
  // The fourth host was killed with everything on it: its container is there, and not running.
  equal(
    left.map(row => row.id),
    foreign.map(row => row.id)
  )
  equal(
    left.map(row => row.running),
    [true, true, true, false]
  )
  equal(
    left.map(row => row.startedAt),
    foreign.map(row => row.startedAt)
  )
})

bed.closeAtEnd(test)
test.run()
