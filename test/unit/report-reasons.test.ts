/** Reasons name what is missing: a runtime, a label, room, data that is elsewhere. */
import { equal, is, ok } from 'uvu/assert'
import type { View } from '../../node/agent/view.ts'
import { reportWhy } from '../../node/backend/why.ts'
import { Writes } from '../../node/backend/writes.ts'
import { reportWorkload } from '../../node/report/allocations.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { allocation, DATA_VOLUME, info, member, spec, viewOf } from '../helpers/agent.ts'
import { reportOf } from '../helpers/report.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('report: reasons')

const ON_SSD = [{ attribute: 'node.labels.disk', operator: '==', value: 'ssd' }] as const

function reasons(view: View): readonly string[] {
  const rows = reportWorkload(reportOf(view), view.workloads.get('u0')!)
  return rows.map(row => row.reason)
}

/** The lines of `why` about nodes, without the numbers. */
function nodeLines(view: View): readonly string[] {
  const { lines } = reportWhy(reportOf(view), view.workloads.get('u0')!)
  return lines
    .filter(line => line.startsWith('node '))
    .map(line => line.replace(/ \(score .*\)$/, ''))
    .sort()
}

async function planned(view: View, workload: WorkloadSpec): Promise<readonly string[]> {
  const context = reportOf(view)
  const writes = new Writes({
    agent: context.agent,
    clock: context.clock,
    context,
    input: () => {}
  })
  const submission = {
    kind: 'apply' as const,
    project: 'demo',
    workloads: [workload],
    prune: false
  }
  const signal = new AbortController().signal
  const answer = await writes.change('op-12345678', submission, true, signal)
  return answer.changes[0]?.pending ?? []
}

test('a runtime that no node has is named, in ps, in the plan and in why', async () => {
  const view = viewOf(['n1', 'n2'], [spec({ replicas: 2, runtime: 'docker' })])
  equal(reasons(view), ['no alive node runs docker', 'no alive node runs docker'])
  equal(nodeLines(view), ['node n1: refused, runs no docker', 'node n2: refused, runs no docker'])
  const plan = await planned(viewOf(['n1', 'n2']), spec({ replicas: 2, runtime: 'docker' }))
  equal(plan, ['2 replicas: no alive node runs docker'])
})

test('a label that no node has is named as it was asked', async () => {
  const view = viewOf(['n1', 'n2'], [spec({ constraints: ON_SSD })])
  equal(reasons(view), ['no alive node has label disk=ssd'])
  equal(nodeLines(view)[0], 'node n1: refused, label disk=ssd: no')
  equal(await planned(viewOf(['n1']), spec({ constraints: ON_SSD })), [
    '1 replica: no alive node has label disk=ssd'
  ])
})

test('where each node lacks something else, each is named with what it lacks', () => {
  const view = viewOf(['n1', 'n2'], [spec({ runtime: 'docker', constraints: ON_SSD })])
  view.setOwn('n1', 'info', info('n1', { labels: { disk: 'ssd' } }))
  view.setOwn('n2', 'info', info('n2', { runtimes: ['docker'] }))
  equal(reasons(view), ['no alive node fits: n1 runs no docker, n2: label disk=ssd: no'])
})

test('a node that fits but is draining is named', () => {
  const view = viewOf(['n1', 'n2'], [spec({ runtime: 'docker' })])
  view.setOwn('n2', 'info', info('n2', { runtimes: ['docker'], draining: true }))
  equal(reasons(view), ['no alive node runs docker and takes new replicas (draining: n2)'])
})

test('no room on the node that fits: the reason says it of that one, and why not the other', () => {
  const resources = { cpuMillis: 0, memoryMiB: 90_000, cpuLimitMillis: 0, memoryLimitMiB: 0 }
  const view = viewOf(['n1', 'n2'], [spec({ runtime: 'docker', resources })])
  view.setOwn('n2', 'info', info('n2', { runtimes: ['docker'] }))
  equal(reasons(view), ['no node has enough memory left (n1 runs no docker)'])
})

test('pinned data is the reason of the others, not a zone that has its share', () => {
  const view = viewOf(['n1', 'n2'], [spec({ volumes: [DATA_VOLUME] })])
  view.setOwn('n2', 'alloc/u0/0', allocation({ claim: 'c' }))
  equal(nodeLines(view), ['node n1: refused, its data is on n2', 'node n2: chosen for 1, 1 pinned'])
  view.setMember(member('n2', 'dead'))
  equal(nodeLines(view), ['node n1: refused, its data is on n2 (dead 10 s)'])
  equal(reasons(view), ['its data is on n2 (dead 10 s)'])
})

test('data on a node that no longer fits says what that node lacks', () => {
  const view = viewOf(['n1', 'n2'], [spec({ volumes: [DATA_VOLUME], constraints: ON_SSD })])
  view.setOwn('n2', 'alloc/u0/0', allocation({ claim: 'c', state: 'failed' }))
  const { placing } = reportOf(view).agent
  is(placing.seats('u0').pending[0]?.reason, 'pinned node no longer matches')
  const lines = reportWhy(reportOf(view), view.workloads.get('u0')!).lines
  ok(lines.some(line => line.includes('label disk=ssd: no')))
})

test('in a mesh of one zone a spare node is on standby, its zone refuses nothing', () => {
  const view = viewOf(['n1', 'n2'], [spec()])
  const lines = nodeLines(view)
    .map(line => line.slice('node nX: '.length))
    .sort()
  equal(lines, ['chosen for 1', 'standby, others rank better'])
})

test.run()
