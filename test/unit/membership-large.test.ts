/** Above full mesh: fewer links than members. `fullMeshMax` is lowered, so that 60 are many. */
import { equal, ok } from 'uvu/assert'
import { World } from '../helpers/membership-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('membership: above full mesh', { timeoutMs: 60_000 })
const COUNT = 40

function world(seed: number): { w: World; ids: string[] } {
  const w = new World({ seed, knobs: { fullMeshMax: 10 } })
  return { w, ids: w.mesh(COUNT) }
}

test('a silent host is dead on all in 3.0 to 4.5 s, also on those without a link to it', () => {
  const { w, ids } = world(1)
  const last = ids.at(-1) as string
  const others = ids.slice(0, -1)
  ok(others.some(id => !w.linked(id, last)))
  const fromMs = w.nowMs
  w.silence(last)
  w.run(6_000)
  for (const id of others) {
    const ms = w.firstMs(id, last, 'dead', fromMs)
    ok(ms !== undefined && ms >= 3_000 && ms <= 4_500, `${id}: ${ms}`)
  }
  equal(
    w.changes.find(one => one.member !== last),
    undefined
  )
})

test('a side of a tenth finds itself by a survey and calls no one of its own dead', () => {
  const { w, ids } = world(2)
  const [some, others] = [ids.slice(0, 4), ids.slice(4)]
  w.cut(some, others)
  w.run(12_000)
  for (const id of some) equal(w.seen(id, 'alive'), some)
  for (const id of others) equal(w.seen(id, 'alive'), others)
  for (const side of [some, others]) {
    const wrong = w.changes.find(
      one => side.includes(one.by) && side.includes(one.member) && one.state === 'dead'
    )
    equal(wrong, undefined)
  }
  w.heal()
  w.run(20_000)
  for (const id of ids) equal(w.seen(id, 'alive'), ids)
})

test('both sides of a cut decide in 4.7 s, also ten of a hundred whose links led elsewhere', () => {
  for (const seed of [1, 2]) {
    const w = new World({ seed, knobs: { fullMeshMax: 10 } })
    const ids = w.mesh(100)
    const [some, others] = [ids.slice(-10), ids.slice(0, -10)]
    const fromMs = w.nowMs
    w.cut(some, others)
    w.run(8_000)
    const late: string[] = []
    for (const [side, rest] of [
      [some, others],
      [others, some]
    ]) {
      for (const by of side ?? []) {
        for (const of of rest ?? []) {
          const ms = w.firstMs(by, of, 'dead', fromMs) ?? Number.NaN
          if (!(ms <= 4_700)) late.push(`${by} ${of} ${ms}`)
        }
      }
    }
    equal(late, [], `seed ${seed}`)
  }
})

test('a quarter that dies at once is dead on all others in 4.5 s', () => {
  for (const seed of [4, 5, 6]) {
    const { w, ids } = world(seed)
    const [gone, rest] = [ids.slice(-COUNT / 4), ids.slice(0, -COUNT / 4)]
    const fromMs = w.nowMs
    for (const id of gone) w.silence(id)
    w.run(8_000)
    for (const id of rest) {
      for (const other of gone) {
        const ms = w.firstMs(id, other, 'dead', fromMs) ?? Number.NaN
        ok(ms <= 4_500, `seed ${seed}: ${id} sees ${other} dead after ${ms} ms`)
      }
    }
  }
})

test('a mesh that starts again as a whole links with neighbours, not with everybody', () => {
  const { w, ids } = world(7)
  for (const id of ids) w.kill(id)
  w.run(1_000)
  for (const id of ids) w.start(id)
  w.run(15_000)
  const links = ids.map(id => ids.filter(other => w.linked(id, other)).length)
  ok(Math.max(...links) < COUNT - 5, `${links}`)
  for (const id of ids) equal(w.seen(id, 'alive'), ids)
})

test('the last of many decides, though it linked with few', () => {
  const { w, ids } = world(3)
  const fromMs = w.nowMs
  for (const id of ids.slice(1)) w.silence(id)
  w.run(10_000)
  const [first] = ids as [string]
  equal(w.seen(first, 'alive'), [first])
  for (const id of ids.slice(1)) ok((w.firstMs(first, id, 'dead', fromMs) ?? 0) >= 3_000)
})

test.run()
