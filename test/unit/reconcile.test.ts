import { equal } from 'uvu/assert'
import { describe } from '../../node/reconcile/action.ts'
import { Backoff } from '../../node/reconcile/backoff.ts'
import { planSlot, restarts, type SlotPlanInput } from '../../node/reconcile/plan.ts'
import { progress } from '../../node/reconcile/progress.ts'
import { instance, mark, spec } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('reconcile')
const m = mark('u0', 0, '1.a')

function plan(fields: Partial<SlotPlanInput>): string {
  const result = planSlot({
    desired: { spec: spec(), mark: m, data: [] },
    instances: [],
    waitMs: 0,
    stopGraceMs: 1_000,
    stopSignal: 'SIGTERM',
    why: 'surplus',
    ...fields
  })
  if (result.kind === 'act') return describe(result.action)
  return result.kind === 'wait' ? `wait ${result.afterMs}` : 'settled'
}

test('what is desired and not there is started', () => {
  equal(plan({}), 'start demo/web/0 (memory, generation 1.a)')
})

test('what runs as desired is left alone', () => {
  equal(plan({ instances: [instance(m)] }), 'settled')
})

test('another generation is stopped before the new one starts', () => {
  const old = instance(mark('u0', 0, '0.z'))
  equal(plan({ instances: [old] }), 'stop demo/web/0 (memory i): generation 1.a follows')
})

test('a copy under another runtime is stopped', () => {
  equal(
    plan({ instances: [instance(m, { runtime: 'process' })] }),
    'stop demo/web/0 (process i): generation 1.a follows'
  )
})

test('an ended one restarts, but not before its back-off is over', () => {
  const ended = instance(m, { state: 'exited', exitCode: 1 })
  equal(plan({ instances: [ended] }), 'restart demo/web/0 (memory i)')
  equal(plan({ instances: [ended], waitMs: 700 }), 'wait 700')
})

test('an ended one of a policy that does not restart stays ended', () => {
  const ended = instance(m, { state: 'exited', exitCode: 0 })
  const desired = { spec: spec({ restart: 'on-failure' }), mark: m, data: [] }
  equal(plan({ desired, instances: [ended] }), 'settled')
  equal(restarts('on-failure', 3), true)
  equal(restarts('no', 3), false)
})

test('a start that was cut short is started again, so that the runtime adopts it', () => {
  equal(
    plan({ instances: [instance(m, { state: 'created' })] }),
    'start demo/web/0 (memory, generation 1.a)'
  )
})

test('what is not desired is stopped, then it is settled', () => {
  equal(
    plan({ desired: undefined, instances: [instance(m)] }),
    'stop demo/web/0 (memory i): surplus'
  )
  equal(plan({ desired: undefined }), 'settled')
})

test('restarts of a crash loop double up to their limit and are forgotten after a good run', () => {
  const config = { restartMinMs: 1_000, restartMaxMs: 8_000, restartResetMs: 60_000 }
  const backoff = new Backoff({ config })
  const waits: number[] = []
  let now = 0
  for (let round = 0; round < 6; round++) {
    backoff.started(now)
    backoff.ended(now + 10)
    waits.push(backoff.waitMs(now + 10))
    now += 10 + backoff.waitMs(now + 10)
  }
  equal(waits, [1_000, 2_000, 4_000, 8_000, 8_000, 8_000])
  backoff.started(now)
  backoff.ended(now + 61_000)
  equal(backoff.waitMs(now + 61_000), 0)
})

test('without a check a copy is healthy after running for a second', () => {
  const init = { failures: 0, healthyAfterMs: 1_000 }
  equal(progress(spec(), instance(m, { runningMs: 400 }), init).dueMs, 600)
  equal(progress(spec(), instance(m, { runningMs: 1_000 }), init).state, 'healthy')
})

test('what has ended before must run ten times as long: a crash loop is never well', () => {
  const init = { failures: 1, healthyAfterMs: 1_000 }
  equal(progress(spec(), instance(m, { runningMs: 9_000 }), init).state, 'running')
  equal(progress(spec(), instance(m, { runningMs: 9_000 }), init).dueMs, 1_000)
  equal(progress(spec(), instance(m, { runningMs: 10_000 }), init).state, 'healthy')
  const checked = progress(spec(), instance(m, { runningMs: 10, health: 'healthy' }), init)
  equal(checked.state, 'healthy')
})

test('a failing check asks for another node, a crash loop does not', () => {
  const init = { failures: 3, healthyAfterMs: 1_000 }
  const sick = progress(spec(), instance(m, { health: 'unhealthy' }), init)
  equal([sick.state, sick.elsewhere], ['failed', true])
  const loop = progress(spec(), instance(m, { state: 'exited', exitCode: 2 }), init)
  equal([loop.state, loop.elsewhere], ['starting', false])
})

test.run()
