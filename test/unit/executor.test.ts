import { equal, match } from 'uvu/assert'
import type { AgentInput } from '../../node/agent/api.ts'
import { Executor } from '../../node/executor.ts'
import type { Action } from '../../node/reconcile/action.ts'
import { MemoryEngine, MemoryRuntime } from '../../node/runtime/memory.ts'
import { DATA_VOLUME, mark, spec } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { silentLog } from '../sim/world/silent-log.ts'

const test = suite('executor')
const OWNER = { mesh: 'm', node: 'a' }

/** An executor of one memory runtime, what it told, and a start for it. */
function setUp(wants: (action: Action) => boolean = () => true) {
  const clock = new VirtualClock()
  const engine = new MemoryEngine({ clock })
  const told: AgentInput[] = []
  const executor = new Executor({
    runtimes: new Map([['memory', new MemoryRuntime({ engine }, OWNER)]]),
    absent: new Set(),
    clock,
    log: silentLog,
    input: input => told.push(input),
    wants,
    onPoint: () => undefined
  })
  const start = (data: readonly string[]): Action => ({
    kind: 'start',
    runtime: 'memory',
    spec: spec({ volumes: [DATA_VOLUME], partition: 'manual' }),
    mark: { ...mark('u0', 0, '1.a'), mesh: OWNER.mesh },
    data
  })
  const outcomes = () => told.flatMap(input => (input.kind === 'done' ? [input.outcome] : []))
  return { clock, engine, executor, start, outcomes }
}

test('a slot that has written data does not start on a host without its volume', async () => {
  const { clock, engine, executor, start, outcomes } = setUp()
  executor.run(start(['data']))
  await clock.settle(100)
  const [refused] = outcomes()
  equal(refused?.ok === false && refused.failure, 'permanent')
  match(refused?.ok === false ? refused.message : '', /no volume data here.*volume abandon data/)
  equal(engine.entries.size, 0, 'nothing was created')
  engine.volumes.set('demo/data', { ...OWNER, project: 'demo', name: 'data' })
  executor.run(start(['data']))
  await clock.settle(100)
  equal(outcomes().at(-1)?.ok, true)
})

test('a slot that never ran makes its volume', async () => {
  const { clock, engine, executor, start, outcomes } = setUp()
  executor.run(start([]))
  await clock.settle(100)
  equal(outcomes()[0]?.ok, true)
  equal(engine.volumes.size, 1)
})

test('a start that is not wanted any more when its turn comes is not done', async () => {
  const { clock, engine, executor, start, outcomes } = setUp(() => false)
  executor.run(start([]))
  await clock.settle(100)
  const [outcome] = outcomes()
  equal(outcome?.ok === false && outcome.failure, 'transient')
  equal(engine.entries.size, 0)
})

test.run()
