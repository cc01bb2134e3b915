/** A cut between two sides that are otherwise well: both decide in time, and meet again. */
import type { SimHost } from '../world/host.ts'
import { type Drill, stateOf, whoDiffers } from './drill.ts'

/** `protocols.md` 2.5 and issue bars. */
const DECIDED_MS = { lan: 4_500, fast: 2_500, wan: 17_000 } as const
/** Above full mesh a node's say takes its way: 2 ms a member. */
const A_MEMBER_MS = 2
const MET_MS = 2_000
/** From the first link the news has to go round. */
const WHOLE_MS = 4_000
const APART_MS = 5_000

export const cutInTwo: Drill = {
  name: 'cut in two',
  hostsMin: 2,
  run: async (stage, random) => {
    const { world } = stage.subject
    const left = stage.core.filter((_, index) => index === 0 || random.int(2) === 0)
    if (left.length === stage.core.length) left.pop()
    const right = stage.core.filter(host => !left.includes(host))
    const calm = stage.disturb(stage.core)
    world.partition(idsOf(left), idsOf(right))
    const limitMs = DECIDED_MS[world.preset] + stage.core.length * A_MEMBER_MS
    const limit = { check: 'cut', what: `both sides decided (${world.preset})`, limitMs }
    await stage.within(limit, () => {
      return whoDiffers(left, namesOf(right), 'dead') ?? whoDiffers(right, namesOf(left), 'dead')
    })
    await stage.pass(APART_MS)
    world.heal()
    const sinceMs = stage.nowMs
    const met = { check: 'cut', what: 'halves met again', limitMs: MET_MS, sinceMs }
    await stage.within(met, () => {
      const isMet = left.some(a => right.some(b => stateOf(a, b.identity) === 'alive'))
      return isMet ? undefined : 'nobody sees anybody of the other half'
    })
    const whole = { check: 'cut', what: 'after a heal all see all', limitMs: WHOLE_MS, sinceMs }
    await stage.within(whole, () => whoDiffers(stage.core, namesOf(stage.core), 'alive'))
    calm()
  }
}

function idsOf(hosts: readonly SimHost[]): string[] {
  return hosts.map(host => host.id)
}

function namesOf(hosts: readonly SimHost[]): string[] {
  return hosts.map(host => host.identity)
}
