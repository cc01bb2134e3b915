/**
 * What only a real engine shows: that each field of a spec arrives, names resolve inside a project,
 * health and logs are the engine's own, and an engine that stops, hangs and comes back is survived.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { equal, is, match, not, ok } from 'uvu/assert'
import { DockerRuntime } from '../../node/runtime/docker.ts'
import type { Runtime } from '../../node/runtime/runtime.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { ask, startEngine, TEST_IMAGE } from '../helpers/docker-engine.ts'
import {
  collect,
  endSharedEngine,
  newMark,
  newSpec,
  OWNER,
  rejection,
  sharedEngine,
  temporary,
  until,
  untilInstance
} from '../helpers/runtime.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('docker engine', { requires: ['docker'], timeoutMs: 60_000 })

const STORED = { follow: false, tail: undefined, sinceMs: undefined }
const KILL = { graceMs: 0, signal: 'SIGKILL' }
const HEALTH = {
  command: ['/bin/sh', '-c', 'test -e /tmp/ok'],
  intervalMs: 200,
  timeoutMs: 2_000,
  startPeriodMs: 0,
  retries: 2
}

async function open(context: TestContext): Promise<Runtime> {
  const engine = await sharedEngine()
  const runtime = new DockerRuntime({ ...OWNER, dockerHost: engine.host, env: {} })
  context.cleanup(async () => {
    const signal = AbortSignal.timeout(15_000)
    const all = await runtime.list(signal)
    await Promise.all(all.map(({ id }) => runtime.stop(id, KILL, signal)))
    await runtime.sweep(signal)
  })
  return runtime
}

function spec(script: string, overrides: Partial<WorkloadSpec> = {}): WorkloadSpec {
  return newSpec('docker', { image: TEST_IMAGE, command: ['sh', '-c', script], ...overrides })
}

interface Inspected {
  readonly Name: string
  readonly Config: Record<string, unknown> & {
    readonly Env: readonly string[]
    readonly Labels: Record<string, string>
  }
  readonly HostConfig: Record<string, unknown>
  readonly Mounts: readonly { readonly Type: string; readonly Destination: string; RW: boolean }[]
  readonly NetworkSettings: {
    readonly Networks: Record<string, { readonly Aliases: readonly string[] }>
  }
}

const FULL: Partial<WorkloadSpec> = {
  entrypoint: ['/bin/sh', '-c'],
  command: ['sleep 600'],
  env: { COLOR: "it's blue", SHOAL_SLOT: 'forged' },
  workingDir: '/tmp',
  user: '1000:1000',
  ports: [
    { containerPort: 80, hostPort: 18080, hostIp: '127.0.0.1', protocol: 'tcp' },
    { containerPort: 53, protocol: 'udp' }
  ],
  labels: { team: 'red', 'shoal.mesh': 'forged' },
  stopSignal: 'SIGINT',
  stopGraceMs: 2_500,
  resources: { cpuMillis: 100, memoryMiB: 16, cpuLimitMillis: 250, memoryLimitMiB: 64 },
  health: { ...HEALTH, startPeriodMs: 5_000 }
}

test('every field of a spec arrives at the engine', async context => {
  const { signal } = context
  const runtime = await open(context)
  const directory = temporary(context)
  const volumes = [
    { kind: 'volume', name: 'data', target: '/data', readOnly: false, shared: false },
    { kind: 'bind', source: directory, target: '/host', readOnly: true },
    { kind: 'tmpfs', target: '/scratch', sizeBytes: 1_048_576 }
  ] as const
  const mark = newMark()
  const { id } = await runtime.start(spec('', { ...FULL, volumes }), mark, signal)
  const info = (await runtime.inspect(id, signal)) as Inspected
  const { Config: config, HostConfig: host } = info
  match(info.Name, /^\/shoal-test-web-0-[0-9a-f]{8}-[0-9a-f]{6}$/)
  equal(config['Entrypoint'], ['/bin/sh', '-c'])
  equal(config['Cmd'], ['sleep 600'])
  for (const entry of ["COLOR=it's blue", 'SHOAL_SLOT=0', 'SHOAL_PROJECT=test'])
    ok(config.Env.includes(entry), entry)
  for (const entry of ['SHOAL_WORKLOAD=web', 'SHOAL_NODE=node-a']) ok(config.Env.includes(entry))
  is(config['WorkingDir'], '/tmp')
  is(config['User'], '1000:1000')
  is(config['StopSignal'], 'SIGINT')
  is(config['StopTimeout'], 3)
  equal(config['Healthcheck'], {
    Test: ['CMD', ...HEALTH.command],
    Interval: 200e6,
    Timeout: 2e9,
    StartPeriod: 5e9,
    Retries: 2
  })
  equal(Object.keys(config['ExposedPorts'] as object).sort(), ['53/udp', '80/tcp'])
  const { uid, claim, generation } = mark
  const labels = { 'shoal.mesh': 'mesh-a', 'shoal.node': 'node-a', 'shoal.uid': uid, team: 'red' }
  const more = { 'shoal.claim': claim, 'shoal.generation': generation, 'shoal.slot': '0' }
  for (const [key, value] of Object.entries({ ...labels, ...more }))
    is(config.Labels[key], value, key)
  is(host['Init'], true)
  is((host['RestartPolicy'] as { Name: string }).Name, 'no')
  is(host['Memory'], 64 * 1024 * 1024)
  is(host['MemoryReservation'], 16 * 1024 * 1024)
  is(host['NanoCpus'], 250_000_000)
  equal(host['LogConfig'], { Type: 'json-file', Config: { 'max-file': '3', 'max-size': '10m' } })
  equal(host['PortBindings'], { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '18080' }] })
  equal(info.Mounts.map(({ Type, Destination, RW }) => `${Type} ${Destination} ${RW}`).sort(), [
    'bind /host false',
    'tmpfs /scratch true',
    'volume /data true'
  ])
  equal(info.NetworkSettings.Networks['shoal-test']?.Aliases.includes('web'), true)
})

test('a disabled check is none at all, whatever the image says', async context => {
  const { signal } = context
  const runtime = await open(context)
  const { id } = await runtime.start(spec('', { healthDisabled: true }), newMark(), signal)
  const { Config: config } = (await runtime.inspect(id, signal)) as Inspected
  equal((config['Healthcheck'] as { Test: string[] }).Test, ['NONE'])
})

test('services of one project reach each other by name, other projects do not', async context => {
  const { signal } = context
  const runtime = await open(context)
  const serve = 'echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
  await runtime.start(spec(serve, { name: 'api' }), newMark({ workload: 'api' }), signal)
  const fetch = 'while :; do wget -q -O - http://api/index.html && exit 0; sleep 0.1; done'
  const near = await runtime.start(spec(fetch), newMark(), signal)
  const lookup = 'wget -q -O - -T 2 http://api/index.html || exit 9'
  const project = 'elsewhere'
  const far = await runtime.start(spec(lookup, { project }), newMark({ project }), signal)
  const seen = await untilInstance(runtime, near.id, signal, one => one.state === 'exited')
  is(seen.exitCode, 0)
  const lines = await collect(runtime.logs(near.id, STORED, signal))
  is(lines.at(-1)?.line, 'hello')
  const failed = await untilInstance(runtime, far.id, signal, one => one.state === 'exited')
  is(failed.exitCode, 9)
})

test('a health check makes it healthy, and then unhealthy', async context => {
  const { signal } = context
  const runtime = await open(context)
  const script = 'sleep 0.5; touch /tmp/ok; sleep 1; rm /tmp/ok; sleep 600'
  const health = { ...HEALTH, startPeriodMs: 10_000 }
  const { id, health: first } = await runtime.start(spec(script, { health }), newMark(), signal)
  is(first, 'starting')
  let changes = 0
  const controller = new AbortController()
  const watching = runtime.watch(() => {
    changes += 1
  }, controller.signal)
  await untilInstance(runtime, id, signal, one => one.health === 'healthy')
  await untilInstance(runtime, id, signal, one => one.health === 'unhealthy')
  ok(changes >= 2)
  controller.abort()
  await watching
})

test('long lines come whole, and a follow sees the end', async context => {
  const { signal } = context
  const runtime = await open(context)
  const script = "head -c 50000 /dev/zero | tr '\\0' x; echo; sleep 0.3; echo end; exit 4"
  const { id } = await runtime.start(spec(script), newMark(), signal)
  const lines = await collect(runtime.logs(id, { ...STORED, follow: true }, signal))
  equal(
    lines.map(({ line }) => line.length),
    [50_000, 3]
  )
  match(lines[0]?.time ?? '', /^\d{4}-\d\d-\d\dT[\d:]+\.\d{6,9}Z$/)
})

test('what an engine refuses for good is permanent, in its own words', async context => {
  const { signal } = context
  const runtime = await open(context)
  const missing = await rejection(runtime.start(spec('', { image: 'no:1' }), newMark(), signal))
  is(missing.kind, 'permanent')
  match(missing.message, 'image no:1 is missing here')
  const command = ['/nowhere/program']
  const plain = { init: false, command }
  const bad = await rejection(runtime.start(spec('', plain), newMark(), signal))
  is(bad.kind, 'permanent')
  match(bad.message, 'no such file or directory')
  const ports = [{ containerPort: 80, hostPort: 18081, protocol: 'tcp' }] as const
  await runtime.start(spec('sleep 600', { ports }), newMark(), signal)
  const taken = await rejection(runtime.start(spec('sleep 600', { ports }), newMark(), signal))
  is(taken.kind, 'permanent')
  match(taken.message, /already allocated|already in use/)
  is((await runtime.list(signal)).length, 1)
})

test('a named volume outlives its container, and sweep takes only empty networks', async context => {
  const { signal } = context
  const runtime = await open(context)
  const engine = await sharedEngine()
  const volumes = [
    { kind: 'volume', name: 'keep', target: '/data', readOnly: false, shared: false }
  ] as const
  const write = await runtime.start(
    spec('echo kept >/data/file; sleep 600', { volumes }),
    newMark(),
    signal
  )
  await until(signal, async () => {
    await runtime.sweep(signal)
    return (await runtime.list(signal))[0]?.state === 'running'
  })
  await runtime.stop(write.id, { graceMs: 2_000, signal: 'SIGTERM' }, signal)
  const read = await runtime.start(spec('cat /data/file', { volumes }), newMark(), signal)
  await untilInstance(runtime, read.id, signal, one => one.state === 'exited')
  await runtime.sweep(signal)
  // Its network is kept for an ended container, or it could never be restarted.
  await runtime.restart(read.id, signal)
  await untilInstance(runtime, read.id, signal, one => one.state === 'exited')
  const lines = await collect(runtime.logs(read.id, STORED, signal))
  equal(
    lines.map(({ line }) => line),
    ['kept', 'kept']
  )
  await runtime.stop(read.id, KILL, signal)
  await runtime.sweep(signal)
  const networks = await ask(engine.socket, 'GET', '/v1.41/networks')
  not.match(networks.text, '"shoal-test"')
})

test('an engine that stops, hangs and comes back is survived', async context => {
  const { signal } = context
  const engine = await startEngine()
  context.cleanup(() => engine.stop())
  const timeouts = { pingMs: 500, callMs: 500 }
  const runtime = new DockerRuntime({ ...OWNER, dockerHost: engine.host, env: {}, timeouts })
  const { id } = await runtime.start(spec('sleep 600'), newMark(), signal)
  let changes = 0
  const controller = new AbortController()
  const watching = runtime.watch(() => {
    changes += 1
  }, controller.signal)
  engine.freeze()
  is((await rejection(runtime.list(signal))).kind, 'transient')
  is((await runtime.status(signal)).available, false)
  engine.thaw()
  is((await runtime.list(signal))[0]?.id, id)
  await engine.down()
  is((await rejection(runtime.list(signal))).kind, 'transient')
  await engine.up()
  // The engine took its containers along, and it must not have started them again by itself.
  const [after] = await until(signal, () => runtime.list(signal).catch(() => undefined))
  is(after?.id, id)
  is(after?.state, 'exited')
  await runtime.restart(id, signal)
  const seen = changes
  await runtime.stop(id, KILL, signal)
  // Either the event itself, or the watch's next connection says so.
  await until(signal, () => changes > seen)
  controller.abort()
  await watching
})

test('a decoy that somebody starts with other labels survives everything', async context => {
  const { signal } = context
  const runtime = await open(context)
  const engine = await sharedEngine()
  const body = {
    Image: TEST_IMAGE,
    Cmd: ['sleep', '600'],
    Labels: { 'shoal.managed': 'true', 'shoal.mesh': 'mesh-z', 'shoal.node': 'node-a' },
    HostConfig: { NetworkMode: 'none' }
  }
  const made = await ask(engine.socket, 'POST', '/v1.41/containers/create?name=decoy', body)
  const { Id: decoy } = JSON.parse(made.text) as { Id: string }
  context.cleanup(() => ask(engine.socket, 'DELETE', `/v1.41/containers/${decoy}?force=1`))
  await ask(engine.socket, 'POST', `/v1.41/containers/${decoy}/start`)
  const { id } = await runtime.start(spec('sleep 600'), newMark(), signal)
  await rejection(runtime.stop(decoy, KILL, signal))
  await rejection(runtime.stop('decoy', KILL, signal))
  await runtime.stop(id, KILL, signal)
  await runtime.sweep(signal)
  const info = await ask(engine.socket, 'GET', `/v1.41/containers/${decoy}/json`)
  is(JSON.parse(info.text).State.Running, true)
})

test('the engine of these tests is ended and leaves no file', async () => {
  const { socket } = await sharedEngine()
  await endSharedEngine()
  is(existsSync(join(socket, '..')), false)
})

test.run()
