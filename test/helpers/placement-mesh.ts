/** Small meshes for placement tests: plain builders, and fast-check arbitraries of everything. */
import fc from 'fast-check'
import type {
  Assignment,
  PlacementChange,
  PlacementInput,
  PlacementItem,
  PlacementNode
} from '../../placement/index.ts'

export function node(id: string, more: Partial<PlacementNode> = {}): PlacementNode {
  return {
    id,
    cpuMillis: 8_000,
    memoryMiB: 16_000,
    eighths: 8,
    zone: '',
    attributes: { 'node.name': id },
    schedulable: true,
    ...more
  }
}

/** A service of one replica without requests, as the mapping makes it. */
export function item(uid: string, more: Partial<PlacementItem> = {}): PlacementItem {
  return {
    uid,
    created: 0,
    class: 0,
    kind: 'service',
    replicas: 1,
    cpuMillis: 0,
    memoryMiB: 0,
    balanceCpuMillis: 100,
    balanceMemoryMiB: 128,
    ports: [],
    requirements: [],
    maxPerNode: 0,
    zones: 'none',
    avoid: [],
    pins: [],
    ...more
  }
}

export function view(
  nodes: readonly PlacementNode[],
  items: readonly PlacementItem[],
  salt = 'mesh'
): PlacementInput {
  return { salt, version: 1, nodes, items }
}

/** node -> seats of one item. */
export function seatsOf(assignment: Assignment, uid: string): Record<string, number> {
  const found = assignment.items.find(each => each.uid === uid)
  return Object.fromEntries(found?.seats.map(seat => [seat.node, seat.seats]) ?? [])
}

/** Seats per node, largest first. */
export function shape(assignment: Assignment, uid: string): number[] {
  return Object.values(seatsOf(assignment, uid)).sort((a, b) => b - a)
}

const NODE_IDS = Array.from({ length: 24 }, (_, i) => `n${i}`)
const PORTS = ['tcp/80', 'tcp/443', 'udp/53']

/** Which node sizes, zones and labels occur; `size` is how many node ids may be drawn. */
export function anyNode(size: number): fc.Arbitrary<PlacementNode> {
  return fc
    .record({
      id: fc.constantFrom(...NODE_IDS.slice(0, size)),
      cpuMillis: fc.constantFrom(1_000, 2_000, 4_000, 8_000),
      memoryMiB: fc.constantFrom(1_500, 4_000, 8_000, 16_000),
      eighths: fc.constantFrom(8, 8, 8, 4, 2, 1),
      zone: fc.constantFrom('', 'a', 'b', 'c'),
      disk: fc.constantFrom('ssd', 'hdd'),
      schedulable: fc.constantFrom(true, true, true, true, false)
    })
    .map(({ disk, ...rest }) => ({
      ...rest,
      attributes: { 'node.name': rest.id, 'node.labels.disk': disk }
    }))
}

export function anyItem(size: number): fc.Arbitrary<PlacementItem> {
  const nodeId = fc.constantFrom(...NODE_IDS.slice(0, size))
  const plain = fc.record({
    uid: fc.integer({ min: 0, max: 30 }).map(i => `u${i}`),
    created: fc.integer({ min: 0, max: 9 }),
    class: fc.constantFrom(0, 0, 0, 1, 2),
    kind: fc.constantFrom<PlacementItem['kind']>(...Array(9).fill('service'), 'global'),
    replicas: fc.constantFrom(0, 1, 1, 1, 2, 2, 3, 4, 6, 12),
    cpuMillis: fc.constantFrom(0, 0, 100, 300, 900),
    memoryMiB: fc.constantFrom(0, 0, 128, 700),
    balanceCpuMillis: fc.constantFrom(100, 300, 900, 2_500),
    balanceMemoryMiB: fc.constantFrom(0, 128, 700)
  })
  const constraints = fc.record({
    ports: often(fc.subarray(PORTS, { minLength: 1, maxLength: 2 }), []),
    requirements: often(
      fc.oneof(
        fc.constant([
          { attribute: 'node.labels.disk', operator: 'in' as const, values: ['ssd', 'nvme'] }
        ]),
        fc.constant([
          { attribute: 'node.labels.disk', operator: 'not-in' as const, values: ['ssd'] }
        ]),
        nodeId.map(id => [{ attribute: 'node.name', operator: 'in' as const, values: [id] }])
      ),
      []
    ),
    maxPerNode: fc.constantFrom(0, 0, 0, 1, 2),
    zones: fc.constantFrom<PlacementItem['zones']>('none', 'none', 'soft', 'hard'),
    avoid: often(fc.uniqueArray(nodeId, { minLength: 1, maxLength: 2 }), []),
    pins: often(
      fc.uniqueArray(fc.record({ slot: fc.nat(5), node: nodeId }), {
        selector: pin => pin.slot,
        minLength: 1,
        maxLength: 3
      }),
      []
    )
  })
  return fc.tuple(plain, constraints).map(([a, b]) => ({ ...a, ...b }))
}

/** The special thing once in five times. */
function often<T>(special: fc.Arbitrary<T>, otherwise: T): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant(otherwise) },
    { weight: 1, arbitrary: special }
  )
}

/** A whole view over up to `size` nodes. */
export function anyView(size: number): fc.Arbitrary<PlacementInput> {
  return fc
    .record({
      salt: fc.constantFrom('s1', 's2', 's3', 's4'),
      nodes: fc.uniqueArray(anyNode(size), {
        selector: each => each.id,
        minLength: Math.min(size, Math.ceil(size / 2)),
        maxLength: size
      }),
      items: fc.uniqueArray(anyItem(size), { selector: each => each.uid, maxLength: 24 })
    })
    .map(parts => ({ version: 1, ...parts }))
}

/** Replicas too big for what is left of most nodes: about every fifth such view needs a rescue. */
export function crowdedView(size: number): fc.Arbitrary<PlacementInput> {
  const memories = fc.array(fc.constantFrom(1_000, 2_000, 3_000), {
    minLength: size,
    maxLength: size
  })
  const demand = fc.record({
    memoryMiB: fc.constantFrom(300, 450, 600, 900, 1_400),
    replicas: fc.constantFrom(1, 1, 2, 3),
    class: fc.constantFrom(0, 0, 0, 1)
  })
  return fc
    .record({
      salt: fc.constantFrom('s1', 's2', 's3', 's4'),
      memories,
      demands: fc.array(demand, { minLength: 2, maxLength: 10 })
    })
    .map(parts =>
      view(
        parts.memories.map((memoryMiB, i) => node(`n${i}`, { memoryMiB })),
        parts.demands.map((each, i) => item(`u${i}`, { created: i, ...each })),
        parts.salt
      )
    )
}

function anyChange(size: number): fc.Arbitrary<PlacementChange> {
  return fc.oneof(
    anyNode(size).map(each => ({ kind: 'node', node: each }) as const),
    fc.constantFrom(...NODE_IDS.slice(0, size)).map(id => ({ kind: 'node-gone', id }) as const),
    anyItem(size).map(each => ({ kind: 'item', item: each }) as const),
    fc.nat(30).map(i => ({ kind: 'item-gone', uid: `u${i}` }) as const)
  )
}

/** Steps of one to three changes each. */
export function anyHistory(size: number): fc.Arbitrary<PlacementChange[][]> {
  return fc.array(fc.array(anyChange(size), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 12
  })
}

/** The view after a change. */
export function after(input: PlacementInput, changes: readonly PlacementChange[]): PlacementInput {
  const nodes = new Map(input.nodes.map(each => [each.id, each]))
  const items = new Map(input.items.map(each => [each.uid, each]))
  for (const change of changes) {
    if (change.kind === 'node') nodes.set(change.node.id, change.node)
    else if (change.kind === 'node-gone') nodes.delete(change.id)
    else if (change.kind === 'item') items.set(change.item.uid, change.item)
    else items.delete(change.uid)
  }
  return { ...input, nodes: [...nodes.values()], items: [...items.values()] }
}
