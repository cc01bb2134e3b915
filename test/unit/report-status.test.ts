/** Status says what is so now: what runs elsewhere, and what keeps it from converging. */
import { equal, is, match } from 'uvu/assert'
import type { View } from '../../node/agent/view.ts'
import { reportStatus } from '../../node/report/status.ts'
import { allocation, DATA_VOLUME, member, spec, viewOf } from '../helpers/agent.ts'
import { NO_EXTRA, reportOf } from '../helpers/report.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('report: status')

function claim(view: View, node: string, slot: number, fields = {}): void {
  view.setOwn(node, `alloc/u0/${slot}`, allocation({ claim: `${node}${slot}`, ...fields }))
}

const status = (view: View) => reportStatus(reportOf(view), NO_EXTRA)

test('moved counts what runs elsewhere, the others are said as being moved', () => {
  const view = viewOf(['n1', 'n2', 'n3'], [spec({ replicas: 3 })])
  for (const slot of [0, 1, 2]) claim(view, 'n3', slot)
  view.setMember(member('n3', 'dead'))
  claim(view, 'n1', 0)
  claim(view, 'n2', 1, { state: 'starting' })
  const [trouble] = status(view).notOk
  is(trouble?.moved, 1)
  equal(trouble?.waits.length, 2)
  match(trouble?.waits[0] ?? '', /^demo\/web\/1 is being moved to n[12]$/)
  match(trouble?.waits[1] ?? '', /^demo\/web\/2 is being moved to n[12]$/)
})

test('of a suspect node nothing is moved', () => {
  const view = viewOf(['n1', 'n2'], [spec()])
  claim(view, 'n2', 0)
  view.setMember(member('n2', 'suspect'))
  const [trouble] = status(view).notOk
  equal([trouble?.moved, trouble?.waits], [0, []])
})

test('what waits for its data waits, and is not being moved', () => {
  const view = viewOf(['n1', 'n2'], [spec({ volumes: [DATA_VOLUME] })])
  claim(view, 'n2', 0)
  view.setMember(member('n2', 'dead'))
  const [trouble] = status(view).notOk
  equal([trouble?.moved, trouble?.waits], [0, ['demo/web/0 waits for its data']])
  equal(trouble?.do, ['power n2 on', 'shoal volume abandon data'])
})

test('copies without a seat that keep the mesh from converging are named with their nodes', () => {
  const view = viewOf(['n1', 'n2', 'n3'], [spec({ replicas: 2 })])
  const targets = reportOf(view).agent.placing.targets(view.workloads.get('u0')!)
  const [first = '', second = ''] = [...targets.values()]
  const third = ['n1', 'n2', 'n3'].find(node => node !== first && node !== second) ?? ''
  claim(view, first, 0)
  claim(view, second, 1)
  equal([status(view).converged, status(view).notOk], [true, []])
  claim(view, third, 0)
  claim(view, third, 1, { state: 'stopping' })
  const before = status(view)
  is(before.converged, false)
  equal(
    before.notOk.map(one => one.what),
    [`2 surplus copies stop on ${third}`]
  )
})

test('what restarts again and again is not said to do so since its last start', () => {
  const view = viewOf(['n1'], [spec({ replicas: 1 })])
  const reason = 'exited with code 3 3 times, restarts'
  claim(view, 'n1', 0, { state: 'starting', reason })
  const [trouble] = status(view).notOk
  equal([trouble?.what, trouble?.since], [`demo/web/0 on n1: ${reason}`, null])
})

test('copies of a removed workload are named too', () => {
  const view = viewOf(['n1', 'n2'], [spec()])
  claim(view, 'n1', 0)
  claim(view, 'n2', 0)
  view.setShared({
    key: 'workload/demo/web',
    uid: undefined,
    value: null,
    losers: [],
    conflicts: 0
  })
  equal(
    status(view).notOk.map(one => one.what),
    ['1 surplus copy stops on n1, 1 on n2']
  )
})

test.run()
