/** What replication costs, and what stays bounded. */
import { equal, is, ok } from 'uvu/assert'
import { ReplicationWorld } from '../helpers/replication-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('replication, bounds')

test('an idle exchange costs two small messages', () => {
  const world = new ReplicationWorld(21, 20)
  for (const { id } of world.hosts) world.own(id, 'info', `info of ${id}`)
  ok(world.converge(5_000))
  world.run(10_000)
  const kinds = ['digest', 'same', 'summary', 'want', 'records', 'delta']
  const total = (): number[] => kinds.map(kind => world.sent.get(kind)?.bytes ?? 0)
  const before = total()
  world.run(60_000)
  const [digest = 0, same = 0, ...others] = total().map((bytes, i) => bytes - (before[i] ?? 0))
  equal(others, [0, 0, 0, 0])
  const exchanges = (60_000 / 5_000) * 20
  const perExchange = (digest + same) / exchanges
  ok(perExchange < 300, `${perExchange} bytes`)
})

test('a node that joins twenty is filled once, not twenty times', () => {
  const world = new ReplicationWorld(24, 20)
  for (let i = 0; i < 300; i++)
    world.write(`n${i % 20}`, `workload/p/w${i}`, { text: 'x'.repeat(900) })
  ok(world.converge(10_000))
  world.run(10_000)
  const before = world.sent.get('records')?.bytes ?? 0
  world.join('n20')
  ok(world.converge(10_000))
  world.run(10_000)
  const bytes = (world.sent.get('records')?.bytes ?? 0) - before
  ok(bytes < 300 * 1_500 * 1.5, `${bytes} bytes`)
  ok(world.replica('n20').synced)
})

test('a vector stays small when its writers restart again and again', () => {
  const world = new ReplicationWorld(22, 3)
  for (let i = 0; i < 30; i++) {
    world.write('n0', 'workload/p/web', { text: `v${i}` })
    world.run(20_000)
    world.stop('n0')
    world.start('n0')
    world.run(20_000)
  }
  const body = world.replica('n1').entry('workload/p/web')?.current?.body
  ok((body?.vector.length ?? 99) <= 1, `${body?.vector.length} entries`)
  is(body?.order, 30)
  ok((body?.past.length ?? 99) <= 8)
})

test('a vector keeps what an absent node may not have seen', () => {
  const world = new ReplicationWorld(23, 3)
  world.write('n0', 'workload/p/web', { text: 'v0' })
  ok(world.converge(2_000))
  world.stop('n2')
  for (let i = 1; i <= 5; i++) {
    world.write('n0', 'workload/p/web', { text: `v${i}` })
    world.run(10_000)
    world.stop('n0')
    world.start('n0')
    world.run(10_000)
  }
  const body = world.replica('n1').entry('workload/p/web')?.current?.body
  ok((body?.vector.length ?? 0) >= 4)
  world.start('n2')
  world.write('n2', 'workload/p/web', { text: 'unaware' })
  ok(world.converge(10_000))
  const entry = world.replica('n1').entry('workload/p/web')
  is((entry?.conflicts.length ?? 0) + 1, 2, 'neither edit is lost')
})

test.run()
