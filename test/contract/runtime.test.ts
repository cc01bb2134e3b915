/**
 * One suite of behaviours for every runtime: memory, process (two shells), docker against the fake
 * API and against a real engine.
 */
import { existsSync } from 'node:fs'
import { equal, is, ok } from 'uvu/assert'
import type { Runtime } from '../../node/runtime/runtime.ts'
import {
  collect,
  endSharedEngine,
  HARNESSES,
  type Harness,
  newMark,
  rejection,
  until,
  untilInstance
} from '../helpers/runtime.ts'
import { type Suite, suite } from '../helpers/suite.ts'

const STOP = { graceMs: 1_000, signal: 'SIGTERM' } as const

function startAndStop(test: Suite, harness: Harness): void {
  test('a started instance is listed with its mark, and is gone once stopped', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const runtime = await host.runtime()
    ok((await runtime.status(signal)).available)
    const mark = newMark()
    const started = await runtime.start(host.spec({ kind: 'wait' }), mark, signal)
    is(started.state, 'running')
    equal(started.mark, mark)
    const listed = await runtime.list(signal)
    equal(
      listed.map(({ id, state, mark, exitCode }) => ({ id, state, mark, exitCode })),
      [{ id: started.id, state: 'running', mark, exitCode: undefined }]
    )
    ok(Number.isFinite(Date.parse(listed[0]?.startedAt ?? '')))
    await runtime.stop(started.id, STOP, signal)
    equal(await runtime.list(signal), [])
    await runtime.stop(started.id, STOP, signal)
  })

  test('two starts at once of one slot give one instance', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const runtime = await host.runtime()
    const mark = newMark()
    const spec = host.spec({ kind: 'wait' })
    const both = await Promise.all([
      runtime.start(spec, mark, signal),
      runtime.start(spec, { ...mark, claim: 'another' }, signal)
    ])
    is(both[0]?.id, both[1]?.id)
    is((await runtime.list(signal)).length, 1)
  })

  test('a process that ignores its stop signal is killed after the grace', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const runtime = await host.runtime()
    const { id } = await runtime.start(host.spec({ kind: 'stubborn' }), newMark(), signal)
    if (harness.isReal) await untilBegun(runtime, id, signal)
    const beganMs = performance.now()
    await runtime.stop(id, { graceMs: 400, signal: 'SIGTERM' }, signal)
    const tookMs = performance.now() - beganMs
    ok(tookMs >= 395 && tookMs < 4_000, `took ${tookMs} ms`)
    equal(await runtime.list(signal), [])
  })
}

/** A shell ignores a signal only once it has come to its `trap`. */
async function untilBegun(runtime: Runtime, id: string, signal: AbortSignal): Promise<void> {
  const options = { follow: false, tail: undefined, sinceMs: undefined }
  await until(signal, async () => {
    const lines = await collect(runtime.logs(id, options, signal))
    return lines.some(({ line }) => line === 'begun')
  })
}

function adoption(test: Suite, harness: Harness): void {
  test('a new runtime object finds what runs and adopts it', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const before = await host.runtime()
    const mark = newMark()
    const spec = host.spec({ kind: 'wait' })
    const started = await before.start(spec, mark, signal)
    await before.close()
    const after = await host.runtime()
    const found = (await after.list(signal))[0]
    is(found?.id, started.id)
    is(found?.startedAt, started.startedAt)
    ok((found?.runningMs ?? 0) >= started.runningMs)
    const adopted = await after.start(spec, { ...mark, claim: 'later' }, signal)
    is(adopted.id, started.id)
    is(adopted.mark.claim, mark.claim)
    is((await after.list(signal)).length, 1)
  })

  test('another generation waits for the running one and replaces an ended one', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const runtime = await host.runtime()
    const mark = newMark()
    const old = await runtime.start(host.spec({ kind: 'wait' }), mark, signal)
    const next = { ...mark, generation: 'a.2' }
    const refused = await rejection(runtime.start(host.spec({ kind: 'wait' }), next, signal))
    is(refused.kind, 'transient')
    is((await runtime.list(signal))[0]?.id, old.id)
    await runtime.stop(old.id, STOP, signal)
    const ended = await runtime.start(host.spec({ kind: 'exit', code: 1 }), mark, signal)
    await untilInstance(runtime, ended.id, signal, one => one.state === 'exited')
    const replaced = await runtime.start(host.spec({ kind: 'wait' }), next, signal)
    is(replaced.mark.generation, 'a.2')
    is((await runtime.list(signal)).length, 1)
  })

  test('what another mesh or another node made is neither seen nor touched', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const ours = await host.runtime()
    const mark = newMark()
    const spec = host.spec({ kind: 'wait' })
    const others = [await host.runtime({ mesh: 'mesh-b' }), await host.runtime({ node: 'node-b' })]
    for (const [index, other] of others.entries()) {
      const theirs = newMark({ mesh: index === 0 ? 'mesh-b' : mark.mesh })
      const { id } = await other.start(spec, theirs, signal)
      equal(await ours.list(signal), [])
      await ours.stop(id, STOP, signal).catch(() => undefined)
      await ours.restart(id, signal).catch(() => undefined)
      await ours.sweep(signal)
      is((await other.list(signal))[0]?.state, 'running')
    }
  })
}

function ends(test: Suite, harness: Harness): void {
  test('an exit status is seen, and restart runs the same instance again', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const runtime = await host.runtime()
    const mark = newMark()
    const { id } = await runtime.start(host.spec({ kind: 'exit', code: 3 }), mark, signal)
    for (let round = 0; round < 2; round++) {
      const ended = await untilInstance(runtime, id, signal, one => one.state === 'exited')
      is(ended.exitCode, 3)
      is(ended.runningMs, 0)
      equal(ended.mark, mark)
      await runtime.restart(id, signal)
    }
    // An ended instance is adopted as it is: whether it runs again is not decided here.
    await untilInstance(runtime, id, signal, one => one.state === 'exited')
    const again = await runtime.start(host.spec({ kind: 'exit', code: 3 }), mark, signal)
    is(again.id, id)
    is(again.state, 'exited')
    is((await rejection(runtime.restart('nothing:00000000', signal))).kind, 'transient')
  })

  test('the watch says that something changed, and ends with its signal', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const runtime = await host.runtime()
    const controller = new AbortController()
    let count = 0
    const watching = runtime.watch(() => {
      count += 1
    }, controller.signal)
    await until(signal, () => count > 0)
    let before = count
    const { id } = await runtime.start(host.spec({ kind: 'wait' }), newMark(), signal)
    await until(signal, () => count > before)
    before = count
    await runtime.stop(id, STOP, signal)
    await until(signal, () => count > before)
    controller.abort()
    await watching
  })
}

function volumes(test: Suite, harness: Harness): void {
  test('a missing bind source is refused for good, and nothing is created', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const runtime = await host.runtime()
    const volumes = [
      { kind: 'bind', source: host.missingPath, target: '/data', readOnly: false }
    ] as const
    const spec = host.spec({ kind: 'wait' }, { volumes })
    const refused = await rejection(runtime.start(spec, newMark(), signal))
    is(refused.kind, 'permanent')
    ok(refused.message.includes(host.missingPath), refused.message)
    is(existsSync(host.missingPath), false)
    equal(await runtime.list(signal), [])
    const bind = { ...volumes[0], source: host.existingPath }
    const started = await runtime.start(
      host.spec({ kind: 'wait' }, { volumes: [bind] }),
      newMark(),
      signal
    )
    is(started.state, 'running')
  })

  test('a named volume is kept when its instance goes, and belongs to one node', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const runtime = await host.runtime()
    const project = `vol${Math.floor(performance.now())}`
    const volumes = [
      { kind: 'volume', name: 'data', target: '/data', readOnly: false, shared: false }
    ] as const
    const spec = host.spec({ kind: 'wait' }, { project, volumes })
    const { id } = await runtime.start(spec, newMark({ project }), signal)
    await runtime.stop(id, STOP, signal)
    const mine = (all: readonly { readonly project: string }[]) =>
      all.filter(volume => volume.project === project)
    equal(mine(await runtime.volumes(signal)), [{ name: 'data', project }])
    const other = await host.runtime({ mesh: 'mesh-b' })
    equal(mine(await other.volumes(signal)), [])
  })
}

function logs(test: Suite, harness: Harness): void {
  test('logs come from both streams, by tail, and following ends with its signal', async context => {
    const { signal } = context
    const host = await harness.open(context)
    const runtime = await host.runtime()
    const words = ['one', 'err-two', 'three']
    const { id } = await runtime.start(host.spec({ kind: 'print', words }), newMark(), signal)
    const stored = { follow: false, tail: undefined, sinceMs: undefined }
    const lines = await until(signal, async () => {
      const all = await collect(runtime.logs(id, stored, signal))
      return all.length >= 3 && all
    })
    equal(
      lines.map(({ line }) => line),
      words
    )
    equal(
      lines.map(({ stream }) => stream),
      ['stdout', 'stderr', 'stdout']
    )
    for (const { time } of lines) ok(Math.abs(Date.parse(time) - Date.now()) < 20_000, time)
    const last = await collect(runtime.logs(id, { ...stored, tail: 1 }, signal))
    equal(
      last.map(({ line }) => line),
      ['three']
    )
    const controller = new AbortController()
    const followed: string[] = []
    const options = { follow: true, tail: 2, sinceMs: undefined }
    for await (const { line } of runtime.logs(id, options, controller.signal)) {
      followed.push(line)
      if (followed.length === 2) controller.abort()
    }
    equal(followed, ['err-two', 'three'])
  })
}

for (const harness of HARNESSES) {
  const test = suite(`runtime contract: ${harness.name}`, {
    requires: harness.requires,
    timeoutMs: 40_000
  })
  startAndStop(test, harness)
  adoption(test, harness)
  ends(test, harness)
  volumes(test, harness)
  logs(test, harness)
  if (harness.name === 'docker (real engine)') {
    test('the engine of these tests is ended', () => endSharedEngine())
  }
  test.run()
}
