/**
 * The load bound and its ladder (`placement.md` C3). Sums are integers held in doubles; the
 * bound is evaluated in one fixed order of operations.
 */

/** Levels of the ladder; a node above the last is still level 12 while the hard limits hold. */
export const LEVEL_MAX = 12
/** The hard limits refuse: processor, memory or a host port. */
export const LEVEL_NO = 13
/** Above this level a node gets no further replica before every other round was tried. */
export const LEVEL_EVEN = 3

/** How a mesh of at least `from` replicas is bounded. */
interface Scale {
  readonly from: number
  /** Grid steps an octave. */
  readonly steps: number
  /** How far above the mean a node may be loaded: `e` of C3. */
  readonly slack: number
  /** The closing room, in mean sizes; 0: none. */
  readonly roomMeans: number
}

const SCALES: readonly Scale[] = [
  { from: 8_192, steps: 32, slack: 0.23, roomMeans: 2 },
  { from: 512, steps: 16, slack: 0.24, roomMeans: 0 },
  { from: 64, steps: 8, slack: 0.24, roomMeans: 0 },
  { from: 0, steps: 4, slack: 0.5, roomMeans: 0 }
]
const ROOM_STEPS = 4
/** The closing room is never more than this part of a node's limit. */
const ROOM_LIMIT_PART = 8

/** 1.25^level, exact in a double. */
export const LADDER = new Float64Array(LEVEL_MAX + 1)
for (let level = 0, power = 1; level <= LEVEL_MAX; level++, power *= 1.25) LADDER[level] = power

const GRID_MAX = 32
/** 2^(i/32), i = 0..32, from square roots: exactly rounded on every platform. */
const GRID = new Float64Array(GRID_MAX + 1).fill(1)
for (let bit = GRID_MAX / 2, root = Math.sqrt(2); bit >= 1; bit /= 2, root = Math.sqrt(root)) {
  for (let i = 0; i < GRID_MAX; i++) if ((i & bit) !== 0) GRID[i]! *= root
}
GRID[GRID_MAX] = 2

/** Rounds up to the grid of `steps` (4, 8, 16 or 32) an octave. */
export function ceilToGrid(value: number, steps: number): number {
  if (!(value > 0) || value === Number.POSITIVE_INFINITY) return 0
  let octave = 1
  while (octave * 2 <= value) octave *= 2
  while (octave > value) octave /= 2
  const mantissa = value / octave
  const stride = GRID_MAX / steps
  let i = 0
  while (GRID[i]! < mantissa) i += stride
  return octave * GRID[i]!
}

export interface Bound {
  /** B of C3: what a node may carry for each millicore of weight before the next is asked. */
  readonly perWeight: number
  /** The closing room of large meshes, in weighted millicores. */
  readonly room: number
}

/**
 * `demand`: millicores asked for by all; `weightEighths`: sum of weight * eighths of the
 * schedulable nodes; `replicas`: of all services (so that it depends on specs alone).
 */
export function loadBound(demand: number, weightEighths: number, replicas: number): Bound {
  const scale = SCALES.find(({ from }) => replicas >= from)!
  if (weightEighths === 0) return { perWeight: 0, room: 0 }
  const mean = ceilToGrid((demand * 8) / weightEighths, scale.steps)
  const room = replicas === 0 ? 0 : ceilToGrid((scale.roomMeans * demand) / replicas, ROOM_STEPS)
  return { perWeight: (1 + scale.slack) * mean, room }
}

/** A node's limit at level 0. */
export function nodeLimit(bound: Bound, weightEighths: number): number {
  return (bound.perWeight * weightEighths) / 8
}

/**
 * What must be free below the limit for any replica, however small: so a node closes for all
 * at about the same load, and what leaves does not make room for a chain of ever smaller ones.
 */
export function closingRoom(bound: Bound, limit: number): number {
  return Math.min(bound.room, limit / ROOM_LIMIT_PART)
}

/** The smallest level at which `load` is within the node's `limit` (its limit at level 0). */
export function ladderLevel(load: number, limit: number): number {
  let level = 0
  while (level < LEVEL_MAX && load > limit * LADDER[level]!) level++
  return level
}
