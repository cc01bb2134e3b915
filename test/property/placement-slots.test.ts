import fc from 'fast-check'
import { equal, is, ok } from 'uvu/assert'
import { assign, type SlotClaim, slots } from '../../placement/index.ts'
import { item, node, view } from '../helpers/placement-mesh.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('placement: slot numbers')
const NODES = ['a', 'b', 'c', 'd', 'e', 'f']

const anySeats = fc
  .tuple(...NODES.map(() => fc.nat(3)))
  .map(counts =>
    NODES.map((id, i) => ({ node: id, seats: counts[i]! })).filter(seat => seat.seats > 0)
  )
const anyClaims = fc.array(
  fc.record({ slot: fc.nat(12), node: fc.constantFrom(...NODES, 'elsewhere') }),
  { maxLength: 16 }
)
/** No number twice: what claims look like when nothing is wrong. */
const anyCleanClaims = fc.uniqueArray(
  fc.record({ slot: fc.nat(14), node: fc.constantFrom(...NODES) }),
  { selector: claim => claim.slot, maxLength: 14 }
)
const total = (seats: readonly { seats: number }[]): number =>
  seats.reduce((sum, seat) => sum + seat.seats, 0)
const web = (replicas: number, pins: readonly SlotClaim[] = []) => item('web', { replicas, pins })

test('every seat has one number of its own, whatever is claimed', () => {
  fc.assert(
    fc.property(anySeats, anyClaims, (seats, claims) => {
      const got = slots(web(total(seats)), seats, claims, 'salt')
      is(got.length, total(seats))
      is(new Set(got.map(each => each.slot)).size, got.length)
      for (const seat of seats) is(got.filter(each => each.node === seat.node).length, seat.seats)
      equal(
        got.map(each => each.slot),
        got.map(each => each.slot).sort((a, b) => a - b)
      )
    })
  )
})

test('the order of seats and claims never matters, nor whether a claim comes twice', () => {
  fc.assert(
    fc.property(anySeats, anyClaims, (seats, claims) => {
      const plain = slots(web(total(seats)), seats, claims, 'salt')
      const other = [...claims, ...claims].reverse()
      equal(slots(web(total(seats)), [...seats].reverse(), other, 'salt'), plain)
    })
  )
})

test('a holder that keeps all its seats keeps all its numbers', () => {
  fc.assert(
    fc.property(anySeats, anyCleanClaims, (seats, claims) => {
      const got = slots(web(total(seats)), seats, claims, 'salt')
      for (const { node: id, seats: count } of seats) {
        const held = claims.filter(claim => claim.node === id).map(claim => claim.slot)
        const now = got.filter(each => each.node === id).map(each => each.slot)
        const kept = held.sort((a, b) => a - b).slice(0, count)
        for (const slot of kept) ok(now.includes(slot), `${id} lost number ${slot}`)
      }
    })
  )
})

test('numbers that follow their own answer never change', () => {
  fc.assert(
    fc.property(anySeats, anyClaims, (seats, claims) => {
      const first = slots(web(total(seats)), seats, claims, 'salt')
      equal(slots(web(total(seats)), seats, first, 'salt'), first)
    })
  )
})

test('without claims the numbers are 0 to n-1', () => {
  fc.assert(
    fc.property(anySeats, seats => {
      const got = slots(web(total(seats)), seats, [], 'salt')
      equal(
        got.map(each => each.slot),
        Array.from({ length: total(seats) }, (_, i) => i)
      )
    })
  )
})

test('of two claims for one number a node with a seat wins, the other takes a free one', () => {
  const seats = [
    { node: 'a', seats: 1 },
    { node: 'b', seats: 1 }
  ]
  const claims = ['a', 'b', 'c'].map(id => ({ slot: 4, node: id }))
  const got = slots(web(2), seats, claims, 'salt')
  equal(
    got.map(each => each.slot),
    [0, 4]
  )
  const loser = got[0]!.node
  const alone = seats.filter(seat => seat.node === loser)
  equal(slots(web(1), alone, claims, 'salt'), [{ slot: 4, node: loser }])
})

test('after a scale-down nobody is renumbered: numbers at and above R may stay', () => {
  const seats = [{ node: 'a', seats: 1 }]
  equal(slots(web(1), seats, [{ slot: 5, node: 'a' }], 'salt'), [{ slot: 5, node: 'a' }])
})

test('of several numbers on one node the lowest stay', () => {
  const claims = [7, 2, 5].map(slot => ({ slot, node: 'a' }))
  equal(slots(web(2), [{ node: 'a', seats: 2 }], claims, 'salt'), [
    { slot: 2, node: 'a' },
    { slot: 5, node: 'a' }
  ])
})

test('a pinned number stays with its node, whoever claims it', () => {
  const seats = [
    { node: 'a', seats: 1 },
    { node: 'b', seats: 1 }
  ]
  const got = slots(web(2, [{ slot: 1, node: 'a' }]), seats, [{ slot: 1, node: 'b' }], 'salt')
  equal(got, [
    { slot: 0, node: 'b' },
    { slot: 1, node: 'a' }
  ])
})

test('the number of a pin that waits is given to nobody', () => {
  const pins = [{ slot: 0, node: 'dead' }]
  const got = slots(web(2, pins), [{ node: 'a', seats: 1 }], [{ slot: 0, node: 'a' }], 'salt')
  equal(got, [{ slot: 1, node: 'a' }])
})

test('with pins a scale-down drops the highest numbers', () => {
  const pins = [0, 1, 2].map(slot => ({ slot, node: 'a' }))
  const got = slots(web(2, pins), [{ node: 'a', seats: 2 }], pins, 'salt')
  equal(
    got.map(each => each.slot),
    [0, 1]
  )
})

test('after a death the survivors keep their numbers and the successors fill the gaps', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 8 }),
      fc.integer({ min: 1, max: 16 }),
      (size, replicas) => {
        const nodes = Array.from({ length: size }, (_, i) => node(`n${i}`))
        const seatsOn = (list: typeof nodes) =>
          assign(view(list, [web(replicas)], 'salt')).items[0]!.seats
        const before = slots(web(replicas), seatsOn(nodes), [], 'salt')
        const left = nodes.slice(1)
        const after = slots(web(replicas), seatsOn(left), before, 'salt')
        const survivors = before.filter(each => each.node !== 'n0')
        for (const one of survivors)
          ok(after.some(each => each.slot === one.slot && each.node === one.node))
        equal(
          after.map(each => each.slot),
          before.map(each => each.slot)
        )
      }
    )
  )
})

test.run()
