/** S14, S15, L1, L2, L6 and slot numbers: one answer everywhere, and the whole of it. */
import type { SimHost } from '../world/host.ts'
import { SIM_MESH } from '../world/process.ts'
import { type Check, type Subject, violate } from './check.ts'

/** S14: equal views give equal answers. */
export function determinism(subject: Subject): Check {
  const name = 'S14'
  return {
    name,
    sample: () => {
      const answers = new Map<string, { digest: string; id: string }>()
      for (const { agent, id, identity } of subject.world.hosts.values()) {
        const said = agent?.view.views.get(identity)
        if (said === undefined) continue
        const other = answers.get(said.viewHash)
        if (other !== undefined && other.digest !== said.digest) {
          violate(name, `${id} and ${other.id} share view ${said.viewHash} and differ`)
        }
        answers.set(said.viewHash, { digest: said.digest, id })
      }
    }
  }
}

/** Slot numbers follow claims (`protocols.md` 4): who knows the same gives the same numbers. */
export function slotNumbers(_subject: Subject): Check {
  const name = 'slots'
  return {
    name,
    finish: core => {
      const said = new Map<string, string>()
      for (const { agent, id } of core) {
        if (agent === undefined) continue
        const { placing, replica, view } = agent
        // What it heard this instant is not in its seats yet.
        if (Object.values(view.dirty).some(news => news.size > 0)) continue
        const numbers = [...view.workloads.values()]
          .map(({ uid, ...rest }) => `${uid} ${[...placing.targets({ uid, ...rest })].sort()}`)
          .sort()
          .join()
        const knowledge = `${replica.digest()} ${placing.viewHash}`
        const known = said.get(knowledge) ?? numbers
        if (known !== numbers) violate(name, `${id}: ${numbers} and not ${known}`)
        said.set(knowledge, numbers)
      }
    }
  }
}

/** Links that flap between two clones leave some hundred for a few seconds. */
const TIMERS_MAX = 1_000
const STARTS_MAX = 120
const STARTS_WINDOW_MS = 60_000
/** Two workloads of six replicas may change with each. */
const STARTS_A_REQUEST = 12

/** S15: nothing grows without end: timers, and starts of containers within a minute, beyond what
 * people ask for. */
export function bounded(subject: Subject): Check {
  const name = 'S15'
  const runs = new Map<string, number>()
  const starts = new Map<string, { readonly ms: number; readonly asked: number }[]>()
  return {
    name,
    sample: () => {
      for (const { id, process } of subject.world.hosts.values()) {
        const timers = process?.timers ?? 0
        if (timers > TIMERS_MAX) violate(name, `${timers} timers of ${id} wait`)
      }
    },
    observe: observation => {
      if (observation.kind !== 'engine') return
      const nowMs = subject.world.clock.nowMs()
      const { host } = observation
      for (const { id, run, state, owner } of host.engine.entries.values()) {
        const key = `${host.id} ${id}`
        if (owner.mesh !== SIM_MESH || state !== 'running' || runs.get(key) === run) continue
        runs.set(key, run)
        const asked = subject.client.history.size
        const all = starts.get(host.id) ?? []
        const recent = all.filter(({ ms }) => nowMs - ms < STARTS_WINDOW_MS)
        recent.push({ ms: nowMs, asked })
        starts.set(host.id, recent)
        const requests = asked - (recent[0]?.asked ?? asked)
        const most = STARTS_MAX + STARTS_A_REQUEST * requests
        if (recent.length > most) violate(name, `${host.id} starts without end`)
      }
    }
  }
}

/** Why the mesh is not as promised yet; undefined when it is. */
export function whyNotConverged(core: readonly SimHost[]): string | undefined {
  const ids = core.map(host => host.identity).sort()
  for (const host of core) {
    const { agent } = host
    if (agent === undefined) return `L6: ${host.id} is down`
    if (!agent.ready) return `L6: ${host.id} is not ready${agent.amnesiac ? ' (amnesiac)' : ''}`
    const members = [...agent.view.members.values()]
    const suspect = members.find(member => member.state === 'suspect')
    if (suspect !== undefined) return `L6: ${host.id} suspects ${suspect.id}`
    const alive = members.filter(member => member.state === 'alive')
    const seen = alive.map(member => member.id).sort()
    if (seen.join() !== ids.join()) return `L6: ${host.id} sees ${seen.join()}`
  }
  const digests = new Set(core.map(host => host.agent?.replica.digest()))
  if (digests.size > 1) return `L1: ${digests.size} states`
  return whyNotExact(core)
}

const STOPPED = 'roll stopped'

/** L2, L4: each slot that can run runs once, with its number and in its present form. */
function whyNotExact(core: readonly SimHost[]): string | undefined {
  const view = core[0]?.agent?.view
  if (view === undefined) return 'nobody is left'
  for (const { uid, record } of view.workloads.values()) {
    const { name, replicas, volumes } = record.spec
    const found = core.flatMap(host =>
      [...host.engine.entries.values()]
        .filter(entry => entry.mark.uid === uid && entry.state === 'running')
        .map(entry => ({ host: host.id, ...entry.mark }))
    )
    const slots = found.map(mark => mark.slot).sort((a, b) => a - b)
    const text = found.map(mark => `${mark.slot}@${mark.host}`).join(' ')
    const twice = slots.find((slot, index) => slots[index - 1] === slot)
    if (twice !== undefined) {
      const where = found.filter(mark => mark.slot === twice).map(mark => mark.host)
      return `L4: ${name} runs twice: slot ${twice} on ${where.join(' ')}`
    }
    // Local data waits for its host, which may be gone for ever.
    if (volumes.length > 0 && slots.length < replicas) continue
    // Numbers may be above the count: nobody is renumbered (`placement.md` C6).
    // A roll stops at its first failure and waits for a person (`protocols.md` 4).
    const stopped = view.claims(uid).filter(claim => claim.record.reason.startsWith(STOPPED))
    if (slots.length + stopped.length >= replicas && stopped.length > 0) continue
    if (slots.length !== replicas) return `L2: ${name} runs ${slots.length} of ${replicas}: ${text}`
  }
  for (const host of core) {
    for (const { mark, owner, state } of host.engine.entries.values()) {
      if (owner.mesh !== SIM_MESH || owner.node !== host.identity || state !== 'running') continue
      if (!view.workloads.has(mark.uid)) return `S9: ${host.id} runs ${mark.workload}, of nobody`
    }
  }
  return undefined
}
