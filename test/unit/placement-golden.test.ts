/** The golden cases G1-G23 of the design, each over a hundred sets of ids. */
import { equal, is, ok } from 'uvu/assert'
import { loadBound } from '../../placement/capacity.ts'
import { assign, type PlacementItem, type PlacementNode } from '../../placement/index.ts'
import { item, node, seatsOf, shape, view } from '../helpers/placement-mesh.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('placement: golden cases')
const SETS = 100

interface Ids {
  readonly salt: string
  readonly nodes: readonly string[]
  readonly items: readonly string[]
}

/** Runs the case for each set of ids. */
function everySet(run: (ids: Ids) => void): void {
  for (let set = 0; set < SETS; set++) {
    const name = (kind: string, i: number): string =>
      `${kind}-${(set * 7919 + i * 104_729) % 99_991}`
    run({
      salt: `salt ${set}`,
      nodes: Array.from({ length: 12 }, (_, i) => name('node', i)),
      items: Array.from({ length: 64 }, (_, i) => name('item', i))
    })
  }
}

function nodes(ids: Ids, count: number, more: Partial<PlacementNode> = {}): PlacementNode[] {
  return ids.nodes.slice(0, count).map(id => node(id, more))
}

/** A mesh of equal nodes with one service on it. */
function one(ids: Ids, count: number, replicas: number): number[] {
  const uid = ids.items[0]!
  return shape(assign(view(nodes(ids, count), [item(uid, { replicas })], ids.salt)), uid)
}

/** Seats that are on a node now and were not before, over all items but one. */
function movedOthers(
  before: ReturnType<typeof assign>,
  after: ReturnType<typeof assign>,
  except: string
): number {
  let moved = 0
  for (const { uid, seats } of after.items) {
    if (uid === except) continue
    const old = seatsOf(before, uid)
    for (const seat of seats) moved += Math.max(0, seat.seats - (old[seat.node] ?? 0))
  }
  return moved
}

test('G1: one node takes all seven replicas', () => {
  everySet(ids => equal(one(ids, 1, 7), [7]))
})

test('G2: six on three are two each; a death moves only what died; a return restores', () => {
  everySet(ids => {
    const uid = ids.items[0]!
    const all = nodes(ids, 3)
    const items = [item(uid, { replicas: 6 })]
    const before = assign(view(all, items, ids.salt))
    equal(shape(before, uid), [2, 2, 2])
    const after = assign(view(all.slice(1), items, ids.salt))
    equal(shape(after, uid), [3, 3])
    equal(assign(view(all, items, ids.salt)), before)
  })
})

test('G3: seven on three are 3/2/2, on two 4/3', () => {
  everySet(ids => {
    equal(one(ids, 3, 7), [3, 2, 2])
    equal(one(ids, 2, 7), [4, 3])
  })
})

test('G4: thirty on four are 8/8/7/7', () => {
  everySet(ids => equal(one(ids, 4, 30), [8, 8, 7, 7]))
})

test('G5: one per node at most, five wanted, three nodes: two wait for maxPerNode', () => {
  everySet(ids => {
    const uid = ids.items[0]!
    const got = assign(view(nodes(ids, 3), [item(uid, { replicas: 5, maxPerNode: 1 })], ids.salt))
    equal(shape(got, uid), [1, 1, 1])
    equal(got.items[0]!.pending, [
      {
        slot: undefined,
        node: undefined,
        count: 2,
        reason: 'maxPerNode',
        refused: { maxPerNode: 3 }
      }
    ])
  })
})

test('G6: a host port gives one replica a node; the third waits for port', () => {
  everySet(ids => {
    const uid = ids.items[0]!
    const web = item(uid, { replicas: 3, ports: ['tcp/80'] })
    const got = assign(view(nodes(ids, 2), [web], ids.salt))
    equal(shape(got, uid), [1, 1])
    equal(got.items[0]!.pending, [
      { slot: undefined, node: undefined, count: 1, reason: 'port', refused: { port: 2 } }
    ])
  })
})

test('G7: two services with one host port take a node each; on one node the older runs', () => {
  everySet(ids => {
    const [a, b] = [ids.items[0]!, ids.items[1]!]
    const both = [
      item(a, { created: 2, ports: ['tcp/80'] }),
      item(b, { created: 1, ports: ['tcp/80'] })
    ]
    const two = assign(view(nodes(ids, 2), both, ids.salt))
    equal([shape(two, a), shape(two, b)], [[1], [1]])
    is.not(Object.keys(seatsOf(two, a))[0], Object.keys(seatsOf(two, b))[0])
    const lone = assign(view(nodes(ids, 1), both, ids.salt))
    equal([shape(lone, a), shape(lone, b)], [[], [1]])
  })
})

test('G8: zones of 1, 1 and 8 nodes, ten replicas spread softly: one on every node', () => {
  everySet(ids => {
    const uid = ids.items[0]!
    const zones = ['a', 'b', ...Array(8).fill('c')]
    const mesh = zones.map((zone, i) => node(ids.nodes[i]!, { zone }))
    const got = assign(view(mesh, [item(uid, { replicas: 10, zones: 'soft' })], ids.salt))
    equal(shape(got, uid), Array(10).fill(1))
  })
})

function perZone(mesh: readonly PlacementNode[], seats: Record<string, number>): number[] {
  const zones = new Map<string, number>()
  for (const { id, zone } of mesh) zones.set(zone, (zones.get(zone) ?? 0) + (seats[id] ?? 0))
  return [...zones.values()]
}

test('G9: three zones of three nodes, seven replicas: 3/2/2 by zone', () => {
  everySet(ids => {
    const uid = ids.items[0]!
    const mesh = Array.from({ length: 9 }, (_, i) => node(ids.nodes[i]!, { zone: `z${i % 3}` }))
    for (const zones of ['soft', 'hard'] as const) {
      const got = assign(view(mesh, [item(uid, { replicas: 7, zones })], ids.salt))
      const counts = perZone(mesh, seatsOf(got, uid)).sort((a, b) => b - a)
      equal(counts, [3, 2, 2])
    }
  })
})

test('G10: a hard zone rule waits rather than let the skew grow; a soft one does not', () => {
  everySet(ids => {
    const uid = ids.items[0]!
    const zones = ['a', 'b', 'b', 'b', 'b']
    const mesh = zones.map((zone, i) => node(ids.nodes[i]!, { zone }))
    const rule = { replicas: 4, maxPerNode: 1 }
    const hard = assign(view(mesh, [item(uid, { ...rule, zones: 'hard' })], ids.salt))
    equal(perZone(mesh, seatsOf(hard, uid)), [1, 2])
    equal(hard.items[0]!.pending, [
      {
        slot: undefined,
        node: undefined,
        count: 1,
        reason: 'zone',
        refused: { maxPerNode: 3, zone: 2 }
      }
    ])
    const soft = assign(view(mesh, [item(uid, { ...rule, zones: 'soft' })], ids.salt))
    equal(perZone(mesh, seatsOf(soft, uid)), [1, 3])
    equal(soft.items[0]!.pending, [])
  })
})

test('G11: what fits one node only goes before what fits any, whichever is older', () => {
  everySet(ids => {
    const [a, b] = [ids.items[0]!, ids.items[1]!]
    const mesh = nodes(ids, 2, { cpuMillis: 1_000 })
    const full = { cpuMillis: 1_000, balanceCpuMillis: 1_000 }
    const requirements = [
      { attribute: 'node.name', operator: 'in' as const, values: [mesh[0]!.id] }
    ]
    const named = mesh.map(each => ({ ...each, attributes: { 'node.name': each.id } }))
    for (const created of [1, 3]) {
      const got = assign(
        view(
          named,
          [item(a, { ...full, requirements, created }), item(b, { ...full, created: 2 })],
          ids.salt
        )
      )
      equal(seatsOf(got, a), { [mesh[0]!.id]: 1 })
      equal(seatsOf(got, b), { [mesh[1]!.id]: 1 })
    }
  })
})

test('G12: a pin to a dead node waits for it and changes nothing for others', () => {
  everySet(ids => {
    const [a, b] = [ids.items[0]!, ids.items[1]!]
    const mesh = nodes(ids, 3)
    const other = item(b, { replicas: 4 })
    const pinned = item(a, { pins: [{ slot: 0, node: 'dead' }] })
    const got = assign(view(mesh, [pinned, other], ids.salt))
    equal(
      got.items.find(each => each.uid === a),
      {
        uid: a,
        seats: [],
        pending: [{ slot: 0, node: 'dead', count: 1, reason: 'pinned node gone', refused: {} }]
      }
    )
    equal(shape(got, b), [2, 1, 1])
  })
})

test('G13: one pinned, three wanted, three nodes: one each', () => {
  everySet(ids => {
    const uid = ids.items[0]!
    const pins = [{ slot: 1, node: ids.nodes[2]! }]
    const got = assign(view(nodes(ids, 3), [item(uid, { replicas: 3, pins })], ids.salt))
    equal(shape(got, uid), [1, 1, 1])
  })
})

test('G14: a global on four nodes, one full by pins: three, and the reason for the fourth', () => {
  everySet(ids => {
    const [a, b] = [ids.items[0]!, ids.items[1]!]
    const mesh = nodes(ids, 4, { cpuMillis: 1_000 })
    const full = ids.nodes[1]!
    const pinned = item(a, { cpuMillis: 950, pins: [{ slot: 0, node: full }] })
    const agent = item(b, { kind: 'global', cpuMillis: 100 })
    const got = assign(view(mesh, [pinned, agent], ids.salt))
    equal(shape(got, b), [1, 1, 1])
    is(seatsOf(got, b)[full], undefined)
    equal(got.items.find(each => each.uid === b)!.pending, [
      { slot: undefined, node: full, count: 1, reason: 'cpu', refused: { cpu: 1 } }
    ])
  })
})

test('G15: six on three, one at a quarter of its weight: it gets one, the others 3 and 2', () => {
  everySet(ids => {
    const uid = ids.items[0]!
    const mesh = nodes(ids, 3).map((each, i) => (i === 0 ? { ...each, eighths: 2 } : each))
    const got = assign(view(mesh, [item(uid, { replicas: 6 })], ids.salt))
    is(seatsOf(got, uid)[mesh[0]!.id], 1)
    equal(shape(got, uid), [3, 2, 1])
  })
})

test('G16: 64 and 4 cores, thirty of one core: 26 and 4', () => {
  everySet(ids => {
    const uid = ids.items[0]!
    const mesh = [64_000, 4_000].map((cpuMillis, i) =>
      node(ids.nodes[i]!, { cpuMillis, memoryMiB: cpuMillis * 4 })
    )
    const big = item(uid, { replicas: 30, cpuMillis: 1_000, balanceCpuMillis: 1_000 })
    equal(shape(assign(view(mesh, [big], ids.salt)), uid), [26, 4])
  })
})

test('G17: twenty equal singles on five equal nodes: at most six on one', () => {
  everySet(ids => {
    const items = ids.items.slice(0, 20).map((uid, created) => item(uid, { created }))
    const got = assign(view(nodes(ids, 5), items, ids.salt))
    const loads = new Map<string, number>()
    for (const { seats } of got.items)
      for (const seat of seats) loads.set(seat.node, (loads.get(seat.node) ?? 0) + seat.seats)
    ok(Math.max(...loads.values()) <= 6)
  })
})

test('G18: a draining node keeps its pins and gets nothing new', () => {
  everySet(ids => {
    const [a, b] = [ids.items[0]!, ids.items[1]!]
    const mesh = nodes(ids, 3).map((each, i) => ({ ...each, schedulable: i !== 0 }))
    const draining = mesh[0]!.id
    const pinned = item(a, { replicas: 2, pins: [{ slot: 0, node: draining }] })
    const got = assign(view(mesh, [pinned, item(b, { replicas: 5 })], ids.salt))
    is(seatsOf(got, a)[draining], 1)
    is(seatsOf(got, b)[draining], undefined)
    equal(shape(got, b), [3, 2])
  })
})

test('G19: from six to five on three nodes exactly one seat goes', () => {
  everySet(ids => {
    const uid = ids.items[0]!
    const mesh = nodes(ids, 3)
    const before = seatsOf(assign(view(mesh, [item(uid, { replicas: 6 })], ids.salt)), uid)
    const after = seatsOf(assign(view(mesh, [item(uid, { replicas: 5 })], ids.salt)), uid)
    const lost = mesh.map(({ id }) => (before[id] ?? 0) - (after[id] ?? 0))
    equal(lost.sort(), [0, 0, 1])
  })
})

test('G20: the last seat goes to the lower class, whichever is older', () => {
  everySet(ids => {
    const [a, b] = [ids.items[0]!, ids.items[1]!]
    const full = { cpuMillis: 1_000, balanceCpuMillis: 1_000 }
    for (const created of [1, 3]) {
      const items: PlacementItem[] = [
        item(a, { ...full, class: 0, created }),
        item(b, { ...full, class: 1, created: 2 })
      ]
      const got = assign(view(nodes(ids, 1, { cpuMillis: 1_000 }), items, ids.salt))
      equal([shape(got, a), shape(got, b)], [[1], []])
    }
  })
})

test('G21: a deploy at an unchanged bound moves nothing', () => {
  let unchanged = 0
  everySet(ids => {
    const mesh = nodes(ids, 10)
    const items = ids.items.slice(0, 25).map((uid, i) => {
      return item(uid, { created: i, replicas: 1 + (i % 4), balanceCpuMillis: 100 + 20 * (i % 7) })
    })
    const newcomer = item(ids.items[30]!, { created: 99, replicas: 2 })
    const bound = (list: readonly PlacementItem[]): number =>
      loadBound(
        list.reduce((sum, each) => sum + each.replicas * each.balanceCpuMillis, 0),
        10 * 8_000 * 8,
        list.reduce((sum, each) => sum + each.replicas, 0)
      ).perWeight
    if (bound(items) !== bound([...items, newcomer])) return
    unchanged += 1
    const before = assign(view(mesh, items, ids.salt))
    const after = assign(view(mesh, [...items, newcomer], ids.salt))
    is(movedOthers(before, after, newcomer.uid), 0)
    equal(shape(after, newcomer.uid), [1, 1])
  })
  ok(unchanged > 0)
})

test('G22: a failure record drives the replica off that node and moves few others', () => {
  const moves: number[] = []
  everySet(ids => {
    const mesh = nodes(ids, 5)
    const items = ids.items.slice(0, 6).map((uid, created) => item(uid, { created, replicas: 2 }))
    const before = assign(view(mesh, items, ids.salt))
    const first = items[0]!
    const bad = Object.keys(seatsOf(before, first.uid))[0]!
    const avoiding = [{ ...first, avoid: [bad] }, ...items.slice(1)]
    const after = assign(view(mesh, avoiding, ids.salt))
    is(seatsOf(after, first.uid)[bad], undefined)
    equal(shape(after, first.uid), [1, 1])
    moves.push(movedOthers(before, after, first.uid))
  })
  ok(Math.max(...moves) <= 3, `at most three others move: ${moves}`)
  ok(moves.reduce((sum, each) => sum + each, 0) / SETS <= 1)
})

test('G23: without nodes everything is pending, and nothing throws', () => {
  everySet(ids => {
    const items = [item(ids.items[0]!, { replicas: 3 }), item(ids.items[1]!, { kind: 'global' })]
    const got = assign(view([], items, ids.salt))
    const service = got.items.find(each => each.uid === ids.items[0])
    equal(service, {
      uid: ids.items[0]!,
      seats: [],
      pending: [{ slot: undefined, node: undefined, count: 3, reason: 'no-nodes', refused: {} }]
    })
  })
})

test.run()
