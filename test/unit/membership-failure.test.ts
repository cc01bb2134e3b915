/** Failures and recoveries, each at N = 1, 2, 3, 4 and 20 where that has a meaning. */
import { equal, ok } from 'uvu/assert'
import { World, type WorldInit } from '../helpers/membership-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('membership: failures', { timeoutMs: 30_000 })
const SIZES = [1, 2, 3, 4, 20]

function world(count: number, init: WorldInit = {}): { w: World; ids: string[]; last: string } {
  const w = new World({ seed: count, ...init })
  const ids = w.mesh(count)
  return { w, ids, last: ids.at(-1) as string }
}

/** Every one of `by` sees `member` in `state` between the bounds after `fromMs`. */
function within(
  w: World,
  by: readonly string[],
  member: string,
  state: 'suspect' | 'dead' | 'alive' | 'left',
  fromMs: number,
  bounds: readonly [number, number]
): void {
  for (const id of by) {
    const ms = w.firstMs(id, member, state, fromMs)
    ok(ms !== undefined, `${id} never sees ${member} ${state}`)
    ok(ms >= bounds[0] && ms <= bounds[1], `${id} sees ${member} ${state} after ${ms} ms`)
  }
}

/** Nobody changed its mind about any of these. */
function untouched(w: World, members: readonly string[], state: 'suspect' | 'dead'): void {
  const wrong = w.changes.find(one => members.includes(one.member) && one.state === state)
  equal(wrong, undefined)
}

for (const count of SIZES) {
  test(`members join by one address and all see all (N=${count})`, () => {
    const { w, ids } = world(count)
    for (const id of ids) {
      equal(w.seen(id, 'alive'), ids)
      equal(w.host(id).events.filter(event => event.kind === 'joined').length, 1)
      equal(w.host(id).events.filter(event => event.kind === 'incarnation').length, 1)
      equal(w.machine(id).self().incarnation, 1)
    }
    for (const a of ids) for (const b of ids) ok(a === b || w.linked(a, b), `${a} ${b}`)
  })

  test(`all see all within 2 s of the last join in a storm (N=${count})`, () => {
    const w = new World({ seed: 7 })
    const ids = Array.from({ length: count }, (_, index) => `n${index}`).sort()
    for (const id of ids) w.start(id, id === ids[0] ? undefined : ids[0])
    w.run(2_000)
    for (const id of ids) equal(w.seen(id, 'alive'), ids)
  })

  if (count === 1) continue

  test(`a killed daemon is suspect in 0.2 s and dead in 1.5 to 2.5 s (N=${count})`, () => {
    const { w, ids, last } = world(count)
    const others = ids.slice(0, -1)
    const fromMs = w.nowMs
    w.kill(last)
    w.run(5_000)
    within(w, others, last, 'suspect', fromMs, [0, 200])
    within(w, others, last, 'dead', fromMs, [1_500, 2_500])
    for (const id of others) equal(w.machine(id).members().get(last)?.daemonGone, true)
    untouched(w, others, 'suspect')
  })

  test(`a silent host is dead on all in 3.0 to 4.5 s (N=${count})`, () => {
    const { w, ids, last } = world(count)
    const others = ids.slice(0, -1)
    const fromMs = w.nowMs
    w.silence(last)
    w.run(7_000)
    within(w, others, last, 'dead', fromMs, [3_000, 4_500])
    for (const id of others) equal(w.machine(id).members().get(last)?.daemonGone, false)
    untouched(w, others, 'suspect')
  })

  test(`preset fast finds a silent host dead within 2.5 s (N=${count})`, () => {
    const { w, ids, last } = world(count, { preset: 'fast' })
    const fromMs = w.nowMs
    w.silence(last)
    w.run(5_000)
    within(w, ids.slice(0, -1), last, 'dead', fromMs, [1_400, 2_500])
  })

  test(`a pause of 3 s kills nobody and is told to the paused (N=${count})`, () => {
    const { w, ids, last } = world(count)
    w.pause(last)
    w.run(3_000)
    w.resume(last)
    w.run(8_000)
    untouched(w, ids, 'dead')
    untouched(w, ids.slice(0, -1), 'suspect')
    for (const id of ids) equal(w.seen(id, 'alive'), ids)
    const paused = w.host(last).events.filter(event => event.kind === 'paused')
    equal(paused.length, 1)
  })

  test(`a daemon that freezes is dead after frozenMs only (N=${count})`, () => {
    const { w, ids, last } = world(count)
    const fromMs = w.nowMs
    w.pause(last)
    w.run(14_000)
    within(w, ids.slice(0, -1), last, 'dead', fromMs, [9_000, 11_000])
    w.resume(last)
    w.run(4_000)
    for (const id of ids) equal(w.seen(id, 'alive'), ids)
  })

  test(`a restart within the grace is one member, one incarnation higher (N=${count})`, () => {
    const { w, ids, last } = world(count)
    const others = ids.slice(0, -1)
    w.kill(last)
    w.run(700)
    w.start(last)
    w.run(4_000)
    untouched(w, ids, 'dead')
    for (const id of ids) {
      equal(w.seen(id, 'alive'), ids)
      equal(w.machine(id).members().get(last)?.incarnation, 2)
    }
    equal(w.changes.filter(one => one.state === 'suspect').length, others.length)
  })

  test(`an announced restart kills nobody before its time (N=${count})`, () => {
    const { w, ids, last } = world(count)
    const others = ids.slice(0, -1)
    const fromMs = w.nowMs
    w.command(last, { kind: 'restarting', restartMs: 6_000 })
    w.run(50)
    for (const id of others) equal(w.machine(id).members().get(last)?.phase, 'restarting')
    w.kill(last)
    w.run(10_000)
    within(w, others, last, 'dead', fromMs, [6_000, 8_000])
    w.start(last)
    w.run(3_000)
    for (const id of ids) equal(w.machine(id).members().get(last)?.phase, 'steady')
  })

  if (count > 2) {
    test(`an announced restart holds up nobody else's death (N=${count})`, () => {
      const { w, ids, last } = world(count)
      w.command(last, { kind: 'restarting', restartMs: 30_000 })
      w.run(50)
      w.kill(last)
      w.run(3_000)
      const fromMs = w.nowMs
      w.silence(ids[0] as string)
      w.run(6_000)
      within(w, ids.slice(1, -1), ids[0] as string, 'dead', fromMs, [3_000, 4_500])
    })
  }

  test(`when all others fall silent at once, the last decides (N=${count})`, () => {
    const { w, ids } = world(count)
    const fromMs = w.nowMs
    for (const id of ids.slice(1)) w.silence(id)
    w.run(6_000)
    for (const id of ids.slice(1)) within(w, [ids[0] as string], id, 'dead', fromMs, [3_000, 4_700])
  })

  test(`when all other daemons are killed at once, the last decides (N=${count})`, () => {
    const { w, ids } = world(count)
    const fromMs = w.nowMs
    for (const id of ids.slice(1)) w.kill(id)
    w.run(6_000)
    for (const id of ids.slice(1)) within(w, [ids[0] as string], id, 'dead', fromMs, [1_500, 4_700])
  })

  for (const k of [...new Set([1, Math.floor(count / 4), Math.floor(count / 2)])]) {
    if (k < 1) continue
    test(`both sides of a cut ${k}|${count - k} decide alike, and the heal undoes it`, () => {
      const { w, ids } = world(count)
      const [some, others] = [ids.slice(0, k), ids.slice(k)]
      const fromMs = w.nowMs
      w.cut(some, others)
      w.run(6_000)
      for (const id of others) within(w, some, id, 'dead', fromMs, [3_000, 4_700])
      for (const id of some) within(w, others, id, 'dead', fromMs, [3_000, 4_700])
      for (const [side, members] of [
        [some, some],
        [others, others]
      ] as const) {
        const wrong = w.changes.find(one => side.includes(one.by) && members.includes(one.member))
        equal(wrong, undefined)
      }
      w.heal()
      w.run(6_000)
      for (const id of ids) equal(w.seen(id, 'alive'), ids)
      for (const id of ids) ok(w.machine(id).self().incarnation > 1)
    })
  }

  test(`a cut as soon as links are open again, before any heartbeat, is decided (N=${count})`, () => {
    for (let afterMs = 100; afterMs < 2_500; afterMs += count > 4 ? 400 : 150) {
      const { w, ids } = world(count, { seed: afterMs })
      const [some, others] = [ids.slice(0, 1), ids.slice(1)]
      w.cut(some, others)
      w.run(6_000)
      w.heal()
      w.run(afterMs)
      w.cut(some, others)
      w.run(8_000)
      for (const id of ids) {
        const side = some.includes(id) ? some : others
        equal(w.seen(id, 'alive'), side, `${id}, cut ${afterMs} ms after the heal`)
      }
    }
  })
}

for (const [count, seeds] of [
  [9, [33]],
  [11, [19, 28, 39]],
  [12, [9, 37]]
] as const) {
  test(`whoever is first to bury the other side takes nobody's vote away (N=${count})`, () => {
    for (const seed of seeds) {
      const w = new World({ seed })
      const ids = w.mesh(count)
      w.run(w.random.int(2_000))
      const sides = 1 + w.random.int(count - 1)
      const [left, right] = [ids.slice(0, sides), ids.slice(sides)]
      const fromMs = w.nowMs
      w.cut(left, right)
      w.run(8_000)
      for (const id of right) within(w, left, id, 'dead', fromMs, [2_500, 4_550])
      for (const id of left) within(w, right, id, 'dead', fromMs, [2_500, 4_550])
    }
  })
}

for (const newcomers of [1, 2, 5]) {
  test(`a death that one alone found is believed by one that was away, beside ${newcomers} newcomers`, () => {
    const { w, ids } = world(3)
    const [finder, victim, away] = ids as [string, string, string]
    w.kill(away)
    w.run(5_000)
    w.silence(victim)
    w.run(8_000)
    equal(w.stateOf(finder, victim), 'dead')
    for (let index = 0; index < newcomers; index++) w.start(`x${index}`, finder)
    w.run(8_000)
    w.start(away)
    w.run(20_000)
    for (const id of w.seen(finder, 'alive')) equal(w.seen(id, 'dead'), [victim], id)
  })
}

test.run()
