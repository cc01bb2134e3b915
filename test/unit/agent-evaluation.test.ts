import { equal } from 'uvu/assert'
import { SeededRandom } from '../../gossip/core/random.ts'
import { DEFAULT_AGENT_CONFIG as CONFIG } from '../../node/agent/config.ts'
import { Evaluation } from '../../node/agent/evaluation.ts'
import { Pacing } from '../../node/agent/pacing.ts'
import { Placing } from '../../node/agent/placing.ts'
import { Slots } from '../../node/agent/slots.ts'
import { spec, viewOf } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: evaluation')

test('a node that failed is tried again while a slot has no other place', () => {
  for (const replicas of [1, 2]) {
    const view = viewOf(['a', 'b'], [spec({ replicas, maxPerNode: 1 })])
    const evaluation = new Evaluation({
      self: 'a',
      mesh: 'm',
      config: CONFIG,
      random: new SeededRandom(1),
      view,
      placing: new Placing({ view }, { salt: 'm' }),
      slots: new Slots({ config: CONFIG }),
      pacing: new Pacing({ config: CONFIG }),
      removed: () => false
    })
    const generation = view.workloads.get('u0')?.generation ?? ''
    const publish = (key: string, value: unknown): void => view.setOwn('a', key, value)
    publish('failed/u0', { generation, reason: 'no image', tries: 1 })
    evaluation.run(0, publish)
    evaluation.run(CONFIG.retryMinMs, publish)
    equal(view.failed('u0').has('a'), replicas === 1, `${replicas} replicas`)
  }
})

test.run()
