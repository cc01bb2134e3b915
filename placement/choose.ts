/**
 * One item chooses all its seats, given what earlier items took (`placement.md` C5). Reads the
 * ledgers, writes nothing but its own scratch: the fold commits, an explanation only looks.
 */
import { Candidates } from './candidates.ts'
import { LEVEL_EVEN, LEVEL_MAX, LEVEL_NO, ladderLevel } from './capacity.ts'
import type { Group } from './eligible.ts'
import { EIGHTHS_MAX } from './rank.ts'
import type { ItemTable, NodeTable } from './tables.ts'
import type { ZonePlan } from './zones.ts'

/** First look: this many candidates beyond twice the replicas, and so many for each zone. */
const CANDIDATES_SPARE = 16
const CANDIDATES_PER_ZONE = 10
const UNSEEN = 255

export class Chooser {
  /** Nodes looked at, in order. What was decided depends on their levels. */
  seen = new Int32Array(0)
  seenSize = 0
  /** Replicas without a seat. */
  need = 0
  reachScore = -1
  reachLevel = 0
  /** Went past the first list: depends on the whole node set. */
  wide = false
  readonly candidates: Candidates
  /** New seats by node. */
  seats = new Int32Array(0)
  /** Level at no new seats by node, once looked at. */
  level = new Uint8Array(0)
  readonly #nodes: NodeTable
  readonly #items: ItemTable
  #load = new Float64Array(0)
  #cpu = new Float64Array(0)
  #memory = new Float64Array(0)
  #pinned = new Int32Array(0)
  #pinnedNodes: number[] = []
  #zoneSeats = new Int32Array(0)
  #zoneCap = new Int32Array(0)
  #zoneLevel = 0
  #zoneExtra = 0
  #zonesAbove = 0
  #k = 0
  #maxPerNode = 0
  #hasPorts = false
  #plan: ZonePlan | undefined
  #group!: Group

  constructor(nodes: NodeTable, items: ItemTable) {
    this.#nodes = nodes
    this.#items = items
    this.candidates = new Candidates(nodes, items)
  }

  /** Decides for item k; the answer is in the fields above until the next run. */
  run(k: number): void {
    this.#begin(k)
    if (this.need === 0) return
    const group = this.#group
    if (group.size === 0) {
      this.wide = true
      return
    }
    this.#firstList(group)
    if (this.need === 0) return
    this.wide = true
    this.candidates.all(group, k)
    this.#pass(0, true, LEVEL_MAX)
    if (this.#mayOverflow()) this.#pass(0, false, LEVEL_MAX)
    this.#rounds(LEVEL_EVEN)
    this.#rounds(LEVEL_MAX)
  }

  /** Seats on the node, pins included. */
  total(n: number): number {
    return this.#pinned[n]! + this.seats[n]!
  }

  /** Looks at the node if that was not done, and gives its level for one more seat. */
  levelOf(n: number): number {
    if (this.level[n] === UNSEEN) this.#look(n)
    return this.seats[n] === 0 ? this.level[n]! : this.#compute(n)
  }

  looked(n: number): boolean {
    return this.level[n] !== UNSEEN
  }

  /** What the node carries before this item and with its new seats. */
  usage(n: number): { load: number; cpu: number; memory: number } {
    this.levelOf(n)
    const seats = this.seats[n]!
    return {
      load: this.#load[n]! + seats * this.#items.demand[this.#k]!,
      cpu: this.#cpu[n]! + seats * this.#items.cpu[this.#k]!,
      memory: this.#memory[n]! + seats * this.#items.memory[this.#k]!
    }
  }

  zoneOpen(n: number): boolean {
    if (this.#plan === undefined) return true
    const zone = this.#nodes.zone[n]!
    const seats = this.#zoneSeats[zone]!
    if (seats >= this.#zoneCap[zone]!) return false
    return seats < this.#zoneLevel || this.#zonesAbove < this.#zoneExtra
  }

  /** Round of the next seat: the first ignores the load factor, later ones respect it. */
  round(n: number): number {
    const seats = this.total(n)
    if (seats === 0) return 0
    return Math.ceil((seats * EIGHTHS_MAX) / this.#nodes.eighths[n]!)
  }

  /** The host port that refuses the node, if one does. */
  portTaken(n: number): string | undefined {
    const own = this.total(n) > 0
    return this.#items.spec[this.#k]!.ports.find(port => own || this.#portHeld(n, port))
  }

  #begin(k: number): void {
    const items = this.#items
    this.#clear()
    if (this.seats.length < this.#nodes.capacity) this.#grow(this.#nodes.capacity)
    const spec = items.spec[k]!
    const pins = items.pins[k]!
    this.#k = k
    this.#group = items.group[k]!
    this.#plan = items.plan[k]
    this.#maxPerNode = spec.maxPerNode === 0 ? Number.POSITIVE_INFINITY : spec.maxPerNode
    this.#hasPorts = items.hasPorts[k] === 1
    this.need = spec.replicas - pins.length
    this.reachScore = -1
    this.reachLevel = 0
    this.wide = false
    if (this.#plan !== undefined) this.#beginZones(this.#plan)
    for (const pin of pins) {
      if (pin.state === 'kept') this.#pin(this.#nodes.byId.get(pin.node)!)
    }
  }

  #clear(): void {
    for (let i = 0; i < this.seenSize; i++) {
      const n = this.seen[i]!
      this.seats[n] = 0
      this.level[n] = UNSEEN
    }
    for (const n of this.#pinnedNodes) this.#pinned[n] = 0
    this.seenSize = 0
    this.#pinnedNodes.length = 0
  }

  #grow(capacity: number): void {
    this.seen = new Int32Array(capacity)
    this.seats = new Int32Array(capacity)
    this.level = new Uint8Array(capacity).fill(UNSEEN)
    this.#load = new Float64Array(capacity)
    this.#cpu = new Float64Array(capacity)
    this.#memory = new Float64Array(capacity)
    this.#pinned = new Int32Array(capacity)
  }

  #beginZones(plan: ZonePlan): void {
    const count = this.#nodes.zones.length
    if (this.#zoneSeats.length < count) {
      this.#zoneSeats = new Int32Array(count * 2)
      this.#zoneCap = new Int32Array(count * 2)
    }
    this.#zoneSeats.fill(0)
    this.#zoneCap.fill(0)
    for (const [zone, cap] of plan.quota.caps) this.#zoneCap[zone] = cap
    this.#zoneLevel = plan.quota.level
    this.#zoneExtra = plan.quota.extra
    this.#zonesAbove = 0
  }

  #pin(n: number): void {
    this.#pinned[n]! += 1
    this.#pinnedNodes.push(n)
    this.#countZone(n)
  }

  #countZone(n: number): void {
    if (this.#plan === undefined) return
    const zone = this.#nodes.zone[n]!
    if (this.#zoneSeats[zone]! === this.#zoneLevel) this.#zonesAbove += 1
    this.#zoneSeats[zone]! += 1
  }

  /** C5 step 1: almost everything ends here, at level 0. */
  #firstList(group: Group): void {
    const { replicas } = this.#items.spec[this.#k]!
    const spread = this.#plan !== undefined && replicas > 1
    const wanted = Math.max(
      2 * replicas + CANDIDATES_SPARE,
      spread ? CANDIDATES_PER_ZONE * group.zoneNodes.size : 0
    )
    this.candidates.begin(group, this.#k, wanted)
    const last = this.#pass(0, true, LEVEL_MAX)
    const { size, nodes, scores } = this.candidates
    if (this.need === 0 && this.reachLevel === 0) {
      this.reachScore = scores[last]!
      return
    }
    // It went through the whole list: a node that would change the list changes the answer.
    this.reachScore = size === group.size ? Number.POSITIVE_INFINITY : scores[size - 1]!
    for (let i = 0; i < size; i++) this.levelOf(nodes[i]!)
  }

  /** A soft zone rule lets the skew grow rather than wait. */
  #mayOverflow(): boolean {
    return this.#plan !== undefined && !this.#plan.request.hard
  }

  /**
   * One pass of C5: level by level, one seat for each node by score that may take one in round
   * `round`. Levels at which nothing could change are skipped. Returns the index of the last seat.
   */
  #pass(round: number, quota: boolean, levelMax: number): number {
    const { candidates } = this
    let last = 0
    for (let level = 0; this.need > 0 && level <= levelMax; ) {
      let next = LEVEL_NO
      if (level > this.reachLevel) this.reachLevel = level
      for (let i = 0; this.need > 0; i++) {
        if (i === candidates.size && candidates.partial) candidates.extend()
        if (i === candidates.size) break
        const n = candidates.nodes[i]!
        if (!this.#open(n, round, quota)) continue
        const here = this.levelOf(n)
        if (here <= level) {
          this.#take(n)
          last = i
          if (this.round(n) <= round) next = Math.min(next, Math.max(level + 1, this.levelOf(n)))
        } else if (here < next) next = here
      }
      level = next
    }
    return last
  }

  #open(n: number, round: number, quota: boolean): boolean {
    if (this.total(n) > 0) {
      if (this.total(n) >= this.#maxPerNode || this.round(n) > round) return false
    }
    return !quota || this.zoneOpen(n)
  }

  #take(n: number): void {
    this.seats[n]! += 1
    this.need -= 1
    this.#countZone(n)
  }

  /** C5 steps 3 and 4: second seats, third seats, ... evenly, skipping rounds without a taker. */
  #rounds(levelMax: number): void {
    for (let round = 1; this.need > 0; round++) {
      round = Math.max(round, this.#nextRound(levelMax))
      if (round === Number.POSITIVE_INFINITY) return
      this.#pass(round, true, levelMax)
      if (this.#mayOverflow()) this.#pass(round, false, levelMax)
    }
  }

  #nextRound(levelMax: number): number {
    const { nodes, size } = this.candidates
    const overflow = this.#mayOverflow()
    let next = Number.POSITIVE_INFINITY
    for (let i = 0; i < size; i++) {
      const n = nodes[i]!
      const round = this.round(n)
      if (round >= next || this.total(n) >= this.#maxPerNode) continue
      if (!overflow && !this.zoneOpen(n)) continue
      if (this.levelOf(n) <= levelMax) next = round
    }
    return next
  }

  #look(n: number): void {
    const nodes = this.#nodes
    const ledger = nodes.ledger[n]!
    const positions = this.#items.position
    const at = ledger.find(positions[this.#k]!, positions)
    if (at < ledger.size) {
      this.#load[n] = ledger.load[at]!
      this.#cpu[n] = ledger.cpu[at]!
      this.#memory[n] = ledger.memory[at]!
    } else {
      this.#load[n] = ledger.loadEnd
      this.#cpu[n] = ledger.cpuEnd
      this.#memory[n] = ledger.memoryEnd
    }
    this.seen[this.seenSize++] = n
    this.level[n] = this.#compute(n)
  }

  #compute(n: number): number {
    const items = this.#items
    const nodes = this.#nodes
    const k = this.#k
    const seats = this.seats[n]! + 1
    if (this.#cpu[n]! + seats * items.cpu[k]! > nodes.cpu[n]!) return LEVEL_NO
    if (this.#memory[n]! + seats * items.memory[k]! > nodes.memory[n]!) return LEVEL_NO
    if (this.#hasPorts && this.portTaken(n) !== undefined) return LEVEL_NO
    const demand = items.demand[k]!
    const load = this.#load[n]! + (seats - 1) * demand + Math.max(demand, nodes.room[n]!)
    const limit = nodes.limit[n]!
    return load <= limit ? 0 : ladderLevel(load, limit)
  }

  #portHeld(n: number, port: string): boolean {
    return portHeldBefore(this.#nodes, this.#items, n, port, this.#k)
  }
}

/** Whether a pin, a global or an item before k holds the host port on the node. */
export function portHeldBefore(
  nodes: NodeTable,
  items: ItemTable,
  n: number,
  port: string,
  k: number
): boolean {
  if (nodes.basePorts[n]?.has(port)) return true
  const holders = nodes.ports[n]?.get(port)
  if (holders === undefined) return false
  const position = items.position[k]!
  return holders.some(holder => items.position[holder]! < position)
}
