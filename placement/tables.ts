/**
 * Nodes and items as columns by small integer ids, so that the hot loops touch typed arrays
 * only. Ids of what is gone are reused after the change that freed them is complete.
 */
import { assert } from './assert.ts'
import type { Group } from './eligible.ts'
import { type Hash64, idHash } from './hash.ts'
import { Ledger } from './ledger.ts'
import { type OrderKey, orderKey } from './order.ts'
import { itemSize, nodeEighths, nodeFactor, nodeWeight } from './rank.ts'
import type { Pending, PendingReason, PlacementItem, PlacementNode } from './types.ts'
import type { ZonePlan } from './zones.ts'

const REPLICAS_MAX = 65_535
const FIRST_CAPACITY = 64

export type PinState =
  | 'kept'
  | 'pinned node gone'
  | 'pinned node no longer matches'
  | 'pinned node full'

export interface ItemPin {
  readonly slot: number
  readonly node: string
  state: PinState
}

type Column = Int32Array | Uint8Array | Float64Array

function grown<T extends Column>(column: T, fresh: T): T {
  fresh.set(column)
  return fresh
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function checkNode(node: PlacementNode): void {
  assert(isCount(node.cpuMillis) && isCount(node.memoryMiB), `capacity of node ${node.id}`)
}

function checkItem(item: PlacementItem): void {
  const counts = [
    item.replicas,
    item.cpuMillis,
    item.memoryMiB,
    item.balanceCpuMillis,
    item.balanceMemoryMiB,
    item.maxPerNode
  ]
  assert(counts.every(isCount) && item.replicas <= REPLICAS_MAX, `numbers of item ${item.uid}`)
}

export class NodeTable {
  /** Ids ever used; also the bound of every column. */
  size = 0
  capacity = FIRST_CAPACITY
  readonly spec: (PlacementNode | undefined)[] = []
  readonly ids: string[] = []
  readonly ledger: Ledger[] = []
  /** Host ports taken by pins and globals. */
  readonly basePorts: (ReadonlySet<string> | undefined)[] = []
  /** Host port -> items with a seat that needs it. */
  readonly ports: (Map<string, number[]> | undefined)[] = []
  /** What became of each global here. */
  readonly globals: ReadonlyMap<number, PendingReason | 'kept'>[] = []
  /** Counts changes; a node is `born` at one. */
  clock = 0
  readonly born: number[] = []
  hash = new Int32Array(FIRST_CAPACITY)
  factor = new Float64Array(FIRST_CAPACITY)
  weightEighths = new Float64Array(FIRST_CAPACITY)
  /** Bound at level 0. */
  limit = new Float64Array(FIRST_CAPACITY)
  /** What must be free below the limit for a replica of any size. */
  room = new Float64Array(FIRST_CAPACITY)
  cpu = new Float64Array(FIRST_CAPACITY)
  memory = new Float64Array(FIRST_CAPACITY)
  eighths = new Int32Array(FIRST_CAPACITY)
  zone = new Int32Array(FIRST_CAPACITY)
  baseLoad = new Float64Array(FIRST_CAPACITY)
  baseCpu = new Float64Array(FIRST_CAPACITY)
  baseMemory = new Float64Array(FIRST_CAPACITY)
  readonly byId = new Map<string, number>()
  /** Zone names in use, by integer id; unused ids are reused. */
  readonly zones: (string | undefined)[] = []
  readonly #zoneUsers: number[] = []
  readonly #zoneIds = new Map<string, number>()
  readonly #free: number[] = []
  readonly #freed: number[] = []

  add(node: PlacementNode, key: Hash64): number {
    checkNode(node)
    assert(!this.byId.has(node.id), `two nodes with id ${node.id}`)
    const n = this.#free.pop() ?? this.size++
    if (n >= this.capacity) this.#grow()
    this.spec[n] = node
    this.ids[n] = node.id
    this.born[n] = this.clock
    this.ledger[n] ??= new Ledger()
    this.basePorts[n] = undefined
    this.ports[n] = undefined
    this.globals[n] = new Map()
    this.hash[n] = idHash(node.id, key)
    this.factor[n] = nodeFactor(node)
    this.eighths[n] = nodeEighths(node)
    this.weightEighths[n] = nodeWeight(node) * nodeEighths(node)
    this.limit[n] = 0
    this.room[n] = 0
    this.cpu[n] = node.cpuMillis
    this.memory[n] = node.memoryMiB
    this.zone[n] = this.#enterZone(node.zone)
    this.baseLoad[n] = 0
    this.baseCpu[n] = 0
    this.baseMemory[n] = 0
    this.byId.set(node.id, n)
    return n
  }

  /** The id stays readable until `recycle`. */
  remove(n: number): void {
    this.byId.delete(this.ids[n]!)
    this.spec[n] = undefined
    this.ledger[n]!.clear()
    this.ports[n] = undefined
    this.#zoneUsers[this.zone[n]!]! -= 1
    this.#freed.push(n)
  }

  recycle(): void {
    for (const n of this.#freed) {
      const zone = this.zone[n]!
      const name = this.zones[zone]
      if (this.#zoneUsers[zone] === 0 && name !== undefined) {
        this.#zoneIds.delete(name)
        this.zones[zone] = undefined
      }
    }
    this.#free.push(...this.#freed)
    this.#freed.length = 0
  }

  #enterZone(name: string): number {
    let zone = this.#zoneIds.get(name)
    if (zone === undefined) {
      const gap = this.zones.indexOf(undefined)
      zone = gap < 0 ? this.zones.length : gap
      this.zones[zone] = name
      this.#zoneUsers[zone] = 0
      this.#zoneIds.set(name, zone)
    }
    this.#zoneUsers[zone]! += 1
    return zone
  }

  #grow(): void {
    const capacity = this.capacity * 2
    this.hash = grown(this.hash, new Int32Array(capacity))
    this.eighths = grown(this.eighths, new Int32Array(capacity))
    this.zone = grown(this.zone, new Int32Array(capacity))
    this.factor = grown(this.factor, new Float64Array(capacity))
    this.weightEighths = grown(this.weightEighths, new Float64Array(capacity))
    this.limit = grown(this.limit, new Float64Array(capacity))
    this.room = grown(this.room, new Float64Array(capacity))
    this.cpu = grown(this.cpu, new Float64Array(capacity))
    this.memory = grown(this.memory, new Float64Array(capacity))
    this.baseLoad = grown(this.baseLoad, new Float64Array(capacity))
    this.baseCpu = grown(this.baseCpu, new Float64Array(capacity))
    this.baseMemory = grown(this.baseMemory, new Float64Array(capacity))
    this.capacity = capacity
  }
}

/** At most one pin a slot (the lowest node id wins), the R lowest slots, by slot. */
function pinsOf(item: PlacementItem): ItemPin[] {
  if (item.kind === 'global' || item.pins.length === 0) return []
  const bySlot = new Map<number, string>()
  for (const pin of item.pins) {
    if (!isCount(pin.slot)) continue
    const other = bySlot.get(pin.slot)
    if (other === undefined || pin.node < other) bySlot.set(pin.slot, pin.node)
  }
  return [...bySlot]
    .sort((a, b) => a[0] - b[0])
    .slice(0, item.replicas)
    .map(([slot, node]) => ({ slot, node, state: 'pinned node gone' }))
}

export class ItemTable {
  size = 0
  capacity = FIRST_CAPACITY
  readonly spec: (PlacementItem | undefined)[] = []
  readonly key: OrderKey[] = []
  readonly group: (Group | undefined)[] = []
  readonly plan: (ZonePlan | undefined)[] = []
  readonly pins: ItemPin[][] = []
  /** The last choice in pairs: a node it looked at, and the new seats it took there, maybe 0. */
  readonly taken: number[][] = []
  readonly pending: (Pending | undefined)[] = []
  hash = new Int32Array(FIRST_CAPACITY)
  position = new Int32Array(FIRST_CAPACITY)
  demand = new Float64Array(FIRST_CAPACITY)
  cpu = new Float64Array(FIRST_CAPACITY)
  memory = new Float64Array(FIRST_CAPACITY)
  /** Score up to which a new node would have been looked at; -1: none would. */
  reachScore = new Float64Array(FIRST_CAPACITY)
  /** Highest level the last choice climbed to. */
  reachLevel = new Uint8Array(FIRST_CAPACITY)
  /** 1: depends on every node it looked at in full, and on the set of nodes. */
  wide = new Uint8Array(FIRST_CAPACITY)
  hasPorts = new Uint8Array(FIRST_CAPACITY)
  /** Candidates remembered: how many, since which change, and up to which score they are all. */
  remembered = new Uint8Array(FIRST_CAPACITY)
  rememberedAt = new Float64Array(FIRST_CAPACITY)
  rememberedScore = new Float64Array(FIRST_CAPACITY)
  readonly byUid = new Map<string, number>()
  readonly #free: number[] = []
  readonly #freed: number[] = []

  add(item: PlacementItem, key: Hash64, promo: number): number {
    assert(!this.byUid.has(item.uid), `two items with uid ${item.uid}`)
    const k = this.#free.pop() ?? this.size++
    if (k >= this.capacity) this.#grow()
    this.key[k] = orderKey(item, promo)
    this.taken[k] = []
    this.pending[k] = undefined
    this.hash[k] = idHash(item.uid, key)
    this.demand[k] = itemSize(item)
    this.cpu[k] = item.cpuMillis
    this.memory[k] = item.memoryMiB
    this.reachScore[k] = -1
    this.reachLevel[k] = 0
    this.wide[k] = 0
    this.hasPorts[k] = item.ports.length > 0 ? 1 : 0
    this.forget(k)
    this.byUid.set(item.uid, k)
    this.setSpec(k, item)
    return k
  }

  /** Also for a change that alters neither order, size nor ports. */
  setSpec(k: number, item: PlacementItem): void {
    checkItem(item)
    this.spec[k] = item
    this.pins[k] = pinsOf(item)
  }

  /** Its remembered candidates are not its best any more. */
  forget(k: number): void {
    this.remembered[k] = 0
    this.rememberedScore[k] = -1
  }

  remove(k: number): void {
    this.byUid.delete(this.key[k]!.uid)
    this.spec[k] = undefined
    this.group[k] = undefined
    this.plan[k] = undefined
    this.wide[k] = 0
    this.reachScore[k] = -1
    this.forget(k)
    this.#freed.push(k)
  }

  recycle(): void {
    this.#free.push(...this.#freed)
    this.#freed.length = 0
  }

  #grow(): void {
    const capacity = this.capacity * 2
    this.hash = grown(this.hash, new Int32Array(capacity))
    this.position = grown(this.position, new Int32Array(capacity))
    this.demand = grown(this.demand, new Float64Array(capacity))
    this.cpu = grown(this.cpu, new Float64Array(capacity))
    this.memory = grown(this.memory, new Float64Array(capacity))
    this.reachScore = grown(this.reachScore, new Float64Array(capacity))
    this.reachLevel = grown(this.reachLevel, new Uint8Array(capacity))
    this.wide = grown(this.wide, new Uint8Array(capacity))
    this.hasPorts = grown(this.hasPorts, new Uint8Array(capacity))
    this.remembered = grown(this.remembered, new Uint8Array(capacity))
    this.rememberedAt = grown(this.rememberedAt, new Float64Array(capacity))
    this.rememberedScore = grown(this.rememberedScore, new Float64Array(capacity))
    this.capacity = capacity
  }
}
