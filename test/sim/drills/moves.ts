/** Moves between living hosts: make before break (`protocols.md` 4, Handover). */
import { EIGHTHS_FULL } from '../../../node/agent/load-factor.ts'
import { violate } from '../checks/check.ts'
import type { SimHost } from '../world/host.ts'
import type { Drill, Running, Stage } from './drill.ts'

const MOVES_MS = 30_000
const LEFT_MS = 90_000

/** From now on no slot of `hosts` may be without a running copy, wherever. Gives what ends it. */
function neverBelow(stage: Stage): () => void {
  const held = stage.counts(stage.core)
  // A roll that stood still may go on when others are asked: it stops before it starts.
  for (const uid of held.keys()) if (stage.rolls(uid)) held.delete(uid)
  return stage.watch(observation => {
    if (observation.kind !== 'engine') return
    const now = stage.counts([...stage.subject.world.hosts.values()])
    for (const [uid, count] of held) {
      const runs = now.get(uid) ?? 0
      if (runs < count) violate('make-before-break', `${uid} runs ${runs} of ${count}`)
    }
  })
}

/** A join never lowers a running count, and never recreates a container on its own node. */
export const hostJoins: Drill = {
  name: 'host joins',
  hostsMin: 1,
  run: async stage => {
    const [first] = stage.core
    // A roll that had stopped may go on, where a seat that moves makes room for it.
    const before = stage.running(stage.core).filter(({ uid }) => !stage.rolls(uid))
    // Who takes its share back in steps moves copies to and fro by itself.
    const ramping = stage.core.some(({ agent }) =>
      [...(agent?.view.loads.values() ?? [])].some(({ eighths }) => eighths < EIGHTHS_FULL)
    )
    const end = neverBelow(stage)
    const joined = stage.subject.world.add([(first as SimHost).address])
    await stage.pass(MOVES_MS)
    end()
    pinned(stage, before)
    for (const { host, id, run, uid, slot } of ramping ? [] : before) {
      const again = stage.running([host]).find(one => one.uid === uid && one.slot === slot)
      if (again !== undefined && (again.id !== id || again.run !== run)) {
        violate('make-before-break', `${host.id} made ${id} anew for a join`)
      }
    }
    stage.core.push(joined)
  }
}

/** `rebalance: failover`: what lives is not moved, whoever joins. */
function pinned(stage: Stage, before: readonly Running[]): void {
  const now = new Set(stage.running(stage.core).map(one => `${one.host.id} ${one.id} ${one.run}`))
  for (const { host, id, run, uid } of before) {
    const record = host.agent?.view.workloads.get(uid)?.record
    if (record?.spec.rebalance !== 'failover' || now.has(`${host.id} ${id} ${run}`)) continue
    violate('pins', `${host.id} moved ${id}`)
  }
}

/** One leaves on purpose: what can run elsewhere does before it goes. */
export const hostLeaves: Drill = {
  name: 'host leaves',
  hostsMin: 2,
  run: async (stage, random) => {
    const { faults } = stage.subject
    const host = stage.core[random.int(stage.core.length)] as SimHost
    if (!faults.atlas.mayForget(host)) return
    const end = neverBelow(stage)
    const notes = await stage.leave(host, LEFT_MS)
    if (notes === 'late') violate('leave', `${host.id} did not get away in ${LEFT_MS} ms`)
    if (notes === 'refused') return end()
    if (notes.length > 0 && stage.engineWasWell) violate('leave', `${host.id}: ${notes.join()}`)
    end()
    stage.core.splice(stage.core.indexOf(host), 1)
    faults.atlas.lost.add(host.id)
  }
}
