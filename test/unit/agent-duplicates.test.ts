import { equal, ok } from 'uvu/assert'
import { DEFAULT_AGENT_CONFIG as CONFIG } from '../../node/agent/config.ts'
import { allocation, DATA_VOLUME, instance, mark, spec, viewOf } from '../helpers/agent.ts'
import { Side, side } from '../helpers/agent-side.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: duplicate copies')

test('two unrelated copies duel: the older says that it won and pins, nobody stops before', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0, one.generation, 60_000)
  one.claim('b', 0)
  one.targets.set(0, 'b')
  one.decide(0)
  const word = one.view.duel('u0', 0, 'c-a-0', 'c-b-0')
  ok(word !== undefined, 'we have said our run time')
  equal(one.mine(0)?.state, 'healthy')
  one.view.setOwn('b', 'duel/u0/0/c-a-0', { mine: 'c-b-0', theirs: 'c-a-0', bucket: 2 })
  one.decide(100)
  equal([one.mine(0)?.pinned, one.mine(0)?.beats], [true, ['c-b-0']])
  equal(one.mine(0)?.state, 'healthy')
})

test('the loser of a duel stops only when the winner has said so and is healthy', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0, one.generation, 2_000)
  one.claim('b', 0)
  one.targets.set(0, 'a')
  one.decide(0)
  one.view.setOwn('b', 'duel/u0/0/c-a-0', { mine: 'c-b-0', theirs: 'c-a-0', bucket: 25 })
  one.decide(100)
  equal(one.mine(0)?.state, 'healthy')
  one.claim('b', 0, { state: 'running', beats: ['c-a-0'], pinned: true })
  one.decide(200)
  equal(one.mine(0)?.state, 'healthy')
  one.claim('b', 0, { state: 'healthy', beats: ['c-a-0'], pinned: true })
  one.decide(300)
  equal(one.mine(0)?.state, 'stopping')
})

test('of two copies that stand in for a seat where the roll has stopped, one is enough', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0, one.generation, 60_000)
  one.claim('b', 0)
  one.claim('c', 0, { state: 'failed', reason: 'roll stopped: port taken' })
  one.targets.set(0, 'c')
  one.decide(0)
  one.view.setOwn('b', 'duel/u0/0/c-a-0', { mine: 'c-b-0', theirs: 'c-a-0', bucket: 2 })
  one.decide(100)
  const mine = one.mine(0)
  equal([mine?.state, mine?.beats, mine?.pinned], ['healthy', ['c-b-0'], false])
})

test('a copy whose data was given up goes at once, also where it would be chosen again', () => {
  for (const target of ['a', 'b']) {
    const one = side(1, { volumes: [DATA_VOLUME], partition: 'manual' })
    one.claim('a', 0)
    one.targets.set(0, target)
    const value = { claims: ['c-a-0'] }
    one.view.setShared({ key: 'abandon/u0/0', uid: 'x', value, losers: [], conflicts: 0 })
    one.decide(0)
    equal(one.mine(0)?.state, 'stopping')
  }
})

test('a slot that was handed over and is ours again is taken back under a new claim', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0)
  one.claim('b', 0, { state: 'healthy', sequence: 4, replaces: ['c-a-0'] })
  one.targets.set(0, 'a')
  one.decide(0)
  const mine = one.mine(0)
  equal([mine?.state, mine?.sequence, mine?.replaces], ['healthy', 5, ['c-b-0']])
  ok(mine?.claim !== 'c-a-0', 'the claim that was handed over stays so')
  one.decide(100)
  equal(one.mine(0), mine, 'once')
})

test('a slot that is ours again, before the other copy was healthy, starts under a new claim', () => {
  const one = side()
  one.claim('a', 0, { state: 'claimed', ran: true })
  one.claim('b', 0, { state: 'starting', sequence: 4, replaces: ['c-a-0'] })
  one.targets.set(0, 'a')
  one.decide(0)
  const mine = one.mine(0)
  equal([mine?.state, mine?.sequence, mine?.replaces], ['starting', 5, ['c-b-0']])
  ok(mine?.claim !== 'c-a-0', 'two that replace each other would both stand for nothing')
})

test('an ended copy is not restarted to fight a running one for the slot', () => {
  const one = side(1, { volumes: [DATA_VOLUME], partition: 'manual' })
  one.claim('a', 0)
  one.instances.set(0, instance(mark('u0', 0, one.generation), { state: 'exited' }))
  one.claim('b', 0)
  one.targets.set(0, 'b')
  one.decide(0)
  equal(one.mine(0)?.state, 'stopping')
})

test('an ended copy with data waits where it is while nobody else has the slot', () => {
  const one = side(1, { volumes: [DATA_VOLUME], partition: 'manual' })
  one.claim('a', 0)
  one.targets.set(0, 'b')
  one.decide(0)
  equal(one.mine(0)?.state, 'healthy')
})

test('the loser of a name stops only when the winner runs', () => {
  const view = viewOf(['a', 'b'], [spec({ name: 'other' })])
  const one = new Side(view)
  view.setShared({
    key: 'workload/demo/other',
    uid: 'winner',
    value: { spec: spec({ name: 'other' }), generation: 1, created: 1 },
    losers: ['u0'],
    conflicts: 1
  })
  one.claim('a', 0)
  one.runs(0)
  one.decide(0)
  equal(one.mine(0)?.state, 'healthy')
  view.setOwn('b', 'alloc/winner/0', allocation({ claim: 'w' }))
  one.decide(1_000)
  equal(one.mine(0)?.state, 'stopping')
})

test('a pin that a duel left is released after it was stable, by the pacing of moves', () => {
  const one = side(1)
  one.targets.set(0, 'a')
  one.claim('a', 0, { pinned: true, beats: ['gone'] })
  one.runs(0)
  one.decide(0)
  one.decide(5_000)
  equal(one.mine(0)?.pinned, true)
  one.decide(10_000)
  equal([one.mine(0)?.pinned, one.mine(0)?.state], [false, 'healthy'])
})

const DATA = { volumes: [DATA_VOLUME], partition: 'manual' } as const

test('idle data waits while another copy of its slot runs, and goes when that one says so', () => {
  const one = side(1, DATA)
  one.targets.set(0, 'a')
  one.claim('a', 0, { state: 'claimed' })
  one.claim('b', 0)
  one.decide(0)
  one.decide(10_000)
  equal(one.mine(0)?.state, 'claimed', 'two copies of one data set never run for a duel')
  one.claim('b', 0, { beats: ['c-a-0'] })
  one.decide(10_010)
  equal(one.mine(0)?.state, 'stopping')
})

test('a running copy wins at once against idle data that placement prefers', () => {
  const one = side(1, DATA)
  one.targets.set(0, 'b')
  one.claim('a', 0)
  one.runs(0)
  one.claim('b', 0, { state: 'claimed' })
  one.decide(0)
  equal(one.mine(0)?.beats, ['c-b-0'])
  equal(one.mine(0)?.state, 'healthy')
})

test('idle data without a seat keeps its claim; given up, it goes when its seat is elsewhere', () => {
  const one = side(1, DATA)
  one.claim('a', 0, { state: 'claimed' })
  one.decide(0)
  equal(one.mine(0)?.state, 'claimed')
  one.targets.set(0, 'b')
  one.decide(10)
  equal(one.mine(0)?.state, 'stopping')
})

test('a duel goes on when one of the two claims is renewed meanwhile', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0)
  one.claim('b', 0)
  one.targets.set(0, 'a')
  one.decide(0)
  one.claim('a', 0, { claim: 'later' })
  one.decide(10)
  ok(one.view.duel('u0', 0, 'later', 'c-b-0') !== undefined, 'said again for the new claim')
  one.decide(20 + CONFIG.duelSilenceMs)
  equal(one.mine(0)?.beats, ['c-b-0'])
})

test('a word in a duel is taken back with the claim it was about, and only that word', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0)
  one.claim('b', 0)
  one.targets.set(0, 'a')
  one.decide(0)
  one.view.setOwn('c', 'duel/u0/0/c-b-0', { mine: 'c-c-0', theirs: 'c-b-0', bucket: 2 })
  equal(one.decide(10).publish.has('duel/u0/0/c-b-0'), false)
  one.view.setOwn('b', 'alloc/u0/0', null)
  equal(one.decide(20).publish.get('duel/u0/0/c-b-0'), null)
  equal(one.view.duel('u0', 0, 'c-a-0', 'c-b-0'), undefined)
  ok(one.view.duel('u0', 0, 'c-c-0', 'c-b-0') !== undefined)
})

test('the pin of a duel goes when placement cannot keep it', () => {
  const one = side(1)
  one.claim('a', 0, { pinned: true })
  one.runs(0)
  one.decide(0)
  equal([one.mine(0)?.pinned, one.mine(0)?.state], [false, 'healthy'])
})

test.run()
