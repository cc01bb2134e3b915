/** Small parts of the API: the event ring, operations, JSON depth; and the wire types. */
import fc from 'fast-check'
import { equal, match, ok } from 'uvu/assert'
import { EVENTS_MAX, EventLog } from '../../node/api/event-log.ts'
import { failureOf } from '../../node/api/failure.ts'
import { jsonDepth } from '../../node/api/guard.ts'
import { Operations } from '../../node/api/operations.ts'
import type * as schemas from '../../src/api/schemas.ts'
import type * as types from '../../src/api/types.ts'
import { ERRORS, type ErrorCode, ShoalError } from '../../src/errors.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('api parts')
const EVENT = { kind: 'x', node: null, project: null, workload: null, slot: null }

/** Deep, and blind to `readonly`, which JSON does not know. */
type Bare<T> = T extends string | number | boolean | null | undefined
  ? T
  : unknown extends T
    ? T
    : { -readonly [key in keyof T]: Bare<T[key]> }
type Same<A, B> =
  (<T>() => T extends Bare<A> ? 1 : 2) extends <T>() => T extends Bare<B> ? 1 : 2 ? true : never
type Of<Schema extends { readonly _output: unknown }> = Schema['_output']

/** Compiles only if each schema gives exactly the plain type. */
const SAME: readonly true[] = [
  true satisfies Same<Of<typeof schemas.nodeSchema>, types.NodeView>,
  true satisfies Same<Of<typeof schemas.allocationSchema>, types.AllocationView>,
  true satisfies Same<Of<typeof schemas.statusSchema>, types.StatusView>,
  true satisfies Same<Of<typeof schemas.workloadViewSchema>, types.WorkloadView>,
  true satisfies Same<Of<typeof schemas.workloadDetailSchema>, types.WorkloadDetail>,
  true satisfies Same<Of<typeof schemas.whySchema>, types.WhyView>,
  true satisfies Same<Of<typeof schemas.volumeSchema>, types.VolumeView>,
  true satisfies Same<Of<typeof schemas.eventSchema>, types.EventView>,
  true satisfies Same<Of<typeof schemas.logEntrySchema>, types.LogEntry>,
  true satisfies Same<Of<typeof schemas.readySchema>, types.ReadyView>,
  true satisfies Same<Of<typeof schemas.deployRequestSchema>, types.DeployRequest>,
  true satisfies Same<Of<typeof schemas.scaleRequestSchema>, types.ScaleRequest>,
  true satisfies Same<Of<typeof schemas.abandonRequestSchema>, types.AbandonRequest>,
  true satisfies Same<Of<typeof schemas.changeAnswerSchema>, types.ChangeAnswer>,
  true satisfies Same<Of<typeof schemas.abandonAnswerSchema>, types.AbandonAnswer>,
  true satisfies Same<Of<typeof schemas.tokenAnswerSchema>, types.TokenAnswer>,
  true satisfies Same<Of<typeof schemas.leaveAnswerSchema>, types.LeaveAnswer>,
  true satisfies Same<Of<typeof schemas.errorSchema>, types.ErrorBody>
]

test('the schemas and the plain wire types are the same types', () => {
  equal(SAME.length, 18)
})

test('a reader that fell behind the ring is told how many it missed', async () => {
  const log = new EventLog({ now: () => new Date(0) }, { boot: 'aaaaaaaabbbb' })
  for (let at = 1; at <= EVENTS_MAX + 10; at += 1) log.append({ ...EVENT, text: String(at) })
  const controller = new AbortController()
  const reader = log.read('aaaaaaaa.3', controller.signal)
  const gap = (await reader.next()).value as types.EventView
  equal([gap.kind, gap.text, gap.id], ['gap', '7 earlier events are not kept', 'aaaaaaaa.10'])
  equal(((await reader.next()).value as types.EventView).text, '11')
  controller.abort()
  equal((await reader.next()).done, true)
})

test('a waiting reader ends with its signal and leaves nothing behind', async () => {
  const log = new EventLog({ now: () => new Date(0) }, { boot: 'a' })
  const controller = new AbortController()
  const next = log.read(undefined, controller.signal).next()
  controller.abort()
  equal((await next).done, true)
  log.append({ ...EVENT, text: 'later' })
})

test('hostile positions are positions of nothing', async () => {
  const log = new EventLog({ now: () => new Date(0) }, { boot: 'abc' })
  log.append({ ...EVENT, text: 'one' })
  const { signal } = new AbortController()
  for (const after of ['', 'abc', 'abc.-1', 'abc.1e3', '../..', 'abc.99999999999999999']) {
    const first = (await log.read(after, signal).next()).value as types.EventView
    equal(first.kind, 'gap', after)
  }
  const ahead = log.read('abc.99', signal).next()
  log.append({ ...EVENT, text: 'two' })
  equal(((await ahead).value as types.EventView).text, 'two')
})

test('an operation runs once however often it is asked while it runs', async () => {
  const operations = new Operations()
  let runs = 0
  const work = async (): Promise<number> => {
    runs += 1
    await Promise.resolve()
    return runs
  }
  const answers = await Promise.all([1, 2, 3].map(() => operations.run('op', { a: 1 }, work)))
  equal([answers, runs], [[1, 1, 1], 1])
  const other = await operations.run('op', { a: 2 }, work).catch((error: unknown) => error)
  equal((other as ShoalError).code, 'CONFLICT')
})

test('an answer that is not final is asked for again', async () => {
  const operations = new Operations()
  let disks = 0
  const work = async (): Promise<number> => {
    disks += 1
    return disks
  }
  const ask = (): Promise<number> => operations.run('op', {}, work, answer => answer >= 2)
  equal([await ask(), await ask(), await ask()], [1, 2, 2])
})

test('old operations are forgotten, so that their number has a limit', async () => {
  const operations = new Operations()
  let runs = 0
  const work = async (): Promise<void> => {
    runs += 1
  }
  for (let at = 0; at < 1_100; at += 1) await operations.run(`op-${at}`, {}, work)
  await operations.run('op-0', {}, work)
  await operations.run('op-1099', {}, work)
  equal(runs, 1_101)
})

test('the depth of JSON is counted outside of strings only', () => {
  equal(jsonDepth('{"a":[{"b":"[[[{{{\\"["}]}'), 3)
  equal(jsonDepth('1'), 0)
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), text => {
      const depth = (value: unknown): number =>
        typeof value === 'object' && value !== null
          ? 1 + Math.max(0, ...Object.values(value).map(depth))
          : 0
      equal(jsonDepth(text), depth(JSON.parse(text)))
    })
  )
})

test('every code of the table is answered as an error, none as a success', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { status, body } = failureOf(new ShoalError(code, 'x'), () => {})
    ok(status >= 400 && status < 600, `${code} is ${status}`)
    equal(body.code, code)
  }
  let reported: unknown
  const failure = failureOf(new TypeError('secret'), error => {
    reported = error
  })
  equal([failure.status, failure.body.code], [500, 'INTERNAL'])
  ok(reported instanceof TypeError)
  match(JSON.stringify(failure.body), /^(?!.*secret)/)
})

test.run()
