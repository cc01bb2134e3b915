/** Operations: known wherever their writes are, read once, and for how long. */
import { equal, is, ok } from 'uvu/assert'
import { EVIDENCE_MS } from '../../gossip/core/replication/constants.ts'
import { ReplicationWorld } from '../helpers/replication-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('replication, operations')
const UID = (digit: string): string => digit.repeat(32)

test('operations that sides of a cut have done in different orders hide each other, but not all', () => {
  for (const sides of [2, 3]) {
    const world = new ReplicationWorld(15, sides + 1)
    const key = 'workload/p/web'
    const [other = '', ...ids] = world.hosts.map(host => host.id)
    world.cut([other], ids)
    world.write('n1', key, { uid: UID('a'), text: 'before' })
    world.run(2_000)
    for (const id of ids)
      world.cut(
        [id],
        ids.filter(one => one !== id)
      )
    // Each side knows the operation before its last one only.
    ids.forEach((id, side) => {
      for (const step of [0, 1]) {
        world.write(id, key, { text: `${side}`, operation: `op${(side + step) % sides}` })
      }
    })
    world.write(other, key, { uid: UID('b'), operation: 'of another life' })
    world.heal()
    ok(world.converge(10_000))
    for (const { id } of world.hosts) {
      const entry = world.replica(id).entry(key)
      const read = [entry?.current, ...(entry?.conflicts ?? [])]
      equal(read.map(write => write?.body.uid).sort(), [UID('a'), UID('b')])
    }
  }
})

test('an operation that came too late to change anything is known as well', () => {
  const world = new ReplicationWorld(16, 3)
  const key = 'workload/p/web'
  world.write('n0', key, { uid: UID('a'), text: 'v1' })
  ok(world.converge(2_000))
  // All three at once: each life ends once.
  for (const id of ['n0', 'n1']) {
    world.write(id, key, { uid: UID('a'), remove: true, operation: `remove-${id}#${key}` })
  }
  world.write('n2', key, { uid: UID('a'), text: 'v2', operation: `edit#${key}` })
  ok(world.converge(2_000))
  for (const operation of ['remove-n0', 'remove-n1', 'edit']) {
    for (const { id } of world.hosts) is(world.replica(id).repeated(operation).length, 1, id)
  }
})

test('what an operation wrote is known for ten minutes, over restarts and later edits too', () => {
  const world = new ReplicationWorld(14, 3)
  const [web, db] = ['workload/p/web', 'workload/p/db']
  for (const key of [web, db]) world.write('n0', key, { text: 'v1' })
  ok(world.converge(2_000))
  for (const key of [web, db]) {
    const operation = `op#${key}`
    world.write('n0', key, { operation, parts: 2, ...(key === db ? { remove: true } : {}) })
  }
  ok(world.converge(2_000))
  world.write('n1', web, { text: 'later' })
  world.write('n1', db, { text: 'a new life' })
  world.run(EVIDENCE_MS - 60_000)
  for (const { id } of world.hosts) {
    world.stop(id)
    world.start(id)
  }
  ok(world.converge(10_000))
  for (const { id } of world.hosts) {
    equal(
      world
        .replica(id)
        .repeated('op')
        .map(({ key, parts }) => [key, parts]),
      [
        [db, 2],
        [web, 2]
      ]
    )
  }
})

test('who knows of an earlier life of a name has not seen what others write in this one', () => {
  const key = 'workload/p/web'
  const [before, now] = ['a'.repeat(32), 'b'.repeat(32)]
  const world = new ReplicationWorld(31, 2)
  for (const text of ['1', '2', '3']) world.write('n0', key, { uid: before, text })
  world.write('n0', key, { uid: before, remove: true })
  ok(world.converge(5_000))
  // One forgets how the first life ended; the other does later, for it has restarted.
  world.run(EVIDENCE_MS - 60_000)
  world.stop('n0')
  world.start('n0')
  world.run(120_000)
  world.write('n1', key, { uid: now, text: 'new life' })
  ok(world.converge(5_000))
  // All have met since: nothing has to be listed.
  world.run(20_000)
  world.cut(['n0'], ['n1'])
  world.write('n0', key, { uid: now, text: 'left' })
  world.write('n1', key, { uid: now, text: 'right' })
  world.heal()
  ok(world.converge(10_000))
  for (const id of ['n0', 'n1']) {
    const entry = world.replica(id).entry(key)
    is(world.text(id, key), 'left')
    is(entry?.conflicts.length, 1, `${id} shows the other one`)
  }
})

test.run()
