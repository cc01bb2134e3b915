/** Who is due and does not claim: said by the next in rank, taken back when it speaks. */
import { equal } from 'uvu/assert'
import { DEFAULT_AGENT_CONFIG } from '../../node/agent/config.ts'
import { NoClaims } from '../../node/agent/no-claims.ts'
import { Placing } from '../../node/agent/placing.ts'
import type { View } from '../../node/agent/view.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { DATA_VOLUME, spec, viewOf } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: no claims')
const { claimTimeoutMs, ownerSilentMs } = DEFAULT_AGENT_CONFIG
const NODES = ['a', 'b', 'c', 'd']

/** Whom placement wants first, and the others in order of rank, each with its own memory. */
class Due {
  readonly view: View
  readonly placing: Placing
  readonly owner: string
  readonly heirs: readonly string[]
  readonly said: string[] = []
  readonly #of = new Map<string, NoClaims>()

  constructor(fields: Partial<WorkloadSpec> = {}) {
    this.view = viewOf(NODES, [spec({ replicas: 1, ...fields })])
    this.placing = new Placing({ view: this.view }, { salt: 's' })
    this.placing.update()
    this.owner = this.#targets().get(0) ?? ''
    this.heirs = this.placing.rank('u0').filter(node => node !== this.owner)
    const parts = { config: DEFAULT_AGENT_CONFIG, view: this.view, placing: this.placing }
    for (const self of NODES) this.#of.set(self, new NoClaims({ ...parts, self }))
  }

  agrees(): void {
    const { viewHash, digest } = this.placing
    this.view.setOwn(this.owner, 'view', { viewHash, digest })
  }

  /** What one of them says when it looks; returns in how many ms it looks again. */
  look(self: string, nowMs: number): number {
    const workload = this.view.workloads.get('u0')
    if (workload === undefined) throw new Error('no workload')
    const say = (key: string, value: unknown): void => {
      this.view.setOwn(self, key, value)
      const silent = (value as { silent?: boolean } | null)?.silent === true
      this.said.push(`${nowMs} ${value === null ? 'takes back' : silent ? 'silent' : 'no claim'}`)
    }
    return this.#of.get(self)?.check(workload, this.#targets(), nowMs, say) ?? 0
  }

  #targets(): ReadonlyMap<number, string> {
    const workload = this.view.workloads.get('u0')
    return workload === undefined ? new Map() : this.placing.targets(workload)
  }
}

test('an owner that agrees and does not claim is passed over by the next in rank', () => {
  const due = new Due()
  due.agrees()
  const [next = '', second = ''] = due.heirs
  equal([due.look(next, 0), due.look(second, 0)], [claimTimeoutMs, claimTimeoutMs])
  due.look(second, claimTimeoutMs)
  equal(due.said, [])
  due.look(next, claimTimeoutMs)
  equal(due.said, [`${claimTimeoutMs} no claim`])
})

test('the second in rank says it after twice as long: the next may be as silent', () => {
  const due = new Due()
  const [, second = '', third = ''] = due.heirs
  for (const self of [second, third]) due.look(self, 0)
  for (const self of [second, third]) due.look(self, 2 * ownerSilentMs)
  equal(due.said, [`${2 * ownerSilentMs} silent`])
})

test('an owner that does not say that it sees our view gets longer, until it says so', () => {
  const due = new Due()
  const [next = ''] = due.heirs
  due.look(next, 0)
  due.look(next, claimTimeoutMs)
  equal(due.said, [])
  due.look(next, ownerSilentMs)
  due.placing.update()
  due.look(next, ownerSilentMs + 1)
  equal(due.said, [`${ownerSilentMs} silent`])
  due.agrees()
  due.look(next, ownerSilentMs + 2)
  equal(due.said.at(-1), `${ownerSilentMs + 2} takes back`)
})

test('who may have data of a slot, unheard, is never passed over for its silence', () => {
  const due = new Due({ volumes: [DATA_VOLUME], partition: 'manual' })
  const [next = ''] = due.heirs
  for (let ms = 0; ms < 10 * ownerSilentMs; ms += 1_000) due.look(next, ms)
  equal(due.said, [])
})

test.run()
