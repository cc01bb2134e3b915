/** A mesh that is cut in two and healed, and one that loses three of four hosts at once. */
import { equal, match, ok } from 'uvu/assert'
import { suite } from '../helpers/suite.ts'
import { composeFile, SharedBed, webService } from '../helpers/testbed-shared.ts'

const test = suite('partition', { requires: ['root', 'docker'], timeoutMs: 60_000 })

const REPLICAS = 4
const WEB = ['shop', 'web'] as const
const SURPLUS_MS_MAX = 10_000

const bed = new SharedBed({ hosts: 4 }, async opened => {
  await opened.mesh()
})

test('both sides of a cut run the full count, and a heal leaves it once', async () => {
  const opened = await bed.get()
  const [h1, h2, h3, h4] = opened.hosts
  if (h1 === undefined || h2 === undefined || h3 === undefined || h4 === undefined)
    throw new Error('four hosts')
  const file = composeFile(opened, 'shop', webService(REPLICAS))
  await h1.daemon.client.must(['deploy', '-f', file, '-p', 'shop'])
  await opened.settled(WEB, REPLICAS)
  await opened.partition([h1, h2], [h3, h4])
  for (const side of [
    [h1, h2],
    [h3, h4]
  ])
    await opened.settled(WEB, REPLICAS, { on: side, timeoutMs: 12_000 })
  const healedMs = await opened.heal()
  const left = await opened.settled(WEB, REPLICAS, { timeoutMs: SURPLUS_MS_MAX })
  const tookMs = Number(process.hrtime.bigint()) / 1e6 - healedMs
  process.stdout.write(`\n  surplus gone ${(tookMs / 1000).toFixed(1)} s after the heal\n`)
  equal(new Set(left.map(({ slot }) => slot)).size, REPLICAS)
  await Promise.all(
    opened.hosts.map(host => host.daemon.client.sees(['h1', 'h2', 'h3', 'h4'], 10_000))
  )
})

test('a host whose cable is pulled is replaced; plugged in again, nothing runs twice', async () => {
  const opened = await bed.get()
  const victim = opened.host(3)
  const others = opened.hosts.filter(host => host !== victim)
  await victim.cut()
  await opened.settled(WEB, REPLICAS, { on: others, timeoutMs: 12_000 })
  // It cannot know that others run them: it goes on serving, and takes over for the rest.
  await opened.settled(WEB, REPLICAS, { on: [victim], timeoutMs: 12_000 })
  await victim.plug()
  await opened.settled(WEB, REPLICAS, { timeoutMs: SURPLUS_MS_MAX })
})

test('a host that hears nobody but is heard kills nobody', async () => {
  const opened = await bed.get()
  const deaf = opened.host(2)
  const others = opened.hosts.filter(host => host !== deaf)
  const before = (await opened.replicas(...WEB)).map(({ id }) => id).sort()
  await deaf.dropFrom(others.slice(0, 1))
  await new Promise(resolve => setTimeout(resolve, 6_000))
  await deaf.acceptAll()
  const nodes = await opened.host(1).daemon.client.nodes()
  equal(
    nodes.filter(node => node.state === 'dead').map(node => node.name),
    []
  )
  const after = (await opened.replicas(...WEB)).map(({ id }) => id).sort()
  equal(after, before)
})

test('the last of four runs everything and takes a deploy', { timeoutMs: 90_000 }, async () => {
  const opened = await bed.get()
  const last = opened.host(1)
  await Promise.all(opened.hosts.slice(1).map(host => host.kill()))
  await opened.settled(WEB, REPLICAS, { on: [last], timeoutMs: 20_000 })
  const file = composeFile(opened, 'late', webService(2))
  const said = await last.daemon.client.run(['deploy', '-f', file, '-p', 'late'])
  match(said.stdout + said.stderr, /not durable yet \(1\/2\)/)
  ok(said.code === 0 || said.code === 3, `exit ${said.code}: ${said.stderr}`)
  await opened.settled(['late', 'web'], 2, { on: [last] })
  const status = await last.daemon.client.run(['status'])
  match(status.stdout, /^NOT OK: /)
})

test('hosts that return hear of what was decided without them', async () => {
  const opened = await bed.get()
  const back = opened.host(2)
  await back.startEngine()
  await back.daemon.up()
  await back.daemon.client.runs('late', 'web', 2)
  await opened.settled(['late', 'web'], 2)
  await opened.settled(WEB, REPLICAS, { timeoutMs: SURPLUS_MS_MAX })
})

bed.closeAtEnd(test)
test.run()
