/**
 * What a real engine does not do on demand (F43-F48): hangs, lost replies, refusals, lies, an
 * engine of another version, one that goes and comes.
 */
import { equal, is, match, ok } from 'uvu/assert'
import { DockerRuntime } from '../../node/runtime/docker.ts'
import { containerName, instanceLabels, ownerLabels } from '../../node/runtime/labels.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import type { FakeDocker } from '../helpers/fake-docker.ts'
import {
  newMark,
  newSpec,
  OWNER,
  openFake,
  rejection,
  until,
  untilInstance
} from '../helpers/runtime.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('docker faults')

const STOP = { graceMs: 200, signal: 'SIGTERM' }
const QUICK = { pingMs: 300, callMs: 300, createMs: 300, pullIdleMs: 300 }

function runtimeOf(fake: FakeDocker): DockerRuntime {
  return new DockerRuntime({ ...OWNER, dockerHost: fake.host, env: {}, timeouts: QUICK })
}

function spec(overrides: Partial<WorkloadSpec> = {}): WorkloadSpec {
  return newSpec('docker', { image: 'busybox:local', command: ['wait'], ...overrides })
}

const CREATE = { method: 'POST', path: /^\/containers\/create$/ } as const

test('a create whose reply is lost is adopted by name, not made twice', async context => {
  const { signal } = context
  for (const kind of ['lose', 'hang'] as const) {
    const fake = await openFake(context)
    const runtime = runtimeOf(fake)
    fake.fault({ ...CREATE, act: { kind } })
    const mark = newMark()
    const failure = await rejection(runtime.start(spec(), mark, signal))
    is(failure.kind, 'transient')
    is(fake.containers.size, 1)
    const started = await runtime.start(spec(), { ...mark, claim: 'second' }, signal)
    is(started.state, 'running')
    is(started.mark.claim, mark.claim)
    is(fake.containers.size, 1)
  }
})

test('a start whose reply is lost is found running', async context => {
  const { signal } = context
  const fake = await openFake(context)
  const runtime = runtimeOf(fake)
  fake.fault({ method: 'POST', path: /\/start$/, act: { kind: 'lose' } })
  const mark = newMark()
  is((await rejection(runtime.start(spec(), mark, signal))).kind, 'transient')
  is((await runtime.start(spec(), mark, signal)).state, 'running')
  is(fake.containers.size, 1)
})

test('two daemons of one node that start one slot at once make one container', async context => {
  const { signal } = context
  const fake = await openFake(context)
  const mark = newMark()
  const [first, second] = await Promise.all([
    runtimeOf(fake).start(spec(), mark, signal),
    runtimeOf(fake).start(spec(), mark, signal)
  ])
  is(first?.id, second?.id)
  is(fake.containers.size, 1)
})

test('an engine that answers nothing fails each call at its deadline', async context => {
  const { signal } = context
  const fake = await openFake(context)
  const runtime = runtimeOf(fake)
  await runtime.open(signal)
  fake.fault({ method: 'GET', path: /./, times: 100, act: { kind: 'silent' } })
  const beganMs = performance.now()
  const failure = await rejection(runtime.list(signal))
  is(failure.kind, 'transient')
  match(failure.message, 'no answer within 300 ms')
  const status = await runtime.status(signal)
  is(status.available, false)
  ok(performance.now() - beganMs < 3_000)
})

test('a call ends at once when its signal aborts', async context => {
  const fake = await openFake(context)
  const init = { ...OWNER, dockerHost: fake.host, env: {} }
  const runtime = new DockerRuntime(init)
  await runtime.open(context.signal)
  fake.fault({ method: 'GET', path: /json$/, times: 100, act: { kind: 'silent' } })
  const controller = new AbortController()
  const asked = rejection(runtime.list(controller.signal))
  await until(context.signal, () => fake.requests.some(line => line.endsWith('containers/json')))
  controller.abort(new Error('enough'))
  is((await asked).message, 'enough')
})

test('a name that a stranger holds is refused for good, and the stranger stays', async context => {
  const { signal } = context
  const fake = await openFake(context)
  const runtime = runtimeOf(fake)
  const mark = newMark()
  const decoys = [
    {},
    { 'shoal.managed': 'true' },
    instanceLabels({ ...mark, mesh: 'mesh-b' }, { ...OWNER, mesh: 'mesh-b' }, {}),
    instanceLabels(mark, { ...OWNER, node: 'node-b' }, {})
  ]
  for (const labels of decoys) {
    const stranger = fake.add(containerName(mark, OWNER), { ...labels })
    const failure = await rejection(runtime.start(spec(), mark, signal))
    is(failure.kind, 'permanent')
    match(failure.message, 'not of this node and mesh')
    is((await rejection(runtime.stop(stranger.id, STOP, signal))).kind, 'permanent')
    is((await rejection(runtime.restart(stranger.id, signal))).kind, 'permanent')
    await runtime.sweep(signal)
    equal(await runtime.list(signal), [])
    is(fake.containers.get(stranger.id)?.status, 'running')
    fake.containers.delete(stranger.id)
  }
})

test('a container with our owner labels but no whole mark is left alone', async context => {
  const { signal } = context
  const fake = await openFake(context)
  const runtime = runtimeOf(fake)
  const decoy = fake.add('decoy', { ...ownerLabels(OWNER), 'shoal.slot': 'zero' })
  equal(await runtime.list(signal), [])
  is((await rejection(runtime.stop(decoy.id, STOP, signal))).kind, 'permanent')
  is(fake.containers.size, 1)
})

test('networks and volumes of others are neither used nor removed', async context => {
  const { signal } = context
  const fake = await openFake(context)
  const runtime = runtimeOf(fake)
  fake.networks.set('n1', { Id: 'n1', Name: 'shoal-test', Labels: { other: 'yes' } })
  fake.volumes.set('test_data', { Name: 'test_data', Labels: {} })
  const volumes = [
    { kind: 'volume', name: 'data', target: '/d', readOnly: false, shared: false }
  ] as const
  const failure = await rejection(runtime.start(spec({ volumes }), newMark(), signal))
  is(failure.kind, 'permanent')
  match(failure.message, 'volume test_data exists and is not of this node and mesh')
  const { id } = await runtime.start(spec(), newMark(), signal)
  equal(
    [...fake.networks.values()].map(({ Name }) => Name.replace(/[0-9a-f]{6}$/, '*')),
    ['shoal-test', 'shoal-test-*']
  )
  await runtime.stop(id, STOP, signal)
  await runtime.sweep(signal)
  equal([...fake.networks.keys()], ['n1'])
  is(fake.volumes.size, 1)
})

test('a volume that hides a bind in its driver options is refused', async context => {
  const fake = await openFake(context)
  const driverOptions = { type: 'none', o: 'bind', device: '/' }
  const volume = { kind: 'volume', name: 'data', target: '/d', readOnly: false } as const
  const volumes = [{ ...volume, shared: false, driverOptions }]
  const failure = await rejection(
    runtimeOf(fake).start(spec({ volumes }), newMark(), context.signal)
  )
  is(failure.kind, 'permanent')
  is(fake.volumes.size, 0)
})

test('refusals carry the kind that they mean', async context => {
  const { signal } = context
  const rows = [
    [404, 'No such container: x', 'transient'],
    [500, 'something broke', 'transient'],
    [409, 'container is marked for removal', 'transient'],
    [400, 'OCI runtime create failed: exec: "nope": executable file not found', 'permanent'],
    [500, 'driver failed: Bind for 0.0.0.0:80 failed: port is already allocated', 'permanent'],
    [404, 'network 1234 not found', 'transient']
  ] as const
  for (const [status, message, kind] of rows) {
    const fake = await openFake(context)
    const act = { kind: 'answer', status, body: { message } } as const
    fake.fault({ method: 'POST', path: /\/start$/, times: 9, act })
    const failure = await rejection(runtimeOf(fake).start(spec(), newMark(), signal))
    is(failure.kind, kind, message)
    match(failure.message, message)
    // One that will never start does not stay in the way.
    is(fake.containers.size, kind === 'permanent' ? 0 : 1)
  }
})

test('an image is pulled when it is missing, and its absence is permanent', async context => {
  const { signal } = context
  const fake = await openFake(context)
  const runtime = runtimeOf(fake)
  const pulled = await runtime.start(spec({ image: 'remote/app:1' }), newMark(), signal)
  is(pulled.state, 'running')
  const refused = await rejection(runtime.start(spec({ image: 'no/where' }), newMark(), signal))
  is(refused.kind, 'permanent')
  match(refused.message, 'pull access denied for no/where:latest')
  const late = { status: 200, body: 'x' as unknown as object }
  const error = `{"status":"Pulling"}\n{"errorDetail":{"message":"manifest unknown"}}\n`
  const act = { kind: 'answer', ...late, body: error as unknown as object } as const
  fake.fault({ method: 'POST', path: /^\/images\/create$/, act })
  const unknown = await rejection(runtime.start(spec({ image: 'remote/b:9' }), newMark(), signal))
  is(unknown.kind, 'permanent')
  match(unknown.message, 'manifest unknown')
  fake.fault({ method: 'POST', path: /^\/images\/create$/, act: { kind: 'silent' } })
  const hung = await rejection(runtime.start(spec({ image: 'remote/c:1' }), newMark(), signal))
  is(hung.kind, 'transient')
})

test('an engine that goes and comes is watched on, and its containers are still ours', async context => {
  const { signal } = context
  const fake = await openFake(context)
  const runtime = runtimeOf(fake)
  const { id } = await runtime.start(spec(), newMark(), signal)
  let changes = 0
  const controller = new AbortController()
  const watching = runtime.watch(() => {
    changes += 1
  }, controller.signal)
  await until(signal, () => changes > 0)
  await fake.down()
  is((await rejection(runtime.list(signal))).kind, 'transient')
  is((await runtime.status(signal)).available, false)
  await fake.up()
  await until(signal, async () => (await runtime.status(signal)).available)
  is((await runtime.list(signal))[0]?.id, id)
  await until(signal, () => fake.requests.filter(line => line.endsWith('/events')).length > 1)
  const before = changes
  fake.end(id, 137)
  await until(signal, () => changes > before)
  is((await untilInstance(runtime, id, signal, one => one.state === 'exited')).exitCode, 137)
  controller.abort()
  await watching
})

test('a container that SIGKILL does not end is a transient failure, and is kept', async context => {
  const { signal } = context
  const fake = await openFake(context)
  const runtime = runtimeOf(fake)
  const { id } = await runtime.start(spec(), newMark(), signal)
  const done = {
    kind: 'answer',
    status: 500,
    body: { message: 'cannot kill: unkillable' }
  } as const
  fake.fault({ method: 'POST', path: /\/kill$/, times: 99, act: done })
  is((await rejection(runtime.stop(id, STOP, signal))).kind, 'transient')
  is(fake.containers.get(id)?.status, 'running')
})

test('the API version is negotiated, and one out of reach is named', async context => {
  const { signal } = context
  const modern = await openFake(context, { apiVersion: '1.60', minApiVersion: '1.44' })
  is((await runtimeOf(modern).status(signal)).detail, 'docker 0.0.0-fake (API 1.54)')
  await runtimeOf(modern).list(signal)
  ok(modern.requests.includes('GET /v1.54/containers/json'))
  const old = await openFake(context, { apiVersion: '1.40' })
  match((await runtimeOf(old).status(signal)).detail, 'shoal needs 1.41 or newer')
  const future = await openFake(context, { apiVersion: '2.0', minApiVersion: '1.99' })
  match((await runtimeOf(future).status(signal)).detail, 'wants API 1.99 or newer')
})

test('the environment does not decide which engine is asked when one is named', async context => {
  const fake = await openFake(context)
  const before = process.env['DOCKER_HOST']
  context.cleanup(() => {
    if (before === undefined) delete process.env['DOCKER_HOST']
    else process.env['DOCKER_HOST'] = before
  })
  process.env['DOCKER_HOST'] = 'tcp://127.0.0.1:1'
  const status = await runtimeOf(fake).status(context.signal)
  is(status.available, true, status.detail)
})

test('health is what the engine says', async context => {
  const { signal } = context
  const fake = await openFake(context)
  const runtime = runtimeOf(fake)
  const health = {
    command: ['true'],
    intervalMs: 1_000,
    timeoutMs: 1_000,
    startPeriodMs: 0,
    retries: 3
  }
  const { id, health: first } = await runtime.start(spec({ health }), newMark(), signal)
  is(first, 'starting')
  for (const state of ['healthy', 'unhealthy'] as const) {
    fake.setHealth(id, state)
    await untilInstance(runtime, id, signal, one => one.health === state)
  }
})

test.run()
