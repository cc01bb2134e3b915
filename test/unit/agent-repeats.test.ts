/** An operation that is asked for again: told from what it did, never from what it would do. */
import { equal, ok } from 'uvu/assert'
import type { Repeated } from '../../gossip/core/replication/api.ts'
import type { Prepared, Refusal, Submission } from '../../node/agent/api.ts'
import { prepare, requestOf } from '../../node/agent/prepare.ts'
import { withoutRepeats } from '../../node/agent/repeats.ts'
import type { View } from '../../node/agent/view.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { spec, viewOf } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: repeated operations')

const OPERATION = 'op-1'

type Part = Omit<Repeated, 'request'>

function part(name: string, parts = 1): Part {
  return { key: `workload/demo/${name}`, uid: 'u0', parts }
}

/** `forgetful`: keys whose registers were written often since. */
function again(
  view: View,
  submission: Submission,
  known: readonly Part[],
  { first = submission, forgetful = [] as readonly string[] } = {}
): Prepared | Refusal {
  const prepared = prepare(view, submission, OPERATION)
  const repeated = known.map(one => ({ ...one, request: requestOf(first) }))
  const replica = {
    repeated: () => repeated,
    isForgetful: (key: string) => forgetful.includes(key)
  }
  return withoutRepeats({ view, replica }, submission, prepared, OPERATION)
}

function fine(result: Prepared | Refusal): Prepared {
  if ('ok' in result) throw new Error(result.message)
  return result
}

const remove: Submission = { kind: 'remove', project: 'demo', name: 'web' }
const apply = (...workloads: WorkloadSpec[]): Submission => ({
  kind: 'apply',
  project: 'demo',
  workloads,
  prune: false
})

test('a removal that was done before removes no later life of the name', () => {
  const view = viewOf(['a'], [spec({ name: 'web' })])
  const result = fine(again(view, remove, [{ ...part('web'), uid: 'an-earlier-life' }]))
  equal(result.writes, [])
  equal(result.confirms, ['workload/demo/web'])
  equal(
    result.changes.map(one => [one.change, one.uid]),
    [['repeated', 'an-earlier-life']]
  )
})

test('a removal whose answer was lost is no NOT_FOUND when it is asked again', () => {
  const result = fine(again(viewOf(['a']), remove, [part('web')]))
  equal(result.confirms, ['workload/demo/web'])
  equal(result.changes[0]?.change, 'repeated')
})

test('what was written is not written again, also when it would be something else by now', () => {
  const view = viewOf(['a'], [spec({ name: 'web', replicas: 7, env: { A: 'later' } })])
  const wish = apply(spec({ name: 'web', env: { A: 'first' } }))
  const result = fine(again(view, wish, [part('web')]))
  equal(result.writes, [])
  equal(result.changes[0]?.change, 'repeated')
  equal(result.changes[0]?.replicas, 7)
})

test('what of it never arrived here is done now', () => {
  const wish = apply(spec({ name: 'web' }), spec({ name: 'db' }))
  const result = fine(again(viewOf(['a']), wish, [part('web', 2)]))
  equal(
    result.writes.map(write => write.key),
    ['workload/demo/db']
  )
  equal(
    result.changes.map(one => [one.name, one.change]),
    [
      ['web', 'repeated'],
      ['db', 'created']
    ]
  )
})

test('what it found as it was asked for is left alone, whatever it has become', () => {
  const view = viewOf(['a'], [spec({ name: 'web' }), spec({ name: 'db', env: { A: 'later' } })])
  const wish = apply(spec({ name: 'web' }), spec({ name: 'db', env: { A: 'first' } }))
  const result = fine(again(view, wish, [part('web')]))
  equal(result.writes, [])
  equal(
    result.changes.map(one => [one.name, one.change]),
    [
      ['web', 'repeated'],
      ['db', 'unchanged']
    ]
  )
})

test('what was made since is not removed with the rest of its project', () => {
  const view = viewOf(['a'], [spec({ name: 'db' })])
  const project: Submission = { kind: 'remove', project: 'demo', name: undefined }
  equal(fine(again(view, project, [part('web')])).writes, [])
  const prune: Submission = { ...apply(spec({ name: 'web' })), prune: true } as Submission
  equal(fine(again(view, prune, [part('web', 2), part('cache', 2)])).writes, [])
})

test('an operation of which it cannot be told what is lacking is not guessed at', () => {
  const view = viewOf(['a'], [spec({ name: 'db' }), spec({ name: 'cache' })])
  const project: Submission = { kind: 'remove', project: 'demo', name: undefined }
  const three = apply(spec({ name: 'web' }), spec({ name: 'db' }), spec({ name: 'cache' }))
  const two = apply(spec({ name: 'web' }), spec({ name: 'db', replicas: 3 }))
  for (const result of [
    again(view, project, [part('web', 2)]),
    // It wrote one of the two others.
    again(view, three, [part('web', 2)]),
    // It may have written this one, before all that was written since.
    again(view, two, [part('web', 2)], { forgetful: ['workload/demo/db'] })
  ]) {
    ok('ok' in result && result.code === 'UNKNOWN_OUTCOME')
  }
})

test('an id that was used for another wish is refused', () => {
  const view = viewOf(['a'], [spec({ name: 'web' })])
  const web = apply(spec({ name: 'web' }))
  const cases: readonly (readonly [Submission, Submission])[] = [
    [remove, web],
    [apply(spec({ name: 'web', replicas: 2 })), web],
    [apply(spec({ name: 'other' })), web],
    [{ ...remove, name: 'other' }, remove],
    [{ ...remove, project: 'another' }, remove],
    [remove, { ...remove, name: undefined }]
  ]
  for (const [submission, first] of cases) {
    const result = again(view, submission, [part('web')], { first })
    ok('ok' in result && result.code === 'CONFLICT', JSON.stringify(submission))
  }
})

test.run()
