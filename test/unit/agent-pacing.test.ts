import { equal, ok } from 'uvu/assert'
import { DEFAULT_AGENT_CONFIG } from '../../node/agent/config.ts'
import { Pacing } from '../../node/agent/pacing.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: pacing')

function pacing(nodes: number): Pacing {
  const made = new Pacing({ config: DEFAULT_AGENT_CONFIG })
  for (let index = 0; index < nodes; index++) made.member(`n${index}`, true, 0)
  return made
}

test('half of a mesh may vanish without the brake, more than half may not', () => {
  const half = pacing(4)
  half.member('n1', false, 100_000)
  half.member('n2', false, 100_000)
  equal(half.brake(100_000), undefined)
  half.member('n3', false, 100_001)
  equal(half.brake(100_001), 100_001)
})

test('of two nodes one may vanish without the brake', () => {
  const two = pacing(2)
  two.member('n1', false, 5_000)
  equal(two.brake(5_000), undefined)
})

test('the brake lets one takeover start at once, then one a second, and lifts after a minute', () => {
  const braked = pacing(4)
  for (const node of ['n1', 'n2', 'n3']) braked.member(node, false, 10_000)
  equal(braked.takeoverWaitMs(10_000), 0)
  equal(braked.takeoverWaitMs(10_000), 1_000)
  equal(braked.takeoverWaitMs(10_400), 600)
  equal(braked.takeoverWaitMs(11_000), 0)
  equal(braked.takeoverWaitMs(70_000), 0)
  equal(braked.takeoverWaitMs(70_000), 0)
  equal(braked.brake(70_000), undefined)
})

test('who vanishes again while the brake is on keeps it on for another minute', () => {
  const braked = pacing(3)
  for (const node of ['n1', 'n2']) braked.member(node, false, 10_000)
  for (const node of ['n1', 'n2']) braked.member(node, true, 20_000)
  for (const node of ['n1', 'n2']) braked.member(node, false, 60_000)
  equal(braked.brake(119_999), 60_000)
  equal(braked.brake(120_000), undefined)
})

test('nodes that vanish more than a minute apart never add up', () => {
  const slow = pacing(4)
  slow.member('n1', false, 100_000)
  slow.member('n2', false, 161_000)
  slow.member('n3', false, 222_000)
  equal(slow.brake(222_000), undefined)
})

test('a member that leaves on purpose did not vanish', () => {
  const left = pacing(3)
  left.left('n1')
  left.member('n2', false, 1_000)
  equal(left.brake(1_000), undefined)
})

test('moves are six a minute on average, and never more than six at once', () => {
  const moves = pacing(1)
  let now = 0
  let moved = 0
  for (; now < 600_000; now += 100) if (moves.moveWaitMs(now) === 0) moved += 1
  ok(moved >= 59 && moved <= 66, `${moved} moves in ten minutes`)
  let burst = 0
  for (now = 1_200_000; moves.moveWaitMs(now) === 0; ) burst += 1
  equal(burst, 6)
})

test.run()
