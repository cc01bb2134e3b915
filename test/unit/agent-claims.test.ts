import { equal } from 'uvu/assert'
import { DEFAULT_AGENT_CONFIG as CONFIG } from '../../node/agent/config.ts'
import { DATA_VOLUME, info, member, viewOf } from '../helpers/agent.ts'
import { Side, side } from '../helpers/agent-side.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: claims')

test('a free slot is claimed and started once it has been ours for the settle time', () => {
  const one = side()
  one.targets.set(0, 'a')
  equal(one.decide(0).dueMs, CONFIG.settleMs)
  equal(one.mine(0), undefined)
  one.decide(CONFIG.settleMs)
  equal(one.mine(0)?.state, 'starting')
  equal(one.mine(0)?.ran, true)
})

test('a slot that nobody ever had waits for a newcomer that has not said what it has', () => {
  const one = side()
  one.view.setMember({ ...member('d'), sinceMs: 100 })
  one.targets.set(0, 'a')
  one.decide(200)
  one.decide(200 + CONFIG.settleMs)
  equal(one.mine(0), undefined)
  one.view.setOwn('d', 'info', info('d'))
  one.decide(600 + CONFIG.settleMs)
  equal(one.mine(0)?.state, 'starting')
})

test('a slot with data waits longer for members that came: they may hold it beyond a cut', () => {
  const one = side(1, { volumes: [DATA_VOLUME], partition: 'manual' })
  one.view.setMember({ ...member('d'), sinceMs: 100 })
  one.view.setOwn('d', 'info', info('d'))
  one.targets.set(0, 'a')
  one.decide(200)
  one.decide(99 + CONFIG.dataWaitMs)
  equal(one.mine(0), undefined)
  one.decide(100 + CONFIG.dataWaitMs)
  equal(one.mine(0)?.state, 'starting')
})

test('it waits for a silent newcomer no longer than the limit', () => {
  const one = side()
  one.view.setMember({ ...member('d'), sinceMs: 100 })
  one.targets.set(0, 'a')
  one.decide(200)
  one.decide(99 + CONFIG.infoWaitMs)
  equal(one.mine(0), undefined)
  one.decide(100 + CONFIG.infoWaitMs)
  equal(one.mine(0)?.state, 'starting')
})

test('a slot that a dead node had waits for no newcomer', () => {
  const one = side()
  one.claim('b', 0)
  one.view.setMember({ ...member('b'), state: 'dead' })
  one.view.setMember({ ...member('d'), sinceMs: 100 })
  one.targets.set(0, 'a')
  one.decide(200)
  one.decide(200 + CONFIG.settleMs)
  equal(one.mine(0)?.state, 'starting')
})

test('the settle time is counted anew when the slot was meanwhile not ours', () => {
  const one = side()
  one.targets.set(0, 'a')
  one.decide(0)
  one.targets.set(0, 'b')
  one.decide(200)
  one.targets.set(0, 'a')
  one.decide(310)
  equal(one.mine(0), undefined)
  one.decide(310 + CONFIG.settleMs)
  equal(one.mine(0)?.state, 'starting')
})

test('a slot that a living node holds is taken over paced, and only after it was stable', () => {
  const one = side()
  one.claim('b', 0)
  one.targets.set(0, 'a')
  one.decide(0)
  one.decide(300)
  equal([one.mine(0)?.state, one.mine(0)?.paced], ['claimed', true])
  equal(one.mine(0)?.replaces, ['c-b-0'])
  one.decide(9_999)
  equal(one.mine(0)?.state, 'claimed')
  one.moveWaitMs = 4_000
  equal(one.decide(10_000).dueMs, 4_000)
  equal(one.mine(0)?.state, 'claimed')
  one.moveWaitMs = 0
  one.decide(14_000)
  equal([one.mine(0)?.state, one.mine(0)?.paced], ['starting', false])
})

test('a draining node is taken over from at once', () => {
  const one = side()
  one.view.setMember({ ...member('b'), phase: 'draining' })
  one.claim('b', 0)
  one.targets.set(0, 'a')
  one.decide(0)
  one.decide(300)
  equal(one.mine(0)?.state, 'starting')
})

test('our copy stays until the successor is healthy, then stops', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0)
  one.targets.set(0, 'b')
  one.decide(0)
  equal(one.mine(0)?.state, 'healthy')
  one.claim('b', 0, { state: 'starting', replaces: ['c-a-0'] })
  one.decide(1_000)
  equal(one.mine(0)?.state, 'healthy')
  one.claim('b', 0, { state: 'healthy', replaces: ['c-a-0'] })
  one.decide(2_000)
  equal(one.mine(0)?.state, 'stopping')
})

test('a copy without a successor keeps running when its slot finds no seat at all', () => {
  const one = side(3)
  one.claim('a', 0)
  one.runs(0)
  one.targets = new Map([
    [1, 'b'],
    [2, 'c']
  ])
  one.decide(0)
  equal(one.mine(0)?.state, 'healthy')
})

test('a surplus copy stops once the seats run, and at once when it does not run itself', () => {
  const one = side(2)
  one.claim('a', 2)
  one.runs(2)
  one.claim('a', 3, { state: 'claimed', ran: false })
  one.targets = new Map([
    [0, 'b'],
    [1, 'c']
  ])
  one.claim('b', 0)
  one.claim('c', 1, { state: 'running' })
  one.decide(0)
  // Its number is above the count, as after a move; the copy for it is not there yet.
  equal(one.mine(2)?.state, 'healthy')
  equal(one.mine(3)?.state, 'stopping')
  one.claim('c', 1)
  one.decide(1_000)
  equal(one.mine(2)?.state, 'stopping')
})

test('a changed template rolls in slot order, and stops at the first failure', () => {
  const one = side(3)
  for (const [slot, node] of [
    [0, 'b'],
    [1, 'a'],
    [2, 'c']
  ] as const) {
    one.targets.set(slot, node)
    one.claim(node, slot, { generation: 'old' })
  }
  one.runs(1, 'old')
  one.decide(0)
  equal(one.mine(1)?.generation, 'old')
  one.claim('b', 0, { state: 'running' })
  one.decide(10)
  equal(one.mine(1)?.generation, 'old')
  one.claim('c', 2, { state: 'failed' })
  one.claim('b', 0, { state: 'healthy' })
  one.decide(20)
  equal(one.mine(1)?.generation, 'old')
  one.claim('c', 2, { generation: 'old' })
  one.decide(30)
  equal([one.mine(1)?.generation, one.mine(1)?.state], [one.generation, 'starting'])
})

test('a slot with no running copy starts at the new template directly', () => {
  const one = side(2)
  one.targets.set(1, 'a')
  one.targets.set(0, 'b')
  one.claim('b', 0, { generation: 'old' })
  one.claim('a', 1, { generation: 'old', state: 'starting' })
  one.decide(0)
  equal(one.mine(1)?.generation, one.generation)
})

test('under the brake the claim is made at once and only its start waits', () => {
  const one = side()
  one.takeoverWaitMs = 700
  one.targets.set(0, 'a')
  one.decide(0)
  equal(one.decide(300).publish.size, 1)
  equal([one.mine(0)?.state, one.mine(0)?.paced], ['claimed', true])
  equal(one.decide(400).dueMs, 700)
  one.takeoverWaitMs = 0
  one.decide(1_000)
  equal(one.mine(0)?.state, 'starting')
})

test('a claim that finds no room says so and starts when there is room', () => {
  const one = side()
  one.fits = false
  one.targets.set(0, 'a')
  one.decide(0)
  one.decide(300)
  equal([one.mine(0)?.state, one.mine(0)?.reason], ['claimed', 'waits for room'])
  one.fits = true
  one.decide(1_300)
  equal(one.mine(0)?.state, 'starting')
})

test('two copies that cannot be on their nodes together: one breaks after the handover time', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0)
  one.targets.set(0, 'b')
  one.claim('b', 0, { state: 'claimed', reason: 'waits for room', replaces: ['c-a-0'] })
  equal(one.decide(0).dueMs, CONFIG.handoverMs)
  one.decide(CONFIG.handoverMs - 1)
  equal(one.mine(0)?.state, 'healthy')
  one.decide(CONFIG.handoverMs)
  equal(one.mine(0)?.state, 'stopping')
})

test('a removed workload stops at once, an unknown one only after a while', () => {
  const view = viewOf(['a', 'b'])
  const one = new Side(view)
  one.claim('a', 0)
  one.decide(0)
  equal(one.mine(0)?.state, 'healthy')
  one.decide(CONFIG.orphanMs)
  equal(one.mine(0)?.state, 'stopping')
  const two = new Side(viewOf(['a', 'b']))
  two.claim('a', 0)
  two.removed = true
  two.decide(0)
  equal(two.mine(0)?.state, 'stopping')
})

test('copies that find no seat stay, but no more than the count leaves, each slot once', () => {
  const one = side(3)
  for (const slot of [1, 2, 7]) {
    one.claim('a', slot)
    one.runs(slot)
  }
  one.claim('b', 1)
  one.claim('c', 0)
  one.targets.set(0, 'c')
  one.decide(0)
  equal(one.mine(2)?.state, 'healthy')
  equal(one.mine(7)?.state, 'stopping')
  one.decide(CONFIG.duelSilenceMs)
  equal([one.mine(1)?.state, one.mine(1)?.beats], ['healthy', ['c-b-1']])
})

test.run()
