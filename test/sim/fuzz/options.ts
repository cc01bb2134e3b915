/**
 * What one seed does: drawn whole before it begins, so that parts of it can be left out. Each seed
 * has a random half of the faults (swarm testing): what hides one bug shows another.
 */
import type { MembershipPreset } from '../../../gossip/core/membership/config.ts'
import { SeededRandom } from '../../../gossip/core/random.ts'
import type { Fault } from './context.ts'
import { CLOCK_FAULTS, DISK_FAULTS } from './faults-disk.ts'
import { ENGINE_FAULTS } from './faults-engine.ts'
import { MESH_FAULTS } from './faults-mesh.ts'
import { NETWORK_FAULTS } from './faults-network.ts'
import { PEOPLE_FAULTS } from './faults-people.ts'
import { PROCESS_FAULTS } from './faults-process.ts'

export const ALL_FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...NETWORK_FAULTS,
  ...DISK_FAULTS,
  ...CLOCK_FAULTS,
  ...ENGINE_FAULTS,
  ...MESH_FAULTS,
  ...PEOPLE_FAULTS
]

export interface SeedOptions {
  readonly seed: number
  readonly nodes: number
  readonly zones: number
  readonly preset: MembershipPreset
  readonly wire: 'bytes' | 'objects'
  readonly safetyMs: number
  readonly faults: readonly string[]
  readonly plan: readonly Planned[]
}

export type Planned =
  | {
      readonly kind: 'fault'
      readonly atMs: number
      readonly name: string
      readonly seed: number
      readonly durationMs: number
    }
  | { readonly kind: 'ask'; readonly atMs: number; readonly seed: number }

export interface Wishes {
  readonly nodes?: number | undefined
  readonly minutes?: number | undefined
  /** Faults and requests so many times as rare. */
  readonly sparse?: number | undefined
}

const SIZES = [1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7, 9] as const
const DEFAULT_MINUTES = 10

export function drawOptions(seed: number, wishes: Wishes = {}): SeedOptions {
  const random = new SeededRandom(seed)
  const nodes = wishes.nodes ?? (SIZES[random.int(SIZES.length)] as number)
  // Sizes cost time: few seeds have what needs them.
  const enabled = ALL_FAULTS.filter(fault => random.int(fault.needsBytes ? 8 : 2) === 0)
  const safetyMs = (wishes.minutes ?? DEFAULT_MINUTES) * 60_000
  const sparse = wishes.sparse ?? 1
  const gapMs = Math.ceil(2_000 * 2 ** random.int(5) * sparse)
  const askGapMs = Math.ceil(4_000 * 2 ** random.int(5) * sparse)
  return {
    ...{ seed, nodes, safetyMs },
    zones: random.int(3) === 0 ? 2 : 1,
    preset: random.int(4) === 0 ? 'fast' : 'lan',
    wire: enabled.some(fault => fault.needsBytes === true) ? 'bytes' : 'objects',
    faults: enabled.map(fault => fault.name),
    plan: drawPlan(random, enabled, { safetyMs, gapMs, askGapMs })
  }
}

function drawPlan(
  random: SeededRandom,
  enabled: readonly Fault[],
  init: { readonly safetyMs: number; readonly gapMs: number; readonly askGapMs: number }
): Planned[] {
  const plan: Planned[] = []
  const bag = enabled.flatMap(fault => Array<Fault>(fault.weight ?? 1).fill(fault))
  for (let atMs = 0; bag.length > 0; ) {
    atMs += 1 + random.int(2 * init.gapMs)
    if (atMs >= init.safetyMs) break
    const { name } = bag[random.int(bag.length)] as Fault
    const durationMs = 500 * 2 ** random.int(8) + random.int(1_000)
    plan.push({ kind: 'fault', atMs, name, seed: random.int(2 ** 31), durationMs })
  }
  for (let atMs = 0; ; ) {
    atMs += 1 + random.int(2 * init.askGapMs)
    if (atMs >= init.safetyMs) break
    plan.push({ kind: 'ask', atMs, seed: random.int(2 ** 31) })
  }
  return plan.sort((a, b) => a.atMs - b.atMs)
}
