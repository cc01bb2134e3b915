import { equal, is } from 'uvu/assert'
import {
  type MemoryBehaviour,
  MemoryEngine,
  type MemoryEngineInit,
  MemoryRuntime
} from '../../node/runtime/memory.ts'
import { RuntimeFailure } from '../../node/runtime/runtime.ts'
import { newMark, newSpec, OWNER, rejection } from '../helpers/runtime.ts'
import { suite } from '../helpers/suite.ts'
import { EPOCH_MS, VirtualClock } from '../helpers/virtual-clock.ts'

const test = suite('memory runtime')
const { signal } = new AbortController()

/** An engine whose clock moves only when it is told to. */
function virtualHost(init: MemoryEngineInit = {}) {
  const clock = new VirtualClock()
  const engine = new MemoryEngine({ clock }, init)
  const advance = (byMs: number): Promise<void> => clock.settle(byMs)
  return { engine, advance, runtime: new MemoryRuntime({ engine }, OWNER) }
}

function behaving(behaviour: MemoryBehaviour) {
  return virtualHost({ behave: () => behaviour })
}

const HEALTH = {
  command: ['true'],
  intervalMs: 1_000,
  timeoutMs: 1_000,
  startPeriodMs: 0,
  retries: 3
}

test('a start takes its latency on the given clock, and running time counts on it', async () => {
  const { runtime, advance } = behaving({ startLatencyMs: 250 })
  let started = false
  const starting = runtime.start(newSpec('memory', {}), newMark(), signal).then(() => {
    started = true
  })
  await advance(249)
  is(started, false)
  await advance(1)
  await starting
  await advance(1_500)
  const [instance] = await runtime.list()
  is(instance?.runningMs, 1_500)
  is(instance?.startedAt, new Date(EPOCH_MS + 250).toISOString())
})

test('a start that fails leaves nothing', async () => {
  const failure = new RuntimeFailure('permanent', 'no such image')
  const { runtime } = behaving({ failure })
  is(await rejection(runtime.start(newSpec('memory', {}), newMark(), signal)), failure)
  equal(await runtime.list(), [])
})

test('health, exit and each run of it follow the behaviour', async () => {
  const { runtime, advance } = virtualHost({
    behave: (_spec, _mark, run) => ({
      healthyAfterMs: 100,
      exit: { afterMs: 300, code: run }
    })
  })
  const spec = newSpec('memory', { health: HEALTH })
  const { id, health } = await runtime.start(spec, newMark(), signal)
  is(health, 'starting')
  await advance(100)
  is((await runtime.list())[0]?.health, 'healthy')
  await advance(200)
  is((await runtime.list())[0]?.exitCode, 1)
  await runtime.restart(id, signal)
  is((await runtime.list())[0]?.state, 'running')
  await advance(300)
  is((await runtime.list())[0]?.exitCode, 2)
})

test('an engine that is down refuses, and what ran still runs when it is back', async () => {
  const { engine, runtime, advance } = virtualHost()
  await runtime.start(newSpec('memory', {}), newMark(), signal)
  engine.setUp(false)
  is((await rejection(runtime.list())).kind, 'transient')
  is((await runtime.status()).available, false)
  await advance(5_000)
  engine.setUp(true)
  is((await runtime.list())[0]?.runningMs, 5_000)
})

test('a host that loses power keeps its volumes and nothing that ran', async () => {
  const { engine, runtime } = virtualHost()
  const volumes = [
    { kind: 'volume', name: 'data', target: '/d', readOnly: false, shared: false }
  ] as const
  await runtime.start(newSpec('memory', { volumes }), newMark(), signal)
  engine.crash()
  is((await runtime.list())[0]?.state, 'exited')
  equal(await runtime.volumes(), [{ name: 'data', project: 'test' }])
})

test.run()
