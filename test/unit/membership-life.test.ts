/** Joining, leaving, forgetting, coming back, clones and backups; and inputs that mean nothing. */
import { equal, is, ok } from 'uvu/assert'
import { readMembershipMessage } from '../../gossip/core/membership/message.ts'
import type { MembershipTimer } from '../../gossip/core/membership/timer.ts'
import { sealerOf } from '../helpers/membership-host.ts'
import { Puppets } from '../helpers/membership-puppets.ts'
import { World, type WorldInit } from '../helpers/membership-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('membership: life', { timeoutMs: 30_000 })

function world(count: number, init: WorldInit = {}): { w: World; ids: string[]; last: string } {
  const w = new World({ seed: count, ...init })
  const ids = w.mesh(count)
  return { w, ids, last: ids.at(-1) as string }
}

for (const count of [1, 2, 3, 4, 20]) {
  test(`one that leaves is left, not dead, and is not dialled (N=${count})`, () => {
    const { w, ids, last } = world(count)
    w.command(last, { kind: 'leave' })
    w.run(100)
    equal(w.machine(last).self().state, 'left')
    w.kill(last)
    w.run(5_000)
    for (const id of ids.slice(0, -1)) equal(w.stateOf(id, last), 'left')
    equal(
      w.changes.find(one => one.member === last && one.state !== 'left'),
      undefined
    )
    if (count === 1) return
    const dials = w.machine(ids[0] as string).stats().dials
    w.run(10_000)
    equal(w.machine(ids[0] as string).stats().dials, dials)
    w.start(last)
    w.run(3_000)
    for (const id of ids) equal(w.seen(id, 'alive'), ids)
  })

  test(`all killed and started again meet without a join (N=${count})`, () => {
    const { w, ids } = world(count)
    for (const id of ids) w.kill(id)
    w.run(3_000)
    for (const id of ids) w.start(id)
    w.run(5_000)
    for (const id of ids) {
      equal(w.seen(id, 'alive'), ids)
      equal(w.machine(id).self().incarnation, 2)
    }
  })

  if (count < 3) continue

  test(`a forgotten member is gone everywhere, and stays so (N=${count})`, () => {
    const { w, ids, last } = world(count)
    const away = ids[1] as string
    w.silence(last)
    w.run(6_000)
    w.kill(away)
    w.run(3_000)
    w.command(ids[0] as string, { kind: 'forget', node: last })
    w.run(500)
    w.start(away)
    w.run(12_000)
    for (const id of ids.slice(0, -1)) equal(w.stateOf(id, last), undefined, id)
    const forgotten = w.host(away).events.filter(event => event.kind === 'forgotten')
    equal(forgotten.length, 1)
    w.host(last).silent = false
    w.start(last)
    w.run(8_000)
    for (const id of ids) equal(w.seen(id, 'alive'), ids)
  })

  test(`a living member cannot be forgotten (N=${count})`, () => {
    const { w, ids, last } = world(count)
    w.command(ids[0] as string, { kind: 'forget', node: last })
    w.run(2_000)
    for (const id of ids) equal(w.seen(id, 'alive'), ids)
  })
}

for (const count of [2, 3, 4, 20]) {
  test(`halves that called each other dead are one 1 s after a link opens (N=${count})`, () => {
    const { w, ids } = world(count)
    const half = count >> 1
    const [some, others] = [ids.slice(0, half), ids.slice(half)]
    w.cut(some, others)
    w.run(20_000)
    w.heal()
    let openMs = Number.NaN
    for (let step = 0; step < 1_000; step++) {
      w.run(10)
      if (Number.isNaN(openMs) && some.some(a => others.some(b => w.linked(a, b)))) openMs = w.nowMs
      if (ids.every(id => w.seen(id, 'alive').length === count)) break
    }
    ok(w.nowMs - openMs <= 1_000, `${w.nowMs - openMs} ms`)
  })

  test(`an old backup does not use an incarnation again (N=${count})`, () => {
    const { w, ids, last } = world(count)
    const backup = new Map(w.host(last).disk)
    for (let round = 0; round < 3; round++) {
      w.kill(last)
      w.run(500)
      w.start(last)
      w.run(3_000)
    }
    const before = w.machine(last).self().incarnation
    w.kill(last)
    const { disk } = w.host(last)
    disk.clear()
    for (const [key, value] of backup) disk.set(key, value)
    w.run(500)
    w.start(last)
    w.run(3_000)
    ok(w.machine(last).self().incarnation > before)
    const settled = w
      .host(last)
      .events.filter(event => event.kind === 'incarnation')
      .at(-1)
    equal(settled, { kind: 'incarnation', incarnation: before + 1 })
    for (const id of ids) equal(w.seen(id, 'alive'), ids)
    is(
      w.host(last).events.some(event => event.kind === 'clone'),
      false
    )
  })
}

test('a life of an incarnation that another life has already is told of that one', () => {
  for (const count of [2, 3, 4, 20]) {
    const { w, ids, last } = world(count)
    const [a] = ids as [string]
    const { body } = w.machine(last).self().alive
    const twin = sealerOf(last).seal({ ...body, boot: 'f'.repeat(32) })
    const told = new Set<unknown>()
    w.host(a).tamper = (to, message) => {
      if (to === last && message.kind === 'alive') told.add(message.alive)
      return message
    }
    w.message(last, a, { kind: 'alive', alive: w.machine(last).self().alive })
    equal([...told], [])
    w.message(last, a, { kind: 'alive', alive: twin })
    equal([...told], [w.machine(a).members().get(last)?.alive])
    is(w.machine(a).members().get(last)?.boot, body.boot)
  }
})

test('nothing is published before a peer returned our newest record', () => {
  const { w, ids } = world(3)
  const late = 'z-late'
  w.start(late, ids[0])
  w.run(2)
  equal(w.host(late).sent.get('alive'), undefined)
  equal(
    w
      .machine(ids[0] as string)
      .members()
      .has(late),
    false
  )
  w.run(1_000)
  equal(w.seen(ids[2] as string, 'alive'), [...ids, late])
})

test('a join without an answer is tried again after 1 s, doubling to 10 s', () => {
  const w = new World({ seed: 3 })
  w.start('n1')
  w.host('n1').silent = true
  w.start('n2', 'n1')
  w.run(40_000)
  equal(w.machine('n2').stats().dials, 1 + 1 + 1 + 1 + 1 + 2)
  equal(
    w.host('n2').events.some(event => event.kind === 'joined'),
    false
  )
  w.host('n1').silent = false
  w.run(11_000)
  equal(w.seen('n2', 'alive'), ['n1', 'n2'])
})

test('of two daemons with one key the second yields and both are named', () => {
  const { w, ids } = world(3)
  const [a, b] = ids as [string, string]
  w.run(10_000)
  // The clone speaks to `b` under the key of `a`, and answers whatever `a` says.
  const clone = (incarnation: number): void => {
    const body = { kind: 'alive', node: a, incarnation, boot: 'c'.repeat(32), name: a } as const
    const alive = sealerOf(a).seal({
      ...body,
      addresses: ['/ip4/10.9.9.9'],
      phase: 'steady' as const
    })
    w.message(b, a, { kind: 'alive', alive })
  }
  for (let round = 0; round < 4; round++) {
    clone(w.machine(a).self().incarnation + 1)
    w.run(100)
  }
  const clones = w.host(a).events.filter(event => event.kind === 'clone')
  equal(clones, [
    { kind: 'clone', boot: 'c'.repeat(32), addresses: ['/ip4/10.9.9.9'], yield: false }
  ])
  const young = w.start('z-young', a)
  w.run(1_000)
  w.input(young, {
    kind: 'link',
    peer: 'z-young',
    state: 'open',
    boot: 'd'.repeat(32),
    incarnation: 9,
    name: 'z-young',
    addresses: []
  })
  equal(young.events.filter(event => event.kind === 'clone').length, 1)
  is(
    young.events.some(event => event.kind === 'clone' && event.yield),
    true
  )
})

for (const count of [2, 3, 4, 20]) {
  test(`whoever joins through one that is just leaving learns of the others (N=${count})`, () => {
    const { w, ids, last } = world(count)
    w.command(last, { kind: 'leave' })
    w.start('newcomer', last)
    w.run(300)
    w.kill(last)
    w.run(5_000)
    const all = [...ids.slice(0, -1), 'newcomer'].sort()
    for (const id of all) equal(w.seen(id, 'alive'), all)
  })

  test(`a first peer that dies before its roster came is asked again (N=${count})`, () => {
    const { w, ids, last } = world(count)
    w.host(last).tamper = (_to, message) => (message.kind === 'roster' ? undefined : message)
    w.start('newcomer', last)
    w.run(500)
    w.kill(last)
    w.run(8_000)
    equal(w.host('newcomer').events.filter(event => event.kind === 'joined').length, 0)
    w.host(last).tamper = undefined
    w.start(last)
    w.run(12_000)
    const all = [...ids, 'newcomer'].sort()
    for (const id of all) equal(w.seen(id, 'alive'), all)
  })
}

test('one that was away finds those that came anew at the addresses it knows', () => {
  const p = new Puppets({ count: 3 })
  const [x, y] = p.others as [string, string]
  for (const id of p.others) p.beating.delete(id)
  p.run(12_000)
  equal([p.state(x), p.state(y)], ['dead', 'dead'])
  const before = p.effects.length
  p.run(10_000)
  const dials = p.effects.slice(before).filter(one => one.kind === 'connect')
  ok(dials.length > 8)
  // Whoever answers there is welcome.
  ok(dials.every(one => one.kind === 'connect' && one.peer === undefined))
  p.link('newcomer', 'b'.repeat(32), x)
  const after = p.effects.length
  p.run(10_000)
  const later = p.effects.slice(after).flatMap(one => (one.kind === 'connect' ? one.addresses : []))
  // It is known who lives there now: only the other's address is still asked.
  ok(later.length > 0 && later.every(address => address.endsWith(`/${y}`)))
})

test('stale timers and answers that nobody waits for fall through', () => {
  const { w, ids } = world(3)
  const [a, b] = ids as [string, string]
  const machine = w.machine(a)
  const stale: MembershipTimer[] = [
    { kind: 'tick', token: 0 },
    { kind: 'tick', token: -1 },
    { kind: 'flush', token: 7 }
  ]
  for (const timer of stale) equal(machine.handle({ kind: 'timer', timer }, w.nowMs), [])
  const knocked = { kind: 'knocked', peer: b, token: 99, outcome: 'refused' } as const
  equal(machine.handle(knocked, w.nowMs), [])
  const answer = { kind: 'answer', about: b, nonce: '0'.repeat(16), heardAgoMs: 0 } as const
  w.message(b, a, answer)
  equal(machine.stats().dropped.unasked, 1)
  equal(w.stateOf(a, b), 'alive')
})

test('messages without a link are dropped and counted', () => {
  const { w, ids } = world(2)
  w.message('stranger', ids[0] as string, { kind: 'heartbeat' })
  equal(w.machine(ids[0] as string).stats().dropped, { unlinked: 1 })
})

test('a relayed proof of life vetoes death: alive, no direct path', () => {
  const { w, ids } = world(3)
  const [a, b] = ids as [string, string]
  w.cut([a], [b])
  w.run(60_000)
  equal(w.changes.filter(one => one.state === 'dead').length, 0)
  equal(w.machine(a).members().get(b)?.state, 'alive')
  equal(w.machine(a).members().get(b)?.directPath, false)
  ok((w.host(b).sent.get('proof') ?? 0) >= 20)
})

const ID = 'n1'
const HEX = 'a'.repeat(32)
const alive = {
  kind: 'alive',
  node: ID,
  incarnation: 1,
  boot: HEX,
  name: ID,
  addresses: [],
  phase: 'steady'
} as const
const sign = (body: unknown, author = ID): unknown => sealerOf(author).seal(body)

test('a message is taken only when every field is as it must be', () => {
  const row = { state: 'alive', alive: sign(alive), obituaries: [] }
  const other = { ...alive, node: 'n2' }
  const good: unknown[] = [
    { kind: 'heartbeat' },
    { kind: 'alive', alive: sign(alive) },
    { kind: 'alive', alive: sign({ ...alive, future: 'field' }) },
    { kind: 'roster', rows: [row], forgets: [], want: [], done: true },
    { kind: 'forget', forget: sign({ kind: 'forget', node: 'n2', last: sign(other, 'n2') }) }
  ]
  for (const value of good) ok(readMembershipMessage(value) !== undefined, JSON.stringify(value))
  const obituary = { kind: 'obituary', node: 'n2', subject: ID, incarnation: 2 }
  const bad: unknown[] = [
    undefined,
    null,
    7,
    [],
    {},
    { kind: 'nothing' },
    { kind: 'toString' },
    { kind: '__proto__' },
    { kind: 'alive', alive },
    { kind: 'alive', alive: sign(alive, 'n2') },
    { kind: 'alive', alive: sign({ ...alive, kind: 'leave' }) },
    { kind: 'alive', alive: sign({ ...alive, incarnation: -1 }) },
    { kind: 'alive', alive: sign({ ...alive, incarnation: 2 ** 50 }) },
    { kind: 'alive', alive: sign({ ...alive, incarnation: 1.5 }) },
    { kind: 'alive', alive: sign({ ...alive, boot: 'x' }) },
    { kind: 'alive', alive: sign({ ...alive, phase: 'dead' }) },
    { kind: 'alive', alive: sign({ ...alive, addresses: Array(99).fill('x') }) },
    { kind: 'alive', alive: sign({ ...alive, restartMs: 1e12 }) },
    { kind: 'digest', buckets: [1] },
    { kind: 'ask', about: ID, nonce: 'short' },
    { kind: 'answer', about: ID, nonce: 'a'.repeat(16), heardAgoMs: -1 },
    { kind: 'roster', rows: [{ ...row, state: 'suspect' }], forgets: [], want: [], done: true },
    { kind: 'roster', rows: [{ ...row, state: 'left' }], forgets: [], want: [], done: true },
    { kind: 'roster', rows: [row], forgets: [], want: [64], done: true },
    { kind: 'obituary', obituary: sign(obituary, 'n2'), alive: sign(alive) },
    { kind: 'forget', forget: sign({ kind: 'forget', node: ID, last: sign(alive) }) },
    { kind: 'forget', forget: sign({ kind: 'forget', node: 'n2', incarnation: 2 ** 47 }) },
    { kind: 'forget', forget: sign({ kind: 'forget', node: 'n2', last: other }) },
    { kind: 'forget', forget: sign({ kind: 'forget', node: 'n2', last: sign(alive) }) },
    { kind: 'forget', forget: sign({ kind: 'forget', node: 'n2', last: sign(other) }) }
  ]
  for (const value of bad) equal(readMembershipMessage(value), undefined, JSON.stringify(value))
})

for (const count of [2, 3, 4, 20]) {
  test(`clones that take a link from each other are dialled once a second, not with the speed of the net (N=${count})`, () => {
    const p = new Puppets({ count })
    const [clone = ''] = p.others
    p.doors.set(clone, 'accepted')
    p.forgetThePast()
    const dials = (): number =>
      p.effects.filter(effect => effect.kind === 'connect' && effect.peer === clone).length
    const before = dials()
    for (let ms = 0; ms < 10_000; ms += 10) {
      // Whoever gets through is cut off by the other one at once.
      p.unlink(clone)
      p.run(10)
      if (dials() > before) p.link(clone)
    }
    ok(dials() - before <= 20, `${dials() - before} dials in 10 s`)
  })
}

test.run()
