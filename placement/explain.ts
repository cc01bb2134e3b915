/**
 * Why an item is where it is: the same choice made again on the state it met, with every node's
 * numbers written down. No second algorithm, so it cannot disagree with the assignment.
 */
import { assert } from './assert.ts'
import { LEVEL_NO } from './capacity.ts'
import type { Fold } from './fold.ts'
import { compareIds, scoreOf } from './rank.ts'
import { type Check, refusal } from './refuse.ts'
import type { Pending, PendingReason, Requirement } from './types.ts'

/**
 * Why a node takes no (further) replica. `pinned`: pins hold every replica; `round`: another node
 * has fewer; `level`: busier than nodes that were enough; `draining`: takes nothing new; the rest
 * as in `PendingReason`.
 */
export type NodeReason = Check | 'pinned' | 'round' | 'level' | 'draining'

/** What the node carries before this item, with the item's seats, against its limit. */
export interface Share {
  readonly used: number
  /** One replica's part. */
  readonly wanted: number
  readonly limit: number
}

export interface NodeExplanation {
  readonly node: string
  readonly zone: string
  /** `standby`: would take a replica, but enough others rank better. */
  readonly verdict: 'chosen' | 'standby' | 'refused'
  /** Of a refused node why, of a chosen one why not more. */
  readonly reason: NodeReason | undefined
  readonly seats: number
  /** Seats that are pins. */
  readonly pinned: number
  /** Rendezvous score; smaller is better. */
  readonly score: number
  /** Step of the load ladder that the next replica would need; undefined: hard limits refuse. */
  readonly level: number | undefined
  /** Load in weighted millicores; the limit is that of level 0. */
  readonly load: Share
  readonly cpuMillis: Share
  readonly memoryMiB: Share
  /** Requirements that the node does not satisfy; any refuses it (`filter`). */
  readonly unmet: readonly Requirement[]
  /** The host port that is taken. */
  readonly port: string | undefined
}

export interface Explanation {
  readonly uid: string
  /** Best score first. */
  readonly nodes: readonly NodeExplanation[]
  readonly pending: readonly Pending[]
  /**
   * Who would take one more replica, first choice first. For display: the true successor of a
   * node is the assignment of the view without it.
   */
  readonly takeover: readonly string[]
  /** Highest step of the load ladder that was needed. */
  readonly levelReached: number
  /** How often a rescue moved the item forward within its class. */
  readonly promoted: number
  /** Position among all services, from 0. */
  readonly position: number | undefined
}

interface Row extends NodeExplanation {
  readonly round: number
}

function nodeRow(fold: Fold, k: number, n: number, pinned: number): Row {
  const { nodes, items, chooser } = fold
  const node = nodes.spec[n]!
  const open = chooser.levelOf(n)
  const used = chooser.usage(n)
  const seats = chooser.total(n)
  const check = refusal(nodes, items, chooser, k, n)
  let reason: NodeReason | undefined
  if (!node.schedulable) reason = 'draining'
  else if (check !== undefined && check !== 'zone') reason = check
  else if (pinsAll(items, k)) reason = 'pinned'
  // Where all nodes are of one zone, its share is the replicas: that says nothing of a node.
  else if (items.group[k]!.zoneNodes.size > 1 && !chooser.zoneOpen(n)) reason = 'zone'
  else if (seats > 0) reason = 'round'
  else if (open > chooser.reachLevel) reason = 'level'
  return {
    node: node.id,
    zone: node.zone,
    verdict: seats > 0 ? 'chosen' : reason === undefined ? 'standby' : 'refused',
    reason,
    seats,
    pinned,
    score: scoreOf(items.hash[k]!, nodes.hash[n]!, nodes.factor[n]!),
    level: open === LEVEL_NO ? undefined : open,
    load: { used: used.load, wanted: items.demand[k]!, limit: nodes.limit[n]! },
    cpuMillis: { used: used.cpu, wanted: items.cpu[k]!, limit: nodes.cpu[n]! },
    memoryMiB: { used: used.memory, wanted: items.memory[k]!, limit: nodes.memory[n]! },
    unmet: items.group[k]!.unmet(node),
    port: chooser.portTaken(n),
    round: chooser.round(n)
  }
}

function pinsAll(items: Fold['items'], k: number): boolean {
  const pins = items.pins[k]!.length
  return pins > 0 && pins >= items.spec[k]!.replicas
}

function byScore(a: NodeExplanation, b: NodeExplanation): number {
  return a.score - b.score || compareIds(a.node, b.node)
}

/** Would take one more now: everything that does not refuse for good. */
function canTake(row: Row): boolean {
  return row.reason === undefined || ['pinned', 'round', 'level', 'zone'].includes(row.reason)
}

function explainService(fold: Fold, k: number): Explanation {
  const { nodes, items, chooser } = fold
  chooser.run(k)
  const pins = new Map<string, number>()
  for (const pin of items.pins[k]!) {
    if (pin.state === 'kept') pins.set(pin.node, (pins.get(pin.node) ?? 0) + 1)
  }
  const { reachLevel } = chooser
  const rows: Row[] = []
  for (let n = 0; n < nodes.size; n++) {
    const id = nodes.ids[n]!
    if (nodes.spec[n] !== undefined) rows.push(nodeRow(fold, k, n, pins.get(id) ?? 0))
  }
  rows.sort(byScore)
  const takeover = rows
    .filter(canTake)
    .sort((a, b) => a.round - b.round || a.level! - b.level! || byScore(a, b))
  const { uid } = items.spec[k]!
  return {
    uid,
    nodes: rows.map(({ round: _, ...row }) => row),
    pending: fold.of(uid)!.pending,
    takeover: takeover.map(row => row.node),
    levelReached: reachLevel,
    promoted: -items.key[k]!.promo,
    position: items.position[k]!
  }
}

function explainGlobal(fold: Fold, g: number): Explanation {
  const { nodes, items } = fold
  const rows: NodeExplanation[] = []
  for (let n = 0; n < nodes.size; n++) {
    const node = nodes.spec[n]
    if (node === undefined) continue
    const state: PendingReason | 'kept' | undefined = nodes.globals[n]!.get(g)
    const none = node.schedulable ? 'filter' : 'draining'
    const kept = state === 'kept'
    rows.push({
      node: node.id,
      zone: node.zone,
      verdict: kept ? 'chosen' : 'refused',
      reason: kept ? undefined : ((state ?? none) as NodeReason),
      seats: kept ? 1 : 0,
      pinned: 0,
      score: scoreOf(items.hash[g]!, nodes.hash[n]!, nodes.factor[n]!),
      level: kept ? 0 : undefined,
      load: { used: nodes.baseLoad[n]!, wanted: items.demand[g]!, limit: nodes.limit[n]! },
      cpuMillis: { used: nodes.baseCpu[n]!, wanted: items.cpu[g]!, limit: nodes.cpu[n]! },
      memoryMiB: {
        used: nodes.baseMemory[n]!,
        wanted: items.memory[g]!,
        limit: nodes.memory[n]!
      },
      unmet: items.group[g]!.unmet(node),
      port: undefined
    })
  }
  const { uid } = items.spec[g]!
  return {
    uid,
    nodes: rows.sort(byScore),
    pending: fold.of(uid)!.pending,
    takeover: [],
    levelReached: 0,
    promoted: 0,
    position: undefined
  }
}

/** The explanation of one item on a fold; undefined when it has no such item. */
export function explainItem(fold: Fold, uid: string): Explanation | undefined {
  const k = fold.items.byUid.get(uid)
  if (k === undefined) return undefined
  const explanation =
    fold.items.spec[k]!.kind === 'global' ? explainGlobal(fold, k) : explainService(fold, k)
  const seats = explanation.nodes.reduce((sum, row) => sum + row.seats, 0)
  const assigned = fold.of(uid)!.seats.reduce((sum, seat) => sum + seat.seats, 0)
  assert(seats === assigned, `explanation and assignment of ${uid} differ`)
  return explanation
}
