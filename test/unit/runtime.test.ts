import { equal, is, ok, throws } from 'uvu/assert'
import { candidateHosts, modemOptions } from '../../node/runtime/docker/address.ts'
import { createBody } from '../../node/runtime/docker/body.ts'
import { parseReference } from '../../node/runtime/docker/image.ts'
import { LogParser } from '../../node/runtime/docker/logs.ts'
import { compareVersions, negotiate } from '../../node/runtime/docker/negotiate.ts'
import {
  containerName,
  instanceLabels,
  instanceName,
  isOurs,
  markOf,
  volumeName
} from '../../node/runtime/labels.ts'
import { nextHealth } from '../../node/runtime/process/health.ts'
import {
  ageMs,
  isAlive,
  type Proc,
  parseStat,
  signalGroup,
  signalNumber
} from '../../node/runtime/process/proc.ts'
import { quote } from '../../node/runtime/process/shim.ts'
import { KeyedLock, mapLimited, within } from '../../node/runtime/wait.ts'
import { newMark, newSpec, OWNER, rejection } from '../helpers/runtime.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('runtime parts')

test('labels give back the mark they were made from, to their owner only', () => {
  const mark = newMark({ slot: 12 })
  const labels = instanceLabels(mark, OWNER, { team: 'red', 'shoal.node': 'forged' })
  is(labels['team'], 'red')
  equal(markOf(labels, OWNER), mark)
  is(markOf(labels, { ...OWNER, mesh: 'mesh-b' }), undefined)
  is(markOf(labels, { ...OWNER, node: 'node-b' }), undefined)
  is(markOf({ ...labels, 'shoal.slot': '-1' }, OWNER), undefined)
  is(markOf({ ...labels, 'shoal.claim': '' }, OWNER), undefined)
  is(isOurs({ ...labels, 'shoal.managed': 'yes' }, OWNER), false)
  is(isOurs(null, OWNER), false)
})

test('names follow from the mark, and tell daemons on one engine apart', () => {
  const mark = newMark({ uid: 'abcdef0123456789', slot: 3 })
  is(instanceName(mark), 'shoal-test-web-3-abcdef01')
  is(containerName(mark, OWNER).startsWith('shoal-test-web-3-abcdef01-'), true)
  is(containerName(mark, OWNER), containerName({ ...mark, claim: 'x', generation: 'y' }, OWNER))
  ok(containerName(mark, OWNER) !== containerName(mark, { ...OWNER, node: 'node-b' }))
  is(instanceName({ ...mark, project: '../x', workload: 'a b' }), 'shoal-..-x-a-b-3-abcdef01')
  ok(instanceName({ ...mark, project: 'p'.repeat(500) }).length < 255)
  is(volumeName('shop', 'data'), 'shop_data')
})

test('the newest API version that both sides know is spoken', () => {
  const rows = [
    ['1.41', '1.12', '1.41'],
    ['1.44', undefined, '1.44'],
    ['1.54', '1.40', '1.54'],
    ['1.99', '1.44', '1.54']
  ] as const
  for (const [max, min, version] of rows) equal(negotiate(max, min), { kind: 'version', version })
  for (const [max, min] of [
    ['1.40', '1.12'],
    ['1.60', '1.55'],
    ['', undefined],
    ['1', undefined]
  ] as const)
    is(negotiate(max, min).kind, 'refused')
  ok(compareVersions('1.9', '1.41') < 0)
})

test('a named engine is the only one asked; else the usual sockets in order', () => {
  equal(candidateHosts({ dockerHost: 'unix:///a', env: { DOCKER_HOST: 'tcp://b' } }), ['unix:///a'])
  equal(candidateHosts({ env: { DOCKER_HOST: 'tcp://b:1' } }), ['tcp://b:1'])
  equal(candidateHosts({ dockerHost: '/run/x.sock', env: {} }), ['unix:///run/x.sock'])
  equal(candidateHosts({ env: { XDG_RUNTIME_DIR: '/run/user/1' } }), [
    'unix:///var/run/docker.sock',
    'unix:///run/user/1/docker.sock',
    'unix:///run/user/1/podman/podman.sock',
    'unix:///run/podman/podman.sock'
  ])
  const { host, port, protocol } = modemOptions('tcp://10.0.0.1', {}, 'v1.41')
  equal({ host, port, protocol }, { host: '10.0.0.1', port: 2375, protocol: 'http' })
  throws(() => modemOptions('ssh://host', {}, undefined), /ssh:\/\/ is not supported/)
  throws(() => modemOptions('http://', {}, undefined), /is not an address/)
})

test('image references are taken apart at the right colon', () => {
  const rows = [
    ['busybox', 'busybox', 'latest'],
    ['busybox:1.36', 'busybox', '1.36'],
    ['host:5000/a/b', 'host:5000/a/b', 'latest'],
    ['host:5000/a/b:2', 'host:5000/a/b', '2'],
    ['a@sha256:00', 'a', 'sha256:00']
  ] as const
  for (const [image, repository, tag] of rows) equal(parseReference(image), { repository, tag })
})

test('a body never asks an engine to restart, and leaves out what the spec leaves out', () => {
  const mark = newMark()
  const input = { mark, owner: OWNER, network: 'net' }
  const body = createBody({ ...input, spec: newSpec('docker', { image: 'a', init: false }) })
  equal(body.HostConfig?.RestartPolicy, { Name: 'no' })
  is(body.HostConfig?.Init, false)
  for (const key of ['Entrypoint', 'Cmd', 'User', 'WorkingDir', 'Healthcheck'])
    is(key in body, false, key)
  is('Memory' in (body.HostConfig ?? {}), false)
  throws(() => createBody({ ...input, spec: newSpec('docker', {}) }), /has no image/)
})

function frame(kind: number, payload: string): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt8(kind, 0)
  header.writeUInt32BE(Buffer.byteLength(payload), 4)
  return Buffer.concat([header, Buffer.from(payload)])
}

test('log frames become lines, however they are cut', () => {
  const time = '2026-01-02T03:04:05.000000006Z'
  const body = Buffer.concat([
    frame(1, `${time} one ☃\n`),
    frame(2, `${time} err\r\n`),
    frame(1, `${time} long `),
    frame(2, `${time} between\n`),
    frame(1, `${time} line\n`),
    frame(1, `${time} no newline`)
  ])
  const expected = [
    { stream: 'stdout', time, line: 'one ☃' },
    { stream: 'stderr', time, line: 'err' },
    { stream: 'stderr', time, line: 'between' },
    { stream: 'stdout', time, line: 'long line' },
    { stream: 'stdout', time, line: 'no newline' }
  ]
  for (const size of [1, 3, 7, 64, body.length]) {
    const parser = new LogParser(false)
    const lines = []
    for (let at = 0; at < body.length; at += size)
      lines.push(...parser.push(body.subarray(at, at + size)))
    lines.push(...parser.end())
    equal(lines, expected)
  }
  throws(() => new LogParser(false).push(Buffer.from('this is no log body')), /damaged/)
  const terminal = new LogParser(true)
  const raw = [...terminal.push(Buffer.from(`${time} a\r\n${time} b`)), ...terminal.end()]
  equal(
    raw.map(({ line }) => line),
    ['a', 'b']
  )
})

test('a stat line is read whatever the program calls itself', () => {
  const rest = `S 1 2 3 ${'0 '.repeat(15)}4242 99`
  equal(parseStat(`7 (a) b (c) ${rest}`), { state: 'S', startTicks: 4242 })
  is(parseStat('7 sleep'), undefined)
  is(parseStat('7 (x) S 1'), undefined)
})

test('only the very same process is alive, and only its group is signalled', () => {
  const killed: number[] = []
  let state = 'S'
  const proc: Proc = {
    bootId: 'boot-1',
    stat: pid => (pid === 7 ? { state, startTicks: 500 } : undefined),
    uptimeMs: () => 9_000,
    kill: pid => {
      killed.push(pid)
      return true
    }
  }
  const identity = { bootId: 'boot-1', pid: 7, startTicks: 500 }
  is(ageMs(proc, identity), 4_000)
  const strangers = [
    { ...identity, bootId: 'boot-0' },
    { ...identity, startTicks: 499 },
    { ...identity, pid: 8 }
  ]
  for (const stranger of strangers) {
    is(isAlive(proc, stranger), false)
    is(signalGroup(proc, stranger, 'SIGKILL'), false)
  }
  equal(killed, [])
  is(signalGroup(proc, identity, 'SIGTERM'), true)
  equal(killed, [-7])
  state = 'Z'
  is(isAlive(proc, identity), false)
})

test('a stop signal is read in every form that Docker takes', () => {
  const rows = [
    ['SIGTERM', 15],
    ['term', 15],
    ['9', 9],
    ['SIGRTMIN+3', 37],
    ['RTMAX-1', 63],
    ['SIGNONSENSE', 15]
  ] as const
  for (const [name, number] of rows) is(signalNumber(name), number, name)
})

test('health follows the rules of Docker', () => {
  const rule = { retries: 3, inStartPeriod: false }
  let now = { state: 'starting', failures: 0 } as ReturnType<typeof nextHealth>
  now = nextHealth(now, false, { ...rule, inStartPeriod: true })
  equal(now, { state: 'starting', failures: 0 })
  now = nextHealth(now, true, rule)
  equal(now, { state: 'healthy', failures: 0 })
  now = nextHealth(nextHealth(now, false, rule), false, rule)
  equal(now, { state: 'healthy', failures: 2 })
  equal(nextHealth(now, true, rule), { state: 'healthy', failures: 0 })
  equal(nextHealth(now, false, rule), { state: 'unhealthy', failures: 3 })
  equal(nextHealth({ state: 'unhealthy', failures: 9 }, true, rule).state, 'healthy')
})

test('a word is quoted so that a shell reads just that word', () => {
  is(quote("it's"), `'it'\\''s'`)
  is(quote('$x `y`\n'), `'$x \`y\`\n'`)
})

test('a wait ends at its deadline or with its signal, even if the work never does', async () => {
  const never = (): Promise<void> => new Promise(() => undefined)
  const quiet = new AbortController().signal
  const late = await rejection(within({ what: 'it', timeoutMs: 5, signal: quiet }, never))
  is(late.message, 'it: no answer within 5 ms')
  is(late.kind, 'transient')
  const controller = new AbortController()
  const ended = rejection(
    within({ what: 'it', timeoutMs: 60_000, signal: controller.signal }, never)
  )
  controller.abort(new Error('enough'))
  is((await ended).message, 'enough')
})

test('a keyed lock runs one at a time a key, in order, also after a failure', async () => {
  const lock = new KeyedLock()
  const { signal } = new AbortController()
  const seen: string[] = []
  const step = (name: string, key = 'a') =>
    lock.run(key, signal, async () => {
      seen.push(`${name} in`)
      await Promise.resolve()
      seen.push(`${name} out`)
      if (name === 'one') throw new Error('one failed')
    })
  const all = await Promise.allSettled([step('one'), step('two'), step('three', 'b')])
  equal(
    all.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled']
  )
  ok(seen.indexOf('one out') < seen.indexOf('two in'))
  ok(seen.indexOf('three in') < seen.indexOf('one out'))
})

test('no more than the limit of calls are under way, and results keep their order', async () => {
  let under = 0
  let most = 0
  const results = await mapLimited([5, 1, 4, 2, 3], 2, async item => {
    under += 1
    most = Math.max(most, under)
    await Promise.resolve()
    under -= 1
    return item * 10
  })
  equal(results, [50, 10, 40, 20, 30])
  is(most, 2)
})

test.run()
