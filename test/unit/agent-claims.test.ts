import { equal, ok } from 'uvu/assert'
import { SeededRandom } from '../../gossip/core/random.ts'
import { decide } from '../../node/agent/claims.ts'
import { DEFAULT_AGENT_CONFIG as CONFIG } from '../../node/agent/config.ts'
import type { DecideInput, Decision, SlotMemory } from '../../node/agent/decision.ts'
import type { AllocationRecord } from '../../node/agent/records.ts'
import type { View } from '../../node/agent/view.ts'
import type { Instance } from '../../node/reconcile/instance.ts'
import { allocation, DATA_VOLUME, instance, mark, member, spec, viewOf } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: claims')

/** One node's side of one workload `u0`, decided again and again as time goes on. */
class Side {
  readonly view: View
  readonly memory = new Map<number, SlotMemory>()
  readonly instances = new Map<number, Instance>()
  targets = new Map<number, string>()
  rank: string[] = ['a', 'b', 'c']
  fits = true
  moveWaitMs = 0
  takeoverWaitMs = 0
  removed = false
  readonly #random = new SeededRandom(1)

  constructor(view: View) {
    this.view = view
  }

  get generation(): string {
    return this.view.workloads.get('u0')?.generation ?? ''
  }

  runs(slot: number, generation = this.generation, runningMs = 5_000): void {
    this.instances.set(slot, instance(mark('u0', slot, generation), { runningMs }))
  }

  claim(node: string, slot: number, fields: Partial<AllocationRecord> = {}): void {
    const record = allocation({
      claim: `c-${node}-${slot}`,
      generation: this.generation,
      ...fields
    })
    this.view.setOwn(node, `alloc/u0/${slot}`, record)
  }

  decide(nowMs: number): Decision {
    const input: DecideInput = {
      self: 'a',
      nowMs,
      config: CONFIG,
      random: this.#random,
      view: this.view,
      uid: 'u0',
      workload: this.view.workloads.get('u0'),
      removed: this.removed,
      targets: this.targets,
      rank: this.rank,
      memory: this.memory,
      instance: slot => this.instances.get(slot),
      fits: () => this.fits,
      takeoverWaitMs: () => this.takeoverWaitMs,
      moveWaitMs: () => this.moveWaitMs
    }
    const decision = decide(input)
    for (const [key, value] of decision.publish) this.view.setOwn('a', key, value)
    return decision
  }

  mine(slot: number): AllocationRecord | undefined {
    return this.view.claim('u0', slot, 'a')
  }
}

function side(replicas = 3, fields: Parameters<typeof spec>[0] = {}): Side {
  return new Side(viewOf(['a', 'b', 'c'], [spec({ replicas, ...fields })]))
}

test('a free slot is claimed and started once it has been ours for the settle time', () => {
  const one = side()
  one.targets.set(0, 'a')
  equal(one.decide(0).dueMs, CONFIG.settleMs)
  equal(one.mine(0), undefined)
  one.decide(CONFIG.settleMs)
  equal(one.mine(0)?.state, 'starting')
  equal(one.mine(0)?.ran, true)
})

test('the settle time is counted anew when the slot was meanwhile not ours', () => {
  const one = side()
  one.targets.set(0, 'a')
  one.decide(0)
  one.targets.set(0, 'b')
  one.decide(200)
  one.targets.set(0, 'a')
  one.decide(310)
  equal(one.mine(0), undefined)
  one.decide(310 + CONFIG.settleMs)
  equal(one.mine(0)?.state, 'starting')
})

test('a slot that a living node holds is taken over paced, and only after it was stable', () => {
  const one = side()
  one.claim('b', 0)
  one.targets.set(0, 'a')
  one.decide(0)
  one.decide(300)
  equal([one.mine(0)?.state, one.mine(0)?.paced], ['claimed', true])
  equal(one.mine(0)?.replaces, ['c-b-0'])
  one.decide(9_999)
  equal(one.mine(0)?.state, 'claimed')
  one.moveWaitMs = 4_000
  equal(one.decide(10_000).dueMs, 4_000)
  equal(one.mine(0)?.state, 'claimed')
  one.moveWaitMs = 0
  one.decide(14_000)
  equal([one.mine(0)?.state, one.mine(0)?.paced], ['starting', false])
})

test('a draining node is taken over from at once', () => {
  const one = side()
  one.view.setMember({ ...member('b'), phase: 'draining' })
  one.claim('b', 0)
  one.targets.set(0, 'a')
  one.decide(0)
  one.decide(300)
  equal(one.mine(0)?.state, 'starting')
})

test('our copy stays until the successor is healthy, then stops', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0)
  one.targets.set(0, 'b')
  one.decide(0)
  equal(one.mine(0)?.state, 'healthy')
  one.claim('b', 0, { state: 'starting', replaces: ['c-a-0'] })
  one.decide(1_000)
  equal(one.mine(0)?.state, 'healthy')
  one.claim('b', 0, { state: 'healthy', replaces: ['c-a-0'] })
  one.decide(2_000)
  equal(one.mine(0)?.state, 'stopping')
})

test('a copy without a successor keeps running when its slot finds no seat at all', () => {
  const one = side(3)
  one.claim('a', 0)
  one.runs(0)
  one.targets = new Map([
    [1, 'b'],
    [2, 'c']
  ])
  one.decide(0)
  equal(one.mine(0)?.state, 'healthy')
})

test('a surplus copy stops', () => {
  const one = side(2)
  one.claim('a', 2)
  one.runs(2)
  one.targets = new Map([
    [0, 'b'],
    [1, 'c']
  ])
  one.decide(0)
  equal(one.mine(2)?.state, 'stopping')
})

test('two unrelated copies duel: the older says that it won and pins, nobody stops before', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0, one.generation, 60_000)
  one.claim('b', 0)
  one.targets.set(0, 'b')
  one.decide(0)
  const word = one.view.duel('u0', 0, 'c-a-0', 'c-b-0')
  ok(word !== undefined, 'we have said our run time')
  equal(one.mine(0)?.state, 'healthy')
  one.view.setOwn('b', 'duel/u0/0/c-a-0', { mine: 'c-b-0', theirs: 'c-a-0', bucket: 2 })
  one.decide(100)
  equal([one.mine(0)?.pinned, one.mine(0)?.beats], [true, ['c-b-0']])
  equal(one.mine(0)?.state, 'healthy')
})

test('the loser of a duel stops only when the winner has said so and is healthy', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0, one.generation, 2_000)
  one.claim('b', 0)
  one.targets.set(0, 'a')
  one.decide(0)
  one.view.setOwn('b', 'duel/u0/0/c-a-0', { mine: 'c-b-0', theirs: 'c-a-0', bucket: 25 })
  one.decide(100)
  equal(one.mine(0)?.state, 'healthy')
  one.claim('b', 0, { state: 'running', beats: ['c-a-0'], pinned: true })
  one.decide(200)
  equal(one.mine(0)?.state, 'healthy')
  one.claim('b', 0, { state: 'healthy', beats: ['c-a-0'], pinned: true })
  one.decide(300)
  equal(one.mine(0)?.state, 'stopping')
})

test('a copy whose data was given up goes at once, also where it would be chosen again', () => {
  for (const target of ['a', 'b']) {
    const one = side(1, { volumes: [DATA_VOLUME], partition: 'manual' })
    one.claim('a', 0)
    one.targets.set(0, target)
    const value = { claims: ['c-a-0'] }
    one.view.setShared({ key: 'abandon/u0/0', uid: 'x', value, losers: [], conflicts: 0 })
    one.decide(0)
    equal(one.mine(0)?.state, 'stopping')
  }
})

test('an ended copy is not restarted to fight a running one for the slot', () => {
  const one = side(1, { volumes: [DATA_VOLUME], partition: 'manual' })
  one.claim('a', 0)
  one.instances.set(0, instance(mark('u0', 0, one.generation), { state: 'exited' }))
  one.claim('b', 0)
  one.targets.set(0, 'b')
  one.decide(0)
  equal(one.mine(0)?.state, 'stopping')
})

test('an ended copy with data waits where it is while nobody else has the slot', () => {
  const one = side(1, { volumes: [DATA_VOLUME], partition: 'manual' })
  one.claim('a', 0)
  one.targets.set(0, 'b')
  one.decide(0)
  equal(one.mine(0)?.state, 'healthy')
})

test('a changed template rolls in slot order, and stops at the first failure', () => {
  const one = side(3)
  for (const [slot, node] of [
    [0, 'b'],
    [1, 'a'],
    [2, 'c']
  ] as const) {
    one.targets.set(slot, node)
    one.claim(node, slot, { generation: 'old' })
  }
  one.runs(1, 'old')
  one.decide(0)
  equal(one.mine(1)?.generation, 'old')
  one.claim('b', 0, { state: 'running' })
  one.decide(10)
  equal(one.mine(1)?.generation, 'old')
  one.claim('c', 2, { state: 'failed' })
  one.claim('b', 0, { state: 'healthy' })
  one.decide(20)
  equal(one.mine(1)?.generation, 'old')
  one.claim('c', 2, { generation: 'old' })
  one.decide(30)
  equal([one.mine(1)?.generation, one.mine(1)?.state], [one.generation, 'starting'])
})

test('a slot with no running copy starts at the new template directly', () => {
  const one = side(2)
  one.targets.set(1, 'a')
  one.targets.set(0, 'b')
  one.claim('b', 0, { generation: 'old' })
  one.claim('a', 1, { generation: 'old', state: 'starting' })
  one.decide(0)
  equal(one.mine(1)?.generation, one.generation)
})

test('under the brake the claim is made at once and only its start waits', () => {
  const one = side()
  one.takeoverWaitMs = 700
  one.targets.set(0, 'a')
  one.decide(0)
  equal(one.decide(300).publish.size, 1)
  equal([one.mine(0)?.state, one.mine(0)?.paced], ['claimed', true])
  equal(one.decide(400).dueMs, 700)
  one.takeoverWaitMs = 0
  one.decide(1_000)
  equal(one.mine(0)?.state, 'starting')
})

test('a claim that finds no room says so and starts when there is room', () => {
  const one = side()
  one.fits = false
  one.targets.set(0, 'a')
  one.decide(0)
  one.decide(300)
  equal([one.mine(0)?.state, one.mine(0)?.reason], ['claimed', 'waits for room'])
  one.fits = true
  one.decide(1_300)
  equal(one.mine(0)?.state, 'starting')
})

test('two copies that cannot be on their nodes together: one breaks after the handover time', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0)
  one.targets.set(0, 'b')
  one.claim('b', 0, { state: 'claimed', reason: 'waits for room', replaces: ['c-a-0'] })
  equal(one.decide(0).dueMs, CONFIG.handoverMs)
  one.decide(CONFIG.handoverMs - 1)
  equal(one.mine(0)?.state, 'healthy')
  one.decide(CONFIG.handoverMs)
  equal(one.mine(0)?.state, 'stopping')
})

test('a removed workload stops at once, an unknown one only after a while', () => {
  const view = viewOf(['a', 'b'])
  const one = new Side(view)
  one.claim('a', 0)
  one.decide(0)
  equal(one.mine(0)?.state, 'healthy')
  one.decide(CONFIG.orphanMs)
  equal(one.mine(0)?.state, 'stopping')
  const two = new Side(viewOf(['a', 'b']))
  two.claim('a', 0)
  two.removed = true
  two.decide(0)
  equal(two.mine(0)?.state, 'stopping')
})

test('the loser of a name stops only when the winner runs', () => {
  const view = viewOf(['a', 'b'], [spec({ name: 'other' })])
  const one = new Side(view)
  view.setShared({
    key: 'workload/demo/other',
    uid: 'winner',
    value: { spec: spec({ name: 'other' }), generation: 1, created: 1 },
    losers: ['u0'],
    conflicts: 1
  })
  one.claim('a', 0)
  one.runs(0)
  one.decide(0)
  equal(one.mine(0)?.state, 'healthy')
  view.setOwn('b', 'alloc/winner/0', allocation({ claim: 'w' }))
  one.decide(1_000)
  equal(one.mine(0)?.state, 'stopping')
})

test('a pin that a duel left is released after it was stable, by the pacing of moves', () => {
  const one = side(1)
  one.targets.set(0, 'a')
  one.claim('a', 0, { pinned: true, beats: ['gone'] })
  one.runs(0)
  one.decide(0)
  one.decide(5_000)
  equal(one.mine(0)?.pinned, true)
  one.decide(10_000)
  equal([one.mine(0)?.pinned, one.mine(0)?.state], [false, 'healthy'])
})

const DATA = { volumes: [DATA_VOLUME], partition: 'manual' } as const

test('idle data waits while another copy of its slot runs, and goes when that one says so', () => {
  const one = side(1, DATA)
  one.targets.set(0, 'a')
  one.claim('a', 0, { state: 'claimed' })
  one.claim('b', 0)
  one.decide(0)
  one.decide(10_000)
  equal(one.mine(0)?.state, 'claimed', 'two copies of one data set never run for a duel')
  one.claim('b', 0, { beats: ['c-a-0'] })
  one.decide(10_010)
  equal(one.mine(0)?.state, 'stopping')
})

test('a running copy wins at once against idle data that placement prefers', () => {
  const one = side(1, DATA)
  one.targets.set(0, 'b')
  one.claim('a', 0)
  one.runs(0)
  one.claim('b', 0, { state: 'claimed' })
  one.decide(0)
  equal(one.mine(0)?.beats, ['c-b-0'])
  equal(one.mine(0)?.state, 'healthy')
})

test('idle data without a seat keeps its claim; given up, it goes when its seat is elsewhere', () => {
  const one = side(1, DATA)
  one.claim('a', 0, { state: 'claimed' })
  one.decide(0)
  equal(one.mine(0)?.state, 'claimed')
  one.targets.set(0, 'b')
  one.decide(10)
  equal(one.mine(0)?.state, 'stopping')
})

test('a duel goes on when one of the two claims is renewed meanwhile', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0)
  one.claim('b', 0)
  one.targets.set(0, 'a')
  one.decide(0)
  one.claim('a', 0, { claim: 'later' })
  one.decide(10)
  ok(one.view.duel('u0', 0, 'later', 'c-b-0') !== undefined, 'said again for the new claim')
  one.decide(20 + CONFIG.duelSilenceMs)
  equal(one.mine(0)?.beats, ['c-b-0'])
})

test('a word in a duel is taken back with the claim it was about, and only that word', () => {
  const one = side()
  one.claim('a', 0)
  one.runs(0)
  one.claim('b', 0)
  one.targets.set(0, 'a')
  one.decide(0)
  one.view.setOwn('c', 'duel/u0/0/c-b-0', { mine: 'c-c-0', theirs: 'c-b-0', bucket: 2 })
  equal(one.decide(10).publish.has('duel/u0/0/c-b-0'), false)
  one.view.setOwn('b', 'alloc/u0/0', null)
  equal(one.decide(20).publish.get('duel/u0/0/c-b-0'), null)
  equal(one.view.duel('u0', 0, 'c-a-0', 'c-b-0'), undefined)
  ok(one.view.duel('u0', 0, 'c-c-0', 'c-b-0') !== undefined)
})

test('the pin of a duel goes when placement cannot keep it', () => {
  const one = side(1)
  one.claim('a', 0, { pinned: true })
  one.runs(0)
  one.decide(0)
  equal([one.mine(0)?.pinned, one.mine(0)?.state], [false, 'healthy'])
})

test('copies that find no seat stay, but no more than the count leaves, each slot once', () => {
  const one = side(3)
  for (const slot of [1, 2, 7]) {
    one.claim('a', slot)
    one.runs(slot)
  }
  one.claim('b', 1)
  one.targets.set(0, 'c')
  one.decide(0)
  equal(one.mine(2)?.state, 'healthy')
  equal(one.mine(7)?.state, 'stopping')
  one.decide(CONFIG.duelSilenceMs)
  equal([one.mine(1)?.state, one.mine(1)?.beats], ['healthy', ['c-b-1']])
})

test.run()
