import { is } from 'uvu/assert'
import { isWanted } from '../../node/agent/wanted.ts'
import type { Action } from '../../node/reconcile/action.ts'
import { allocation, DATA_VOLUME, mark, spec, viewOf } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: what is still wanted')

/** A start of slot 0 on `a` that has waited, and what is known by now. */
function late(fields: Parameters<typeof spec>[0] = {}) {
  const wanted = spec(fields)
  const view = viewOf(['a', 'b'], [wanted])
  const [workload] = view.workloads.values()
  if (workload === undefined) throw new Error('no workload')
  const { uid, generation } = workload
  const own = mark(uid, 0, generation)
  const action: Action = { kind: 'start', mark: own, spec: wanted, runtime: 'memory', data: [] }
  const claim = (node: string, claimed: Partial<Parameters<typeof allocation>[0]>): void =>
    view.setOwn(node, `alloc/${uid}/0`, allocation({ generation, ...claimed }))
  claim('a', { claim: own.claim, state: 'starting' })
  return { view, uid, action, claim, wanted: () => isWanted(view, 'a', action) }
}

test('a start is wanted while its claim stands', () => {
  const one = late()
  is(one.wanted(), true)
  one.claim('a', { claim: 'another', state: 'starting' })
  is(one.wanted(), false)
})

test('a claim that is stopping wants no start, and neither does a workload that is gone', () => {
  const one = late()
  one.claim('a', { claim: one.action.mark.claim, state: 'stopping' })
  is(one.wanted(), false)
  is(isWanted(viewOf(['a', 'b']), 'a', one.action), false)
})

test('nothing starts on an empty volume when its data was heard of elsewhere meanwhile', () => {
  const one = late({ volumes: [DATA_VOLUME], partition: 'manual' })
  is(one.wanted(), true)
  one.claim('b', { claim: 'b0', state: 'healthy', ran: true, data: ['data'] })
  is(one.wanted(), false)
  const key = `abandon/${one.uid}/0`
  one.view.setShared({ key, uid: 'x', value: { claims: ['b0'] }, losers: [], conflicts: 0 })
  is(one.wanted(), true)
})

test('what has its own data starts, whatever others have', () => {
  const one = late({ volumes: [DATA_VOLUME], partition: 'manual' })
  one.claim('b', { claim: 'b0', state: 'healthy', ran: true, data: ['data'] })
  one.claim('a', { claim: one.action.mark.claim, state: 'starting', data: ['data'] })
  is(one.wanted(), true)
})

test('without volumes of its own data elsewhere is no reason', () => {
  const one = late()
  one.claim('b', { claim: 'b0', state: 'healthy', ran: true, data: ['data'] })
  is(one.wanted(), true)
})

test.run()
