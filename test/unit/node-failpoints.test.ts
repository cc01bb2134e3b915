/** Where `SHOAL_FAILPOINT` ends a daemon, and what it says of a bad one. */
import { equal, match, ok } from 'uvu/assert'
import { failpoint } from '../../node/failpoints.ts'
import { POINTS } from '../../node/points.ts'
import { ShoalError } from '../../src/errors.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('node failpoints')

function refusal(text: string): ShoalError {
  try {
    failpoint({ SHOAL_FAILPOINT: text })
  } catch (error) {
    ok(error instanceof ShoalError, String(error))
    return error
  }
  throw new Error(`${text} was accepted`)
}

test('without the variable no passing ends anything', () => {
  for (const env of [{}, { SHOAL_FAILPOINT: '' }]) {
    let killed = 0
    const onPoint = failpoint(env, () => {
      killed += 1
    })
    for (const point of POINTS) onPoint(point)
    equal(killed, 0)
  }
})

test('it kills once, at the n-th passing of its own point', () => {
  for (const point of POINTS) {
    const kills: number[] = []
    let passings = 0
    const onPoint = failpoint({ SHOAL_FAILPOINT: `${point}:3:kill` }, () => kills.push(passings))
    for (passings = 1; passings <= 5; passings++) for (const each of POINTS) onPoint(each)
    equal(kills, [3], point)
  }
})

test('a bad value is a usage error that names the variable and the points', () => {
  for (const text of ['write.after', 'write.after:0:kill', 'write.after:1:stop', '1', ':1:kill']) {
    const error = refusal(text)
    equal([error.code, error.exitCode, error.where], ['USAGE', 2, 'SHOAL_FAILPOINT'])
    match(error.message, /is no failpoint$/)
    match(error.hint ?? '', /write\.before write\.after/)
  }
  match(refusal('write.around:1:kill').message, /^there is no point "write\.around"$/)
})

test.run()
