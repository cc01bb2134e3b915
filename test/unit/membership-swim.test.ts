/**
 * SWIM (Das, Gupta, Motivala 2002), section by section: each name begins with its number. Where we
 * depart from the paper the test states our rule in the section's place; `gossip/README.md`
 * ("Departures") says why.
 */
import { equal, ok } from 'uvu/assert'
import { ObserverGraph } from '../../gossip/core/membership/observers.ts'
import { mergeClaims } from '../../gossip/core/membership/precedence.ts'
import { reportsNeeded } from '../../gossip/core/membership/side.ts'
import type { MemberState } from '../../gossip/core/types.ts'
import { keepInThePast, sealerOf } from '../helpers/membership-host.ts'
import { alive, LAN, Puppets, quiet } from '../helpers/membership-puppets.ts'
import { World, type WorldInit } from '../helpers/membership-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('membership: SWIM', { timeoutMs: 30_000 })
const SIZES = [1, 2, 3, 4, 20]

function world(count: number, init: WorldInit = {}): { w: World; ids: string[]; last: string } {
  const w = new World({ seed: count, ...init })
  const ids = w.mesh(count)
  return { w, ids, last: ids.at(-1) as string }
}

for (const count of SIZES) {
  test(`3.1: instead of a probe, a beat a period to each observer, eight at most (N=${count})`, () => {
    const p = new Puppets({ count })
    p.run(10 * LAN.heartbeatMs)
    const observers = [...p.graph.observers(p.self)].sort()
    equal(observers.length, count <= 9 ? count - 1 : 8)
    equal([...new Set(p.said('heartbeat').map(one => one.to))].sort(), observers)
    for (const id of observers) equal(p.said('heartbeat', id).length, 10)
  })

  if (count < 2) continue

  test(`3.1: all others find a crashed member, and nobody else (N=${count})`, () => {
    const { w, ids, last } = world(count)
    w.silence(last)
    w.run(7_000)
    for (const id of ids.slice(0, -1)) {
      const seen = w.changes.filter(one => one.by === id)
      const turns = seen.map(one => `${one.member} ${one.state}`)
      equal(turns, [`${last} suspect`, `${last} dead`], id)
    }
  })

  test(`3.1: three others that observe it too are asked before it is suspected (N=${count})`, () => {
    const { p, x } = quiet(count)
    while (p.state(x) === 'alive') p.run(10)
    const asks = p.said('ask')
    equal(asks.length, Math.min(3, count - 2))
    equal(new Set(asks.map(one => one.to)).size, asks.length)
    for (const { to, message } of asks) {
      ok(p.graph.observers(x).has(to), to)
      ok(message.kind === 'ask' && message.about === x)
    }
    // Nobody answers, so probeMs passes; without anybody to ask nothing is waited for.
    const waitedMs = p.nowMs - (asks[0]?.atMs ?? p.nowMs)
    ok(waitedMs >= (count > 2 ? LAN.probeMs : 0), `${waitedMs} ms`)
    ok(waitedMs <= LAN.probeMs + LAN.tickMs, `${waitedMs} ms`)
  })

  if (count < 3) continue

  test(`3.1: one that lately heard it holds a suspicion back, but no death (N=${count})`, () => {
    const { p, x } = quiet(count)
    const fromMs = p.nowMs
    let answered = 0
    while (p.state(x) === 'alive') {
      p.run(10)
      for (const { to, message } of p.said('ask').slice(answered)) {
        answered += 1
        if (message.kind !== 'ask') continue
        p.say(to, { kind: 'answer', about: x, nonce: message.nonce, heardAgoMs: 0 })
      }
      ok(p.nowMs < fromMs + LAN.silenceDeadMs, 'held back for ever')
    }
    const heldMs = p.nowMs - fromMs
    const halfwayMs = (LAN.silenceSuspectMs + LAN.silenceDeadMs) / 2
    ok(heldMs >= halfwayMs && heldMs <= halfwayMs + LAN.probeMs + LAN.tickMs, `${heldMs} ms`)
  })

  test(`3.1: an answer to another question, or of one not asked, counts not (N=${count})`, () => {
    const { p, x } = quiet(count)
    while (p.said('ask').length === 0) p.run(10)
    const asked = p.said('ask').map(one => one.to)
    const [first] = asked as [string]
    const [ask] = p.said('ask').map(one => one.message)
    const nonce = ask?.kind === 'ask' ? ask.nonce : ''
    const about = { kind: 'answer', about: x, heardAgoMs: 0 } as const
    p.say(first, { ...about, nonce: '0'.repeat(16) })
    for (const id of p.others) if (!asked.includes(id) && id !== x) p.say(id, { ...about, nonce })
    const body = { kind: 'proof', node: x, asker: p.self, nonce: '0'.repeat(16) } as const
    p.say(first, { kind: 'proof', proof: sealerOf(x).seal(body) })
    p.run(LAN.probeMs + LAN.tickMs)
    equal(p.state(x), 'suspect')
  })

  test(`3.1: in place of a relayed ack a signed proof, and it vetoes death (N=${count})`, () => {
    const { p, x } = quiet(count)
    // Enough others report it that our own report, once due, is its death.
    const observers = [...p.graph.observers(x)].filter(id => id !== p.self)
    const reporters = observers.slice(0, reportsNeeded(observers.length + 1) - 1)
    for (const id of reporters) p.alert(id, [{ node: x }])
    let proven = 0
    for (let ms = 0; ms < 30_000; ms += 10) {
      p.run(10)
      for (const { to, message } of p.said('ask').slice(proven)) {
        proven += 1
        if (message.kind !== 'ask') continue
        const body = { kind: 'proof', node: x, asker: p.self, nonce: message.nonce } as const
        p.say(to, { kind: 'proof', proof: sealerOf(x).seal(body) })
      }
    }
    equal(p.member(x)?.directPath, false)
    ok(!p.turns(x).includes('dead'))
    p.run(LAN.silenceDeadMs + LAN.batchMs)
    equal(p.turns(x).at(-1), 'dead')
  })
}

for (const count of [2, 3, 4, 20]) {
  test(`4.1: what a newcomer tells one member, all know within a second (N=${count})`, () => {
    const { w, ids } = world(count)
    w.start('z', ids[0])
    w.run(1_000)
    for (const id of [...ids, 'z']) equal(w.seen(id, 'alive'), [...ids, 'z'], id)
  })

  test(`4.1: news is passed on once, and not to those who brought it (N=${count})`, () => {
    const p = new Puppets({ count, seed: count })
    const [x, ...others] = p.others as [string, ...string[]]
    const from = others[0] ?? x
    for (let round = 0; round < 3; round++) {
      p.say(from, { kind: 'alive', alive: alive(x, 2) })
      p.say(x, { kind: 'alive', alive: alive(x, 2) })
    }
    const relayed = p.said('alive').map(one => one.to)
    // In a full mesh its author reached everybody: one more copy is enough.
    equal(relayed.length, count > 3 ? 1 : 0)
    ok(!relayed.includes(from) && !relayed.includes(x))
  })

  if (count < 3) continue

  test(`4.1: instead of more gossip, repair brings all that a member missed (N=${count})`, () => {
    const { w, ids, last } = world(count)
    const [who, other] = ids as [string, string]
    // Views differ: it missed a change and a leave; floods never reach it.
    for (const host of w.hosts.values()) {
      host.tamper = (to, message) =>
        to === who && (message.kind === 'alive' || message.kind === 'leave') ? undefined : message
    }
    w.command(other, { kind: 'phase', phase: 'draining' })
    w.command(last, { kind: 'leave' })
    w.run(100)
    equal([w.machine(who).members().get(other)?.phase, w.stateOf(who, last)], ['steady', 'alive'])
    // One of three peers each time, at random; the one that left knows only half of it.
    w.run(4 * LAN.repairMs)
    equal([w.machine(who).members().get(other)?.phase, w.stateOf(who, last)], ['draining', 'left'])
  })
}

test('4.1: a suspicion and a death reach those who do not observe the member', () => {
  const { w, ids, last } = world(20)
  const far = ids.filter(id => id !== last && !new ObserverGraph(ids).observers(last).has(id))
  equal(far.length, 11)
  const fromMs = w.nowMs
  w.silence(last)
  w.run(5_000)
  for (const id of far) {
    const suspectMs = w.firstMs(id, last, 'suspect', fromMs) ?? Number.NaN
    const deadMs = w.firstMs(id, last, 'dead', fromMs) ?? Number.NaN
    ok(suspectMs <= LAN.silenceSuspectMs + LAN.probeMs + 2 * LAN.tickMs, `${suspectMs} ms`)
    ok(deadMs <= LAN.silenceDeadMs + 2 * LAN.tickMs, `${deadMs} ms`)
  }
})

/**
 * Which claim holds over which, of lives 4 to 6. Lines: a claim; columns: what is known. SWIM's
 * order, but its `confirm` (dead) overrides every life, and here only its own and older ones.
 */
const TABLE = `
            alive 5    suspect 5  dead 5  left 5
  alive 4   alive 5    suspect 5  dead 5  left 5
  alive 5   alive 5    suspect 5  dead 5  left 5
  alive 6   alive 6    alive 6    alive 6 alive 6
  suspect 4 alive 5    suspect 5  dead 5  left 5
  suspect 5 suspect 5  suspect 5  dead 5  left 5
  suspect 6 suspect 6  suspect 6  suspect 6 suspect 6
  dead 4    alive 5    suspect 5  dead 5  left 5
  dead 5    dead 5     dead 5     dead 5  left 5
  dead 6    dead 6     dead 6     dead 6  dead 6
  left 4    alive 5    suspect 5  dead 5  left 5
  left 5    left 5     left 5     left 5  left 5
  left 6    left 6     left 6     left 6  left 6`

interface Case {
  readonly known: MemberState
  readonly state: MemberState
  readonly incarnation: number
  readonly want: string
}

function cases(): Case[] {
  const lines = TABLE.trim().split('\n').slice(1)
  return lines.flatMap(line => {
    const words = line.trim().split(/\s+/) as [MemberState, string, ...string[]]
    const [state, incarnation] = words
    return (['alive', 'suspect', 'dead', 'left'] as const).map((known, column) => ({
      known,
      state,
      incarnation: Number(incarnation),
      want: words.slice(2 + 2 * column, 4 + 2 * column).join(' ')
    }))
  })
}

test('4.2: which claim overrides which is one table, of two claims in any order', () => {
  equal(cases().length, 48)
  for (const { known, state, incarnation, want } of cases()) {
    const before = { incarnation: 5, state: known }
    const claim = { incarnation, state }
    for (const held of [mergeClaims(before, claim), mergeClaims(claim, before)]) {
      equal(`${held.state} ${held.incarnation}`, want, `${state} ${incarnation} over ${known}`)
    }
  }
})

test('4.2: a machine that is told the claims of the table ends as it says', () => {
  for (const { known, state, incarnation, want } of cases()) {
    const p = new Puppets({ count: 20 })
    const x = p.others.find(id => !p.graph.subjects(p.self).has(id)) as string
    const observers = [...p.graph.observers(x)].sort()
    p.claim(x, observers, { state: 'alive', incarnation: 5 })
    // So long silent that its own machine vouches for it no more.
    p.beating.delete(x)
    p.run(LAN.silenceSuspectMs + LAN.heartbeatMs)
    const [early, late] = [observers.slice(0, 2), observers.slice(2)]
    p.claim(x, known === 'suspect' ? early : observers, { state: known, incarnation: 5 })
    p.run(LAN.tickMs)
    equal(`${p.state(x)} ${p.member(x)?.incarnation}`, `${known} 5`)
    p.claim(x, known === 'suspect' ? late : observers, { state, incarnation })
    p.run(LAN.tickMs)
    // A report is no word of the member: it tells no new life, and it wakes nobody.
    const report = state === 'suspect' && incarnation === 6
    const kept = known === 'alive' ? 'suspect' : known
    equal(
      `${p.state(x)} ${p.member(x)?.incarnation}`,
      report ? `${kept} 5` : want,
      `${state} ${incarnation} over ${known} 5`
    )
  }
})

for (const count of [3, 4, 20]) {
  test(`4.2: a suspicion of an old incarnation does not override a newer alive (N=${count})`, () => {
    const { p, x } = quiet(count)
    const others = p.without(x)
    p.say(x, { kind: 'alive', alive: alive(x, 7) })
    while (p.said('ask').length === 0) p.run(10)
    p.claim(x, others, { state: 'suspect', incarnation: 6 })
    p.claim(x, others, { state: 'dead', incarnation: 6 })
    p.run(LAN.tickMs)
    equal(p.state(x), 'alive')
    p.claim(x, others, { state: 'suspect', incarnation: 7 })
    p.run(LAN.tickMs)
    equal(p.state(x), count > 3 ? 'suspect' : 'alive')
  })

  if (count === 3) continue

  test(`4.2: a suspicion is opinion: withdrawn reports end it, no incarnation (N=${count})`, () => {
    const { p, x } = quiet(count)
    while (p.said('ask').length === 0) p.run(10)
    p.claim(x, p.without(x), { state: 'suspect', incarnation: 1 })
    p.run(LAN.tickMs)
    for (const id of p.without(x)) p.alert(id, [])
    p.run(LAN.tickMs)
    equal(p.turns(x), ['suspect', 'alive'])
    equal(p.member(x)?.incarnation, 1)
  })
}

for (const count of [2, 3, 4, 20]) {
  test(`4.2: a member that is suspected refutes, nobody for it, and all believe (N=${count})`, () => {
    const { w, ids, last } = world(count)
    w.pause(last)
    w.run(3_000)
    ok(ids.slice(0, -1).every(id => w.stateOf(id, last) === 'suspect'))
    w.resume(last)
    w.run(1_000)
    const { incarnation } = w.machine(last).self()
    ok(incarnation > 1)
    equal(w.machine(last).stats().refutes, incarnation - 1)
    for (const id of ids) {
      equal(w.machine(id).members().get(last)?.incarnation, incarnation)
      equal(w.seen(id, 'alive'), ids)
      if (id !== last) equal(w.machine(id).self().incarnation, 1)
    }
  })

  test(`4.2: a suspicion of a life that is over, or not begun, is not refuted (N=${count})`, () => {
    const p = new Puppets({ count })
    const [from] = p.others as [string]
    const report = (incarnation: number): number => {
      p.run(2_000)
      p.alert(from, [{ node: p.self, incarnation }])
      return p.machine.self().incarnation
    }
    equal([report(0), report(2), report(1), report(1), report(2)], [1, 1, 2, 2, 3])
    equal(p.said('alive').length, 2 * (count - 1))
  })

  test(`4.2: a death is not for ever, as confirm is: a higher life ends it (N=${count})`, () => {
    const { p, x } = quiet(count)
    const others = p.without(x)
    while (p.state(x) !== 'dead') {
      p.run(LAN.heartbeatMs)
      for (const id of others) p.alert(id, [{ node: x }])
      ok(p.nowMs < 20_000)
    }
    p.link(x)
    p.say(x, { kind: 'heartbeat' })
    p.say(x, { kind: 'alive', alive: alive(x, 1) })
    equal(p.state(x), 'dead')
    p.say(x, { kind: 'alive', alive: alive(x, 2) })
    equal(p.turns(x), ['suspect', 'dead', 'alive'])
  })
}

/** A tick of the observers, and one of whoever counts their reports. */
const BOUND_MS = LAN.silenceDeadMs + 2 * LAN.tickMs + 10

for (const count of [2, 3, 4, 20]) {
  test(`4.3: in place of round robin, a bound that does not grow with N (N=${count})`, () => {
    for (let seed = 1; seed <= (count > 4 ? 4 : 20); seed++) {
      const { w, ids, last } = world(count, { seed })
      w.run(seed * 137)
      const fromMs = w.nowMs
      w.silence(last)
      w.run(BOUND_MS)
      for (const id of ids.slice(0, -1)) {
        const ms = w.firstMs(id, last, 'dead', fromMs)
        ok(ms !== undefined && ms >= LAN.silenceDeadMs - LAN.heartbeatMs - 10, `${id}: ${ms}`)
      }
    }
  })

  test(`4.3: bounded too when an observer knows only an older life (N=${count})`, () => {
    for (let seed = 1; seed <= 6; seed++) {
      const { w, ids, last } = world(count, { seed })
      const [who] = ids as [string]
      const end = keepInThePast(w.hosts.values(), who, last)
      w.command(last, { kind: 'phase', phase: 'draining' })
      w.run(100)
      end()
      equal(w.machine(who).members().get(last)?.incarnation, 1)
      w.silence(last)
      // It learns of the newer life with the first report, and gives it its time.
      w.run(LAN.silenceSuspectMs + LAN.probeMs + BOUND_MS)
      for (const id of ids.slice(0, -1)) equal(w.stateOf(id, last), 'dead', `seed ${seed} ${id}`)
    }
  })

  test(`4.3: bounded too when an observer never heard of the member (N=${count})`, () => {
    for (let seed = 1; seed <= 6; seed++) {
      const { w, ids } = world(count, { seed })
      const [who, other] = ids as [string, string]
      const end = keepInThePast(w.hosts.values(), who, 'z')
      w.start('z', other).tamper = w.host(who).tamper
      w.run(4_500)
      end()
      equal(w.stateOf(who, 'z'), undefined)
      w.silence('z')
      w.run(LAN.repairMs + 2 * LAN.silenceDeadMs)
      for (const id of ids) equal(w.stateOf(id, 'z'), 'dead', `seed ${seed} ${id}`)
    }
  })
}

test.run()
