import { equal, ok } from 'uvu/assert'
import { LoadFactor } from '../../node/agent/load-factor.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: load factor')
const MINUTE = 60_000

function feed(factor: LoadFactor, load: number, fromMs: number, untilMs: number): number[] {
  const seen: number[] = []
  for (let now = fromMs; now <= untilMs; now += 5_000) {
    const eighths = factor.sample(load, now)
    if (seen.at(-1) !== eighths) seen.push(eighths)
  }
  return seen
}

test('a node that is not loaded offers everything, for ever', () => {
  equal(feed(new LoadFactor({ nowMs: 0 }), 0.8, 0, 60 * MINUTE), [8])
})

test('nothing steps in the first five minutes, then down in one step', () => {
  const factor = new LoadFactor({ nowMs: 0 })
  equal(feed(factor, 4, 0, 5 * MINUTE - 1), [8])
  equal(feed(factor, 4, 5 * MINUTE, 6 * MINUTE), [2])
})

test('up again by one eighth in five minutes', () => {
  const factor = new LoadFactor({ nowMs: 0 })
  feed(factor, 4, 0, 6 * MINUTE)
  equal(feed(factor, 0.2, 6 * MINUTE, 46 * MINUTE), [2, 3, 4, 5, 6, 7, 8])
})

test('load that swings around a step moves nothing', () => {
  const factor = new LoadFactor({ nowMs: 0 })
  feed(factor, 1.6, 0, 6 * MINUTE)
  const settled = factor.eighths
  for (let now = 6 * MINUTE; now < 60 * MINUTE; now += 5_000) {
    factor.sample(now % 10_000 === 0 ? 1.45 : 1.75, now)
  }
  equal(factor.eighths, settled)
})

test('a factor never leaves 2 to 8 eighths', () => {
  const factor = new LoadFactor({ nowMs: 0 })
  feed(factor, 1e9, 0, 30 * MINUTE)
  ok(factor.eighths === 2)
})

test.run()
