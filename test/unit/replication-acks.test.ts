import { equal, is, ok } from 'uvu/assert'
import { ReplicationWorld } from '../helpers/replication-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('replication: acknowledgements')
const UID = (digit: string): string => digit.repeat(32)

test('a write is acknowledged on one disk of one', () => {
  const world = new ReplicationWorld(1, 1)
  const operation = world.write('n0', 'workload/p/web', { text: 'v1' })
  const acks = world.events('n0', 'ack').filter(ack => ack.operation === operation)
  equal(
    acks.map(({ disks, wanted, final }) => ({ disks, wanted, final })),
    [{ disks: 1, wanted: 1, final: true }]
  )
})

test('a write is acknowledged at two disks when there are more', () => {
  const world = new ReplicationWorld(1, 5)
  world.write('n0', 'workload/p/web', { text: 'v1' })
  world.run(500)
  equal(
    world.events('n0', 'ack').map(({ disks, wanted, final }) => ({ disks, wanted, final })),
    [
      { disks: 1, wanted: 2, final: false },
      { disks: 2, wanted: 2, final: true }
    ]
  )
  const holders = world.hosts.filter(host => [...host.synced.keys()].some(k => k.includes('/web#')))
  ok(holders.length >= 2, 'an acknowledged write is synced where it counts')
})

test('the last of two says 1 of 2, and 2 of 2 when asked again after the other came back', () => {
  const world = new ReplicationWorld(1, 2)
  world.run(3_000)
  world.stop('n1')
  const operation = world.write('n0', 'workload/p/web', { text: 'v1', waitMs: 1_000 })
  world.run(2_000)
  const last = world.events('n0', 'ack').at(-1)
  equal([last?.disks, last?.wanted, last?.final], [1, 2, true])
  world.start('n1')
  world.run(3_000)
  world.write('n0', 'workload/p/web', { text: 'v1', operation })
  world.run(1_000)
  const again = world.events('n0', 'ack').at(-1)
  equal([again?.disks, again?.wanted, again?.final], [2, 2, true])
  equal(again?.dot, last?.dot)
})

test('asked again, a write does not count the disk of an author that is gone', () => {
  const world = new ReplicationWorld(1, 3)
  const operation = world.write('n0', 'workload/p/web', { uid: UID('a'), text: 'v1' })
  ok(world.converge(3_000))
  world.stop('n0')
  world.stop('n2')
  world.run(3_000)
  const again = { uid: UID('a'), text: 'v1', operation, waitMs: 1_000 }
  world.write('n1', 'workload/p/web', again)
  world.run(2_000)
  const ack = world.events('n1', 'ack').at(-1)
  equal([ack?.disks, ack?.wanted, ack?.final], [1, 2, true])
})

test('a removal that is asked for again is acknowledged with its own disks, not with those of what took the name', () => {
  const world = new ReplicationWorld(1, 2)
  world.write('n0', 'workload/p/web', { uid: UID('a'), text: 'v1' })
  ok(world.converge(3_000))
  world.stop('n1')
  world.run(3_000)
  const removal = { uid: UID('a'), remove: true, operation: 'gone', waitMs: 500 }
  world.write('n0', 'workload/p/web', removal)
  world.run(1_000)
  world.write('n0', 'workload/p/web', { uid: UID('b'), text: 'v2', waitMs: 500 })
  world.run(1_000)
  world.start('n1')
  world.write('n0', 'workload/p/web', { ...removal, waitMs: 5_000 })
  const isSafe = (): boolean =>
    world.events('n0', 'ack').some(({ operation, disks }) => operation === 'gone' && disks === 2)
  for (let ms = 0; ms < 5_000 && !isSafe(); ms += 1) world.run(1)
  ok(isSafe())
  const other = world.hosts.find(({ id }) => id === 'n1')
  ok(other?.synced.has(`removed/${UID('a')}`), 'the other disk holds the removal')
})

test('an operation that only the removal of its life tells of is as safe as that removal', () => {
  const world = new ReplicationWorld(1, 2)
  world.stop('n1')
  world.run(3_000)
  const first = { uid: UID('a'), text: 'v1', operation: 'first', waitMs: 500 }
  world.write('n0', 'workload/p/web', first)
  world.run(1_000)
  world.write('n0', 'workload/p/web', { uid: UID('a'), remove: true, waitMs: 500 })
  world.run(1_000)
  world.stop('n0')
  world.start('n0')
  world.run(2_000)
  world.write('n0', 'workload/p/web', first)
  world.run(1_000)
  const ack = world.events('n0', 'ack').at(-1)
  equal([ack?.operation, ack?.disks, ack?.wanted], ['first', 1, 2])
})

test('asked again, a write counts its author only once that has answered', () => {
  const world = new ReplicationWorld(1, 2)
  const operation = world.write('n0', 'workload/p/web', { uid: UID('a'), text: 'v1' })
  ok(world.converge(3_000))
  world.stop('n0', 'wipe')
  world.start('n0', true)
  world.write('n1', 'workload/p/web', { uid: UID('a'), text: 'v1', operation, waitMs: 5_000 })
  const disks = (): number[] => world.events('n1', 'ack').map(ack => ack.disks)
  equal(disks(), [1])
  world.run(5_000)
  equal(disks(), [1, 2])
})

test('an operation has its effect once: again here, after a restart, and elsewhere', () => {
  const world = new ReplicationWorld(1, 3)
  const first = world.write('n0', 'workload/p/web', { uid: UID('a'), text: 'v1', operation: 'one' })
  world.run(1_000)
  const dot = world.events('n0', 'ack').at(-1)?.dot
  world.write('n1', 'workload/p/web', { text: 'v2' })
  world.run(1_000)
  world.stop('n0')
  world.start('n0')
  world.run(5_000)
  for (const id of ['n0', 'n1', 'n2']) {
    world.write(id, 'workload/p/web', { uid: UID('a'), text: 'v1', operation: first })
    world.run(1_000)
    equal(
      world
        .events(id, 'ack')
        .filter(ack => ack.operation === 'one')
        .at(-1)?.dot,
      dot
    )
    is(world.text(id, 'workload/p/web'), 'v2', 'a later edit is not undone by a retry')
  }
  world.write('n2', 'workload/p/web', { uid: UID('a'), text: 'other', operation: first })
  is(world.events('n2', 'refused').at(-1)?.reason, 'body')
})

test.run()
