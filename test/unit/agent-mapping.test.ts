import { equal, ok } from 'uvu/assert'
import { generationOf, templateHash } from '../../node/agent/generation.ts'
import { itemInput, nodeInput, slotClaims, standingClaims } from '../../node/agent/mapping.ts'
import { allocation, DATA_VOLUME, info, member, spec, viewOf } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: mapping')

test('suspicion changes nothing of what placement reads, death takes the node out', () => {
  const view = viewOf(['a', 'b'])
  const before = nodeInput(view, 'b')
  view.setMember(member('b', 'suspect'))
  equal(nodeInput(view, 'b'), before)
  view.setMember(member('b', 'dead'))
  equal(nodeInput(view, 'b'), undefined)
})

test('a member without an info record takes no part yet', () => {
  const view = viewOf(['a'])
  view.setMember(member('b'))
  equal(nodeInput(view, 'b'), undefined)
})

test('a runtime of a later version is one more attribute, and costs the node nothing', () => {
  const view = viewOf(['a'])
  view.setOwn('a', 'info', { ...info('a'), runtimes: ['memory', 'microvm'] })
  equal(nodeInput(view, 'a')?.attributes['runtime.microvm'], 'true')
  equal(nodeInput(view, 'a')?.attributes['runtime.memory'], 'true')
  equal(view.invalidCount, 0)
})

test('a draining node keeps what is pinned and gets nothing new; a tenth of memory stays free', () => {
  const view = viewOf(['a'])
  view.setOwn('a', 'info', info('a', { draining: true, memoryMiB: 1_000 }))
  equal(nodeInput(view, 'a')?.schedulable, false)
  equal(nodeInput(view, 'a')?.memoryMiB, 900)
})

test('labels, names and runtimes are attributes that constraints can ask for', () => {
  const view = viewOf(
    ['a'],
    [spec({ constraints: [{ attribute: 'node.labels.disk', operator: '!=', value: 'hdd' }] })]
  )
  view.setOwn('a', 'info', info('mini-1', { labels: { disk: 'ssd' } }))
  equal(nodeInput(view, 'a')?.attributes['node.labels.disk'], 'ssd')
  equal(nodeInput(view, 'a')?.attributes['node.name'], 'mini-1')
  equal(itemInput(view, 'u0')?.requirements, [
    { attribute: 'runtime.memory', operator: 'in', values: ['true'] },
    { attribute: 'node.labels.disk', operator: 'not-in', values: ['hdd'] }
  ])
})

test('a slot with local data is a pin also when its node is dead, until it is abandoned', () => {
  const view = viewOf(['a', 'b'], [spec({ volumes: [DATA_VOLUME] })])
  view.setOwn('b', 'alloc/u0/0', allocation({ claim: 'cb' }))
  view.setMember(member('b', 'dead'))
  equal(itemInput(view, 'u0')?.pins, [{ slot: 0, node: 'b' }])
  view.setShared({
    key: 'abandon/u0/0',
    uid: 'x',
    value: { claims: ['cb'] },
    losers: [],
    conflicts: 0
  })
  equal(itemInput(view, 'u0')?.pins, [])
})

test('what is only claimed takes no number from a copy that runs, unless that is to leave', () => {
  const view = viewOf(['a', 'b'], [spec({ replicas: 2 })])
  view.setOwn('a', 'alloc/u0/0', allocation({ claim: 'ca', state: 'claimed', ran: false }))
  view.setOwn('b', 'alloc/u0/0', allocation({ claim: 'cb', state: 'running' }))
  view.setOwn('a', 'alloc/u0/1', allocation({ claim: 'cc', state: 'claimed', ran: false }))
  equal(slotClaims(view, 'u0'), [
    { slot: 0, node: 'b' },
    { slot: 1, node: 'a' }
  ])
  view.setOwn('b', 'info', info('b', { draining: true }))
  equal(slotClaims(view, 'u0')[0], { slot: 0, node: 'a' })
  view.setOwn('a', 'alloc/u0/0', allocation({ claim: 'ca', state: 'claimed', ran: true }))
  view.setOwn('b', 'info', info('b'))
  equal(slotClaims(view, 'u0').length, 3)
})

test('a claim that never ran holds no data and pins nothing', () => {
  const view = viewOf(['a', 'b'], [spec({ volumes: [DATA_VOLUME] })])
  view.setOwn('b', 'alloc/u0/0', allocation({ state: 'claimed', ran: false }))
  equal(itemInput(view, 'u0')?.pins, [])
})

test('of two claims of a slot with data the newest pins', () => {
  const view = viewOf(['a', 'b'], [spec({ volumes: [DATA_VOLUME] })])
  view.setOwn('a', 'alloc/u0/0', allocation({ claim: 'ca', sequence: 1 }))
  view.setOwn('b', 'alloc/u0/0', allocation({ claim: 'cb', sequence: 2 }))
  equal(itemInput(view, 'u0')?.pins, [{ slot: 0, node: 'b' }])
})

test('with rebalance failover living allocations are pins, dead ones are not', () => {
  const view = viewOf(['a', 'b'], [spec({ replicas: 2, rebalance: 'failover' })])
  view.setOwn('a', 'alloc/u0/0', allocation({ claim: 'ca' }))
  view.setOwn('b', 'alloc/u0/1', allocation({ claim: 'cb' }))
  view.setMember(member('b', 'dead'))
  equal(itemInput(view, 'u0')?.pins, [{ slot: 0, node: 'a' }])
})

test('with rebalance failover a copy is a pin whatever its number, the lowest numbers first', () => {
  const view = viewOf(['a', 'b'], [spec({ replicas: 1, rebalance: 'failover' })])
  view.setOwn('a', 'alloc/u0/2', allocation({ claim: 'ca' }))
  equal(itemInput(view, 'u0')?.pins, [{ slot: 2, node: 'a' }])
  view.setOwn('a', 'alloc/u0/2', allocation({ claim: 'ca', state: 'stopping' }))
  equal(itemInput(view, 'u0')?.pins, [])
  view.setOwn('a', 'alloc/u0/2', allocation({ claim: 'ca' }))
  view.setOwn('b', 'alloc/u0/0', allocation({ claim: 'cb' }))
  equal(itemInput(view, 'u0')?.pins, [{ slot: 0, node: 'b' }])
  const data = viewOf(['a', 'b'], [spec({ replicas: 1, volumes: [DATA_VOLUME] })])
  data.setOwn('a', 'alloc/u0/2', allocation({ claim: 'ca' }))
  equal(itemInput(data, 'u0')?.pins, [])
})

test('with rebalance failover a node that failed with this template holds nothing', () => {
  const view = viewOf(['a', 'b'], [spec({ rebalance: 'failover' })])
  const { generation = '' } = view.workloads.get('u0') ?? {}
  view.setOwn('a', 'alloc/u0/0', allocation({ claim: 'ca', generation, state: 'failed' }))
  equal(itemInput(view, 'u0')?.pins, [{ slot: 0, node: 'a' }])
  view.setOwn('a', 'failed/u0', { generation, reason: 'port taken', tries: 1 })
  equal(itemInput(view, 'u0')?.pins, [])
})

test('a draining node keeps pins of data, and no others', () => {
  const failover = viewOf(['a', 'b'], [spec({ rebalance: 'failover' })])
  failover.setOwn('a', 'alloc/u0/0', allocation({ claim: 'ca' }))
  equal(itemInput(failover, 'u0')?.pins, [{ slot: 0, node: 'a' }])
  failover.setOwn('a', 'info', info('a', { draining: true }))
  equal(itemInput(failover, 'u0')?.pins, [])
  const data = viewOf(['a', 'b'], [spec({ volumes: [DATA_VOLUME] })])
  data.setOwn('a', 'alloc/u0/0', allocation({ claim: 'ca' }))
  data.setOwn('a', 'info', info('a', { draining: true }))
  equal(itemInput(data, 'u0')?.pins, [{ slot: 0, node: 'a' }])
})

test('a node that failed with this template is avoided, one that failed with another is not', () => {
  const view = viewOf(['a', 'b'], [spec()])
  const generation = view.workloads.get('u0')?.generation ?? ''
  view.setOwn('a', 'failed/u0', { generation, reason: 'no image', tries: 1 })
  view.setOwn('b', 'failed/u0', { generation: 'older', reason: 'no image', tries: 1 })
  equal(itemInput(view, 'u0')?.avoid, ['a'])
})

test('a noClaim is void when its node claims, restarts, or its writer dies', () => {
  const view = viewOf(['a', 'b', 'c'], [spec()])
  const say = (): void =>
    view.setOwn('a', 'noclaim/u0/0', { node: 'b', boot: 'boot-b', viewHash: 'h' })
  say()
  equal(itemInput(view, 'u0')?.avoid, ['b'])
  view.setMember(member('b', 'alive', 'another boot'))
  equal(itemInput(view, 'u0')?.avoid, [])
  view.setMember(member('b'))
  view.setOwn('b', 'alloc/u0/0', allocation())
  equal(itemInput(view, 'u0')?.avoid, [])
  view.setOwn('b', 'alloc/u0/0', null)
  view.setMember(member('a', 'dead'))
  equal(itemInput(view, 'u0')?.avoid, [])
})

test('who is passed over because it says nothing gets nothing new and keeps what it runs', () => {
  const view = viewOf(['a', 'b', 'c'], [spec({ replicas: 3 })])
  const generation = view.workloads.get('u0')?.generation ?? ''
  view.setOwn('b', 'alloc/u0/1', allocation({ claim: 'cb', generation }))
  view.setOwn('b', 'alloc/u0/2', allocation({ claim: 'cc', generation: 'older' }))
  const said = { node: 'b', boot: 'boot-b', viewHash: 'h' }
  view.setOwn('a', 'noclaim/u0/0', said)
  equal([itemInput(view, 'u0')?.avoid, itemInput(view, 'u0')?.pins], [['b'], []])
  view.setOwn('a', 'noclaim/u0/0', { ...said, silent: true })
  equal(
    [itemInput(view, 'u0')?.avoid, itemInput(view, 'u0')?.pins],
    [['b'], [{ slot: 1, node: 'b' }]]
  )
})

test('services of one project are one item with summed requests', () => {
  const resources = { cpuMillis: 500, memoryMiB: 64, cpuLimitMillis: 0, memoryLimitMiB: 0 }
  const view = viewOf(
    ['a'],
    [
      spec({ name: 'web', group: 'demo', resources }),
      spec({ name: 'db', group: 'demo', resources })
    ]
  )
  const item = itemInput(view, 'group/demo/demo')
  equal([item?.replicas, item?.cpuMillis, item?.memoryMiB], [1, 1_000, 128])
})

test('beaten claims and those with a healthy successor no longer keep their number', () => {
  const view = viewOf(['a', 'b', 'c'], [spec({ replicas: 3 })])
  view.setOwn('a', 'alloc/u0/0', allocation({ claim: 'ca' }))
  view.setOwn('b', 'alloc/u0/0', allocation({ claim: 'cb', beats: ['ca'] }))
  view.setOwn('c', 'alloc/u0/1', allocation({ claim: 'cc', state: 'starting', replaces: ['cb'] }))
  equal(slotClaims(view, 'u0'), [
    { slot: 0, node: 'b' },
    { slot: 1, node: 'c' }
  ])
  view.setOwn('c', 'alloc/u0/1', allocation({ claim: 'cc', replaces: ['cb'] }))
  equal(
    standingClaims(view, 'u0').map(claim => claim.node),
    ['c']
  )
})

test('values of a peer that have not their shape are left out and counted', () => {
  const view = viewOf(['a'])
  view.setOwn('a', 'alloc/u0/0', { state: 'healthy' })
  view.setOwn('a', 'alloc/u0/-1', allocation())
  view.setOwn('a', 'info', { name: 7 })
  view.setOwn('a', 'nonsense', {})
  equal(view.invalidCount, 4)
  equal(view.claims('u0'), [])
  equal(view.infos.get('a')?.name, 'a')
})

test('replicas and placement are outside the template, image and env are inside', () => {
  const base = templateHash(spec())
  equal(templateHash(spec({ replicas: 9, priority: 1, rebalance: 'never' })), base)
  equal(templateHash(spec({ env: { A: '1' } })) === base, false)
  const one = generationOf({ spec: spec(), generation: 4, created: 1 })
  equal(one, `4.${base}`)
})

test('a pin without data holds nothing on a node that constraints rule out, one with data does', () => {
  const constraints = [{ attribute: 'node.labels.disk', operator: '==', value: 'ssd' }] as const
  const pinned = (fields: Parameters<typeof spec>[0], own: Parameters<typeof allocation>[0]) => {
    const view = viewOf(['a', 'b'], [spec({ constraints, ...fields })])
    const generation = view.workloads.get('u0')?.generation ?? ''
    view.setOwn('a', 'alloc/u0/0', allocation({ generation, ...own }))
    const before = itemInput(view, 'u0')?.pins.length
    view.dirty.items.clear()
    view.setOwn('a', 'info', info('a', { labels: { disk: 'ssd' } }))
    ok(view.dirty.items.has('u0'), 'a label may make it a pin')
    return [before, itemInput(view, 'u0')?.pins.length]
  }
  equal(pinned({}, { pinned: true }), [0, 1])
  equal(pinned({ rebalance: 'failover' }, {}), [0, 1])
  equal(pinned({ partition: 'manual' }, {}), [1, 1])
})

test.run()
