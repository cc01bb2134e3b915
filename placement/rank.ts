/**
 * Weighted rendezvous (HRW, Schindelhauer and Schomaker 2005): a node's score for an item is
 * -ln(u) / weight with u drawn from the pair of ids; the smallest score wins. `Math.log` may
 * differ between engines in the last bit, so -ln is a table and a short series: additions,
 * multiplications and divisions only, the same bits everywhere.
 */
import { draw, idHash, saltKey } from './hash.ts'
import type { PlacementItem, PlacementNode } from './types.ts'

/** MiB of memory that count as much as one millicore, for weights and sizes. */
export const REFERENCE_MIB_PER_MILLICORE = 2
export const EIGHTHS_MAX = 8

const STEPS = 256
const SERIES_TERMS = 24

/** ln(c) for c in [1/2, 1] by the series of the inverse hyperbolic tangent. */
function seriesLn(c: number): number {
  const s = (1 - c) / (1 + c)
  const square = s * s
  let sum = 0
  for (let term = SERIES_TERMS; term >= 0; term--) sum = sum * square + 1 / (2 * term + 1)
  return -2 * s * sum
}

const LN = new Float64Array(STEPS + 1)
const INVERSE = new Float64Array(STEPS + 1)
for (let i = STEPS / 2; i <= STEPS; i++) {
  LN[i] = seriesLn(i / STEPS)
  INVERSE[i] = STEPS / i
}
const LN2 = -LN[STEPS / 2]!
const SCALE = new Float64Array(33)
for (let i = 0, power = 1 / 4_294_967_296; i <= 32; i++, power *= 2) SCALE[i] = power

/**
 * -ln(1 - v) for v = (y + 1/2) / 2^32: an exponential variate of a 32-bit draw. Relative error
 * below 1e-11 also where v is tiny, which is where winners are. Never below v.
 */
export function exponential(y: number): number {
  const rest = ~y >>> 0
  const shift = Math.clz32(rest)
  const m = (rest + 0.5) * SCALE[shift]!
  const i = (m * STEPS + 0.5) | 0
  const r = (m - i / STEPS) * INVERSE[i]!
  return shift * LN2 - (LN[i]! + r * (1 - r * (1 / 2 - r * (1 / 3 - r * (1 / 4)))))
}

/** What a node counts for: its scarcer dimension, in millicores; at least 1. */
export function nodeWeight(node: PlacementNode): number {
  const memory = Math.floor(node.memoryMiB / REFERENCE_MIB_PER_MILLICORE)
  return Math.max(1, Math.min(node.cpuMillis, memory))
}

/** The load factor, kept within 1..8 so that no weight is ever zero. */
export function nodeEighths(node: PlacementNode): number {
  return Math.min(EIGHTHS_MAX, Math.max(1, Math.floor(node.eighths)))
}

/** `s` of one replica: its dominant share, in millicores; at least 1. */
export function itemSize(item: PlacementItem): number {
  const memory = Math.ceil(item.balanceMemoryMiB / REFERENCE_MIB_PER_MILLICORE)
  return Math.max(1, item.balanceCpuMillis, memory)
}

/** Score factor of a node: 1 / (weight * eighths / 8). */
export function nodeFactor(node: PlacementNode): number {
  return EIGHTHS_MAX / (nodeWeight(node) * nodeEighths(node))
}

/** The score of one pair of hashed ids; smaller is better. */
export function scoreOf(itemHash: number, nodeHash: number, factor: number): number {
  return exponential(draw(itemHash, nodeHash)) * factor
}

/** Code-unit order: the same in every locale and engine. */
export function compareIds(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Node ids by score for the item, best first: takeover order, and who wins a duel. */
export function rank(
  item: Pick<PlacementItem, 'uid'>,
  nodes: readonly PlacementNode[],
  salt: string
): string[] {
  const key = saltKey(salt)
  const itemHash = idHash(item.uid, key)
  return nodes
    .map(node => ({
      id: node.id,
      score: scoreOf(itemHash, idHash(node.id, key), nodeFactor(node))
    }))
    .sort((a, b) => a.score - b.score || compareIds(a.id, b.id))
    .map(entry => entry.id)
}
