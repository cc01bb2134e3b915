/** Doubtful evidence: bad links, one-way cuts, liars, starvation. Nobody may die of it. */
import { equal, ok } from 'uvu/assert'
import type { AlertBody, MembershipMessage } from '../../gossip/core/membership/message.ts'
import { ObserverGraph } from '../../gossip/core/membership/observers.ts'
import { sealerOf } from '../helpers/membership-host.ts'
import { alive, Puppets, quiet } from '../helpers/membership-puppets.ts'
import { World, type WorldInit } from '../helpers/membership-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('membership: doubt', { timeoutMs: 30_000 })

function world(count: number, init: WorldInit = {}): { w: World; ids: string[] } {
  const w = new World({ seed: count, ...init })
  return { w, ids: w.mesh(count) }
}

function nobodyDied(w: World): void {
  equal(
    w.changes.find(one => one.state === 'dead'),
    undefined
  )
}

for (const count of [3, 4, 20]) {
  test(`one bad link kills nobody: others vouch, the path is marked (N=${count})`, () => {
    const { w, ids } = world(count)
    const [a, b] = ids as [string, string]
    w.cut([a], [b])
    w.run(15_000)
    nobodyDied(w)
    equal(w.stateOf(a, b), 'alive')
    equal(w.stateOf(b, a), 'alive')
    // Above nine members these two may not observe each other: then nothing is amiss for them.
    if (count <= 9) equal(w.machine(a).members().get(b)?.directPath, false)
    w.heal()
    w.run(12_000)
    ok(w.linked(a, b))
    equal(w.machine(a).members().get(b)?.directPath, true)
  })

  test(`a one-way cut kills nobody (N=${count})`, () => {
    const { w, ids } = world(count)
    w.cutOneWay(ids[0] as string, ids[1] as string)
    w.run(15_000)
    nobodyDied(w)
  })

  test(`a bridge node keeps two halves one mesh (N=${count})`, () => {
    const { w, ids } = world(count)
    const bridge = ids[0] as string
    const rest = ids.slice(1)
    const half = Math.ceil(rest.length / 2)
    w.cut(rest.slice(0, half), rest.slice(half))
    w.run(15_000)
    nobodyDied(w)
    equal(w.seen(bridge, 'alive'), ids)
  })
}

/** An alert that says of everybody that it is dead by now. */
function slander(w: World, liar: string, sequence: number): MembershipMessage {
  const reports = [...w.machine(liar).members().values()]
    .filter(member => member.id !== liar)
    .map(({ id, incarnation }) => ({
      node: id,
      incarnation,
      evidence: 'refused' as const,
      due: true
    }))
  const incarnation = w.machine(liar).self().incarnation
  const body: AlertBody = { kind: 'alert', node: liar, incarnation, sequence, reports }
  return { kind: 'alert', alert: sealerOf(liar).seal(body) }
}

for (const count of [4, 5, 20]) {
  test(`a single liar kills nobody (N=${count})`, () => {
    const { w, ids } = world(count)
    const liar = ids.at(-1) as string
    for (let round = 0; round < 20; round++) {
      for (const id of ids) if (id !== liar) w.message(liar, id, slander(w, liar, 1_000 + round))
      for (const id of ids.slice(0, -1)) {
        const victim = w
          .machine(id)
          .members()
          .get(ids[0] as string)?.alive
        if (victim === undefined || id === ids[0]) continue
        const { incarnation, node: subject } = victim.body
        const body = { kind: 'obituary', node: liar, subject, incarnation } as const
        const obituary = sealerOf(liar).seal(body)
        w.message(liar, id, { kind: 'obituary', obituary, alive: victim })
      }
      w.run(500)
    }
    nobodyDied(w)
    for (const id of ids) equal(w.seen(id, 'alive').length, count)
  })

  test(`a liar that vouches for the dead delays no death beyond the bound (N=${count})`, () => {
    const { w, ids } = world(count)
    const liar = ids[0] as string
    const victim = ids.at(-1) as string
    w.host(liar).tamper = (_, message) =>
      message.kind === 'answer' ? { ...message, heardAgoMs: 0 } : message
    const fromMs = w.nowMs
    w.silence(victim)
    w.run(7_000)
    for (const id of ids.slice(1, -1)) {
      const ms = w.firstMs(id, victim, 'dead', fromMs)
      ok(ms !== undefined && ms <= 4_500, `${id}: ${ms}`)
    }
  })
}

for (const count of [2, 3, 4, 20]) {
  test(`a starved node accuses nobody (Lifeguard, local health; N=${count})`, () => {
    const { w, ids } = world(count)
    const starved = ids[0] as string
    w.host(starved).starvedMs = 2_200
    w.run(20_000)
    const accused = w.changes.filter(one => one.by === starved)
    equal(accused, [])
    nobodyDied(w)
  })

  test(`flapping links and daemons end in one view (N=${count})`, () => {
    const { w, ids } = world(count)
    const flapper = ids[1] as string
    for (let round = 0; round < 6; round++) {
      w.kill(flapper)
      w.run(400 + w.random.int(3_000))
      w.start(flapper)
      w.reset(ids[0] as string, ids.at(-1) as string)
      w.run(200 + w.random.int(1_500))
    }
    w.run(8_000)
    for (const id of ids) equal(w.seen(id, 'alive'), ids)
    equal(w.machine(flapper).self().incarnation >= 7, true)
    equal(
      w.changes.find(one => one.member !== flapper && one.state === 'dead'),
      undefined
    )
  })
}

for (const count of [2, 3, 4, 20]) {
  test(`when the whole testbed sleeps for 30 s, nobody accuses anybody (N=${count})`, () => {
    const { w, ids } = world(count)
    for (const id of ids) w.pause(id)
    w.run(30_000)
    for (const id of ids) {
      w.resume(id)
      w.run(1_200 / count)
    }
    w.run(5_000)
    equal(w.changes, [])
  })
}

for (const count of [4, 5, 20]) {
  test(`a liar and a pause of 3 s together kill nobody (N=${count})`, () => {
    const { w, ids } = world(count)
    const liar = ids[0] as string
    const paused = ids.at(-1) as string
    w.pause(paused)
    for (let round = 0; round < 6; round++) {
      for (const id of ids) if (id !== liar) w.message(liar, id, slander(w, liar, 100 + round))
      w.run(500)
    }
    w.resume(paused)
    w.run(4_000)
    nobodyDied(w)
  })
}

test('a wrong suspicion is refuted with a higher incarnation (SWIM 4.2)', () => {
  const { w, ids } = world(4)
  const [liar, victim] = ids as [string, string]
  const before = w.machine(victim).self().incarnation
  for (const id of ids) if (id !== liar) w.message(liar, id, slander(w, liar, 50))
  w.run(200)
  equal(w.machine(victim).self().incarnation, before + 1)
  for (const id of ids) equal(w.machine(id).members().get(victim)?.incarnation, before + 1)
})

test('three members are asked before anybody is suspected (SWIM 3.1)', () => {
  const { w, ids } = world(20)
  const victim = ids[3] as string
  w.silence(victim)
  w.run(7_000)
  const asks = ids.map(id => w.host(id).sent.get('ask') ?? 0)
  ok(asks.every(count => count % 3 === 0 || count < 3) && asks.some(count => count >= 3))
})

test('a rack of four that falls silent is gone within one batch on each survivor', () => {
  const { w, ids } = world(20)
  const rack = ids.slice(16)
  const fromMs = w.nowMs
  for (const id of rack) w.silence(id)
  w.run(7_000)
  for (const by of ids.slice(0, 16)) {
    const deaths = rack.map(id => w.firstMs(by, id, 'dead', fromMs) ?? Number.NaN)
    const spreadMs = Math.max(...deaths) - Math.min(...deaths)
    ok(spreadMs <= 300, `${by} sees them die over ${spreadMs} ms`)
    ok(Math.max(...deaths) <= 5_200, `${by} ${deaths.join()}`)
  }
})

for (const count of [2, 3, 4, 9]) {
  test(`a link that stalled is replaced in 6 s, also while others vouch (N=${count})`, () => {
    const { w, ids } = world(count)
    const [a, b] = ids as [string, string]
    w.stall(a, b, 60_000)
    w.run(6_000)
    nobodyDied(w)
    equal(
      [w.machine(a).members().get(b)?.directPath, w.machine(b).members().get(a)?.directPath],
      [true, true]
    )
  })
}

/** Somebody pauses in a mesh of 20 and never hears of it; that it is back is told to nobody. */
function stale(): { w: World; subject: string; observers: string[]; calm: string[] } {
  const { w, ids } = world(20)
  const subject = ids.at(-1) as string
  const observers = [...new ObserverGraph(ids).observers(subject)]
  for (const id of ids) {
    w.host(id).tamper = (to, message) => {
      const isTold = message.kind === 'alert' && message.alert.body.reports.length > 0
      return message.kind === 'alert' && (to === subject || !isTold) ? undefined : message
    }
  }
  w.pause(subject)
  w.run(2_600)
  w.resume(subject)
  w.run(10_000)
  for (const id of ids) w.host(id).tamper = undefined
  return {
    ...{ w, subject, observers },
    calm: ids.filter(id => id !== subject && !observers.includes(id))
  }
}

for (const count of [2, 3, 4, 20]) {
  test(`who does not answer where it said hello is sought where it says it is (N=${count})`, () => {
    const { p, x } = quiet(count)
    const moved = '/ip4/10.0.0.9/tcp/1'
    p.say(x, { kind: 'alive', alive: alive(x, 2, { addresses: [moved] }) })
    p.run(4_000)
    const knocks = p.effects.filter(effect => effect.kind === 'knock')
    const hello = `/ip4/10.0.0.1/tcp/1/${x}`
    // First there alone: a wrong address beside it would hide that it is refused.
    equal(knocks[0]?.addresses, [hello])
    equal(knocks[1]?.addresses, [hello, moved])
  })
}

test('a withdrawal that was missed comes with the next link', () => {
  const { w, subject, observers, calm } = stale()
  const doubter = calm.find(id => w.stateOf(id, subject) === 'suspect') ?? ''
  for (const id of observers) w.reset(doubter, id)
  w.run(5_000)
  equal(w.stateOf(doubter, subject), 'alive')
})

test('what a daemon reported ends with its life', () => {
  const { w, subject, observers, calm } = stale()
  ok(calm.some(id => w.stateOf(id, subject) === 'suspect'))
  for (const id of observers) w.kill(id)
  w.run(200)
  for (const id of observers) w.start(id)
  w.run(10_000)
  equal(
    calm.filter(id => w.stateOf(id, subject) !== 'alive'),
    []
  )
})

for (const count of [20, 40]) {
  test(`what members reported in a life that is over doubts nobody, though it is news (N=${count})`, () => {
    const p = new Puppets({ count })
    const x = p.others.find(id => !p.graph.subjects(p.self).has(id)) as string
    const authors = [...p.graph.observers(x)].filter(id => id !== p.self).slice(0, 2)
    // Nobody beats to those that do not observe it: they have only what others say of it.
    p.beating.delete(x)
    p.run(5_000)
    const boot = 'c'.repeat(32)
    for (const node of authors) p.say(node, { kind: 'alive', alive: alive(node, 2, { boot }) })
    for (const node of authors) {
      const report = { node: x, incarnation: 1, evidence: 'silent', due: false } as const
      const past = { kind: 'alert', node, incarnation: 1, sequence: 9, reports: [report] } as const
      p.say(node, { kind: 'alert', alert: sealerOf(node).seal<AlertBody>(past) })
    }
    p.run(1_000)
    equal(p.state(x), 'alive')
    for (const node of authors) p.alert(node, [{ node: x, due: false }])
    p.run(1_000)
    equal(p.state(x), 'suspect')
  })
}

test.run()
