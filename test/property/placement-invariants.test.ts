/** The invariants I1 and I3 to I8 of the design (I2 stands with the fold). */
import fc from 'fast-check'
import { equal, is, ok } from 'uvu/assert'
import { loadBound } from '../../placement/capacity.ts'
import {
  type Assignment,
  assign,
  assignmentDigest,
  explain,
  type PlacementInput,
  type PlacementItem,
  type PlacementNode,
  viewHash
} from '../../placement/index.ts'
import { compareOrder, orderKey } from '../../placement/order.ts'
import { itemSize, nodeWeight } from '../../placement/rank.ts'
import {
  anyItem,
  anyView,
  crowdedView,
  item,
  node,
  seatsOf,
  view
} from '../helpers/placement-mesh.ts'
import { plainAssign } from '../helpers/placement-reference.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('placement: invariants')
const SIZES = [1, 2, 3, 4, 20]
const anySize = fc.constantFrom(...SIZES)
const anyMesh = anySize.chain(anyView)

function matches(each: PlacementItem, on: PlacementNode): boolean {
  return each.requirements.every(({ attribute, operator, values }) => {
    const value = on.attributes[attribute]
    return (value !== undefined && values.includes(value)) === (operator === 'in')
  })
}

/** Those that count: of as many slots as there are replicas, the lowest first. */
function pinsOf(each: PlacementItem): PlacementItem['pins'] {
  return [...each.pins].sort((a, b) => a.slot - b.slot).slice(0, each.replicas)
}

function pinsTo(each: PlacementItem, id: string): number {
  if (each.kind === 'global') return 0
  return pinsOf(each).filter(pin => pin.node === id).length
}

function pendingPins(got: Assignment, uid: string, id: string): number {
  const pending = got.items.find(each => each.uid === uid)!.pending
  return pending.filter(each => each.slot !== undefined && each.node === id).length
}

interface Carried {
  cpu: number
  memory: number
  readonly ports: string[]
}

function carried(input: PlacementInput, assignment: Assignment): Map<string, Carried> {
  const sums = new Map<string, Carried>(
    input.nodes.map(each => [each.id, { cpu: 0, memory: 0, ports: [] }])
  )
  for (const each of input.items) {
    for (const [id, seats] of Object.entries(seatsOf(assignment, each.uid))) {
      const sum = sums.get(id)!
      sum.cpu += seats * each.cpuMillis
      sum.memory += seats * each.memoryMiB
      for (let i = 0; i < seats; i++) sum.ports.push(...each.ports)
    }
  }
  return sums
}

test('I1: the order of nodes, items and every list in them never matters', () => {
  fc.assert(
    fc.property(anyMesh, fc.infiniteStream(fc.nat(1_000)), (input, numbers) => {
      const shuffled = <T>(list: readonly T[]): T[] =>
        list
          .map(value => ({ value, key: numbers.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ value }) => value)
      const other: PlacementInput = {
        ...input,
        nodes: shuffled(input.nodes).map(each => ({
          ...each,
          attributes: Object.fromEntries(shuffled(Object.entries(each.attributes)))
        })),
        items: shuffled(input.items).map(each => ({
          ...each,
          ports: shuffled(each.ports),
          avoid: shuffled(each.avoid),
          pins: shuffled(each.pins),
          requirements: shuffled(each.requirements).map(one => ({
            ...one,
            values: shuffled(one.values)
          }))
        }))
      }
      const [a, b] = [assign(input), assign(other)]
      equal(JSON.stringify(a), JSON.stringify(b))
      is(viewHash(input), viewHash(other))
      is(assignmentDigest(a), assignmentDigest({ items: shuffled(b.items) }))
    }),
    { numRuns: 80 }
  )
})

test('I3: no limit, port, filter, failure record or count is ever broken', () => {
  fc.assert(
    fc.property(anyMesh, input => {
      const got = assign(input)
      const byId = new Map(input.nodes.map(each => [each.id, each]))
      for (const [id, sum] of carried(input, got)) {
        ok(sum.cpu <= byId.get(id)!.cpuMillis)
        ok(sum.memory <= byId.get(id)!.memoryMiB)
        is(new Set(sum.ports).size, sum.ports.length)
      }
      for (const each of input.items) {
        const seats = Object.entries(seatsOf(got, each.uid))
        const total = seats.reduce((sum, [, count]) => sum + count, 0)
        if (each.kind === 'service') ok(total <= each.replicas)
        for (const [id, count] of seats) {
          ok(matches(each, byId.get(id)!))
          const waiting = pendingPins(got, each.uid, id)
          const pins = pinsTo(each, id) - waiting
          if (count === pins) continue
          ok(byId.get(id)!.schedulable)
          ok(!each.avoid.includes(id))
          if (each.kind === 'global') is(count, 1)
          else if (each.maxPerNode > 0) ok(count <= Math.max(pins, each.maxPerNode))
        }
      }
    }),
    { numRuns: 160 }
  )
})

test('every replica has a seat or is pending', () => {
  fc.assert(
    fc.property(anyMesh, input => {
      for (const { uid, seats, pending } of assign(input).items) {
        const each = input.items.find(one => one.uid === uid)!
        if (each.kind === 'global') continue
        const count = (list: readonly { count?: number; seats?: number }[]): number =>
          list.reduce((sum, one) => sum + (one.count ?? one.seats ?? 0), 0)
        is(count(seats) + count(pending), each.replicas)
      }
    }),
    { numRuns: 150 }
  )
})

test('I4: with room everywhere the counts of a service differ by at most one', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SIZES, 60),
      fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 8 }),
      fc.string(),
      (size, replicas, salt) => {
        const nodes = Array.from({ length: size }, (_, i) => node(`n${i}`))
        const items = replicas.map((count, i) => item(`u${i}`, { replicas: count, created: i }))
        const got = assign(view(nodes, items, salt))
        for (const each of items) {
          const seats = seatsOf(got, each.uid)
          const counts = nodes.map(({ id }) => seats[id] ?? 0)
          ok(Math.max(...counts) - Math.min(...counts) <= 1, `${each.replicas}: ${counts}`)
        }
      }
    ),
    { numRuns: 100 }
  )
})

function boundOf(input: PlacementInput): number {
  const services = input.items.filter(each => each.kind === 'service')
  return loadBound(
    services.reduce((sum, each) => sum + each.replicas * itemSize(each), 0),
    input.nodes
      .filter(each => each.schedulable)
      .reduce((sum, each) => sum + nodeWeight(each) * each.eighths, 0),
    services.reduce((sum, each) => sum + each.replicas, 0)
  ).perWeight
}

test('I5: what comes last in the order, at an unchanged bound, moves nothing', () => {
  let asserted = 0
  fc.assert(
    fc.property(
      anySize.chain(size => fc.tuple(anyView(size), anyItem(size))),
      ([drawn, last]) => {
        // Globals and pins choose before all; a rescue changes the order.
        const items = drawn.items.filter(each => each.kind === 'service')
        const before = { ...drawn, items }
        const newcomer: PlacementItem = { ...last, uid: 'zz', kind: 'service', class: 9, pins: [] }
        const after = { ...before, items: [...items, newcomer] }
        const fits = (list: Assignment): boolean =>
          list.items.every(one => one.pending.length === 0)
        const [a, b] = [assign(before), assign(after)]
        if (boundOf(before) !== boundOf(after) || !fits(a) || !fits(b)) return
        asserted += 1
        equal(
          b.items.filter(one => one.uid !== 'zz'),
          a.items
        )
      }
    ),
    { numRuns: 400 }
  )
  ok(asserted > 5, `${asserted} cases counted`)
})

function fill(caps: readonly number[], replicas: number): number[] {
  const counts = caps.map(() => 0)
  for (let left = replicas; left > 0; left--) {
    let best = -1
    for (const [i, cap] of caps.entries()) {
      if (counts[i]! < cap && (best < 0 || counts[i]! < counts[best]!)) best = i
    }
    if (best < 0) break
    counts[best]! += 1
  }
  return counts.sort((a, b) => a - b)
}

test('I6: a hard zone rule is a water-fill of the zones, and the rest waits for zone', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(0, 1, 2),
      fc.string(),
      (sizes, replicas, maxPerNode, salt) => {
        const nodes = sizes.flatMap((size, z) =>
          Array.from({ length: size }, (_, i) => node(`n${z}-${i}`, { zone: `z${z}` }))
        )
        const rule = item('u', { replicas, maxPerNode, zones: 'hard' })
        const got = assign(view(nodes, [rule], salt))
        const seats = seatsOf(got, 'u')
        const counts = sizes.map((_, z) =>
          nodes
            .filter(each => each.zone === `z${z}`)
            .reduce((sum, each) => sum + (seats[each.id] ?? 0), 0)
        )
        const room = sizes.map(size => size * (maxPerNode || 1_000))
        const caps = room.map(cap => Math.min(cap, 1 + Math.min(...room)))
        equal(
          counts.sort((a, b) => a - b),
          fill(caps, replicas)
        )
        const waiting = replicas - counts.reduce((sum, count) => sum + count, 0)
        const [pending] = got.items[0]!.pending
        is(pending?.count ?? 0, waiting)
        // Where every node is full by the limit per node, that is the nearer reason.
        if (pending?.refused.zone !== undefined) is(pending.reason, 'zone')
      }
    ),
    { numRuns: 150 }
  )
})

test('I7: what is pending is admitted by no node', () => {
  let waiting = 0
  fc.assert(
    fc.property(anyMesh, input => {
      const got = assign(input)
      const sums = carried(input, got)
      for (const { uid, pending, seats } of got.items) {
        const each = input.items.find(one => one.uid === uid)!
        if (each.kind === 'global' || each.zones === 'hard') continue
        if (!pending.some(one => one.slot === undefined)) continue
        waiting += 1
        for (const on of input.nodes) {
          const sum = sums.get(on.id)!
          const own = seats.find(seat => seat.node === on.id)?.seats ?? 0
          const admits =
            on.schedulable &&
            matches(each, on) &&
            !each.avoid.includes(on.id) &&
            sum.cpu + each.cpuMillis <= on.cpuMillis &&
            sum.memory + each.memoryMiB <= on.memoryMiB &&
            !each.ports.some(port => sum.ports.includes(port)) &&
            (each.maxPerNode === 0 || own < each.maxPerNode)
          ok(!admits, `${uid} waits although ${on.id} has room`)
        }
      }
    }),
    { numRuns: 160 }
  )
  ok(waiting > 5, `${waiting} cases counted`)
})

test('I8: a pinned slot is on its node, or waits for it, and nothing takes its place', () => {
  fc.assert(
    fc.property(anyMesh, input => {
      for (const { uid, seats, pending } of assign(input).items) {
        const each = input.items.find(one => one.uid === uid)!
        if (each.kind === 'global') continue
        const pins = pinsOf(each)
        const waits = pending.filter(one => one.slot !== undefined)
        for (const wait of waits) {
          ok(pins.some(pin => pin.slot === wait.slot && pin.node === wait.node))
        }
        const total = seats.reduce((sum, seat) => sum + seat.seats, 0)
        ok(total <= each.replicas - waits.length)
        for (const on of new Set(pins.map(pin => pin.node))) {
          const waiting = waits.filter(one => one.node === on).length
          const held = seats.find(seat => seat.node === on)?.seats ?? 0
          ok(held >= pinsTo(each, on) - waiting)
        }
      }
    }),
    { numRuns: 160 }
  )
})

test('an explanation says what the assignment says', () => {
  fc.assert(
    fc.property(anyMesh, input => {
      for (const { uid, seats, pending } of assign(input).items.slice(0, 4)) {
        const why = explain(input, uid)!
        const chosen = why.nodes
          .filter(row => row.verdict === 'chosen')
          .map(row => ({ node: row.node, seats: row.seats }))
          .sort((a, b) => (a.node < b.node ? -1 : 1))
        equal(chosen, seats)
        equal(why.pending, pending)
        is(why.nodes.length, input.nodes.length)
        for (const row of why.nodes)
          is(row.verdict === 'refused' && row.reason === undefined, false)
      }
    }),
    { numRuns: 80 }
  )
})

test('a rescue leaves no more pending than the fold alone, the lowest class counting first', () => {
  let rescued = 0
  const small = fc.constantFrom(1, 2, 3, 4)
  fc.assert(
    fc.property(fc.oneof(small.chain(anyView), small.chain(crowdedView)), input => {
      const plain = plainAssign(input)
      const waits = (of: (each: PlacementItem) => number): number[] =>
        [0, 1, 2].map(rank =>
          input.items.filter(each => each.class === rank).reduce((sum, each) => sum + of(each), 0)
        )
      const got = new Map(assign(input).items.map(each => [each.uid, each.pending]))
      const after = waits(each => got.get(each.uid)!.reduce((sum, one) => sum + one.count, 0))
      const before = waits(each => plain.pending.get(each.uid)!)
      const differs = after.findIndex((count, i) => count !== before[i])
      if (differs < 0) return
      rescued += 1
      ok(after[differs]! < before[differs]!, `${before} became ${after}`)
    }),
    { numRuns: 160 }
  )
  ok(rescued > 0)
})

test('no promotion passes a class', () => {
  const low = orderKey(item('a', { class: 0, created: 9 }), 0)
  const high = orderKey(item('b', { class: 1, created: 1 }), -6)
  ok(compareOrder(low, high) < 0)
})

test('the order is total: no two items are equal in it', () => {
  fc.assert(
    fc.property(anyItem(4), anyItem(4), (a, b) => {
      const order = compareOrder(orderKey(a, 0), orderKey(b, 0))
      is(order === 0, a.uid === b.uid && order === 0)
      is(Math.sign(order), -Math.sign(compareOrder(orderKey(b, 0), orderKey(a, 0))) || 0)
    })
  )
})

test.run()
