/** S7, S8, S9, and data: what may run on a host, seen in its engine. */

import type { SimHost } from '../world/host.ts'
import { SIM_MESH } from '../world/process.ts'
import { type Check, type Subject, violate } from './check.ts'

/** S7: on one host never two instances of one slot. */
export function oneEachHost(_subject: Subject): Check {
  const name = 'S7'
  return {
    name,
    observe: observation => {
      if (observation.kind !== 'engine') return
      const { host } = observation
      const seen = new Set<string>()
      for (const { mark, owner, state } of host.engine.entries.values()) {
        if (owner.mesh !== SIM_MESH || state !== 'running') continue
        const slot = `${mark.uid}/${mark.slot}`
        if (seen.has(slot)) violate(name, `${host.id} runs ${mark.workload}/${mark.slot} twice`)
        seen.add(slot)
      }
    }
  }
}

/** S8: what is not ours is not touched. */
export function nothingForeign(subject: Subject): Check {
  const name = 'S8'
  const decoys = new Map<string, { host: SimHost; state: string }>()
  return {
    name,
    observe: observation => {
      if (observation.kind === 'stop' && observation.withHost) {
        for (const [key, { host }] of decoys) if (host === observation.host) decoys.delete(key)
      }
      if (observation.kind === 'lost') {
        for (const [key, { host }] of decoys) if (host === observation.host) decoys.delete(key)
      }
    },
    sample: () => {
      for (const [key, { host, state }] of decoys) {
        if (host.isGone) continue
        const id = key.slice(host.id.length + 1)
        const now = host.engine.entries.get(id)?.state ?? 'removed'
        if (now !== state) violate(name, `${host.id}: a stranger's ${id} is ${now}`)
      }
      for (const host of subject.world.hosts.values()) {
        for (const { id, owner, state } of host.engine.entries.values()) {
          if (owner.mesh === SIM_MESH || state !== 'running') continue
          decoys.set(`${host.id} ${id}`, { host, state })
        }
      }
    }
  }
}

/** What somebody else has started with our labels (F47). */
const STRANGER = 'nobody'

/**
 * S9: what carries our labels belongs to a workload, and to a claim of its host. That claim is
 * written before anything starts for it: a crash at any time leaves nothing that nobody knows.
 */
export function noOrphan(subject: Subject): Check {
  const name = 'S9'
  const looked = new Set<string>()
  return {
    name,
    observe: observation => {
      // The start of a daemon that has ended may outlive its disk.
      const isEnd = observation.kind === 'stop' || observation.kind === 'lost'
      if (observation.kind !== 'engine' && !isEnd) return
      const { host } = observation
      for (const { id, mark, owner, state } of host.engine.entries.values()) {
        const key = `${host.id} ${id}`
        if (looked.has(key) || (state !== 'running' && !isEnd)) continue
        looked.add(key)
        if (isEnd || owner.mesh !== SIM_MESH || mark.workload === STRANGER) continue
        // What a clone has voided in our name is said again within `OWN_COALESCE_MS`.
        if (subject.world.hadClone) continue
        const written = `own/${host.identity}/alloc/${mark.uid}/${mark.slot}`
        if (host.disk.records().some(([at]) => at === written)) continue
        violate(name, `${host.id} starts ${mark.workload}/${mark.slot} before its claim is written`)
      }
    },
    finish: core => {
      for (const host of core) {
        for (const { mark, owner } of host.engine.entries.values()) {
          if (owner.mesh !== SIM_MESH || owner.node !== host.identity) continue
          const held = host.agent?.view.claim(mark.uid, mark.slot, host.identity)
          if (held === undefined) {
            const what = `${mark.workload}/${mark.slot}`
            violate(name, `${host.id} has ${what} without a claim (${subject.world.clock.nowMs()})`)
          }
        }
      }
    }
  }
}

/**
 * `protocols.md` 4, Data: nothing starts on silently empty data. A volume appears on a host only
 * for a slot that, as far as the host knows, never ran anywhere.
 */
export function noEmptyStart(_subject: Subject): Check {
  const name = 'data'
  const known = new Map<string, Set<string>>()
  return {
    name,
    observe: observation => {
      if (observation.kind === 'lost') known.delete(observation.host.id)
      if (observation.kind !== 'engine') return
      const { host } = observation
      // Seen when it is made: what its daemon hears while the engine is at it comes too late.
      for (const { mark, spec } of host.engine.entries.values()) {
        for (const volume of spec.volumes) {
          if (volume.kind !== 'volume' || volume.shared) continue
          const here = known.get(host.id) ?? new Set()
          known.set(host.id, here)
          const key = `${mark.project}/${volume.name}`
          if (here.has(key)) continue
          here.add(key)
          const elsewhere = host.agent?.view
            .claims(mark.uid)
            .find(claim => claim.slot === mark.slot && claim.record.data.length > 0)
          if (elsewhere === undefined) continue
          const what = `${mark.workload}/${mark.slot}`
          violate(name, `${host.id} starts ${what} on empty data; it ran on ${elsewhere.node}`)
        }
      }
    }
  }
}
