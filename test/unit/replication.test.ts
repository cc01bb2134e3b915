import { equal, is, ok } from 'uvu/assert'
import { SeededRandom } from '../../gossip/core/random.ts'
import { EVIDENCE_MS } from '../../gossip/core/replication/constants.ts'
import { Replica } from '../../gossip/core/replication/replica.ts'
import {
  bytesOf,
  codec,
  createPlainSealer,
  ReplicationWorld
} from '../helpers/replication-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('replication')
const UID = (digit: string): string => digit.repeat(32)

test('owner records and registers reach every replica, at N = 1, 2, 3, 4 and 20', () => {
  for (const count of [1, 2, 3, 4, 20]) {
    const world = new ReplicationWorld(count, count)
    for (const { id } of world.hosts) world.own(id, 'info', `info of ${id}`)
    world.write('n0', 'workload/p/web', { text: 'v1' })
    ok(world.converge(5_000), `N=${count}`)
    for (const { id } of world.hosts) {
      equal(world.replica(id).owners().length, count)
      is(world.text(id, 'workload/p/web'), 'v1')
    }
  }
})

test('nothing depends on a publish arriving: repair alone converges', () => {
  const world = new ReplicationWorld(7, 4)
  world.run(6_000)
  world.cut(['n0'], ['n1', 'n2', 'n3'])
  world.own('n0', 'alloc/a', '1')
  world.write('n0', 'workload/p/web', { text: 'alone' })
  world.run(1_000)
  world.heal()
  ok(world.converge(3_000))
  is(world.text('n3', 'workload/p/web'), 'alone')
})

test('a check-version that is not the winner is refused with the winner', () => {
  const world = new ReplicationWorld(1, 1)
  world.write('n0', 'setting/x', { text: 'v1' })
  const old = world.replica('n0').entry('setting/x')?.current?.body
  world.write('n0', 'setting/x', { text: 'v2' })
  const current = world.replica('n0').entry('setting/x')?.current?.body
  ok(old && current)
  const command = { ...current, kind: 'write' as const, operation: 'checked', waitMs: 0 }
  world.command('n0', { ...command, expect: old.dot })
  const refused = world.events('n0', 'refused').at(-1)
  equal([refused?.reason, refused?.current], ['stale', current.dot])
  world.command('n0', { ...command, value: bytesOf('v3'), expect: current.dot })
  is(world.text('n0', 'setting/x'), 'v3')
})

test('two sides edit one workload: one winner everywhere, the loser is readable', () => {
  const world = new ReplicationWorld(3, 4)
  world.write('n0', 'workload/p/web', { text: 'v1' })
  ok(world.converge(2_000))
  world.cut(['n0', 'n1'], ['n2', 'n3'])
  world.write('n0', 'workload/p/web', { text: 'left' })
  world.write('n3', 'workload/p/web', { text: 'right' })
  world.run(1_000)
  world.heal()
  ok(world.converge(5_000))
  const winners = new Set(world.hosts.map(({ id }) => world.text(id, 'workload/p/web')))
  is(winners.size, 1)
  for (const { id } of world.hosts) {
    is(world.replica(id).entry('workload/p/web')?.conflicts.length, 1)
  }
  world.write('n2', 'workload/p/web', { text: 'settled' })
  ok(world.converge(2_000))
  equal(world.replica('n0').entry('workload/p/web')?.conflicts, [])
  is(world.text('n0', 'workload/p/web'), 'settled')
})

test('two sides create one name: one life wins, the other is readable and ends when settled', () => {
  const world = new ReplicationWorld(5, 4)
  world.run(3_000)
  world.cut(['n0', 'n1'], ['n2', 'n3'])
  world.write('n1', 'workload/p/web', { uid: UID('a'), text: 'left' })
  world.write('n2', 'workload/p/web', { uid: UID('b'), text: 'right' })
  world.run(1_000)
  world.heal()
  ok(world.converge(5_000))
  const entry = world.replica('n3').entry('workload/p/web')
  const winner = entry?.current?.body.uid ?? ''
  const loser = entry?.conflicts[0]?.body.uid ?? ''
  equal([winner, loser].sort(), [UID('a'), UID('b')])
  is(world.replica('n0').removed(loser), false)
  world.write('n3', 'workload/p/web', { text: 'settled' })
  ok(world.converge(2_000))
  ok(world.replica('n0').removed(loser), 'the other life has ended for ever')
  is(world.replica('n0').removed(winner), false)
})

test('removal wins over edits, concurrent and later, for ever', () => {
  const world = new ReplicationWorld(9, 4)
  const key = 'workload/p/web'
  world.write('n0', key, { uid: UID('a'), text: 'v1' })
  ok(world.converge(2_000))
  world.cut(['n0', 'n1'], ['n2', 'n3'])
  world.write('n0', key, { uid: UID('a'), remove: true })
  world.write('n3', key, { uid: UID('a'), text: 'edit that did not know' })
  world.run(1_000)
  world.heal()
  ok(world.converge(5_000))
  for (const { id } of world.hosts) {
    is(world.replica(id).entry(key), undefined)
    ok(world.replica(id).removed(UID('a')))
  }
  const operation = world.write('n2', key, { uid: UID('a'), text: 'edit that knows' })
  const refused = world.events('n2', 'refused').at(-1)
  equal([refused?.operation, refused?.reason], [operation, 'removed'])
  world.write('n2', key, { uid: UID('b'), text: 'a new life' })
  ok(world.converge(2_000))
  is(world.text('n1', key), 'a new life')
})

test('a node that was away for 30 days brings nothing back', () => {
  const world = new ReplicationWorld(11, 4)
  const key = 'workload/p/web'
  world.write('n0', key, { uid: UID('a'), text: 'v1' })
  ok(world.converge(2_000))
  world.stop('n3')
  world.write('n0', key, { uid: UID('a'), remove: true })
  world.run((30 * 86_400_000) / 100)
  is(world.replica('n0').stats().tombstones, 1, 'kept while a rostered node is away')
  world.start('n3')
  world.write('n3', key, { uid: UID('a'), text: 'an edit before it met anybody' })
  ok(world.converge(10_000))
  for (const { id } of world.hosts) is(world.replica(id).entry(key), undefined)
  world.run(EVIDENCE_MS + 60_000)
  for (const { id } of world.hosts) {
    is(world.replica(id).stats().tombstones, 0, 'collected once all hold it')
    ok(world.replica(id).removed(UID('a')))
  }
})

test('a new life of a name is later than the one that it follows, also where that one lives on', () => {
  const world = new ReplicationWorld(13, 4)
  const key = 'workload/p/web'
  world.stop('n3')
  for (const text of ['v1', 'v2', 'v3']) world.write('n0', key, { uid: UID('a'), text })
  ok(world.converge(2_000))
  world.cut(['n0', 'n3'], ['n1', 'n2'])
  world.write('n0', key, { uid: UID('a'), remove: true })
  world.write('n0', key, { uid: UID('b'), text: 'new' })
  const late = world.replica('n1').entry(key)?.current
  const fresh = world.replica('n0').entry(key)?.current
  ok((fresh?.body.order ?? 0) > (late?.body.order ?? 0))
})

test('a tombstone is collected when the absent node is forgotten', () => {
  const world = new ReplicationWorld(12, 3)
  world.write('n0', 'workload/p/web', { uid: UID('a'), text: 'v1' })
  world.run(1_000)
  world.stop('n2')
  world.write('n0', 'workload/p/web', { uid: UID('a'), remove: true })
  world.run(2 * EVIDENCE_MS)
  is(world.replica('n1').stats().tombstones, 1)
  world.forget('n2')
  world.run(60_000)
  is(world.replica('n1').stats().tombstones, 0)
  is(world.host('n1').disk.get(`removed/${UID('a')}`)?.byteLength, 3, 'a frame with null')
  world.stop('n1')
  world.start('n1')
  ok(world.replica('n1').removed(UID('a')), 'the uid is on disk for good')
})

test('records of an owner that was forgotten do not come back from a disk that missed it', () => {
  const world = new ReplicationWorld(13, 3)
  world.own('n2', 'alloc/u/0', 'healthy')
  ok(world.converge(2_000))
  world.stop('n2')
  const [key, value] = [...world.host('n0').disk].find(([one]) => one.startsWith('own/n2')) ?? []
  ok(key !== undefined && value !== undefined)
  world.forget('n2')
  world.stop('n0')
  // Not synced: a crash may bring it back.
  world.host('n0').disk.set(key, value)
  world.start('n0')
  ok(world.converge(10_000))
  is(world.replica('n0').own('n2').size, 0)
  ok(!world.host('n0').disk.has(key))
})

test('records of a dead owner stay until the roster forgets it', () => {
  const world = new ReplicationWorld(13, 3)
  world.own('n2', 'alloc/u/0', 'healthy')
  ok(world.converge(2_000))
  world.stop('n2')
  world.run(60_000)
  is(world.replica('n0').own('n2').size, 1)
  world.forget('n2')
  is(world.replica('n0').own('n2').size, 0)
  equal(world.events('n0', 'own').at(-1), {
    kind: 'own',
    node: 'n2',
    key: 'alloc/u/0',
    value: null
  })
  is([...world.host('n0').disk.keys()].filter(key => key.startsWith('own/n2')).length, 0)
})

test('a restarted owner keeps its old records visible until it says what it means to hold', () => {
  const world = new ReplicationWorld(14, 3)
  world.own('n1', 'alloc/u/0', 'healthy')
  world.own('n1', 'alloc/u/1', 'healthy')
  ok(world.converge(2_000))
  world.stop('n1')
  world.start('n1')
  world.run(5_000)
  is(world.replica('n0').own('n1').size, 2)
  world.own('n1', 'alloc/u/1', 'healthy')
  world.own('n1', 'info', 'back')
  world.run(1_000)
  is(world.replica('n0').own('n1').size, 3)
  world.command('n1', { kind: 'complete' })
  world.run(1_000)
  equal([...world.replica('n0').own('n1').keys()].sort(), ['alloc/u/1', 'info'])
})

test('deleted keys are collected by a marker, and a replay does not undo it', () => {
  const world = new ReplicationWorld(15, 3)
  world.faults = { loss: 0, duplicate: 0, replay: 1_000, delayMs: 5 }
  for (let i = 0; i < 100; i++) world.own('n0', `duel/${i}`, 'x')
  world.own('n0', 'info', 'stays')
  world.run(100)
  for (let i = 0; i < 100; i++) world.own('n0', `duel/${i}`, null)
  world.run(100)
  ok(world.converge(5_000))
  ok(world.replica('n1').stats().ownRecords <= 3, 'the marker and what is left')
  world.run(200_000)
  ok(world.converge(5_000))
  equal([...world.replica('n2').own('n0').keys()], ['info'])
})

test('an old backup rises above what peers hold of it, and its own word wins', () => {
  const world = new ReplicationWorld(16, 3)
  world.own('n0', 'info', 'first')
  world.run(1_000)
  const old = world.backup('n0')
  for (let i = 0; i < 50; i++) {
    world.own('n0', 'info', `later ${i}`)
    world.run(20)
  }
  world.own('n0', 'alloc/u/0', 'claimed after the backup')
  world.run(1_000)
  world.stop('n0')
  world.restore('n0', old)
  world.host('n0').starts = 0
  world.start('n0')
  world.own('n0', 'info', 'restored')
  ok(world.converge(10_000))
  for (const id of ['n0', 'n1', 'n2']) {
    is(new TextDecoder().decode(world.replica(id).own('n0').get('info')), 'restored')
    is(world.replica(id).own('n0').size, 2, 'the claim that the backup forgot came back')
  }
})

test('an amnesiac node acknowledges nothing and says nothing until a peer has filled it', () => {
  const world = new ReplicationWorld(17, 3)
  world.own('n0', 'info', 'n0')
  world.own('n2', 'alloc/u/0', 'mine')
  world.write('n0', 'workload/p/web', { text: 'v1' })
  ok(world.converge(2_000))
  world.stop('n2', 'wipe')
  world.cut(['n2'], ['n0', 'n1'])
  world.start('n2', true)
  world.own('n2', 'info', 'too early')
  world.write('n2', 'setting/x', { text: 'too early' })
  world.run(10_000)
  is(world.events('n2', 'refused').at(-1)?.reason, 'amnesiac')
  is(world.replica('n2').own('n2').size, 0)
  is(world.events('n2', 'resynced').length, 0)
  world.heal()
  ok(world.converge(5_000))
  is(world.events('n2', 'resynced').length, 1)
  is(world.replica('n2').amnesiac, false)
  equal([...world.replica('n0').own('n2').keys()].sort(), ['alloc/u/0', 'info'])
})

test('a newcomer that is not in yet cures no amnesiac', () => {
  const world = new ReplicationWorld(9, 1)
  world.write('n0', 'workload/p/web', { text: 'v1' })
  world.join('n1')
  world.forget('n1')
  world.stop('n1', 'wipe')
  world.start('n1')
  world.stop('n0', 'wipe')
  world.start('n0', true)
  world.run(20_000)
  ok(world.replica('n0').amnesiac, 'n1 knows nothing either')
  is(world.text('n1', 'workload/p/web'), undefined)
})

test('two amnesiacs do not cure each other', () => {
  const world = new ReplicationWorld(18, 2)
  world.run(10_000)
  for (const { id } of world.hosts) world.stop(id, 'wipe')
  for (const { id } of world.hosts) world.start(id, true)
  world.run(60_000)
  for (const { id } of world.hosts) ok(world.replica(id).amnesiac)
})

test('a power cut loses no acknowledged write', () => {
  const world = new ReplicationWorld(19, 3)
  world.write('n0', 'workload/p/web', { text: 'v1' })
  world.run(300)
  ok(world.events('n0', 'ack').at(-1)?.final)
  for (const { id } of world.hosts) world.stop(id, 'power')
  world.start('n1')
  world.start('n2')
  world.start('n0')
  ok(world.converge(5_000))
  is(world.text('n2', 'workload/p/web'), 'v1')
})

test('nothing of our own leaves before the incarnation is known', () => {
  const sealer = createPlainSealer('n0')
  const replica = new Replica({ random: new SeededRandom(1), sealer, codec }, { boot: 'b' })
  replica.handle({ kind: 'start', persisted: [], amnesiac: false }, 0)
  const members = { kind: 'members' as const, alive: ['n0', 'n1'], rostered: ['n0', 'n1'] }
  replica.handle({ kind: 'command', command: members }, 0)
  const own = { kind: 'own' as const, key: 'info', value: bytesOf('x') }
  const early = replica.handle({ kind: 'command', command: own }, 1)
  early.push(...replica.handle({ kind: 'timer', timer: { kind: 'flush' } }, 6))
  equal(
    early.map(effect => effect.kind),
    ['schedule']
  )
  const settled = { kind: 'incarnation' as const, incarnation: 4 }
  replica.handle({ kind: 'command', command: settled }, 500)
  const late = replica.handle({ kind: 'timer', timer: { kind: 'flush' } }, 505)
  equal(
    late.map(effect => effect.kind),
    ['persist', 'notify', 'publish']
  )
})

test.run()
