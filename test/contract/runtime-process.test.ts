/**
 * Plain programs: they outlive a daemon that is killed, are known by more than a pid, keep every
 * line, and are told apart from strangers (F1, F49, F50, S7, S8).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Level } from 'level'
import { equal, is, match, ok } from 'uvu/assert'
import { linuxProc } from '../../node/runtime/process/proc.ts'
import type { ShimFile } from '../../node/runtime/process/record.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import {
  collect,
  newMark,
  OWNER,
  rejection,
  temporary,
  until,
  untilInstance
} from '../helpers/runtime.ts'
import { lines, open, STOP, STORED, spec } from '../helpers/runtime-process.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('process runtime', { requires: ['linux'], timeoutMs: 40_000 })

/** A health check that is run again at once. */
const OFTEN = { intervalMs: 30, timeoutMs: 2_000, startPeriodMs: 0, retries: 2 }
const CHILD = fileURLToPath(new URL('../helpers/runtime-daemon.ts', import.meta.url))

test('processes outlive a daemon that is killed, and the next one adopts them', async context => {
  const { signal } = context
  const { dataDir, again } = await open(context)
  const mark = newMark()
  const workload = spec('echo begun; exec sleep 600')
  const job = JSON.stringify({ owner: OWNER, dataDir, spec: workload, mark })
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, job], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  context.cleanup(() => child.kill('SIGKILL'))
  const [said] = (await once(child.stdout, 'data', { signal })) as [Buffer]
  const started = JSON.parse(String(said)) as { id: string; runningMs: number }
  child.kill('SIGKILL')
  await once(child, 'exit')
  const runtime = await again()
  const found = (await runtime.list(signal))[0]
  is(found?.id, started.id)
  is(found?.state, 'running')
  is((await runtime.start(workload, mark, signal)).id, started.id)
  // Counted from the kernel's start time, so no daemon has to remember it.
  const { pid, startTicks } = (await runtime.inspect(started.id)).state.workload ?? fail()
  const ageMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000 - startTicks * 10
  const runningMs = (await runtime.list(signal))[0]?.runningMs ?? 0
  ok(Math.abs(runningMs - ageMs) < 250, `${runningMs} against ${ageMs}`)
  // The reader of its lines is a process of its own: it may be behind.
  await until(signal, async () => (await lines(runtime, started.id, signal)).length > 0)
  equal(await lines(runtime, started.id, signal), ['begun'])
  await runtime.stop(started.id, STOP, signal)
  is(existsSync(`/proc/${pid}`), false)
})

function fail(): never {
  throw new Error('nothing runs')
}

/** A process whose start time, in ticks of 10 ms, is another than the recorded one. */
async function startedLater(context: TestContext, recorded: string): Promise<ChildProcess> {
  for (;;) {
    const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
    context.cleanup(() => child.kill('SIGKILL'))
    await once(child, 'spawn')
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    if (startTicks !== undefined && !recorded.split(/\s/).includes(startTicks)) return child
    context.signal.throwIfAborted()
  }
}

test('a pid that was given to a stranger is never signalled', async context => {
  const { signal } = context
  const { runtime, record } = await open(context)
  const { id } = await runtime.start(spec('exec sleep 600'), newMark(), signal)
  const path = record(id, 'workload.1')
  const stranger = await startedLater(context, readFileSync(path, 'utf8'))
  const [pid, ...rest] = readFileSync(path, 'utf8').split(' ')
  context.cleanup(() => process.kill(Number(pid), 'SIGKILL'))
  // As if the pid of ours had ended and come round to the stranger: same pid, other start time.
  writeFileSync(path, [stranger.pid, ...rest].join(' '))
  const shim = JSON.parse(readFileSync(record(id, 'shim'), 'utf8')) as ShimFile
  writeFileSync(record(id, 'shim'), JSON.stringify({ ...shim, pid: stranger.pid }))
  const seen = (await runtime.list(signal))[0]
  is(seen?.state, 'exited')
  is(seen?.exitCode, undefined)
  await runtime.stop(id, { graceMs: 100, signal: 'SIGTERM' }, signal)
  is(stranger.exitCode ?? stranger.signalCode, null)
  equal(await runtime.list(signal), [])
})

test('after a reboot nothing runs, and no pid of before is signalled', async context => {
  const { signal } = context
  const { runtime, record, again } = await open(context)
  const { id } = await runtime.start(spec('exec sleep 600'), newMark(), signal)
  const path = record(id, 'workload.1')
  const before = readFileSync(path, 'utf8')
  const shimBefore = readFileSync(record(id, 'shim'), 'utf8')
  const { bootId } = linuxProc()
  writeFileSync(path, before.replace(bootId, '00000000-0000-4000-8000-000000000000'))
  writeFileSync(
    record(id, 'shim'),
    shimBefore.replace(bootId, '00000000-0000-4000-8000-000000000000')
  )
  const after = await again()
  is((await after.list(signal))[0]?.state, 'exited')
  const pid = Number(before.split(' ')[0])
  writeFileSync(path, before)
  writeFileSync(record(id, 'shim'), shimBefore)
  is((await after.list(signal))[0]?.state, 'running')
  ok(existsSync(`/proc/${pid}`))
})

/** Its new parent may take its time to collect it. */
function hasEnded(pid: number): boolean {
  return ['Z', undefined].includes(linuxProc().stat(pid)?.state)
}

test('the whole group ends with its leader, and with a stop', async context => {
  const { signal } = context
  const { runtime } = await open(context)
  const script = 'sleep 601 & echo $!; exit 5'
  const { id } = await runtime.start(spec(script), newMark(), signal)
  const ended = await untilInstance(runtime, id, signal, one => one.state === 'exited')
  is(ended.exitCode, 5)
  const left = Number((await until(signal, async () => (await lines(runtime, id, signal))[0])) ?? 0)
  await until(signal, () => hasEnded(left))
  const two = await runtime.start(spec('sleep 602 & echo $!; wait'), newMark(), signal)
  const child = Number(await until(signal, async () => (await lines(runtime, two.id, signal))[0]))
  await runtime.stop(two.id, STOP, signal)
  await until(signal, () => hasEnded(child))
})

test('a process that is killed from outside ends with its signal as status', async context => {
  const { signal } = context
  const { runtime } = await open(context)
  const { id } = await runtime.start(spec('kill -9 $$'), newMark(), signal)
  is((await untilInstance(runtime, id, signal, one => one.state === 'exited')).exitCode, 137)
})

test('stop signals that shells ignore in the background arrive', async context => {
  const { signal } = context
  const { runtime } = await open(context)
  for (const name of ['INT', 'QUIT', 'HUP']) {
    const mark = newMark()
    const script = `trap 'exit 0' ${name}; echo begun; while :; do sleep 0.05; done`
    const { id } = await runtime.start(spec(script), mark, signal)
    await until(signal, async () => (await lines(runtime, id, signal)).length > 0)
    const beganMs = performance.now()
    await runtime.stop(id, { graceMs: 8_000, signal: `SIG${name}` }, signal)
    ok(performance.now() - beganMs < 4_000, name)
  }
})

test('no line is lost by rotation, and the files stay bounded', async context => {
  const { signal } = context
  const logBytesMax = 20_000
  const { runtime, record } = await open(context, { logBytesMax })
  const script = 'i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done; exit 0'
  const { id } = await runtime.start(spec(script), newMark(), signal)
  const seen: string[] = []
  for await (const { line } of runtime.logs(id, { ...STORED, follow: true }, signal))
    seen.push(line)
  equal(
    seen,
    Array.from({ length: 3_000 }, (_, index) => `line ${index}`)
  )
  const sizes = ['stdout.log', 'stdout.log.1', 'stdout.log.2'].map(
    file => statSync(record(id, file)).size
  )
  ok(sizes.every(size => size <= logBytesMax + 100))
  is(existsSync(record(id, 'stdout.log.3')), false)
  const kept = await lines(runtime, id, signal)
  equal(kept, seen.slice(-kept.length))
  const tail = await collect(runtime.logs(id, { ...STORED, tail: 1_500 }, signal))
  equal(
    tail.map(({ line }) => line),
    seen.slice(-1_500)
  )
})

test('lines come as they were written, also without a newline at the end', async context => {
  const { signal } = context
  const { runtime } = await open(context)
  const text = ["  spaced  'quoted' \\back %s", 'ünïcode ☃', '', '-n', 'x'.repeat(40_000), 'end']
  const path = join(temporary(context), 'text')
  writeFileSync(path, text.join('\n'))
  const script = `cat ${path}`
  const { id } = await runtime.start(spec(script), newMark(), signal)
  const seen: string[] = []
  for await (const { line } of runtime.logs(id, { ...STORED, follow: true }, signal))
    seen.push(line)
  equal(seen, text)
})

test('environment, working dir and volumes are what the spec says', async context => {
  const { signal } = context
  const { runtime, dataDir } = await open(context)
  const directory = temporary(context)
  process.env['SHOAL_TEST_SECRET'] = 'leaks'
  context.cleanup(() => {
    delete process.env['SHOAL_TEST_SECRET']
  })
  const volumes = [
    { kind: 'volume', name: 'my-data', target: '/d', readOnly: false, shared: false },
    { kind: 'bind', source: directory, target: '/etc/app.d', readOnly: true },
    { kind: 'tmpfs', target: '/scratch' }
  ] as const
  const env = { TEXT: "it's $HOME `x` \\ \n two", SHOAL_SLOT: 'forged' }
  const script =
    'printf %s "$TEXT"; echo; echo "$SHOAL_SLOT $SHOAL_PROJECT $SHOAL_WORKLOAD $SHOAL_NODE"; ' +
    'echo "$SHOAL_VOLUME_MY_DATA"; echo "$SHOAL_BIND_ETC_APP_D"; ls -d "$SHOAL_TMPFS_SCRATCH"; ' +
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own.
    'echo "[${SHOAL_TEST_SECRET-}]"; pwd; umask'
  const { id } = await runtime.start(spec(script, { env, volumes }), newMark(), signal)
  await untilInstance(runtime, id, signal, one => one.state === 'exited')
  const seen = await until(signal, async () => {
    const all = await lines(runtime, id, signal)
    return all.length >= 9 && all
  })
  const record = join(dataDir, 'process', id.slice(0, id.lastIndexOf(':')))
  equal(seen, [
    "it's $HOME `x` \\ ",
    ' two',
    '0 test web node-a',
    join(dataDir, 'volumes/test/my-data'),
    directory,
    join(record, 'tmp-0'),
    '[]',
    join(record, 'work'),
    '0022'
  ])
  for (const file of ['wrapper.sh', 'mark.json']) {
    is(statSync(join(record, file)).mode & 0o077, 0, file)
  }
})

test('limits that cannot be held are said, in the status, the log and inspect', async context => {
  const { signal } = context
  const { runtime, said } = await open(context)
  const resources = { cpuMillis: 0, memoryMiB: 0, cpuLimitMillis: 100, memoryLimitMiB: 64 }
  const { id } = await runtime.start(spec('exec sleep 600', { resources }), newMark(), signal)
  match((await runtime.status()).detail, 'not enforced')
  ok(said.some(line => line.includes('resources.memoryLimitMiB')))
  const inspected = await runtime.inspect(id)
  equal(inspected.notEnforced, ['resources.memoryLimitMiB', 'resources.cpuLimitMillis'])
})

test('a spec that this node cannot run is refused for good', async context => {
  const { signal } = context
  const { runtime, dataDir } = await open(context)
  const volume = { kind: 'volume', name: 'data', target: '/d', readOnly: false } as const
  const rows: readonly [Partial<WorkloadSpec>, string][] = [
    [{ command: ['no-such-program'] }, 'command no-such-program is not a program'],
    [{ command: [] }, 'needs a command'],
    [{ workingDir: '/no/such/dir' }, 'working dir /no/such/dir'],
    [{ env: { 'a.b': 'x' } }, 'environment name a.b'],
    [{ env: { A: 'x\0y' } }, 'NUL byte'],
    [{ user: 'no-such-user' }, 'user no-such-user'],
    [{ volumes: [{ ...volume, shared: true, driver: 'nfs' }] }, 'driver nfs'],
    [{ volumes: [{ ...volume, shared: false, name: '../x' }] }, 'volume name ../x']
  ]
  for (const [overrides, words] of rows) {
    const failure = await rejection(runtime.start(spec('true', overrides), newMark(), signal))
    is(failure.kind, 'permanent', words)
    ok(failure.message.includes(words), failure.message)
  }
  equal(await runtime.list(signal), [])
  mkdirSync(join(dataDir, 'volumes/test/data'), { recursive: true })
  const volumes = [{ ...volume, shared: false }]
  const failure = await rejection(runtime.start(spec('true', { volumes }), newMark(), signal))
  match(failure.message, 'was not made by shoal')
})

test('another user is switched to by root', { requires: ['root'] }, async context => {
  const { signal } = context
  const { runtime } = await open(context)
  const row = { user: 'nobody' }
  const { id } = await runtime.start(spec('id -u; id -g; echo $HOME', row), newMark(), signal)
  const seen = await until(signal, async () => {
    const all = await lines(runtime, id, signal)
    return all.length >= 3 && all
  })
  equal(seen, ['65534', '65534', '/nonexistent'])
})

// LevelDB opens its files without O_CLOEXEC: a child gets them, whatever user it runs as.
test('neither a program nor its health check has a file that the daemon has open', async context => {
  const { signal } = context
  const { runtime, record } = await open(context)
  const store = new Level(join(temporary(context), 'store'))
  await store.open()
  context.cleanup(() => store.close())
  const health = {
    ...OFTEN,
    command: ['sh', '-c', 'ls /proc/self/fd >fds.new; mv fds.new fds']
  }
  const row = { health }
  const script = 'ls /proc/self/fd; exec sleep 600'
  const { id } = await runtime.start(spec(script, row), newMark(), signal)
  const seen = await until(signal, async () => {
    const all = await lines(runtime, id, signal)
    return all.length >= 4 && all
  })
  // The fourth is the directory that is being listed.
  equal(seen, ['0', '1', '2', '3'])
  const shim = JSON.parse(readFileSync(record(id, 'shim'), 'utf8')) as ShimFile
  const held = readdirSync(`/proc/${shim.pid}/fd`).map(fd => {
    return readlinkSync(`/proc/${shim.pid}/fd/${fd}`)
  })
  ok(
    held.every(path => !path.includes('/store/')),
    held.join('\n')
  )
  const checked = join(record(id, 'work'), 'fds')
  await until(signal, () => existsSync(checked))
  equal(readFileSync(checked, 'utf8'), '0\n1\n2\n3\n')
})

test('a health check turns healthy and unhealthy, and a restarted daemon knows it', async context => {
  const { signal } = context
  const { runtime, again, record } = await open(context)
  const flag = join(temporary(context), 'ok')
  const health = {
    ...OFTEN,
    command: ['test', '-e', flag],
    startPeriodMs: 60_000
  }
  const started = await runtime.start(spec('exec sleep 600', { health }), newMark(), signal)
  const { id } = started
  is(started.health, 'starting')
  writeFileSync(flag, '')
  await untilInstance(runtime, id, signal, one => one.health === 'healthy')
  await until(signal, () => existsSync(record(id, 'health')))
  await runtime.close()
  is((await (await again()).list(signal))[0]?.health, 'healthy')
  const hanging = { ...health, command: ['sleep', '600'], timeoutMs: 50, startPeriodMs: 0 }
  const two = await runtime.start(spec('exec sleep 600', { health: hanging }), newMark(), signal)
  await untilInstance(runtime, two.id, signal, one => one.health === 'unhealthy')
})

test.run()
