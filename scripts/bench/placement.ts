/**
 * Placement at scale (`placement/README.md`): 100,000 replicas on 1,000 unequal nodes, plain and
 * with a mix of constraints, beside the npm package `hashring` in the same run. Prints n and
 * min/median/max, and ends with exit code 1 when a bar is missed.
 */
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { pathToFileURL } from 'node:url'
import {
  type ItemAssignment,
  type PlacementInput,
  type PlacementItem,
  type PlacementNode,
  Placer
} from '../../placement/index.ts'

const REPLICA_MIX = [1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 8, 8]
const MIB_PER_MILLICORE = 2
const COLD_RUNS = 5

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

function times(samples: readonly number[]): string {
  const at = (share: number): string => quantile(samples, share).toFixed(2)
  const [least, most] = [Math.min(...samples), Math.max(...samples)]
  return `n=${samples.length} min ${least.toFixed(2)} p50 ${at(0.5)} p95 ${at(0.95)} p99 ${at(0.99)} max ${most.toFixed(2)} ms`
}

interface Timed<T> {
  readonly value: T
  readonly ms: number
}

function timed<T>(work: () => T): Timed<T> {
  const startMs = performance.now()
  const value = work()
  return { value, ms: performance.now() - startMs }
}

export interface Figures {
  readonly coldMs: readonly number[]
  readonly lossMs: readonly number[]
  readonly joinMs: readonly number[]
  readonly addMs: readonly number[]
  readonly deleteMs: readonly number[]
  /** Moved seats over those of the dead, of all losses together. */
  readonly movement: number
  readonly maxOverMean: number
  readonly pending: number
}

/** Kills `events` nodes one at a time (each returns before the next), and deploys as many items. */
export function measure(input: PlacementInput, events: number): Figures {
  const coldMs: number[] = []
  let placer = new Placer(input)
  for (let i = 0; i < COLD_RUNS; i++) {
    const cold = timed(() => new Placer(input))
    placer = cold.value
    coldMs.push(cold.ms)
  }
  const assignment = placer.assignment()
  const pending = assignment.items.filter(item => item.pending.length > 0).length
  const balance = maxOverMean(input, assignment.items)
  const held = new Map<string, number>()
  const pinned = new Map<string, number>()
  for (const { seats } of assignment.items) {
    for (const seat of seats) held.set(seat.node, (held.get(seat.node) ?? 0) + seat.seats)
  }
  for (const item of input.items) {
    for (const pin of item.pins) pinned.set(pin.node, (pinned.get(pin.node) ?? 0) + 1)
    if (item.kind === 'global') {
      for (const node of input.nodes) pinned.set(node.id, (pinned.get(node.id) ?? 0) + 1)
    }
  }
  const before = new Map(assignment.items.map(item => [item.uid, item]))
  const below = seeded(7)
  const figures = { lossMs: [], joinMs: [], addMs: [], deleteMs: [] } as Record<string, number[]>
  let displaced = 0
  let moved = 0
  for (let i = 0; i < events; i++) {
    const node = input.nodes[below(input.nodes.length)]!
    const loss = timed(() => placer.apply([{ kind: 'node-gone', id: node.id }]))
    figures['lossMs']!.push(loss.ms)
    // What is pinned to the dead node, and its own globals, wait and move nowhere.
    displaced += (held.get(node.id) ?? 0) - (pinned.get(node.id) ?? 0)
    for (const uid of loss.value) moved += gained(before.get(uid), placer.of(uid))
    figures['joinMs']!.push(timed(() => placer.apply([{ kind: 'node', node }])).ms)
    const base = input.items[below(input.items.length)]!
    const item = { ...base, uid: `new-${i}`, created: input.items.length + i, pins: [] }
    figures['addMs']!.push(timed(() => placer.apply([{ kind: 'item', item }])).ms)
    const gone = timed(() => placer.apply([{ kind: 'item-gone', uid: item.uid }]))
    figures['deleteMs']!.push(gone.ms)
  }
  return {
    coldMs,
    lossMs: figures['lossMs']!,
    joinMs: figures['joinMs']!,
    addMs: figures['addMs']!,
    deleteMs: figures['deleteMs']!,
    movement: moved / displaced,
    maxOverMean: balance,
    pending
  }
}

interface Ring {
  get(key: string): string
  remove(node: string): void
}

function measureHashring(input: PlacementInput, keys: number): void {
  type RingClass = new (nodes: Record<string, { weight: number }>) => Ring
  const HashRing = createRequire(import.meta.url)('hashring') as RingClass
  const weights = Object.fromEntries(
    input.nodes.map(node => [node.id, { weight: node.cpuMillis / 4_000 }])
  )
  const names = Array.from({ length: keys }, (_, i) => `replica-${i}`)
  const build = timed(() => new HashRing(weights))
  const ring = build.value
  const first = timed(() => names.map(name => ring.get(name)))
  const load = new Map<string, number>()
  for (const node of first.value) load.set(node, (load.get(node) ?? 0) + 1)
  const mean = keys / input.nodes.reduce((sum, node) => sum + node.cpuMillis, 0)
  const relative = input.nodes.map(node => (load.get(node.id) ?? 0) / node.cpuMillis / mean)
  const dead = input.nodes[0]!.id
  const again = timed(() => {
    ring.remove(dead)
    return names.map(name => ring.get(name))
  })
  const displaced = first.value.filter(node => node === dead).length
  const moved = first.value.filter((node, i) => node !== again.value[i]).length
  console.log('\nhashring 3.2.0 (no capacity, no constraints, weights by cores)')
  console.log(`  build ${build.ms.toFixed(0)} ms, ${keys} look-ups ${first.ms.toFixed(0)} ms`)
  console.log(`  after one death: removal and look-ups ${again.ms.toFixed(0)} ms`)
  console.log(
    `  movement ${(moved / displaced).toFixed(3)}x, max/mean ${Math.max(...relative).toFixed(3)}`
  )
}

interface Bars {
  readonly coldMs: number
  readonly lossP99Ms: number
  readonly movement: number
  readonly maxOverMean: number
}

function report(name: string, input: PlacementInput, events: number, bars: Bars): boolean {
  const replicas = input.items.reduce((sum, item) => sum + item.replicas, 0)
  console.log(
    `\n${name}: ${replicas} replicas of ${input.items.length} items on ${input.nodes.length} nodes`
  )
  const figures = measure(input, events)
  const p99 = quantile(figures.lossMs, 0.99)
  console.log(`  cold    ${times(figures.coldMs)} (bar: median < ${bars.coldMs})`)
  console.log(`  loss    ${times(figures.lossMs)} (bar: p99 <= ${bars.lossP99Ms})`)
  console.log(`  join    ${times(figures.joinMs)}`)
  console.log(`  add     ${times(figures.addMs)}`)
  console.log(`  delete  ${times(figures.deleteMs)}`)
  console.log(`  movement ${figures.movement.toFixed(3)}x (bar: <= ${bars.movement})`)
  console.log(`  max/mean ${figures.maxOverMean.toFixed(3)} (bar: <= ${bars.maxOverMean})`)
  console.log(`  items with something pending: ${figures.pending}`)
  return (
    quantile(figures.coldMs, 0.5) < bars.coldMs &&
    p99 <= bars.lossP99Ms &&
    figures.movement <= bars.movement &&
    figures.maxOverMean <= bars.maxOverMean
  )
}

/** The whole bench; true when every bar was met. */
export function main(events = 200): boolean {
  console.log(`placement bench: node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}`)
  const mesh = { nodes: 1_000, replicas: 100_000, utilisation: 0.65, seed: 1 }
  const plain = makeMesh({ ...mesh, constraints: false })
  const mixed = makeMesh({ ...mesh, constraints: true })
  const bars = { coldMs: 1_000, lossP99Ms: 10, movement: 1.05, maxOverMean: 1.26 }
  const plainOk = report('plain', plain, events, bars)
  const mixedBars = { coldMs: 1_200, lossP99Ms: 40, movement: 1.31, maxOverMean: 1.3 }
  const mixedOk = report('constraint mix', mixed, events, mixedBars)
  measureHashring(plain, 100_000)
  console.log(plainOk && mixedOk ? '\nevery bar is met' : '\na bar is missed')
  return plainOk && mixedOk
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = main() ? 0 : 1
}
