/** Getting in, and in again: without the first node, before anybody is in, after a power cut. */
import { equal } from 'uvu/assert'
import { World } from '../helpers/membership-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('membership: join', { timeoutMs: 30_000 })

/** How often each has got in, in all its lives. */
function joins(w: World, ids: readonly string[]): number[] {
  return ids.map(id => w.host(id).events.filter(event => event.kind === 'joined').length)
}

for (const count of [1, 2, 3, 4, 20]) {
  test(`a power cut soon after they met parts nobody, though the first is gone (N=${count})`, () => {
    const w = new World({ seed: count })
    const ids = Array.from({ length: count }, (_, index) => `n${index + 10}`)
    for (const id of ids) w.start(id, id === ids[0] ? undefined : ids[0])
    w.run(8_000)
    for (const id of ids) equal(w.seen(id, 'alive'), ids)
    for (const id of ids) w.cutPower(id)
    w.run(1_000)
    const rest = ids.slice(1)
    for (const id of rest) w.start(id)
    w.run(20_000)
    for (const id of rest) equal(w.seen(id, 'alive'), rest)
  })

  test(`whoever has not got in takes nobody in: no mesh beside the mesh (N=${count})`, () => {
    const w = new World({ seed: count })
    const ids = w.mesh(count)
    const [first = ''] = ids
    for (const id of ids) w.silence(id)
    w.start('early', first)
    w.start('late', 'early')
    w.run(60_000)
    equal(joins(w, ['early', 'late']), [0, 0])
    for (const id of ids) w.start(id)
    w.run(20_000)
    const all = [...ids, 'early', 'late'].sort()
    for (const id of all) equal(w.seen(id, 'alive'), all)
  })
}

for (const count of [3, 4, 20]) {
  test(`members that are told to join once more meet, though that address is gone (N=${count})`, () => {
    const w = new World({ seed: count })
    const ids = w.mesh(count)
    const [first = '', ...rest] = ids
    for (const id of ids) w.silence(id)
    const before = joins(w, rest)
    for (const id of rest) w.start(id, first)
    w.run(20_000)
    equal(
      joins(w, rest),
      before.map(lives => lives + 1)
    )
    for (const id of rest) equal(w.seen(id, 'alive'), rest)
  })
}

for (const count of [1, 2, 3, 4, 20]) {
  test(`a crash before it got in makes no member of a newcomer (N=${count})`, () => {
    const w = new World({ seed: count, delayMs: 50 })
    const ids = w.mesh(count)
    w.run(3_000)
    const last = ids.at(-1) ?? ''
    w.start('early', last)
    for (let ms = 0; w.stateOf('early', last) === undefined && ms < 2_000; ms += 1) w.run(1)
    // It has heard who is there, and not yet of the others.
    equal(joins(w, ['early']), [0])
    w.kill('early')
    equal(rosterOf(w, 'early'), [])
    w.start('early', last)
    w.run(20_000)
    for (const id of [...ids, 'early']) equal(w.seen(id, 'alive'), [...ids, 'early'].sort())
    equal(rosterOf(w, 'early'), ids)
  })
}

for (const count of [1, 2, 3, 4, 20]) {
  test(`whoever leaves before it got in takes nobody in either (N=${count})`, () => {
    const w = new World({ seed: count })
    const ids = w.mesh(count)
    for (const id of ids) w.silence(id)
    w.start('early', ids[0])
    w.start('late', 'early')
    w.run(2_000)
    w.command('early', { kind: 'leave' })
    w.run(500)
    w.start('later', 'early')
    w.run(2_000)
    equal(joins(w, ['late', 'later']), [0, 0])
  })
}

for (const count of [2, 3, 4, 20]) {
  test(`who gets in by a member that has just started knows that member (N=${count})`, () => {
    const w = new World({ seed: count })
    const [first = '', ...rest] = w.mesh(count)
    for (const id of [first, ...rest]) w.silence(id)
    w.start(first)
    w.start('late', first)
    for (let ms = 0; joins(w, ['late'])[0] === 0 && ms < 5_000; ms += 1) w.run(1)
    equal(joins(w, ['late']), [1])
    equal(w.stateOf('late', first), 'alive')
  })
}

for (const count of [2, 3, 4, 20]) {
  test(`who has lost its memory takes nobody in before a member has told it who is there (N=${count})`, () => {
    const w = new World({ seed: count })
    const [first = '', ...rest] = w.mesh(count)
    for (const id of [first, ...rest]) w.silence(id)
    w.host(first).disk.clear()
    w.start(first, undefined, true)
    w.run(20_000)
    w.start('late', first)
    w.run(20_000)
    equal(joins(w, ['late']), [0])
    equal(w.seen(first, 'alive'), [first])
    for (const id of rest) w.start(id)
    w.run(20_000)
    const all = [first, ...rest, 'late'].sort()
    for (const id of all) equal(w.seen(id, 'alive'), all)
  })
}

/** Of whom its disk knows, itself left out. */
function rosterOf(w: World, id: string): string[] {
  const known = [...w.host(id).disk.keys()].map(key => key.replace('member/', ''))
  return known.filter(other => other !== id).sort()
}

test.run()
