import { equal, is, not, ok, throws } from 'uvu/assert'
import {
  assign,
  assignmentDigest,
  explain,
  type PlacementChange,
  type PlacementInput,
  Placer,
  rank,
  viewHash
} from '../../placement/index.ts'
import { item, node, seatsOf, shape, view } from '../helpers/placement-mesh.ts'
import { makeMesh, maxOverMean, seeded } from '../helpers/placement-scale.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('placement')

const NODES = [node('a', { zone: 'z' }), node('b'), node('c')]
const WEB = item('web', {
  replicas: 4,
  ports: ['tcp/80', 'tcp/81'],
  requirements: [{ attribute: 'node.name', operator: 'not-in', values: ['x', 'y'] }],
  avoid: ['q'],
  pins: [{ slot: 0, node: 'a' }]
})

test('the view hash covers every field of the input', () => {
  const base = view(NODES, [WEB, item('db')])
  const seen = new Set([viewHash(base)])
  const differs = (what: string, input: PlacementInput): void => {
    const hash = viewHash(input)
    ok(/^[0-9a-f]{16}$/.test(hash))
    ok(!seen.has(hash), what)
    seen.add(hash)
  }
  differs('salt', { ...base, salt: 'other' })
  differs('version', { ...base, version: 2 })
  differs('fewer nodes', { ...base, nodes: NODES.slice(1) })
  differs('fewer items', { ...base, items: [WEB] })
  const nodeEdits = {
    id: 'd',
    cpuMillis: 1,
    memoryMiB: 1,
    eighths: 3,
    zone: 'y',
    attributes: { 'node.name': 'z' },
    schedulable: false
  }
  for (const [field, value] of Object.entries(nodeEdits)) {
    const nodes = [...NODES.slice(0, 2), { ...NODES[2]!, [field]: value }]
    differs(`node.${field}`, { ...base, nodes })
  }
  const itemEdits = {
    uid: 'other',
    created: 5,
    class: 1,
    kind: 'global',
    replicas: 5,
    cpuMillis: 7,
    memoryMiB: 7,
    balanceCpuMillis: 7,
    balanceMemoryMiB: 7,
    ports: ['tcp/80'],
    requirements: [{ attribute: 'node.name', operator: 'in', values: ['x', 'y'] }],
    maxPerNode: 2,
    zones: 'soft',
    avoid: [],
    pins: [{ slot: 1, node: 'a' }]
  }
  for (const [field, value] of Object.entries(itemEdits)) {
    differs(`item.${field}`, { ...base, items: [{ ...WEB, [field]: value }, item('db')] })
  }
})

test('the digest covers seats and not what is pending', () => {
  const two = { node: 'a', seats: 2 }
  const pending = [
    { slot: 1, node: 'b', count: 1, reason: 'pinned node gone', refused: {} }
  ] as const
  const digest = assignmentDigest({ items: [{ uid: 'web', seats: [two], pending: [] }] })
  is(assignmentDigest({ items: [{ uid: 'web', seats: [two], pending }] }), digest)
  is(
    assignmentDigest({
      items: [
        { uid: 'idle', seats: [], pending: [] },
        { uid: 'web', seats: [two], pending: [] }
      ]
    }),
    digest
  )
  const others = [
    [{ uid: 'api', seats: [two], pending: [] }],
    [{ uid: 'web', seats: [{ node: 'b', seats: 2 }], pending: [] }],
    [{ uid: 'web', seats: [{ node: 'a', seats: 1 }], pending: [] }],
    []
  ]
  for (const items of others) not.equal(assignmentDigest({ items }), digest)
})

test('a change that changes nothing changes nothing', () => {
  const placer = new Placer(view(NODES, [WEB]))
  const before = placer.assignment()
  const same: PlacementChange[] = [
    { kind: 'node', node: { ...NODES[0]!, attributes: { 'node.name': 'a' } } },
    { kind: 'item', item: { ...WEB, ports: [...WEB.ports].reverse() } },
    { kind: 'node-gone', id: 'nobody' },
    { kind: 'item-gone', uid: 'nothing' }
  ]
  equal(placer.apply(same), [])
  equal(placer.apply([]), [])
  equal(placer.assignment(), before)
})

test('the last change of one node or item counts', () => {
  const placer = new Placer(view(NODES, [WEB]))
  placer.apply([
    { kind: 'item-gone', uid: 'web' },
    { kind: 'item', item: { ...WEB, replicas: 9 } },
    { kind: 'node-gone', id: 'b' },
    { kind: 'node', node: NODES[1]! },
    { kind: 'item', item: { ...WEB, replicas: 2 } }
  ])
  equal(placer.assignment(), assign(view(NODES, [{ ...WEB, replicas: 2 }])))
})

test('a global that is edited while one of its nodes leaves is reported as changed', () => {
  const placer = new Placer(view(NODES, [item('agent', { kind: 'global' })]))
  is(placer.of('agent')!.seats.length, 3)
  const edited = item('agent', { kind: 'global', replicas: 2 })
  const changes: PlacementChange[] = [
    { kind: 'item', item: edited },
    { kind: 'node-gone', id: 'b' }
  ]
  equal(placer.apply(changes), ['agent'])
  equal(placer.assignment(), assign(view([NODES[0]!, NODES[2]!], [edited])))
})

test('one item can be asked for', () => {
  const placer = new Placer(view(NODES, [item('db', { replicas: 2 })]))
  is(placer.of('nothing'), undefined)
  is(placer.of('db')?.seats.length, 2)
  placer.apply([{ kind: 'item-gone', uid: 'db' }])
  is(placer.of('db'), undefined)
  equal(placer.assignment(), { items: [] })
})

test('an id used twice and a size that is no whole number are bugs of the caller', () => {
  throws(() => assign(view([NODES[0]!, NODES[0]!], [])), /two nodes/)
  throws(() => assign(view(NODES, [WEB, WEB])), /two items/)
  throws(() => assign(view(NODES, [{ ...WEB, cpuMillis: 0.5 }])), /numbers of item web/)
  throws(() => assign(view([node('a', { memoryMiB: Number.NaN })], [])), /capacity of node a/)
})

test('a node without any capacity is placed on last, not divided by', () => {
  const nodes = [node('empty', { cpuMillis: 0, memoryMiB: 0 }), node('full')]
  const got = assign(view(nodes, [item('web', { cpuMillis: 100 })]))
  equal(seatsOf(got, 'web'), { full: 1 })
})

test('names that are prototype keys are only names', () => {
  const requirements = [{ attribute: 'constructor', operator: 'in' as const, values: ['x'] }]
  const got = assign(view(NODES, [item('__proto__', { requirements }), item('constructor')]))
  equal(got.items.find(each => each.uid === '__proto__')?.pending[0]?.reason, 'filter')
  equal(shape(got, 'constructor'), [1])
})

test('an attribute that a node lacks is in no list', () => {
  const rule = (operator: 'in' | 'not-in') =>
    item('web', { requirements: [{ attribute: 'node.labels.gpu', operator, values: ['yes'] }] })
  is(assign(view(NODES, [rule('in')])).items[0]!.pending[0]!.reason, 'filter')
  equal(shape(assign(view(NODES, [rule('not-in')])), 'web'), [1])
})

test('a rescue finds room that the first fold did not', () => {
  // Two small ones first take both big nodes; the one that needs a big node then waits.
  const mesh = [node('big', { cpuMillis: 1_000 }), node('small', { cpuMillis: 600 })]
  const items = [
    item('older', { created: 1, cpuMillis: 500, balanceCpuMillis: 500 }),
    item('newer', { created: 2, cpuMillis: 900, balanceCpuMillis: 900 })
  ]
  let rescued = 0
  for (let i = 0; i < 40; i++) {
    const input = view(mesh, items, `salt ${i}`)
    const got = assign(input)
    equal(seatsOf(got, 'newer'), { big: 1 })
    equal(seatsOf(got, 'older'), { small: 1 })
    if (explain(input, 'newer')!.promoted > 0) rescued += 1
  }
  ok(rescued > 5, 'it was not luck')
})

test('an explanation names the numbers that refuse', () => {
  const mesh = [
    node('a', { cpuMillis: 300 }),
    node('b', { memoryMiB: 100 }),
    node('c', { schedulable: false }),
    node('d', { attributes: {} }),
    node('e'),
    node('f'),
    node('g')
  ]
  const web = item('web', {
    replicas: 1,
    cpuMillis: 500,
    memoryMiB: 200,
    ports: ['tcp/80'],
    avoid: ['e'],
    requirements: [
      { attribute: 'node.name', operator: 'not-in', values: ['zz'] },
      {
        attribute: 'node.name',
        operator: 'in',
        values: ['a', 'b', 'c', 'e', 'f', 'g']
      }
    ]
  })
  const holder = item('holder', { class: -1, ports: ['tcp/80'], pins: [{ slot: 0, node: 'f' }] })
  const input = view(mesh, [web, holder])
  const why = explain(input, 'web')!
  const row = (id: string) => why.nodes.find(each => each.node === id)!
  equal([row('a').reason, row('a').cpuMillis], ['cpu', { used: 0, wanted: 500, limit: 300 }])
  equal([row('b').reason, row('b').memoryMiB], ['memory', { used: 0, wanted: 200, limit: 100 }])
  is(row('c').reason, 'draining')
  is(row('d').reason, 'filter')
  is(row('e').reason, 'avoid')
  equal([row('f').reason, row('f').port], ['port', 'tcp/80'])
  equal([row('g').verdict, row('g').seats], ['chosen', 1])
  equal(why.takeover, [])
  is(explain(input, 'nothing'), undefined)
})

test('the first of the takeover order is who takes over, when there is room', () => {
  for (let i = 0; i < 50; i++) {
    const mesh = Array.from({ length: 6 }, (_, n) => node(`n${n}`))
    const input = view(mesh, [item('web', { replicas: 2 })], `salt ${i}`)
    const why = explain(input, 'web')!
    const [dead, kept] = Object.keys(seatsOf(assign(input), 'web'))
    const left = mesh.filter(each => each.id !== dead)
    const after = Object.keys(seatsOf(assign({ ...input, nodes: left }), 'web'))
    const successor = why.takeover.find(id => id !== dead && id !== kept)!
    equal(after.sort(), [kept!, successor].sort())
    equal(
      rank({ uid: 'web' }, mesh, input.salt),
      why.nodes.map(each => each.node)
    )
  }
})

test('with a hundred nodes repair equals recomputing, and the list of changes is exact', () => {
  const below = seeded(5)
  for (const constraints of [false, true]) {
    const mesh = makeMesh({ nodes: 100, replicas: 2_600, utilisation: 0.8, constraints, seed: 9 })
    const placer = new Placer(mesh)
    let nodes = [...mesh.nodes]
    let items = [...mesh.items]
    let before = placer.assignment()
    for (let step = 0; step < 12; step++) {
      const one = nodes[below(nodes.length)]!
      const some = items[below(items.length)]!
      const changes: PlacementChange[] = [
        step % 3 === 0
          ? { kind: 'node-gone', id: one.id }
          : { kind: 'node', node: { ...one, eighths: 1 + below(8) } },
        step % 4 === 0
          ? { kind: 'item-gone', uid: some.uid }
          : { kind: 'item', item: { ...some, replicas: below(9) } }
      ]
      for (const change of changes) {
        if (change.kind === 'node' || change.kind === 'node-gone') {
          nodes = nodes.filter(each => each.id !== one.id)
          if (change.kind === 'node') nodes.push(change.node)
        } else {
          items = items.filter(each => each.uid !== some.uid)
          if (change.kind === 'item') items.push(change.item)
        }
      }
      const changed = placer.apply(changes)
      const now = placer.assignment()
      equal(JSON.stringify(now), JSON.stringify(assign({ ...mesh, nodes, items })))
      const old = new Map(before.items.map(each => [each.uid, JSON.stringify(each)]))
      const different = now.items.filter(each => old.get(each.uid) !== JSON.stringify(each))
      const gone = before.items.filter(each => placer.of(each.uid) === undefined)
      equal(changed, [...different, ...gone].map(each => each.uid).sort())
      before = now
    }
  }
})

/** Loss and balance of small meshes, over many sets of ids (the table of C11). */
function smallMesh(size: number, replicas: readonly number[]): { ratio: number; even: number } {
  const sets = 60
  let displaced = 0
  let moved = 0
  let even = 0
  for (let set = 0; set < sets; set++) {
    const nodes = Array.from({ length: size }, (_, i) => node(`n${set}-${i}`))
    const items = replicas.map((count, i) =>
      item(`u${set}-${i}`, { replicas: count, created: i, balanceCpuMillis: 100 })
    )
    const input = view(nodes, items, `salt ${set}`)
    const before = assign(input)
    const after = assign({ ...input, nodes: nodes.slice(1) })
    even += maxOverMean(input, before.items) / sets
    for (const { uid } of items) {
      const old = seatsOf(before, uid)
      displaced += old[nodes[0]!.id] ?? 0
      for (const [id, seats] of Object.entries(seatsOf(after, uid))) {
        moved += Math.max(0, seats - (old[id] ?? 0))
      }
    }
  }
  return { ratio: moved / displaced, even }
}

test('small meshes stay balanced, and a death moves little else', () => {
  const mixed = (count: number): number[] => Array.from({ length: count }, (_, i) => 1 + (i % 4))
  const cases = [
    { size: 2, replicas: [1, 2, 4, 5], ratio: 1.05, even: 1.25 },
    { size: 3, replicas: Array<number>(6).fill(1), ratio: 1.2, even: 1.6 },
    { size: 5, replicas: Array<number>(20).fill(1), ratio: 1.2, even: 1.6 },
    { size: 5, replicas: mixed(20), ratio: 1.1, even: 1.5 },
    { size: 10, replicas: mixed(50), ratio: 1.2, even: 1.4 }
  ]
  for (const { size, replicas, ratio, even } of cases) {
    const got = smallMesh(size, replicas)
    const what = `${size} nodes, ${replicas.length} items: ${JSON.stringify(got)}`
    ok(got.ratio <= ratio, what)
    ok(got.even <= even, what)
  }
})

test.run()
