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

const SMALL_MESH_REPLICAS = 64
const MIDDLE_MESH_REPLICAS = 512
const SLACK_SMALL = 0.5
const SLACK = 0.24

/** 1.25^level, exact in a double. */
export const LADDER = new Float64Array(LEVEL_MAX + 1)
for (let level = 0, power = 1; level <= LEVEL_MAX; level++, power *= 1.25) LADDER[level] = power

/** 2^(i/16), i = 0..16. */
const STEPS_16: readonly number[] = [
  1,
  1.0442737824274138,
  1.0905077326652577,
  1.1387886347566916,
  1.189207115002721,
  1.241857812073484,
  1.2968395546510096,
  1.3542555469368927,
  Math.SQRT2,
  1.4768261459394993,
  1.5422108254079407,
  1.6104903319492543,
  1.681792830507429,
  1.7562521603732995,
  1.8340080864093424,
  1.9152065613971474,
  2
]

/** Rounds up to the grid of `steps` (4, 8 or 16) an octave. */
export function ceilToGrid(value: number, steps: number): number {
  if (!(value > 0) || value === Number.POSITIVE_INFINITY) return 0
  let octave = 1
  while (octave * 2 <= value) octave *= 2
  while (octave > value) octave /= 2
  const mantissa = value / octave
  const stride = 16 / steps
  let i = 0
  while (STEPS_16[i]! < mantissa) i += stride
  return octave * STEPS_16[i]!
}

/**
 * B of C3: what a node may carry for each millicore of weight before the next choice is asked.
 * `demand`: millicores asked for by all; `weightEighths`: sum of weight * eighths of the
 * schedulable nodes; `replicas`: of all services (so that it depends on specs alone).
 */
export function loadBound(demand: number, weightEighths: number, replicas: number): number {
  if (weightEighths === 0) return 0
  const small = replicas < SMALL_MESH_REPLICAS
  const steps = small ? 4 : replicas < MIDDLE_MESH_REPLICAS ? 8 : 16
  return (1 + (small ? SLACK_SMALL : SLACK)) * ceilToGrid((demand * 8) / weightEighths, steps)
}

/** The smallest level at which `load` is within the node's `limit` (its limit at level 0). */
export function ladderLevel(load: number, limit: number): number {
  let level = 0
  while (level < LEVEL_MAX && load > limit * LADDER[level]!) level++
  return level
}
