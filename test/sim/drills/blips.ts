/** What passes before anybody may be found dead: nobody dies of it, and nothing moves. */
import { violate } from '../checks/check.ts'
import type { SimHost } from '../world/host.ts'
import type { Drill, Stage } from './drill.ts'

/** About half of what it takes until a silent host is dead. */
const PAUSE_MS = { lan: 2_000, fast: 1_000, wan: 7_000 } as const
const PATH_MS = 10_000
/** Whoever was in doubt is heard again, and what hangs on it would have begun. */
const AFTER_MS = 2_000

/** `protocols.md` 2.3 and 2.5: suspects keep their slots, and a doubt that ends leaves no trace. */
async function leavesNoTrace(stage: Stage, run: () => Promise<void>): Promise<void> {
  const before = new Map(
    stage.running(stage.core).map(({ host, uid, slot }) => [`${uid}/${slot}`, host])
  )
  const end = stage.watch(observation => {
    const { host } = observation
    if (observation.kind === 'engine' && stage.engineWasWell && stage.core.includes(host)) {
      for (const { uid, slot } of stage.running([host])) {
        const owner = before.get(`${uid}/${slot}`)
        if (owner === undefined || owner === host) continue
        // Shares of a node that was away before may move still: those name what they replace.
        const held = host.agent?.view.claim(uid, slot, host.identity)
        if (held !== undefined && held.replaces.length > 0) continue
        violate('L7', `${host.id} starts slot ${slot} of ${uid}, which runs on ${owner.id}`)
      }
    }
    if (observation.kind !== 'event' || observation.event.kind !== 'member') return
    const { event } = observation.event
    if (event.kind !== 'member' || event.member.state !== 'dead') return
    if (event.previous?.state === 'dead') return
    const gone = stage.core.find(({ identity }) => identity === event.member.id)
    if (gone !== undefined) violate('L7', `${host.id} finds ${gone.id} dead after a moment`)
  })
  await run()
  await stage.pass(AFTER_MS)
  end()
}

function twoOf(stage: Stage, random: { int(below: number): number }): [SimHost, SimHost] {
  const first = random.int(stage.core.length)
  const second = (first + 1 + random.int(stage.core.length - 1)) % stage.core.length
  return [stage.core[first] as SimHost, stage.core[second] as SimHost]
}

const daemonPauses: Drill = {
  name: 'a daemon pauses',
  hostsMin: 2,
  run: async (stage, random) => {
    const [host] = twoOf(stage, random)
    const calm = stage.disturb([host])
    await leavesNoTrace(stage, async () => {
      host.pause()
      await stage.pass(PAUSE_MS[stage.subject.world.preset])
      host.resume()
    })
    calm()
  }
}

/** Others see both: two reports that contradict what is heard kill nobody. */
const pathBreaks: Drill = {
  name: 'a path breaks',
  hostsMin: 3,
  run: async (stage, random) => {
    const [one, other] = twoOf(stage, random)
    const calm = stage.disturb([one, other])
    await leavesNoTrace(stage, async () => {
      stage.subject.world.partition([one.id], [other.id])
      await stage.pass(PATH_MS)
      stage.subject.world.heal()
      await stage.pass(PATH_MS)
    })
    calm()
  }
}

export const BLIPS: readonly Drill[] = [daemonPauses, pathBreaks]
