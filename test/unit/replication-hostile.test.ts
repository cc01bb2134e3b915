import { equal, is, match, ok } from 'uvu/assert'
import type { OwnBody, SharedBody } from '../../gossip/core/replication/api.ts'
import * as limits from '../../gossip/core/replication/constants.ts'
import { packHashes } from '../../gossip/core/replication/hash.ts'
import { readReplicationMessage } from '../../gossip/core/replication/message.ts'
import type { Signed } from '../../gossip/core/signed.ts'
import {
  bytesOf,
  codec,
  createPlainSealer,
  ReplicationWorld
} from '../helpers/replication-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('replication, hostile peers')
const BOOT = 'b'.repeat(32)

const ownBody: OwnBody = {
  ...{ kind: 'own', node: 'n1', incarnation: 1, counter: 1, key: 'info' },
  value: bytesOf('x')
}
const sharedBody: SharedBody = {
  ...{ kind: 'shared', key: 'workload/p/web', uid: 'a'.repeat(32) },
  ...{ dot: { node: 'n1', boot: BOOT, counter: 1 }, vector: [], remove: false },
  ...{ value: bytesOf('x'), operation: 'op', parts: 1, request: 'r', wroteAtMs: 0 },
  ...{ order: 1, base: 0, ends: [], past: [] }
}

function sign(body: unknown, author = 'n1'): Signed {
  return createPlainSealer(author).seal(body)
}

function delta(body: unknown, author = 'n1'): unknown {
  return { kind: 'delta', records: [sign(body, author)] }
}

test('sound messages of every kind are read', () => {
  const hash = packHashes([1])
  const messages = [
    delta(ownBody),
    delta(sharedBody),
    { kind: 'store', record: sign(sharedBody) },
    { kind: 'stored', key: 'k', dot: sharedBody.dot, held: true },
    { kind: 'digest', own: hash, shared: hash, amnesiac: false },
    { kind: 'same', own: hash, shared: hash, amnesiac: true },
    {
      ...{ kind: 'summary', owners: packHashes([1, 2]), amnesiac: false },
      buckets: packHashes(new Array(limits.BUCKET_COUNT).fill(0))
    },
    { kind: 'want', owners: [{ owner: hash, have: hash }], buckets: [{ bucket: 63, have: hash }] },
    {
      ...{ kind: 'records', records: [sign(ownBody)], removed: ['a'.repeat(32)], lack: hash },
      ...{ last: true, complete: true, pages: 1 }
    }
  ]
  for (const message of messages) ok(readReplicationMessage(message), JSON.stringify(message))
})

test('a record whose signer is not its owner is refused', () => {
  is(readReplicationMessage(delta(ownBody, 'n2')), undefined)
  is(readReplicationMessage(delta(sharedBody, 'n2')), undefined)
})

test('fields of the wrong shape, sign or size refuse the message', () => {
  const owns: Partial<Record<keyof OwnBody, unknown>>[] = [
    { node: '' },
    { node: 7 },
    { incarnation: -1 },
    { incarnation: 2 ** 53 },
    { incarnation: 1.5 },
    { counter: Number.NaN },
    { counter: '1' },
    { key: 'k'.repeat(limits.KEY_LENGTH_MAX + 1) },
    { key: null },
    { value: 'text' },
    { value: new Uint8Array(limits.OWN_VALUE_BYTES_MAX + 1) },
    { key: '', value: new Uint8Array(7) },
    { key: '', value: null }
  ]
  for (const change of owns) {
    const message = delta({ ...ownBody, ...change })
    is(readReplicationMessage(message), undefined, JSON.stringify(change).slice(0, 80))
  }
  const dot = sharedBody.dot
  const many = (count: number): unknown[] =>
    Array.from({ length: count }, (_, i) => ({ ...dot, node: `x${i}` }))
  const shareds: Partial<Record<keyof SharedBody, unknown>>[] = [
    { uid: 'short' },
    { uid: 'A'.repeat(32) },
    { dot: { ...dot, counter: -1 } },
    { dot: { ...dot, boot: '' } },
    { dot: null },
    { vector: [dot] },
    { vector: [{ ...dot, counter: 2 }] },
    { vector: many(limits.VECTOR_ENTRIES_MAX + 1) },
    { remove: 1 },
    { remove: true },
    { value: new Uint8Array(limits.SHARED_VALUE_BYTES_MAX + 1) },
    { operation: '' },
    { operation: 'o'.repeat(limits.OPERATION_LENGTH_MAX + 1) },
    { wroteAtMs: -1 },
    { order: 0 },
    { order: limits.ORDER_MAX + 1 },
    { base: 1 },
    { base: undefined },
    { ends: [sharedBody.uid] },
    { ends: ['x'] },
    { parts: 0 },
    { parts: 1.5 },
    { request: 7 },
    { past: [{ operation: 'o', dot, request: 'r' }] },
    { past: [{ operation: 'o', dot, parts: 1 }] },
    { past: [{ operation: 'o', parts: 1, request: 'r' }] },
    { past: new Array(limits.PAST_MAX + 1).fill({ operation: 'o', dot, parts: 1, request: 'r' }) }
  ]
  for (const change of shareds) {
    const message = delta({ ...sharedBody, ...change })
    is(readReplicationMessage(message), undefined, JSON.stringify(change).slice(0, 80))
  }
})

test('no value makes the reader throw', () => {
  const odd = [
    undefined,
    null,
    1,
    'delta',
    [],
    {},
    new Uint8Array(3),
    { kind: 'toString' },
    delta(1)
  ]
  for (const value of odd) is(readReplicationMessage(value), undefined)
  for (const kind of ['delta', 'store', 'stored', 'digest', 'same', 'summary', 'want', 'records']) {
    is(readReplicationMessage({ kind }), undefined)
    is(readReplicationMessage({ kind, records: [null], own: 'x', owners: {}, lack: 1 }), undefined)
  }
  const past = new Array(limits.PAGE_RECORDS_MAX + 1).fill(sign(ownBody))
  is(readReplicationMessage({ kind: 'delta', records: past }), undefined)
})

test('kinds of a newer version are left out, unknown fields of it travel on', () => {
  const future = sign({ kind: 'lease-hint', node: 'n1' })
  const message = readReplicationMessage({ kind: 'delta', records: [future, sign(ownBody)] })
  is(message?.kind === 'delta' && message.records.length, 1)
  const world = new ReplicationWorld(1, 3)
  world.run(3_000)
  const wide = sign({ ...sharedBody, node: 'n1', colour: 'blue' })
  const read = readReplicationMessage({ kind: 'delta', records: [wide] })
  ok(read)
  world.input('n0', { kind: 'message', from: 'n1', message: read })
  ok(world.converge(10_000))
  const held = world.replica('n2').entry(sharedBody.key)?.current
  ok(held)
  equal(held.bytes, wide.bytes)
  is((held.body as unknown as { colour: string }).colour, 'blue')
})

test('equal versions with other bytes raise one alarm, and all keep the same of the two', () => {
  const world = new ReplicationWorld(2, 3)
  world.run(3_000)
  const give = (to: string, body: unknown): void => {
    const message = readReplicationMessage(delta(body, 'n2'))
    ok(message)
    world.input(to, { kind: 'message', from: 'n2', message })
  }
  const mine = { ...ownBody, node: 'n2', incarnation: 50 }
  give('n0', { ...mine, value: bytesOf('one') })
  give('n1', { ...mine, value: bytesOf('two') })
  const write = { ...sharedBody, dot: { ...sharedBody.dot, node: 'n2' } }
  give('n0', { ...write, value: bytesOf('one') })
  give('n1', { ...write, value: bytesOf('two') })
  world.cut(['n2'], ['n0', 'n1'])
  ok(
    (() => {
      world.run(20_000)
      return world.replica('n0').digest() === world.replica('n1').digest()
    })()
  )
  const alarms = [...world.events('n0', 'alarm'), ...world.events('n1', 'alarm')]
  equal([...new Set(alarms.map(alarm => alarm.key))].sort(), ['info', 'workload/p/web'])
  is(world.events('n0', 'alarm').filter(alarm => alarm.key === 'info').length <= 1, true)
})

test('a record of somebody whom the roster does not name stays out', () => {
  const world = new ReplicationWorld(3, 2)
  const message = readReplicationMessage(delta({ ...ownBody, node: 'stranger' }, 'stranger'))
  ok(message)
  world.input('n0', { kind: 'message', from: undefined, message })
  is(world.replica('n0').own('stranger').size, 0)
  is(world.replica('n0').stats().dropped['stranger'], 1)
  const rostered = ['n0', 'n1', 'stranger']
  world.command('n0', { kind: 'members', alive: ['n0', 'n1'], rostered })
  is(world.replica('n0').own('stranger').size, 1, 'it was kept for when it is named')
})

test('asking for everything again and again is dropped and counted', () => {
  const world = new ReplicationWorld(4, 2)
  for (let i = 0; i < 200; i++) world.own('n0', `alloc/${i}`, 'x'.repeat(20_000))
  world.run(10_000)
  const before = world.sent.get('records')?.bytes ?? 0
  const owner = { owner: packHashes([0]), have: new Uint8Array(0) }
  const want = { kind: 'want', owners: [owner], buckets: [] } as const
  for (let i = 0; i < 1_000; i++) world.input('n0', { kind: 'message', from: 'n1', message: want })
  ok((world.replica('n0').stats().dropped['rate'] ?? 0) > 900)
  const bytes = (world.sent.get('records')?.bytes ?? 0) - before
  ok(bytes < limits.SERVE_BYTES_BURST * 1.1, `${bytes} bytes`)
})

test('answers that nobody asked for are dropped', () => {
  const world = new ReplicationWorld(5, 2)
  world.run(20_000)
  const hash = packHashes([1])
  const page = { removed: ['c'.repeat(32)], lack: hash, last: true, complete: true, pages: 1 }
  const message = { kind: 'records' as const, records: [], ...page }
  world.input('n0', { kind: 'message', from: 'n1', message })
  is(world.replica('n0').removed('c'.repeat(32)), false)
  is(world.replica('n0').stats().dropped['unasked'], 1)
})

test('only deltas come over the fast path', () => {
  const world = new ReplicationWorld(6, 2)
  const message = { kind: 'digest' as const, own: packHashes([1]), shared: packHashes([1]) }
  world.input('n0', {
    ...{ kind: 'message', from: undefined },
    message: { ...message, amnesiac: false }
  })
  is(world.replica('n0').stats().dropped['channel'], 1)
})

test('a counter at its end stops nobody else from writing', () => {
  const world = new ReplicationWorld(7, 2)
  world.run(3_000)
  const dot = { node: 'n1', boot: BOOT, counter: Number.MAX_SAFE_INTEGER }
  const poison = { ...sharedBody, dot, order: limits.ORDER_MAX, base: limits.ORDER_MAX - 1 }
  const message = readReplicationMessage(delta(poison))
  ok(message)
  world.input('n0', { kind: 'message', from: 'n1', message })
  for (const text of ['one', 'two', 'three']) {
    world.write('n0', 'workload/p/web', { text })
    is(world.text('n0', 'workload/p/web'), text)
    equal(world.replica('n0').entry('workload/p/web')?.conflicts, [])
  }
  ok(world.converge(10_000))
  is(world.text('n1', 'workload/p/web'), 'three')
})

for (const order of [1, 5, limits.ORDER_MAX - 1, limits.ORDER_MAX]) {
  test(`a vector that names writes to come beats none of them (order ${order})`, () => {
    const world = new ReplicationWorld(9, 4)
    const key = 'workload/p/web'
    world.run(3_000)
    // One that is away keeps the register from ever being stable, and vectors from being dropped.
    world.stop('n3')
    const counter = Number.MAX_SAFE_INTEGER
    const vector = ['n0', 'n1'].map(node => ({ node, boot: world.host(node).boot, counter }))
    const dot = { node: 'n2', boot: BOOT, counter: 1 }
    const poison = { ...sharedBody, dot, vector, order }
    const message = readReplicationMessage(delta(poison, 'n2'))
    ok(message)
    for (const to of ['n0', 'n1']) world.input(to, { kind: 'message', from: 'n2', message })
    for (const [at, text] of [
      ['n0', 'one'],
      ['n1', 'two'],
      ['n0', 'three']
    ] as const) {
      world.write(at, key, { text })
      world.run(10_000)
      for (const id of ['n0', 'n1', 'n2']) {
        const { current, conflicts } = world.replica(id).entry(key) ?? {}
        const read = [current, ...(conflicts ?? [])].map(write => write?.body.value?.toString())
        ok(read.includes(bytesOf(text).toString()), `${id} has lost ${text}`)
      }
    }
    if (order < limits.ORDER_MAX - 3) is(world.text('n2', key), 'three')
    world.stop('n0')
    world.start('n0')
    world.run(10_000)
    equal(world.replica('n0').stats().dropped['damaged'] ?? 0, 0)
    is(world.replica('n0').digest(), world.replica('n1').digest())
  })
}

test('what this version cannot read stays on its disk, and is no reason to forget the rest', () => {
  const world = new ReplicationWorld(8, 2)
  world.own('n0', 'info', 'x')
  const [web, db] = ['workload/p/web', 'workload/p/db']
  for (const key of [web, db]) world.write('n0', key, { text: 'v1' })
  ok(world.converge(2_000))
  world.stop('n0')
  world.cut(['n0'], ['n1'])
  const { disk } = world.host('n0')
  const unread = [...disk.keys()].filter(key => key.startsWith(`shared/${db}#`))
  is(unread.length, 1)
  for (const key of unread) disk.set(key, codec.encode('of a later version'))
  disk.set('own/n0/other', new Uint8Array([1, 2, 3]))
  world.start('n0')
  is(world.replica('n0').own('n0').size, 1)
  is(world.text('n0', web), 'v1')
  ok(world.replica('n0').amnesiac, 'what it knows is not the whole')
  is(world.replica('n0').unread, 2)
  const [alarm] = world.events('n0', 'alarm')
  match(alarm?.reason ?? '', /cannot read it \(nor 1 others\)/)
  world.heal()
  ok(world.converge(10_000))
  is(world.replica('n0').amnesiac, false)
  is(world.text('n0', db), 'v1')
  for (const key of unread) ok(disk.has(key))
})

test.run()
