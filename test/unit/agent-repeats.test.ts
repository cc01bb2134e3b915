/** An operation that is asked for again: told from what it did, never from what it would do. */
import { equal, ok } from 'uvu/assert'
import { decode, encode } from '../../gossip/codec.ts'
import type { Repeated } from '../../gossip/core/replication/api.ts'
import type { Prepared, Refusal, Submission } from '../../node/agent/api.ts'
import { prepare } from '../../node/agent/prepare.ts'
import { readWorkloadRecord, type WorkloadRecord } from '../../node/agent/records.ts'
import { withoutRepeats } from '../../node/agent/repeats.ts'
import type { View } from '../../node/agent/view.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { spec, viewOf } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: repeated operations')

const OPERATION = 'op-1'
const KEY = 'workload/demo/web'

function read(value: Uint8Array | null): WorkloadRecord | undefined {
  if (value === null) return undefined
  return readWorkloadRecord(decode(value), spec => spec as WorkloadSpec)
}

function again(view: View, submission: Submission, repeated: readonly Repeated[]) {
  const prepared = prepare(view, submission, OPERATION)
  return withoutRepeats({ view, read }, submission, prepared, repeated)
}

function fine(result: Prepared | Refusal): Prepared {
  if ('ok' in result) throw new Error(result.message)
  return result
}

function wrote(fields: Partial<WorkloadSpec>, parts = 1): Repeated {
  const record: WorkloadRecord = { spec: spec(fields), generation: 1, created: 1 }
  return { key: KEY, uid: 'u0', parts, write: { remove: false, value: encode(record) } }
}

const GONE: Repeated = { key: KEY, uid: 'u0', parts: 1, write: { remove: true, value: null } }
const remove: Submission = { kind: 'remove', project: 'demo', name: 'web' }
const apply = (...workloads: WorkloadSpec[]): Submission => ({
  kind: 'apply',
  project: 'demo',
  workloads,
  prune: false
})

test('a removal that was done before removes no later life of the name', () => {
  const view = viewOf(['a'], [spec({ name: 'web' })])
  const result = fine(again(view, remove, [{ ...GONE, uid: 'an-earlier-life' }]))
  equal(result.writes, [])
  equal(result.confirms, [KEY])
  equal(
    result.changes.map(one => [one.change, one.uid]),
    [['repeated', 'an-earlier-life']]
  )
})

test('a removal whose answer was lost is no NOT_FOUND when it is asked again', () => {
  const result = fine(again(viewOf(['a']), remove, [GONE]))
  equal(result.confirms, [KEY])
  equal(result.changes[0]?.change, 'repeated')
})

test('what was written is not written again, also when it would be something else by now', () => {
  const view = viewOf(['a'], [spec({ name: 'web', replicas: 7, env: { A: 'later' } })])
  const wish = apply(spec({ name: 'web', env: { A: 'first' } }))
  const result = fine(again(view, wish, [wrote({ name: 'web', env: { A: 'first' } })]))
  equal(result.writes, [])
  equal(result.changes[0]?.change, 'repeated')
  equal(result.changes[0]?.replicas, 7)
})

test('what of it never arrived here is done now', () => {
  const wish = apply(spec({ name: 'web' }), spec({ name: 'db' }))
  const result = fine(again(viewOf(['a']), wish, [wrote({ name: 'web' }, 2)]))
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
  const result = fine(again(view, wish, [wrote({ name: 'web' })]))
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
  equal(fine(again(view, project, [GONE])).writes, [])
  const prune: Submission = { ...apply(spec({ name: 'web' })), prune: true } as Submission
  const one = wrote({ name: 'web' }, 2)
  const pruned = { ...GONE, key: 'workload/demo/cache', parts: 2 }
  equal(fine(again(view, prune, [one, pruned])).writes, [])
})

test('an operation of which it cannot be told what is lacking is not guessed at', () => {
  const view = viewOf(['a'], [spec({ name: 'db' }), spec({ name: 'cache' })])
  const project: Submission = { kind: 'remove', project: 'demo', name: undefined }
  const three = apply(spec({ name: 'web' }), spec({ name: 'db' }), spec({ name: 'cache' }))
  for (const [submission, known] of [
    [project, { ...GONE, parts: 2 }],
    // It wrote one of these two.
    [three, wrote({ name: 'web' }, 2)]
  ] as const) {
    const result = again(view, submission, [known])
    ok('ok' in result && result.code === 'UNKNOWN_OUTCOME', JSON.stringify(submission))
  }
})

test('an id that was used for another wish is refused', () => {
  const view = viewOf(['a'], [spec({ name: 'web' })])
  const cases: readonly (readonly [Submission, Repeated])[] = [
    [remove, wrote({ name: 'web' })],
    [apply(spec({ name: 'web', replicas: 2 })), wrote({ name: 'web' })],
    [apply(spec({ name: 'other' })), wrote({ name: 'web' })],
    [{ kind: 'scale', project: 'demo', name: 'web', replicas: 9 }, wrote({ name: 'web' })],
    [{ ...remove, name: 'other' }, GONE],
    [{ ...remove, project: 'another' }, GONE],
    [apply(spec({ name: 'other' })), { ...GONE, write: undefined }],
    // That one removed the whole project.
    [remove, { ...GONE, parts: 2 }]
  ]
  for (const [submission, repeated] of cases) {
    const result = again(view, submission, [repeated])
    ok('ok' in result && result.code === 'CONFLICT', JSON.stringify(submission))
  }
})

test('what is known by its id only is believed', () => {
  const result = fine(
    again(viewOf(['a']), remove, [{ key: KEY, uid: undefined, parts: 1, write: undefined }])
  )
  equal(result.changes[0]?.uid, '')
})

test.run()
