/** Every control. */
import type { Control } from './control.ts'
import { OF_BARS } from './of-bars.ts'
import { OF_MEMBERS } from './of-members.ts'
import { OF_SLOTS } from './of-slots.ts'
import { OF_STATE } from './of-state.ts'

export const CONTROLS: readonly Control[] = [...OF_STATE, ...OF_MEMBERS, ...OF_SLOTS, ...OF_BARS]

/** Where people read what each control breaks. */
export const CONTROLS_TABLE = 'test/sim/README.md'

/** Its line in that table. */
export function rowOf({ name, caughtBy, seed, minutes, nodes }: Control): string {
  const size = nodes === undefined ? '' : ` --nodes ${nodes}`
  return `| ${name} | ${caughtBy.join(', ')} | ${seed} --minutes ${minutes}${size} |`
}
