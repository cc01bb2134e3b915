/** Every drill; a seed draws one of those that its core is large enough for. */
import { cutInTwo } from './cut.ts'
import { daemonRestarts, hostDies, mostDie, rackDies } from './deaths.ts'
import type { Drill } from './drill.ts'
import { hostJoins, hostLeaves } from './moves.ts'

export const DRILLS: readonly Drill[] = [
  daemonRestarts,
  hostDies,
  rackDies,
  mostDie,
  cutInTwo,
  hostJoins,
  hostLeaves
]

export { BLIPS } from './blips.ts'
