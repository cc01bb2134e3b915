/**
 * Meshes of any size from one seed, and what is measured on them: for the bench, for the tables
 * of small meshes and for golden digests. Integer arithmetic, so the same mesh everywhere.
 */
import type {
  ItemAssignment,
  PlacementInput,
  PlacementItem,
  PlacementNode
} from '../../placement/index.ts'

const REPLICA_MIX = [1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 8, 8]
const MIB_PER_MILLICORE = 2

export interface MeshOptions {
  readonly nodes: number
  readonly replicas: number
  /** Share of the weights that all replicas ask for. */
  readonly utilisation: number
  readonly constraints: boolean
  readonly seed: number
}

/** A small seeded generator (mulberry32), so that every run measures the same mesh. */
export function seeded(seed: number): (below: number) => number {
  let state = seed | 0
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}

function makeNode(i: number, below: (n: number) => number): PlacementNode {
  const cpuMillis = 1000 * [4, 8, 16, 32, 64][below(5)]!
  return {
    id: `node-${i.toString(36)}-${below(1e9).toString(36)}`,
    cpuMillis,
    memoryMiB: cpuMillis * [2, 4, 8][below(3)]!,
    eighths: 8,
    zone: `zone-${i % 5}`,
    attributes: { 'node.labels.disk': below(4) === 0 ? 'ssd' : 'hdd' },
    schedulable: true
  }
}

function makeItem(i: number, unit: number, below: (n: number) => number): PlacementItem {
  const size = unit * (1 + below(8))
  const lesser = Math.floor((size * (1 + below(4))) / 4)
  const [cpuMillis, memory] = below(2) === 0 ? [size, lesser] : [lesser, size]
  const memoryMiB = memory * MIB_PER_MILLICORE
  return {
    uid: `item-${i.toString(36)}-${below(1e9).toString(36)}`,
    created: i,
    class: 0,
    kind: 'service',
    replicas: REPLICA_MIX[below(REPLICA_MIX.length)]!,
    cpuMillis,
    memoryMiB,
    balanceCpuMillis: cpuMillis,
    balanceMemoryMiB: memoryMiB,
    ports: [],
    requirements: [],
    maxPerNode: 0,
    zones: 'none',
    avoid: [],
    pins: []
  }
}

function constrain(
  item: PlacementItem,
  nodes: readonly PlacementNode[],
  below: (n: number) => number
): PlacementItem {
  const dice = below(100)
  if (dice < 10) {
    const values = ['ssd']
    return { ...item, requirements: [{ attribute: 'node.labels.disk', operator: 'in', values }] }
  }
  if (dice < 15) return { ...item, ports: [`tcp/${8_000 + below(500)}`] }
  if (dice < 20) return { ...item, pins: [{ slot: 0, node: nodes[below(nodes.length)]!.id }] }
  if (dice < 30) return { ...item, zones: 'hard' }
  return item
}

/** The mesh of `placement.md` C11: sizes 1 to 8, nodes of 4 to 64 cores, five zones. */
export function makeMesh(options: MeshOptions): PlacementInput {
  const below = seeded(options.seed)
  const nodes = Array.from({ length: options.nodes }, (_, i) => makeNode(i, below))
  const weight = nodes.reduce((sum, node) => sum + node.cpuMillis, 0)
  const unit = Math.max(1, Math.round((weight * options.utilisation) / options.replicas / 4.5))
  const items: PlacementItem[] = []
  for (let total = 0; total < options.replicas; ) {
    let item = makeItem(items.length, unit, below)
    item = { ...item, replicas: Math.min(item.replicas, options.replicas - total) }
    total += item.replicas
    items.push(options.constraints ? constrain(item, nodes, below) : item)
  }
  if (options.constraints) {
    for (let i = 0; i < 5; i++) {
      const item = makeItem(items.length, unit, below)
      items.push({ ...item, kind: 'global', replicas: 1, cpuMillis: 20, balanceCpuMillis: 20 })
    }
  }
  return { salt: 'bench', version: 1, nodes, items }
}

/** Seats gained anywhere between two answers for one item. */
export function gained(
  before: ItemAssignment | undefined,
  after: ItemAssignment | undefined
): number {
  const old = new Map(before?.seats.map(seat => [seat.node, seat.seats]))
  return (after?.seats ?? []).reduce(
    (sum, seat) => sum + Math.max(0, seat.seats - (old.get(seat.node) ?? 0)),
    0
  )
}

/** Highest load relative to weight, over the mean. */
export function maxOverMean(input: PlacementInput, items: readonly ItemAssignment[]): number {
  const load = new Map(input.nodes.map(node => [node.id, 0]))
  const specs = new Map(input.items.map(item => [item.uid, item]))
  for (const { uid, seats } of items) {
    const spec = specs.get(uid)!
    const memory = Math.ceil(spec.balanceMemoryMiB / MIB_PER_MILLICORE)
    const size = Math.max(1, spec.balanceCpuMillis, memory)
    for (const seat of seats) load.set(seat.node, load.get(seat.node)! + size * seat.seats)
  }
  const weights = input.nodes.map(node =>
    Math.max(1, Math.min(node.cpuMillis, Math.floor(node.memoryMiB / MIB_PER_MILLICORE)))
  )
  const total = [...load.values()].reduce((sum, value) => sum + value, 0)
  const mean = total / weights.reduce((sum, value) => sum + value, 0)
  return Math.max(...input.nodes.map((node, i) => load.get(node.id)! / weights[i]! / mean))
}

export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}
