/** What stands between a daemon and a program: a shim that dies, or a daemon that does (F1, S7). */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { equal, is } from 'uvu/assert'
import { isAlive, linuxProc } from '../../node/runtime/process/proc.ts'
import type { ShimFile } from '../../node/runtime/process/record.ts'
import { newMark, until, untilInstance } from '../helpers/runtime.ts'
import { open, STOP, spec } from '../helpers/runtime-process.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('process runtime: shim', { requires: ['linux'], timeoutMs: 40_000 })

test('a shim that is killed leaves the process running and known', async context => {
  const { signal } = context
  const { runtime, record } = await open(context)
  const { id } = await runtime.start(spec('exec sleep 600'), newMark(), signal)
  const shim = JSON.parse(readFileSync(record(id, 'shim'), 'utf8')) as ShimFile
  // Until it has become its program, a workload gives up with its shim.
  const pid = readFileSync(record(id, 'workload.1'), 'utf8').split(' ')[0]
  await until(signal, () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n')
  process.kill(shim.pid, 'SIGKILL')
  await until(signal, () => !isAlive(linuxProc(), shim))
  is((await runtime.list(signal))[0]?.state, 'running')
  await runtime.stop(id, STOP, signal)
  equal(await runtime.list(signal), [])
})

test('the end of a process is noticed though its shim was killed and rings no bell', async context => {
  const { signal } = context
  const { runtime, record } = await open(context)
  const { id } = await runtime.start(spec('exec sleep 600'), newMark(), signal)
  const shim = JSON.parse(readFileSync(record(id, 'shim'), 'utf8')) as ShimFile
  const pid = Number(readFileSync(record(id, 'workload.1'), 'utf8').split(' ')[0])
  await until(signal, () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n')
  await runtime.list(signal)
  const end = new AbortController()
  let changes = 0
  const watching = runtime.watch(() => (changes += 1), end.signal)
  await until(signal, () => changes > 0)
  process.kill(shim.pid, 'SIGKILL')
  await until(signal, () => !isAlive(linuxProc(), shim))
  await runtime.list(signal)
  const before = changes
  process.kill(pid, 'SIGKILL')
  await until(signal, () => changes > before)
  is((await runtime.list(signal))[0]?.state, 'exited')
  end.abort()
  await watching
})

test('a daemon that dies before it says go has started nothing', async context => {
  const { signal } = context
  const { runtime, record } = await open(context)
  const mark = newMark()
  const { id } = await runtime.start(spec('exit 0'), mark, signal)
  await untilInstance(runtime, id, signal, one => one.state === 'exited')
  // The state that such a death leaves: a next run written down, a shim that is gone.
  const shim = JSON.parse(readFileSync(record(id, 'shim'), 'utf8')) as ShimFile
  writeFileSync(record(id, 'shim'), JSON.stringify({ ...shim, run: 2 }))
  is((await runtime.list(signal))[0]?.state, 'created')
  const again = await runtime.start(spec('exit 0'), mark, signal)
  is(again.id, id)
  await untilInstance(runtime, id, signal, one => one.state === 'exited')
})

test('a record that was never written whole is no instance and in no way', async context => {
  const { signal } = context
  const { runtime, dataDir, record } = await open(context)
  const mark = newMark()
  const { id } = await runtime.start(spec('exec sleep 600'), mark, signal)
  await runtime.stop(id, STOP, signal)
  mkdirSync(record(id, 'work'), { recursive: true })
  writeFileSync(record(id, 'mark.json'), '{"form')
  equal(await runtime.list(signal), [])
  is((await runtime.start(spec('exec sleep 600'), mark, signal)).state, 'running')
  is(readdirSync(join(dataDir, 'process')).filter(name => name.startsWith('shoal-')).length, 1)
})

test.run()
