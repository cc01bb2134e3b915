import { equal, ok } from 'uvu/assert'
import type { Prepared, Submission } from '../../node/agent/api.ts'
import { prepare } from '../../node/agent/prepare.ts'
import { readWorkloadRecord, type WorkloadRecord } from '../../node/agent/records.ts'
import type { View } from '../../node/agent/view.ts'
import { allocation, DATA_VOLUME, member, spec, viewOf } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: submissions')

function prepared(view: View, submission: Submission): Prepared {
  const result = prepare(view, submission, 'op-1')
  if ('ok' in result) throw new Error(result.message)
  return result
}

/** The record that the first write carries. */
function written(result: Prepared): WorkloadRecord {
  const value = result.writes[0]?.value
  if (value === undefined || value === null) throw new Error('nothing was written')
  return value as WorkloadRecord
}

const apply = (...workloads: ReturnType<typeof spec>[]): Submission => ({
  kind: 'apply',
  project: 'demo',
  workloads,
  prune: false
})

test('a new workload gets generation 1 and the same uid wherever the client retries', () => {
  const first = prepared(viewOf(['a']), apply(spec()))
  const second = prepared(viewOf(['a', 'b']), apply(spec()))
  equal(first.writes[0]?.uid, second.writes[0]?.uid)
  equal(first.writes[0]?.uid.length, 32)
  equal(written(first).generation, 1)
})

test('numbers that somebody drove to their end stop nobody from deploying', () => {
  const view = viewOf(['a'], [spec({ name: 'old' })])
  const end = 2 ** 48
  const value: WorkloadRecord = { spec: spec({ name: 'old' }), generation: end, created: end }
  view.setShared({ key: 'workload/demo/old', uid: 'u0', value, losers: [], conflicts: 0 })
  const changed = spec({ name: 'old', env: { VERSION: '2' } })
  for (const one of [spec({ name: 'new' }), changed]) {
    const record = written(prepared(view, apply(one)))
    ok(
      readWorkloadRecord(record, value => value as typeof one),
      'others read what is written'
    )
  }
  ok(!readWorkloadRecord({ ...value, created: end + 1 }, () => spec()), 'and none beyond')
})

test('an equal spec writes nothing', () => {
  const result = prepared(viewOf(['a'], [spec()]), apply(spec()))
  equal(result.writes, [])
  equal(result.changes[0]?.change, 'unchanged')
})

test('a changed template raises the generation, a changed count does not', () => {
  const view = viewOf(['a'], [spec()])
  const scaled = prepared(view, apply(spec({ replicas: 5 })))
  equal(written(scaled).generation, 1)
  equal(scaled.changes[0]?.fields, ['replicas'])
  const rolled = prepared(view, apply(spec({ env: { A: '1' } })))
  equal(written(rolled).generation, 2)
  equal(rolled.writes[0]?.uid, 'u0')
})

test('prune removes what is not in the file any more, and only of its project', () => {
  const view = viewOf(['a'], [spec({ name: 'old' }), spec({ name: 'x', project: 'other' })])
  const submission: Submission = {
    kind: 'apply',
    project: 'demo',
    workloads: [spec({ name: 'new' })],
    prune: true
  }
  const result = prepared(view, submission)
  equal(
    result.changes.map(change => `${change.project}/${change.name} ${change.change}`),
    ['demo/new created', 'demo/old removed']
  )
})

test('a grouped service that is scaled leaves its group', () => {
  const view = viewOf(['a'], [spec({ group: 'demo' })])
  const scale: Submission = { kind: 'scale', project: 'demo', name: 'web', replicas: 3 }
  const value = written(prepared(view, scale))
  equal([value.spec.group, value.spec.replicas], [undefined, 3])
})

test('what is not there cannot be scaled or removed', () => {
  const view = viewOf(['a'])
  const scale = prepare(view, { kind: 'scale', project: 'demo', name: 'no', replicas: 1 }, 'o')
  ok('ok' in scale && scale.code === 'NOT_FOUND')
  const remove = prepare(view, { kind: 'remove', project: 'demo', name: undefined }, 'o')
  ok('ok' in remove && remove.code === 'NOT_FOUND')
})

test('abandon names the claims of dead nodes only, by either name of the volume', () => {
  const view = viewOf(['a', 'b'], [spec({ replicas: 2, volumes: [DATA_VOLUME] })])
  view.setOwn('a', 'alloc/u0/0', allocation({ claim: 'ca' }))
  view.setOwn('b', 'alloc/u0/1', allocation({ claim: 'cb' }))
  const of = (volume: string): Submission => ({
    kind: 'abandon',
    volume,
    project: undefined,
    slot: undefined
  })
  const early = prepare(view, of('data'), 'o')
  ok('ok' in early && early.code === 'CONFLICT', 'its nodes are alive')
  const other = prepare(view, of('nothing'), 'o')
  ok('ok' in other && other.code === 'NOT_FOUND')
  view.setMember(member('b', 'dead'))
  for (const name of ['data', 'demo_data']) {
    const result = prepared(view, of(name))
    equal(
      result.writes.map(write => write.key),
      ['abandon/u0/1']
    )
    equal(result.writes[0]?.value, { claims: ['cb'] })
  }
})

test.run()
