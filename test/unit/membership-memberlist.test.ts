/**
 * What memberlist (hashicorp) tests of its node states, as rules of ours: each name begins with the
 * state that is told. A claim comes signed; a death is counted, never told (rules 5 and 8).
 */
import { equal, ok } from 'uvu/assert'
import type { RosterRow } from '../../gossip/core/membership/message.ts'
import { codec } from '../helpers/membership-host.ts'
import {
  alive,
  BOOT,
  forget,
  LAN,
  leave,
  obituary,
  Puppets,
  page,
  quiet
} from '../helpers/membership-puppets.ts'
import { World } from '../helpers/membership-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('membership: memberlist', { timeoutMs: 30_000 })
const OTHER_BOOT = 'd'.repeat(32)

function world(count: number): { w: World; ids: string[]; last: string } {
  const w = new World({ seed: count })
  const ids = w.mesh(count)
  return { w, ids, last: ids.at(-1) as string }
}

/** A member that was counted dead. */
function dead(count: number): { p: Puppets; x: string } {
  const { p, x } = quiet(count)
  p.run(LAN.silenceDeadMs)
  for (const id of p.without(x)) p.alert(id, [{ node: x }])
  p.run(2 * LAN.tickMs)
  equal(p.state(x), 'dead')
  p.forgetThePast()
  return { p, x }
}

/** As a peer's roster has it. */
function row(node: string, incarnation: number, rest: Partial<RosterRow> = {}): RosterRow {
  return { state: 'alive', alive: alive(node, incarnation), obituaries: [], ...rest }
}

function own(p: Puppets): string {
  const { state, incarnation } = p.machine.self()
  return `${state} ${incarnation}`
}

for (const count of [1, 2, 3, 4, 20]) {
  test(`alive: a new node is a member, told once and introduced to all others (N=${count})`, () => {
    const p = new Puppets({ count })
    p.link('z')
    p.forgetThePast()
    const message = { kind: 'alive', alive: alive('z', 1) } as const
    p.say('z', message)
    p.say('z', message)
    equal(p.turns('z'), ['alive'])
    equal(p.member('z')?.sinceMs, p.nowMs)
    p.run(LAN.tickMs)
    const introduced = p.said('roster')
    equal(introduced.map(one => one.to).sort(), p.others)
    ok(p.disk.has('member/z'))
  })

  test(`alive: of ourselves under another boot it is outbid, and not taken (N=${count})`, () => {
    const p = new Puppets({ count })
    const before = p.machine.self()
    p.link('z')
    p.forgetThePast()
    const rest = { boot: OTHER_BOOT, name: 'other', addresses: ['/ip4/10.9.9.9'] }
    p.say('z', { kind: 'alive', alive: alive(p.self, 41, rest) })
    equal(own(p), 'alive 42')
    const { name, boot, addresses } = p.machine.self()
    equal([name, boot, addresses], [before.name, before.boot, before.addresses])
    equal(p.said('alive').length, count)
    p.say('z', { kind: 'alive', alive: alive(p.self, 41, rest) })
    equal(own(p), 'alive 42')
  })

  test(`alive: ours on the disk or with a peer, the next one is above both (N=${count})`, () => {
    const next = [7, 3].map(onDisk => {
      const persisted = [{ key: 'member/n0000', value: codec.encode(row('n0000', onDisk)) }]
      return own(new Puppets({ count, persisted, rows: [row('n0000', 10 - onDisk)] }))
    })
    equal(next, count > 1 ? ['alive 8', 'alive 8'] : ['alive 8', 'alive 4'])
  })

  test(`dead: of ourselves is refuted, and we stay what we are (N=${count})`, () => {
    const p = new Puppets({ count })
    p.link('z')
    p.say('z', { kind: 'alive', alive: alive('z', 1) })
    p.forgetThePast()
    const word = p.machine.self().alive
    p.say('z', { kind: 'obituary', obituary: obituary('z', p.self, 1), alive: word })
    equal(own(p), 'alive 2')
    equal(p.said('alive').length, count)
    // The same again is about a life that is over.
    p.say('z', { kind: 'obituary', obituary: obituary('z', p.self, 1), alive: word })
    equal(own(p), 'alive 2')
    p.say('z', page([row(p.self, 2, { state: 'dead', alive: p.machine.self().alive })]))
    equal(own(p), 'alive 3')
    equal(p.turns(p.self), [])
  })

  test(`left: of ourselves in this life, which we never said, is refuted (N=${count})`, () => {
    const p = new Puppets({ count })
    p.link('z')
    const answers = [0, 1, 1, 3].map(incarnation => {
      p.say('z', { kind: 'leave', leave: leave(p.self, incarnation) })
      return own(p)
    })
    equal(answers, ['alive 1', 'alive 2', 'alive 2', 'alive 2'])
  })

  test(`left: we say so once, with a higher incarnation, and answer nobody (N=${count})`, () => {
    const p = new Puppets({ count })
    p.input({ kind: 'command', command: { kind: 'leave' } })
    equal(own(p), 'left 2')
    equal(p.said('leave').length, count - 1)
    p.forgetThePast()
    p.input({ kind: 'command', command: { kind: 'leave' } })
    for (const id of p.others) p.alert(id, [{ node: p.self, incarnation: 2 }])
    p.run(10_000)
    equal(p.effects, [])
    equal(own(p), 'left 2')
  })
}

for (const count of [2, 3, 4, 20]) {
  test(`alive: the same again, or an older one, changes nothing (N=${count})`, () => {
    const p = new Puppets({ count })
    const [x] = p.others as [string]
    p.say(x, { kind: 'alive', alive: alive(x, 5) })
    const since = p.member(x)?.sinceMs
    p.run(1_000)
    p.forgetThePast()
    for (const incarnation of [5, 4, 1]) {
      const rest = { name: 'other', boot: OTHER_BOOT, addresses: [] }
      p.say(x, { kind: 'alive', alive: alive(x, incarnation, rest) })
    }
    // Another life of the same incarnation is told of the one that we know (news.ts): nothing else.
    const message = { kind: 'alive', alive: p.member(x)?.alive }
    equal(p.effects, [{ kind: 'send', to: x, channel: 'member', message }])
    equal([p.member(x)?.sinceMs, p.member(x)?.name], [since, x])
  })

  test(`alive: a higher one changes fields and no state, and is told as a change (N=${count})`, () => {
    const p = new Puppets({ count })
    const [x] = p.others as [string]
    const since = p.member(x)?.sinceMs
    const rest = { name: 'renamed', addresses: ['/ip4/10.1.1.1'], phase: 'draining' } as const
    p.say(x, { kind: 'alive', alive: alive(x, 2, rest) })
    equal(p.turns(x), [])
    const [event] = p.events
    ok(event?.kind === 'member' && event.previous?.name === x && event.member.name === 'renamed')
    const { addresses, phase, sinceMs } = p.member(x) ?? {}
    equal([addresses, phase, sinceMs], [rest.addresses, rest.phase, since])
  })

  test(`alive: at another address is no conflict here, for the key is the node (N=${count})`, () => {
    const { p, x } = quiet(count)
    const rest = { boot: OTHER_BOOT, addresses: ['/ip4/10.2.2.2/tcp/1'] }
    p.say(x, { kind: 'alive', alive: alive(x, 2, rest) })
    equal([p.member(x)?.boot, p.member(x)?.addresses], [OTHER_BOOT, rest.addresses])
    p.say(x, { kind: 'alive', alive: alive(x, 2) })
    equal([p.member(x)?.boot, p.member(x)?.addresses], [OTHER_BOOT, rest.addresses])
    p.say(x, { kind: 'alive', alive: alive(x, 3) })
    equal(p.member(x)?.boot, BOOT)
  })

  test(`suspect: of a node that nobody knows makes no member (N=${count})`, () => {
    const p = new Puppets({ count })
    for (const id of p.others) p.alert(id, [{ node: 'ghost' }])
    p.run(2_000)
    equal(p.member('ghost'), undefined)
    equal(p.events, [])
  })

  test(`suspect: twice is once, and is passed on once (N=${count})`, () => {
    const { p, x } = quiet(count)
    while (p.state(x) === 'alive') p.run(10)
    const since = p.member(x)?.sinceMs
    for (let round = 0; round < 3; round++) {
      for (const id of p.without(x)) p.alert(id, [{ node: x, due: false }])
      p.run(100)
    }
    equal(p.turns(x), ['suspect'])
    equal(p.member(x)?.sinceMs, since)
    equal(p.machine.stats().suspects, 1)
  })

  test(`dead: of a node that nobody knows makes no dead one (N=${count})`, () => {
    const p = new Puppets({ count })
    const [from] = p.others as [string]
    const message = { kind: 'obituary', alive: alive('ghost', 3) } as const
    p.say(from, { ...message, obituary: obituary(from, 'ghost', 3) })
    // Its last word is news; that it is dead is one voice, and at most a reason to knock.
    equal(p.turns('ghost'), ['alive'])
    p.doors.set('ghost', 'accepted')
    p.run(3_000)
    // Of two members it is all that can be heard.
    equal(p.turns('ghost').includes('dead'), count === 2)
  })

  test(`dead: one that is heard dies of no number of obituaries (N=${count})`, () => {
    const p = new Puppets({ count })
    const x = p.subject
    for (let round = 0; round < 10; round++) {
      p.claim(x, p.without(x), { state: 'dead', incarnation: 1 })
      p.run(1_000)
    }
    equal(p.turns(x), [])
  })

  test(`dead: again, and suspected again, changes nothing (N=${count})`, () => {
    const { p, x } = dead(count)
    const since = p.member(x)?.sinceMs
    p.claim(x, p.without(x), { state: 'dead', incarnation: 1 })
    for (const id of p.without(x)) p.alert(id, [{ node: x, due: false }])
    p.run(5_000)
    equal(p.turns(x), [])
    equal([p.member(x)?.sinceMs, p.machine.stats().deaths], [since, 1])
  })

  test(`dead: a replay of its last word, or of an older, does not wake it (N=${count})`, () => {
    const { p, x } = dead(count)
    p.link(x)
    for (const incarnation of [0, 1]) {
      p.say(x, { kind: 'heartbeat' })
      p.say(x, { kind: 'alive', alive: alive(x, incarnation) })
      p.say(x, page([row(x, incarnation)]))
    }
    equal(p.turns(x), [])
    p.say(x, { kind: 'alive', alive: alive(x, 2) })
    equal(p.turns(x), ['alive'])
    p.beating.add(x)
    p.run(10_000)
    equal(p.turns(x), ['alive'])
  })

  test(`dead: it is kept and dialled once a second, and told nothing else (N=${count})`, () => {
    const { p, x } = dead(count)
    p.run(60_000)
    const atIts = (address: string): boolean => address.endsWith(`/${x}`)
    const dials = p.effects.filter(
      one => one.kind === 'connect' && one.addresses.some(atIts)
    ).length
    ok(dials >= 58 && dials <= 61, `${dials} dials`)
    p.run(3_000_000)
    equal(p.state(x), 'dead')
    ok(!p.sent.some(one => one.to === x))
    ok(p.disk.has(`member/${x}`))
  })

  test(`dead: when it left before, it stays left (N=${count})`, () => {
    const { p, x } = quiet(count)
    p.say(x, { kind: 'leave', leave: leave(x, 2) })
    p.claim(x, p.without(x), { state: 'dead', incarnation: 1 })
    p.claim(x, p.without(x), { state: 'suspect', incarnation: 2 })
    p.run(10_000)
    equal(p.turns(x), ['left'])
  })

  test(`left: a dead one's own farewell says more than our count (N=${count})`, () => {
    const { p, x } = dead(count)
    p.link(x)
    p.say(x, { kind: 'leave', leave: leave(x, 0) })
    equal(p.state(x), 'dead')
    p.say(x, { kind: 'leave', leave: leave(x, 1) })
    equal(p.turns(x), ['left'])
  })

  test(`left: it is not watched, knocked at, dialled or beaten to (N=${count})`, () => {
    const p = new Puppets({ count })
    const x = p.subject
    p.say(x, { kind: 'leave', leave: leave(x, 2) })
    p.unlink(x)
    p.forgetThePast()
    p.run(60_000)
    equal(p.turns(x), [])
    ok(!p.effects.some(one => (one.kind === 'knock' || one.kind === 'connect') && one.peer === x))
    ok(!p.sent.some(one => one.to === x))
    p.link(x, OTHER_BOOT)
    p.say(x, { kind: 'alive', alive: alive(x, 2) })
    equal(p.turns(x), [])
    p.say(x, { kind: 'alive', alive: alive(x, 3, { boot: OTHER_BOOT }) })
    equal(p.turns(x), ['alive'])
  })
}

for (const count of [2, 3, 4, 20]) {
  test(`merge: a peer's roster brings news, and no death of one that lives here (N=${count})`, () => {
    const p = new Puppets({ count })
    const [x] = p.others as [string]
    const gone = { state: 'dead', obituaries: [obituary(x, 'z-dead', 4)] } as const
    const left = { state: 'left', leave: leave('z-left', 6) } as const
    const known = row(x, 3, { state: 'dead' })
    p.say(x, page([known, row('z-alive', 2), row('z-dead', 4, gone), row('z-left', 5, left)]))
    equal([p.state(x), p.member(x)?.incarnation], ['alive', 3])
    const states = ['z-alive', 'z-dead', 'z-left'].map(id => p.state(id))
    equal(states, ['alive', 'dead', 'left'])
    equal(p.member('z-left')?.incarnation, 6)
    p.forgetThePast()
    p.say(x, page([row('z-alive', 1), row('z-dead', 3), row('z-left', 6), row(x, 2)]))
    equal(p.effects, [])
  })

  test(`forget: it takes the dead, keeps them away, and lets a higher life in (N=${count})`, () => {
    const { p, x } = dead(count)
    p.link('z')
    p.say('z', { kind: 'alive', alive: alive('z', 1) })
    p.say('z', { kind: 'forget', forget: forget('z', x, 0) })
    equal(p.state(x), 'dead')
    p.say('z', { kind: 'forget', forget: forget('z', x, 1) })
    equal(p.state(x), undefined)
    p.say('z', page([row(x, 1)]))
    equal(p.state(x), undefined)
    p.say('z', page([row(x, 2)]))
    equal(p.state(x), 'alive')
    p.say('z', { kind: 'forget', forget: forget('z', x, 9) })
    equal(p.state(x), 'alive')
  })

  test(`forget: of ourselves is outbid, however far a backup is behind (N=${count})`, () => {
    const p = new Puppets({ count })
    const [from] = p.others as [string]
    const raised = [0, 1, 1, 40, 41].map(incarnation => {
      p.say(from, { kind: 'forget', forget: forget(from, p.self, incarnation) })
      return p.machine.self().incarnation
    })
    equal(raised, [1, 2, 2, 41, 42])
  })

  test(`dead: one that comes back has a higher incarnation, whatever it missed (N=${count})`, () => {
    const { w, ids, last } = world(count)
    w.silence(last)
    w.run(6_000)
    // Views differ: all but the first hear of changes, and one more member comes.
    w.command(ids[0] as string, { kind: 'phase', phase: 'draining' })
    w.start('z', ids[0])
    w.run(3_000)
    w.host(last).silent = false
    w.start(last)
    w.run(5_000)
    for (const id of [...ids, 'z']) {
      equal(w.seen(id, 'alive'), [...ids, 'z'], id)
      equal(w.machine(id).members().get(last)?.incarnation, 2)
      equal(
        w
          .machine(id)
          .members()
          .get(ids[0] as string)?.phase,
        'draining'
      )
    }
  })

  if (count < 3) continue

  test(`alive: of a suspect, only a higher one ends it, and it is no join (N=${count})`, () => {
    const { p, x } = quiet(count)
    p.unlink(x)
    while (p.state(x) === 'alive') p.run(10)
    const [from] = p.without(x) as [string]
    p.forgetThePast()
    p.say(from, { kind: 'alive', alive: alive(x, 1) })
    equal(p.state(x), 'suspect')
    p.say(from, { kind: 'alive', alive: alive(x, 2) })
    equal(p.turns(x), ['alive'])
    p.run(LAN.silenceSuspectMs - LAN.tickMs)
    equal(p.turns(x), ['alive'])
    ok(!p.events.some(event => event.kind === 'joined'))
  })

  test(`forget: one that comes back from an older backup joins all the same (N=${count})`, () => {
    const { w, ids, last } = world(count)
    const backup = new Map(w.host(last).disk)
    for (const phase of ['draining', 'steady', 'draining', 'steady'] as const) {
      w.command(last, { kind: 'phase', phase })
    }
    w.run(1_000)
    w.silence(last)
    w.run(6_000)
    w.command(ids[0] as string, { kind: 'forget', node: last })
    w.run(1_000)
    const { disk } = w.host(last)
    disk.clear()
    for (const [key, value] of backup) disk.set(key, value)
    w.host(last).silent = false
    w.start(last)
    w.run(10_000)
    for (const id of ids) equal(w.seen(id, 'alive'), ids, id)
    equal(w.machine(last).self().incarnation, 6)
  })
}

test.run()
