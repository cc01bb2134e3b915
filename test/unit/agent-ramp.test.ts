import { equal } from 'uvu/assert'
import { Ramp, STARTS_MAX, type StartHistory, withStart } from '../../node/agent/ramp.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: ramp')
const WALL = 1_800_000_000_000

function steps(history: StartHistory | undefined, anyFull = true): number[] {
  const ramp = new Ramp({ history, wallMs: WALL, nowMs: 0 })
  return [0, 29_999, 30_000, 59_999, 60_000].map(now => ramp.eighths(now, anyFull))
}

test('a node that never ran, or was away for less than a minute, offers everything at once', () => {
  equal(steps(undefined), [8, 8, 8, 8, 8])
  equal(steps({ startsMs: [WALL - 90_000], aliveMs: WALL - 59_000 }), [8, 8, 8, 8, 8])
})

test('a node that returns after longer takes its share back in three steps', () => {
  equal(steps({ startsMs: [WALL - 9e6], aliveMs: WALL - 60_000 }), [2, 2, 4, 4, 8])
})

test('nobody ramps when nobody is unramped', () => {
  equal(steps({ startsMs: [WALL - 9e6], aliveMs: WALL - 60_000 }, false), [8, 8, 8, 8, 8])
})

test('a node that flaps waits longer each time, up to ten minutes', () => {
  const flapped = (times: number): StartHistory => ({
    startsMs: Array.from({ length: times }, (_, index) => WALL - 100_000 - index),
    aliveMs: WALL - 70_000
  })
  const delayOf = (times: number): number => {
    const ramp = new Ramp({ history: flapped(times), wallMs: WALL, nowMs: 0 })
    let now = 0
    while (ramp.eighths(now, true) < 8) now += 10_000
    return now - 60_000
  }
  equal([2, 3, 4, 5, 12].map(delayOf), [0, 30_000, 60_000, 120_000, 600_000])
})

test('the history stays short', () => {
  let history: StartHistory | undefined
  for (let start = 0; start < 100; start++) history = withStart(history, start)
  equal(history?.startsMs.length, STARTS_MAX)
  equal(history?.aliveMs, 99)
})

test.run()
