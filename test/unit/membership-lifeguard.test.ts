/**
 * Lifeguard (Dadgar, Phillips, Currey 2017, arXiv 1707.00788), section IV: each name begins with
 * the component's section. Its local health is our awake clock (rule 2), its shrinking suspicion
 * time-out our count of reports (rule 5), its buddy system our alert on the suspect's own link.
 */
import { equal, ok } from 'uvu/assert'
import { Awareness } from '../../gossip/core/membership/awareness.ts'
import { membershipConfig } from '../../gossip/core/membership/config.ts'
import { Context } from '../../gossip/core/membership/context.ts'
import { ObserverGraph } from '../../gossip/core/membership/observers.ts'
import { reportsNeeded } from '../../gossip/core/membership/side.ts'
import { SeededRandom } from '../../gossip/core/random.ts'
import { type Change, codec, sealerOf } from '../helpers/membership-host.ts'
import {
  alive,
  LAN,
  leave,
  obituary,
  Puppets,
  page,
  quiet,
  type Sent
} from '../helpers/membership-puppets.ts'
import { World, type WorldInit } from '../helpers/membership-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('membership: Lifeguard', { timeoutMs: 30_000 })

function world(count: number, init: WorldInit = {}): { w: World; ids: string[]; last: string } {
  const w = new World({ seed: count, ...init })
  const ids = w.mesh(count)
  return { w, ids, last: ids.at(-1) as string }
}

/** The alerts that report somebody; the rest are beacons. */
function accusing(p: Puppets): Sent[] {
  const reports = ({ message }: Sent): boolean =>
    message.kind === 'alert' && message.alert.body.reports.length > 0
  return p.said('alert').filter(reports)
}

/** A bare awake clock. */
function clock(): { context: Context; awareness: Awareness } {
  const config = membershipConfig('lan', { boot: 'a'.repeat(32), name: 'n', addresses: [] })
  const sealer = sealerOf('n')
  const context = new Context({ random: new SeededRandom(1), sealer, codec }, config)
  return { context, awareness: new Awareness(context) }
}

test('IV-A: instead of a health score, the clock that counts silence stands still in a lag', () => {
  const { context, awareness } = clock()
  awareness.advance(1_000_000)
  equal(context.awakeMs, 0)
  const gaps = [100, 250, 251, 1_000, 30_000, 200]
  let nowMs = 1_000_000
  const awake = gaps.map(gapMs => {
    nowMs += gapMs
    awareness.advance(nowMs)
    return context.awakeMs
  })
  equal(awake, [100, 350, 600, 850, 1_100, 1_300])
  equal(context.nowMs, nowMs)
})

test('IV-A: a pause is one when others had time to suspect us, and is then told', () => {
  const { context, awareness } = clock()
  let nowMs = 0
  awareness.advance(nowMs)
  const gaps = [LAN.silenceSuspectMs, LAN.silenceSuspectMs + 1, 30_000, 100]
  const told = gaps.map(gapMs => {
    nowMs += gapMs
    return awareness.advance(nowMs)
  })
  equal(told, [0, LAN.silenceSuspectMs + 1, 30_000, 0])
  equal(context.stats.pauses, 2)
})

test('IV-A: the first tick after a lag judges nobody: what waits is read before', () => {
  const { awareness } = clock()
  const judges = [0, 200, 700, 1_201, 1_401, 9_000, 9_200].map(nowMs => {
    awareness.advance(nowMs)
    return awareness.mayJudge()
  })
  equal(judges, [true, true, true, false, true, false, true])
})

for (const count of [1, 2, 3, 4, 20]) {
  test(`IV-A: a machine that slept suspects nobody, tells all and asks for news (N=${count})`, () => {
    const p = new Puppets({ count, seed: count })
    // Nothing waits for it either: what was sent meanwhile is lost.
    p.beating.clear()
    p.stall(30_000)
    for (const id of p.others) p.beating.add(id)
    const paused = p.events.flatMap(event => (event.kind === 'paused' ? [event.pausedMs] : []))
    equal(paused.length, 1)
    ok(paused.every(ms => ms >= 29_800 && ms <= 30_200))
    equal([...new Set(p.said('heartbeat').map(one => one.to))].sort(), p.others)
    p.run(5_000)
    for (const id of p.others) equal(p.turns(id), [])
    equal(p.said('alert'), [])
    // Not in the moment of a repair that is due anyway.
    const digests = p.said('digest').length
    p.run(100)
    while (p.said('digest').length === digests && count > 1) p.run(100)
    p.forgetThePast()
    p.stall(2_000)
    equal(p.said('digest').length, Math.min(1, count - 1))
  })

  if (count < 2) continue

  test(`IV-A: one that is always late accuses nobody, yet finds the dead in the end (N=${count})`, () => {
    for (const lateMs of [400, 600, 1_500]) {
      const { w, ids, last } = world(count)
      w.host(ids[0] as string).starvedMs = lateMs
      w.run(10_000)
      w.silence(last)
      // Its clock takes 250 ms a lag. It has to knock, to ask and to judge between two.
      w.run(((LAN.silenceDeadMs + LAN.silenceSuspectMs) / 250) * lateMs + 10_000)
      for (const id of ids.slice(0, -1)) equal(w.stateOf(id, last), 'dead', `${lateMs} ms ${id}`)
      // Others may suspect it in its turn, and are always refuted.
      const wrong = ({ member, state }: Change): boolean =>
        member !== last && (member !== ids[0] || state === 'dead')
      equal(w.changes.filter(wrong), [])
    }
  })

  test(`IV-A: no health score: being refuted makes no later detection slower (N=${count})`, () => {
    const { w, ids, last } = world(count)
    for (let round = 0; round < 2; round++) {
      w.pause(last)
      w.run(3_000)
      w.resume(last)
      w.run(2_000)
    }
    equal(w.changes.filter(one => one.state === 'suspect').length, 2 * (count - 1))
    const fromMs = w.nowMs
    w.silence(last)
    w.run(6_000)
    for (const id of ids.slice(0, -1)) {
      const ms = w.firstMs(id, last, 'dead', fromMs)
      ok(ms !== undefined && ms <= LAN.silenceDeadMs + 2 * LAN.tickMs + 10, `${id}: ${ms}`)
    }
  })
}

for (const count of [12, 20]) {
  test(`IV-A: one that sleeps through a death learns of it, observer or not (N=${count})`, () => {
    for (let seed = 1; seed <= 4; seed++) {
      const { w, ids, last } = world(count, { seed })
      const observers = new ObserverGraph(ids).observers(last)
      const far = ids.find(id => id !== last && !observers.has(id)) as string
      w.pause(far)
      w.silence(last)
      w.run(20_000)
      w.resume(far)
      w.run(LAN.silenceDeadMs + 2 * LAN.silenceSuspectMs)
      equal(w.stateOf(far, last), 'dead', `seed ${seed}`)
      equal(w.seen(far, 'alive'), ids.slice(0, -1))
    }
  })
}

for (const door of ['nothing', 'accepted', 'refused'] as const) {
  test(`IV-A: of a death only heard of, two obituaries and its port are asked (${door})`, () => {
    const p = new Puppets({ count: 20 })
    const x = p.others.find(id => !p.graph.subjects(p.self).has(id)) as string
    p.beating.delete(x)
    if (door !== 'nothing') p.doors.set(x, door)
    p.run(LAN.silenceSuspectMs + LAN.heartbeatMs)
    const [first, second] = [...p.graph.observers(x)].map(id => obituary(id, x, 1))
    const messenger = p.others.find(id => id !== x && !p.graph.observers(x).has(id)) as string
    const row = { state: 'dead', alive: alive(x, 1) } as const
    p.say(messenger, page([{ ...row, obituaries: [first!] }]))
    p.run(10_000)
    equal(p.turns(x), [])
    p.say(messenger, page([{ ...row, obituaries: [second!] }]))
    p.run(LAN.silenceDeadMs + 2 * LAN.silenceSuspectMs)
    equal(p.turns(x), door === 'accepted' ? ['suspect'] : ['suspect', 'dead'])
  })
}

for (const count of [3, 4, 20]) {
  test(`IV-A: asked ones that have not heard it say so, and nobody waits for more (N=${count})`, () => {
    const { p, x } = quiet(count)
    while (p.said('ask').length === 0) p.run(1)
    for (const { to, message } of p.said('ask')) {
      equal(accusing(p), [])
      if (message.kind !== 'ask') continue
      p.say(to, { kind: 'answer', about: x, nonce: message.nonce, heardAgoMs: null })
    }
    const said = accusing(p)
    equal(new Set(said.map(one => one.to)).size, count - 1)
    ok(said.every(one => one.atMs === p.nowMs))
  })

  test(`IV-A: we answer at once when we heard it, or that we did not (N=${count})`, () => {
    const p = new Puppets({ count })
    const [asker, x] = p.others as [string, string]
    p.run(300)
    const nonce = 'c'.repeat(16)
    p.say(asker, { kind: 'ask', about: x, nonce })
    p.say(asker, { kind: 'ask', about: 'stranger', nonce })
    const answers = p
      .said('answer', asker)
      .map(({ message }) =>
        message.kind === 'answer' ? [message.about, message.nonce, message.heardAgoMs] : []
      )
    equal(answers, [
      [x, nonce, 300],
      ['stranger', nonce, null]
    ])
    equal(
      p.said('challenge').map(one => [one.to, one.message]),
      [[x, { kind: 'challenge', asker, nonce }]]
    )
  })
}

test('IV-B: instead of a time-out that shrinks, so many observers must confirm', () => {
  const needed = Array.from({ length: 8 }, (_, index) => reportsNeeded(index + 1))
  equal(needed, [1, 2, 3, 3, 4, 5, 6, 6])
})

for (const count of [2, 3, 4, 5, 9, 20]) {
  test(`IV-B: the last confirmation that is needed kills, one less never does (N=${count})`, () => {
    const { p, x } = quiet(count)
    const others = [...p.graph.observers(x)].filter(id => id !== p.self)
    const needed = reportsNeeded(others.length + 1)
    for (const id of others.slice(0, needed - 2)) p.alert(id, [{ node: x }])
    p.run(10_000)
    equal(p.state(x), needed === 1 ? 'dead' : 'suspect')
    if (needed === 1) return
    p.alert(others.at(-1) as string, [{ node: x }])
    p.run(LAN.tickMs)
    equal(p.turns(x), ['suspect', 'dead'])
  })
}

for (const count of [4, 5, 20]) {
  test(`IV-B: confirmations count once an observer, however often they come (N=${count})`, () => {
    const { p, x } = quiet(count)
    const [one] = [...p.graph.observers(x)].filter(id => id !== p.self) as [string]
    for (let round = 0; round < 10; round++) {
      for (const from of p.without(x)) p.alert(one, [{ node: x }], from)
      p.run(1_000)
    }
    equal(p.turns(x), ['suspect'])
  })

  test(`IV-B: early confirmations suspect, and shorten no limit of evidence (N=${count})`, () => {
    const dueMs = [false, true].map(confirmed => {
      const { p, x } = quiet(count)
      const fromMs = p.nowMs
      const say = (): void => {
        for (const id of p.without(x)) p.alert(id, [{ node: x, due: false }])
      }
      while (p.said('ask').length === 0) p.run(10)
      if (confirmed) say()
      p.run(LAN.tickMs)
      equal(p.state(x), confirmed ? 'suspect' : 'alive')
      const due = (): boolean =>
        p
          .said('alert')
          .some(
            ({ message }) =>
              message.kind === 'alert' &&
              message.alert.author === p.self &&
              message.alert.body.reports.some(report => report.due)
          )
      while (!due()) p.run(10)
      const ms = p.nowMs - fromMs
      if (confirmed) p.run(10_000)
      equal(p.state(x), 'suspect')
      return ms
    })
    equal(dueMs[0], dueMs[1])
    ok((dueMs[0] as number) >= LAN.silenceDeadMs)
    ok((dueMs[0] as number) <= LAN.silenceDeadMs + LAN.tickMs)
  })

  test(`IV-B: no count of confirmations is believed of one that we hear (N=${count})`, () => {
    const p = new Puppets({ count })
    const x = p.subject
    for (let round = 0; round < 20; round++) {
      for (const id of p.without(x)) p.alert(id, [{ node: x, evidence: 'refused' }])
      p.run(500)
    }
    equal(p.turns(x), [])
  })

  test(`IV-B: a withdrawn, an older and a dead one's confirmation count no more (N=${count})`, () => {
    const { p, x } = quiet(count)
    const others = [...p.graph.observers(x)].filter(id => id !== p.self)
    const needed = reportsNeeded(others.length + 1)
    const [last] = others.slice(needed - 2) as [string]
    const incarnation = 1
    for (const id of others.slice(0, needed - 2)) p.alert(id, [{ node: x }])
    p.alert(last, [])
    const body = { kind: 'alert', node: last, incarnation, sequence: 0 } as const
    const reports = [{ node: x, incarnation, evidence: 'silent', due: true }] as const
    p.say(last, { kind: 'alert', alert: sealerOf(last).seal({ ...body, reports }) })
    p.run(8_000)
    equal(p.turns(x), ['suspect'])
    // Its author left, and its observers are fewer by one: the others' count is still short.
    p.beating.delete(last)
    p.say(last, { kind: 'leave', leave: leave(last, 2) })
    p.alert(last, [{ node: x }])
    p.run(LAN.tickMs)
    equal(p.machine.stats().dropped.stale, 1)
    equal(p.state(x), reportsNeeded(others.length) <= needed - 1 ? 'dead' : 'suspect')
  })
}

test('IV-B: those that do not observe a member confirm nothing', () => {
  const { p, x } = quiet(20)
  const far = p.without(x).filter(id => !p.graph.observers(x).has(id))
  equal(far.length, 11)
  while (p.said('ask').length === 0) p.run(10)
  for (const id of far) p.alert(id, [{ node: x }])
  p.run(LAN.tickMs)
  equal(p.state(x), 'alive')
  p.run(8_000)
  equal(p.turns(x), ['suspect'])
})

for (const count of [2, 3, 4, 20]) {
  test(`IV-C: the suspect is told with everybody, on its own link (N=${count})`, () => {
    const { p, x } = quiet(count)
    while (p.state(x) === 'alive') p.run(10)
    const [first] = accusing(p) as [Sent]
    const told = accusing(p).filter(one => one.atMs === first.atMs)
    equal(told.map(one => one.to).sort(), p.others)
  })

  test(`IV-C: a report about us is refuted at once, but once a second at most (N=${count})`, () => {
    const p = new Puppets({ count })
    const [from] = p.others as [string]
    const raised = [0, 10, 500, 489, 1, 1_000].map(afterMs => {
      p.run(afterMs)
      const { incarnation } = p.machine.self()
      for (const id of p.others) p.alert(id, [{ node: p.self, incarnation }], from)
      return p.machine.self().incarnation
    })
    equal(raised, [2, 2, 2, 2, 3, 4])
    equal(p.said('alive').length, 3 * (count - 1))
  })
}

for (const count of [4, 20]) {
  test(`IV-C: who relays an alert sends it to those that it names, in any case (N=${count})`, () => {
    for (let seed = 1; seed <= 20; seed++) {
      const p = new Puppets({ count, seed })
      const [author, ...named] = p.others.slice(0, 3) as [string, ...string[]]
      const reports = named.map(node => ({ node, due: false }))
      p.alert(author, reports)
      const relayed = p.said('alert').map(one => one.to)
      for (const id of named) ok(relayed.includes(id), `seed ${seed}: ${id}`)
      ok(!relayed.includes(author))
      equal(relayed.length, new Set(relayed).size)
    }
  })
}

for (const count of [3, 4, 20]) {
  test(`IV-C: a suspect that its accuser cannot reach is told by others, and refutes (N=${count})`, () => {
    const { w, ids } = world(count)
    const [accuser] = ids as [string]
    const [x] = [...new ObserverGraph(ids).subjects(accuser)].sort() as [string]
    // Without its answers no proof of life holds the suspicion back.
    w.host(x).tamper = (_, message) => (message.kind === 'proof' ? undefined : message)
    for (const host of w.hosts.values()) {
      if (host.id === x) continue
      host.tamper = (_, message) => (message.kind === 'answer' ? undefined : message)
    }
    w.cut([accuser], [x])
    while (w.stateOf(accuser, x) === 'alive') w.run(10)
    w.run(50)
    for (const id of ids) equal(w.machine(id).members().get(x)?.incarnation, 2, id)
    w.run(LAN.tickMs)
    equal(w.seen(accuser, 'alive'), ids)
  })

  test(`IV-C: who accuses an older life is told of the newer one (N=${count})`, () => {
    const p = new Puppets({ count })
    const [author, x] = p.others as [string, string]
    const word = alive(x, 3)
    p.say(x, { kind: 'alive', alive: word })
    p.forgetThePast()
    p.alert(author, [{ node: x, incarnation: 3, due: false }])
    equal(p.said('alive'), [])
    p.alert(author, [{ node: x, incarnation: 2, due: false }])
    equal(
      p.said('alive').map(one => [one.to, one.message]),
      [[author, { kind: 'alive', alive: word }]]
    )
  })
}

test.run()
