/**
 * Placement at scale (`placement/README.md`): 100,000 replicas on 1,000 unequal nodes, plain and
 * with a mix of constraints, beside the npm package `hashring` in the same run. Prints n and
 * min/median/max, and ends with exit code 1 when a bar is missed.
 */
import { createRequire } from 'node:module'
import { cpus, loadavg } from 'node:os'
import { pathToFileURL } from 'node:url'
import { type ItemAssignment, type PlacementInput, Placer } from '../../placement/index.ts'
import {
  gained,
  makeMesh,
  maxOverMean,
  quantile,
  seeded
} from '../../test/helpers/placement-scale.ts'

const COLD_RUNS = 5
const WARM_UP_EVENTS = 20

function times(samples: readonly number[]): string {
  const at = (share: number): string => quantile(samples, share).toFixed(2)
  const [least, most] = [Math.min(...samples), Math.max(...samples)]
  return [
    `n=${samples.length} min ${least.toFixed(2)} p50 ${at(0.5)} p95 ${at(0.95)}`,
    `p99 ${at(0.99)} max ${most.toFixed(2)} ms`
  ].join(' ')
}

interface Timed<T> {
  readonly value: T
  readonly ms: number
  /** Processor time of the whole process: what the machine's other work does not add to. */
  readonly cpuMs: number
}

function timed<T>(work: () => T): Timed<T> {
  const startCpu = process.cpuUsage()
  const startMs = performance.now()
  const value = work()
  const ms = performance.now() - startMs
  const { user, system } = process.cpuUsage(startCpu)
  return { value, ms, cpuMs: (user + system) / 1_000 }
}

export interface Figures {
  readonly coldMs: readonly number[]
  readonly lossMs: readonly number[]
  readonly lossCpuMs: readonly number[]
  readonly joinMs: readonly number[]
  readonly addMs: readonly number[]
  readonly deleteMs: readonly number[]
  /** Moved seats over those of the dead, of all losses together. */
  readonly movement: number
  readonly maxOverMean: number
  readonly pending: number
}

/** Replicas of each node that a death displaces: not what is pinned there, nor its globals. */
function displaceable(
  input: PlacementInput,
  items: readonly ItemAssignment[]
): Map<string, number> {
  const held = new Map<string, number>()
  const add = (node: string, seats: number) => held.set(node, (held.get(node) ?? 0) + seats)
  const kinds = new Map(input.items.map(item => [item.uid, item.kind]))
  for (const { uid, seats } of items) {
    if (kinds.get(uid) === 'service') for (const seat of seats) add(seat.node, seat.seats)
  }
  for (const item of input.items) for (const pin of item.pins) add(pin.node, -1)
  return held
}

/** Builds it some times; the first is a cold engine's too. */
function buildTimes(input: PlacementInput): number[] {
  return Array.from({ length: COLD_RUNS }, () => timed(() => new Placer(input)).ms)
}

/**
 * Kills `events` nodes one at a time (each returns before the next), and deploys and deletes as
 * many items. The first few are not counted: a daemon that has just started compiles its code.
 */
export function measure(input: PlacementInput, events: number): Figures {
  const coldMs = buildTimes(input)
  const placer = new Placer(input)
  const { items } = placer.assignment()
  const held = displaceable(input, items)
  const before = new Map(items.map(item => [item.uid, item]))
  const below = seeded(7)
  const lossMs: number[] = []
  const lossCpuMs: number[] = []
  const joinMs: number[] = []
  const addMs: number[] = []
  const deleteMs: number[] = []
  let displaced = 0
  let moved = 0
  for (let i = -WARM_UP_EVENTS; i < events; i++) {
    const node = input.nodes[below(input.nodes.length)]!
    const loss = timed(() => placer.apply([{ kind: 'node-gone', id: node.id }]))
    displaced += held.get(node.id) ?? 0
    for (const uid of loss.value) moved += gained(before.get(uid), placer.of(uid))
    const join = timed(() => placer.apply([{ kind: 'node', node }]))
    const base = input.items[below(input.items.length)]!
    const item = { ...base, uid: `new-${i}`, created: input.items.length + i, pins: [] }
    const add = timed(() => placer.apply([{ kind: 'item', item }]))
    const gone = timed(() => placer.apply([{ kind: 'item-gone', uid: item.uid }]))
    if (i < 0) continue
    lossMs.push(loss.ms)
    lossCpuMs.push(loss.cpuMs)
    joinMs.push(join.ms)
    addMs.push(add.ms)
    deleteMs.push(gone.ms)
  }
  return {
    coldMs,
    lossMs,
    lossCpuMs,
    joinMs,
    addMs,
    deleteMs,
    movement: moved / displaced,
    maxOverMean: maxOverMean(input, items),
    pending: items.filter(item => item.pending.length > 0).length
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
  console.log(`  its processor time: ${times(figures.lossCpuMs)}`)
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
  console.log(`load average of the last minute: ${loadavg()[0]?.toFixed(1)}`)
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
