import { equal } from 'uvu/assert'
import type { AgentEffect } from '../../node/agent/api.ts'
import { LANES_MAX, Lanes } from '../../node/agent/lanes.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: lanes')

const send = (to: string, channel: 'member' | 'sync'): AgentEffect =>
  ({ kind: 'send', to, channel, message: { kind: 'x' } }) as unknown as AgentEffect
const persist = (key: string): AgentEffect => ({
  kind: 'persist',
  records: [{ key, value: new Uint8Array() }],
  sync: true
})
const names = (released: ReturnType<Lanes['push']>): string[] =>
  released.effects.map(({ effect }) => (effect.kind === 'send' ? effect.to : effect.kind))

test('what follows a persist waits until it is on disk', () => {
  const lanes = new Lanes()
  equal(names(lanes.push([send('a', 'sync'), persist('own/x'), send('b', 'sync')])), [
    'a',
    'persist'
  ])
  equal(names(lanes.push([send('c', 'sync')])), [])
  equal(names(lanes.written('state')), ['b', 'c'])
})

test('a slow disk of the state never delays a heartbeat', () => {
  const lanes = new Lanes()
  lanes.push([persist('shared/x')])
  equal(names(lanes.push([send('heartbeat', 'member'), send('late', 'sync')])), ['heartbeat'])
})

test('what comes during a write is one batch, with the last word on each key, and all waits for it', () => {
  const lanes = new Lanes()
  const last: AgentEffect = { ...persist('own/2'), sync: false } as AgentEffect
  lanes.push([persist('own/1'), send('a', 'sync'), persist('own/2'), send('b', 'sync')])
  lanes.push([persist('own/3'), last, send('c', 'sync')])
  const { effects } = lanes.written('state')
  equal(names({ effects, overflow: false }), ['a', 'persist'])
  const batch = effects[1]?.effect as Extract<AgentEffect, { kind: 'persist' }>
  equal(batch.sync, true)
  equal(
    batch.records.map(({ key }) => key),
    ['own/2', 'own/3']
  )
  equal(names(lanes.push([send('d', 'sync')])), [])
  equal(names(lanes.written('state')), ['b', 'c', 'd'])
  equal(names(lanes.push([persist('own/4'), send('e', 'sync')])), ['persist'])
})

test('of a state that is written again and again no more waits than there is of it', () => {
  const lanes = new Lanes()
  lanes.push([persist('own/0')])
  for (let i = 0; i < 2 * LANES_MAX; i += 1) {
    equal(lanes.push([persist(`own/${i % 10}`)]).overflow, false)
  }
})

test('timers and events wait for no disk', () => {
  const lanes = new Lanes()
  lanes.push([persist('own/1')])
  const timer: AgentEffect = { kind: 'schedule', afterMs: 1, timer: { core: 'agent', token: 1 } }
  equal(names(lanes.push([timer])), ['schedule'])
})

test('a disk that takes nothing any more is an overflow, not a leak', () => {
  const lanes = new Lanes()
  const many = Array.from({ length: LANES_MAX + 2 }, (_, i) => persist(`own/${i}`))
  equal(lanes.push(many).overflow, true)
})

test('messages that wait for long are dropped first, what must happen is kept in order', () => {
  const lanes = new Lanes()
  const reply = { kind: 'reply', operation: 'o' } as unknown as AgentEffect
  lanes.push([persist('own/1'), send('old', 'sync'), reply, persist('own/2')])
  const many = Array.from({ length: LANES_MAX + 1 }, () => send('a', 'sync'))
  equal(lanes.push(many).overflow, false)
  lanes.push([send('new', 'sync')])
  equal(names(lanes.written('state')), ['reply', 'persist'])
  equal(names(lanes.written('state')), ['new'])
})

test.run()
