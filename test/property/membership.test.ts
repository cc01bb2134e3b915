/** Laws of the pure parts, over many seeded cases. */
import { equal, ok } from 'uvu/assert'
import { EVERYONE_MAX, ObserverGraph, RINGS } from '../../gossip/core/membership/observers.ts'
import { type Claim, compareClaims, mergeClaims } from '../../gossip/core/membership/precedence.ts'
import { mySide, type ReportGrade, reportsNeeded } from '../../gossip/core/membership/side.ts'
import { SeededRandom } from '../../gossip/core/random.ts'
import type { MemberState } from '../../gossip/core/types.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('membership: laws')
const STATES: readonly MemberState[] = ['alive', 'suspect', 'dead', 'left']

const claims: readonly Claim[] = [1, 2, 3].flatMap(incarnation =>
  STATES.map(state => ({ incarnation, state }))
)

function ids(count: number, random: SeededRandom): string[] {
  return Array.from({ length: count }, () => random.hex(12))
}

test('precedence: merging is commutative, associative and idempotent (all cases)', () => {
  for (const a of claims) {
    equal(mergeClaims(a, a), a)
    for (const b of claims) {
      equal(mergeClaims(a, b), mergeClaims(b, a))
      equal(compareClaims(a, b) === 0, a === b)
      for (const c of claims) {
        equal(mergeClaims(mergeClaims(a, b), c), mergeClaims(a, mergeClaims(b, c)))
      }
    }
  }
})

test('precedence: the table of SWIM 4.2, and left above all of its incarnation', () => {
  const wins = (a: Claim, b: Claim): boolean => compareClaims(a, b) > 0
  for (const [rank, state] of STATES.entries()) {
    for (const [other, than] of STATES.entries()) {
      equal(wins({ incarnation: 5, state }, { incarnation: 5, state: than }), rank > other)
      equal(wins({ incarnation: 6, state }, { incarnation: 5, state: than }), true)
      equal(wins({ incarnation: 4, state }, { incarnation: 5, state: than }), false)
    }
  }
})

test('precedence: any order of arrival ends in the same claim', () => {
  const random = new SeededRandom(1)
  for (let round = 0; round < 200; round++) {
    const some = Array.from({ length: 6 }, () => claims[random.int(claims.length)] as Claim)
    const forward = some.reduce(mergeClaims)
    equal([...some].reverse().reduce(mergeClaims), forward)
    equal([...some, ...some].reduce(mergeClaims), forward)
  }
})

test('observers: K distinct others; everyone up to nine members', () => {
  const random = new SeededRandom(2)
  for (const count of [1, 2, 3, 4, 9, 10, 11, 20, 64, 300]) {
    const members = ids(count, random)
    const graph = new ObserverGraph(members)
    for (const id of members) {
      const observers = graph.observers(id)
      equal(observers.size, count <= EVERYONE_MAX ? count - 1 : RINGS)
      ok(!observers.has(id))
      for (const observer of observers) ok(graph.subjects(observer).has(id))
    }
  }
})

test('observers: no node carries far more than its share', () => {
  const random = new SeededRandom(3)
  const members = ids(1_000, random)
  const graph = new ObserverGraph(members)
  const most = Math.max(...members.map(id => graph.subjects(id).size))
  ok(most <= 3 * RINGS, `${most} subjects`)
})

test('observers: one join or leave changes few edges', () => {
  const random = new SeededRandom(4)
  for (const count of [20, 100, 400]) {
    const members = ids(count, random)
    const graph = new ObserverGraph(members)
    const more = new ObserverGraph([...members, random.hex(12)])
    let changed = 0
    for (const id of members) {
      for (const observer of graph.observers(id))
        if (!more.observers(id).has(observer)) changed += 1
    }
    // One edge a ring, and a few that a collision on an earlier ring pushes along.
    ok(changed <= 3 * RINGS, `${changed} edges of ${count} members`)
  }
})

test('observers: the graph does not depend on the order of the members', () => {
  const random = new SeededRandom(5)
  const members = ids(30, random)
  const a = new ObserverGraph(members)
  const b = new ObserverGraph([...members].reverse())
  for (const id of members) equal([...a.observers(id)].sort(), [...b.observers(id)].sort())
})

test('my side: at any cut it is exactly my side, and its observers suffice to decide', () => {
  const random = new SeededRandom(6)
  for (const count of [2, 3, 4, 9, 10, 20, 100]) {
    for (let round = 0; round < 10; round++) {
      const members = ids(count, random)
      const k = 1 + random.int(count - 1)
      const mine = new Set(members.slice(0, k))
      const graph = new ObserverGraph(members)
      const reports = (observer: string, subject: string): ReportGrade =>
        mine.has(observer) && !mine.has(subject) ? 'due' : 'none'
      const me = members[0] as string
      // All that observe somebody over there have sent an alert.
      const heard = [me, ...[...mine].filter(id => [...graph.subjects(id)].some(s => !mine.has(s)))]
      const side = mySide(graph, heard, () => false, reports)
      for (const id of side) ok(mine.has(id), `${count} ${k}`)
      for (const id of members.slice(k)) {
        const observers = [...graph.observers(id)].filter(one => side.has(one))
        if (observers.length > 0) ok(observers.length >= reportsNeeded(observers.length))
      }
    }
  }
})

test('one report is never enough where there are two observers or more (N >= 3)', () => {
  for (let observers = 2; observers <= RINGS; observers++) ok(reportsNeeded(observers) >= 2)
  equal([1, 2, 3, 4, 5, 6, 7, 8].map(reportsNeeded), [1, 2, 3, 3, 4, 5, 6, 6])
})

test('the seeded generator repeats, stays below its bound and is even', () => {
  const [a, b] = [new SeededRandom(9), new SeededRandom(9)]
  const counts = new Array<number>(10).fill(0)
  for (let draw = 0; draw < 10_000; draw++) {
    const value = a.int(10)
    equal(b.int(10), value)
    counts[value] = (counts[value] ?? 0) + 1
  }
  ok(counts.every(count => count > 850 && count < 1_150))
  ok(/^[0-9a-f]{33}$/.test(a.hex(33)))
})

test.run()
