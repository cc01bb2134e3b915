import { equal } from 'uvu/assert'
import { DEFAULT_AGENT_CONFIG as CONFIG } from '../../node/agent/config.ts'
import { Slots, type StepResult } from '../../node/agent/slots.ts'
import { allocation, instance, mark, spec, viewOf } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: slots')
const view = viewOf(['a'], [spec()])
const workload = view.workloads.get('u0')
const generation = workload?.generation ?? ''

const FAILED = { ok: false, failure: 'transient', message: 'engine down' } as const

function fail(): never {
  throw new Error('no action')
}

function step(slots: Slots, nowMs: number): StepResult {
  const record = allocation({ state: 'starting', generation })
  return slots.step({ uid: 'u0', slot: 0, nowMs, record, workload, removed: false, mesh: 'm' })
}

test('one action a slot: nothing more is asked while one is under way', () => {
  const slots = new Slots({ config: CONFIG })
  equal(step(slots, 0).action?.kind, 'start')
  equal(step(slots, 10).action, undefined)
})

test('a start that failed for a while is tried again, later and later', () => {
  const slots = new Slots({ config: CONFIG })
  let now = 0
  for (const waitMs of [1_000, 2_000, 4_000]) {
    const { action } = step(slots, now)
    if (action === undefined) throw new Error('no start')
    slots.done(action, { ok: false, failure: 'transient', message: 'engine down' }, now)
    equal(step(slots, now).dueMs, waitMs)
    now += waitMs
  }
})

test('a new template starts at once, whatever back-off the one before had earned', () => {
  const slots = new Slots({ config: CONFIG })
  let now = 0
  for (const waitMs of [1_000, 2_000, 4_000]) {
    const { action } = step(slots, now)
    if (action === undefined) throw new Error('no start')
    slots.done(action, { ok: false, failure: 'transient', message: 'no such program' }, now)
    now += waitMs
  }
  slots.done(step(slots, now).action ?? fail(), FAILED, now)
  equal(step(slots, now).action, undefined)
  const fixed = viewOf(['a'], [spec({ command: ['true'] })]).workloads.get('u0')
  const record = allocation({ state: 'starting', generation: fixed?.generation ?? '' })
  const input = { uid: 'u0', slot: 0, nowMs: now, record, removed: false, mesh: 'm' }
  equal(slots.step({ ...input, workload: fixed }).action?.kind, 'start')
})

test('what had ended before the daemon began is started at once, and is well after a second', () => {
  const slots = new Slots({ config: CONFIG })
  const ended = instance(mark('u0', 0, generation), { state: 'exited', exitCode: 137 })
  slots.observe(['memory'], [ended], 0)
  const { action } = step(slots, 10)
  equal(action?.kind, 'restart')
  const again = { ...ended, state: 'running', runningMs: 0 } as const
  slots.done(action ?? fail(), { ok: true, instance: again }, 20)
  equal(step(slots, 1_020).record?.state, 'healthy')
})

test('an engine that answers again is tried at once, whatever back-off says', () => {
  const slots = new Slots({ config: CONFIG })
  slots.observe(['memory'], [], 0)
  const { action } = step(slots, 10)
  if (action === undefined) throw new Error('no start')
  slots.done(action, { ok: false, failure: 'transient', message: 'engine down' }, 20)
  slots.observe(['process'], [], 30)
  equal(step(slots, 40).action, undefined)
  equal([...slots.observe(['memory', 'process'], [], 50)], ['u0'])
  equal(step(slots, 60).action?.kind, 'start')
})

test('a listing begun before our last action ended says nothing about it', () => {
  const slots = new Slots({ config: CONFIG })
  const { action } = step(slots, 0)
  if (action === undefined) throw new Error('no start')
  const seen = instance(mark('u0', 0, generation))
  slots.done(action, { ok: true, instance: seen }, 100)
  slots.observe(['memory'], [], 90)
  equal(slots.instance('u0', 0, 100)?.id, seen.id)
  slots.observe(['memory'], [], 110)
  equal(slots.instance('u0', 0, 120), undefined)
})

test('what runs under a runtime that was not listed is not known to be gone', () => {
  const slots = new Slots({ config: CONFIG })
  slots.observe(['memory'], [instance(mark('u0', 0, generation))], 0)
  slots.observe(['process'], [], 10)
  equal(slots.instance('u0', 0, 20)?.state, 'running')
})

test('run time grows between listings', () => {
  const slots = new Slots({ config: CONFIG })
  slots.observe(['memory'], [instance(mark('u0', 0, generation), { runningMs: 400 })], 0)
  equal(slots.instance('u0', 0, 700)?.runningMs, 1_100)
})

test.run()
