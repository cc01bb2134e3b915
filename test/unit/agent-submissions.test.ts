import { equal } from 'uvu/assert'
import { codec } from '../../gossip/codec.ts'
import { Submissions } from '../../node/agent/submissions.ts'
import { spec, viewOf } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: submissions and disks')

function open(): Submissions {
  return new Submissions({
    codec,
    view: viewOf(['a']),
    replica: { repeated: () => [], isForgetful: () => false }
  })
}

function ask(submissions: Submissions, operation: string) {
  return submissions.submit({
    kind: 'submit',
    operation,
    submission: { kind: 'apply', project: 'demo', workloads: [spec()], prune: false },
    waitMs: 1_000,
    wallMs: 0
  })
}

test('who leaves says that it is not known what becomes of what waits for disks', () => {
  const submissions = open()
  equal(ask(submissions, 'op-1').effects, [])
  const [effect] = submissions.end()
  const answer = effect?.kind === 'reply' ? effect.answer : undefined
  equal(answer?.ok === false ? answer.code : '', 'UNKNOWN_OUTCOME')
  const ack = { kind: 'ack', disks: 1, wanted: 1, final: true } as const
  const dot = { node: 'a', boot: 'b', counter: 1 }
  equal(submissions.answered({ ...ack, dot, operation: 'op-1#workload/demo/web' }), [])
})

/** The code of a refusal; '' when it is on its way. */
function refusal({ commands, effects }: ReturnType<typeof ask>): string {
  const [effect] = effects
  if (effect === undefined) return ''
  equal(commands, [])
  const answer = effect.kind === 'reply' ? effect.answer : undefined
  return answer?.ok === false ? answer.code : ''
}

test('who has left takes no more submissions', () => {
  const submissions = open()
  submissions.end()
  equal(refusal(ask(submissions, 'op-2')), 'UNAVAILABLE')
})

test('who has left has left, also when its goodbye is cut short', () => {
  const submissions = open()
  submissions.leave(true)
  submissions.end()
  submissions.leave(false)
  equal(refusal(ask(submissions, 'op-1')), 'UNAVAILABLE')
})

test('who is about to leave takes none either, until it has to stay', () => {
  const submissions = open()
  equal(refusal(ask(submissions, 'op-1')), '')
  submissions.leave(true)
  equal(refusal(ask(submissions, 'op-2')), 'UNAVAILABLE')
  submissions.leave(false)
  equal(refusal(ask(submissions, 'op-3')), '')
})

test.run()
