/** Rules of `protocols.md` 2, and L7: incarnations, obituaries, no healthy death. */
import type { Observation } from '../world/world.ts'
import { type Check, type Subject, violate } from './check.ts'

type MemberObservation = Extract<Observation, { kind: 'event' }>

function memberOf({ event }: MemberObservation) {
  return event.kind === 'member' && event.event.kind === 'member' ? event.event.member : undefined
}

/** The highest incarnation that each node ever said of itself. */
class Published {
  readonly #highest = new Map<string, number>()

  note(observation: MemberObservation): void {
    const member = memberOf(observation)
    if (member === undefined || member.id !== observation.host.identity) return
    const before = this.#highest.get(member.id) ?? 0
    this.#highest.set(member.id, Math.max(before, member.incarnation))
  }

  of(id: string): number {
    return this.#highest.get(id) ?? 0
  }
}

/** After these a host has forgotten what it said of itself, or two say it. */
const FORGETFUL = ['F39', 'F40'] as const

/**
 * Incarnations never go back in what one life of a daemon believes, and no two lives that remember
 * have one in common.
 */
export function incarnations(subject: Subject): Check {
  const name = 'incarnation'
  /** Believer's boot and subject -> highest. */
  const seen = new Map<string, number>()
  /** Subject and incarnation -> boot. */
  const boots = new Map<string, string>()
  const forgetful = new Set<string>()
  return {
    name,
    observe: observation => {
      if (observation.kind === 'opened' && observation.amnesiac !== undefined) {
        forgetful.add(observation.host.identity)
      }
      if (observation.kind !== 'event') return
      const { host } = observation
      const member = memberOf(observation)
      if (member === undefined || host.process === undefined) return
      const { id, incarnation } = member
      const key = `${host.process.boot} ${id}`
      const before = seen.get(key) ?? 0
      if (incarnation < before) {
        violate(name, `${host.id} took ${id} back from ${before} to ${incarnation}`)
      }
      seen.set(key, incarnation)
      // Of itself a daemon says nothing yet while it joins.
      if (id === host.identity || forgetful.has(id)) return
      if (FORGETFUL.some(fault => subject.faults.counts.has(fault))) return
      // A last word names no boot: its row keeps that of the life which somebody happened to know.
      if (member.state === 'left') return
      const life = `${id} ${incarnation}`
      const boot = boots.get(life) ?? member.boot
      if (boot !== member.boot) violate(name, `two lives of ${id} have incarnation ${incarnation}`)
      boots.set(life, boot)
    }
  }
}

/** An obituary names an incarnation that its subject had. */
export function obituaries(_subject: Subject): Check {
  const name = 'obituary'
  const published = new Published()
  return {
    name,
    observe: observation => {
      if (observation.kind !== 'event') return
      published.note(observation)
      const member = memberOf(observation)
      if (member === undefined || member.state !== 'dead') return
      if (member.incarnation > published.of(member.id)) {
        const { id } = observation.host
        violate(name, `${id} buries ${member.id} at ${member.incarnation}, which it never had`)
      }
    }
  }
}

/** Whether it had a row of the member before. */
function knewIt(observation: Observation): boolean {
  if (observation.kind !== 'event' || observation.event.kind !== 'member') return false
  const { event } = observation.event
  return event.kind === 'member' && event.previous !== undefined
}

/** How long somebody must have been left alone before nobody may bury it. */
const HEALTHY_AFTER_MS = 20_000

/** L7: nobody whose host, links and clock are well is ever dead to anybody. */
export function noHealthyDeath(subject: Subject): Check {
  const name = 'L7'
  return {
    name,
    observe: observation => {
      if (observation.kind !== 'event') return
      const member = memberOf(observation)
      if (member?.state !== 'dead') return
      const buried = [...subject.world.hosts.values()].find(host => host.identity === member.id)
      if (buried?.isUp !== true || buried.agent?.ready !== true) return
      // An earlier life of it, and that is over.
      if (member.boot !== buried.process?.boot) return
      const { host } = observation
      // A daemon that starts tells first what it believed when it ended, and what others did that
      // start with it; until it has heard more, it is not ready and decides nothing.
      if (!knewIt(observation) || host.agent?.ready !== true) return
      // Whoever shares its identity with another, or just did, finds its links taken.
      const { disturbance } = subject.faults
      if (host.isClone) return
      if (host.hadClone && disturbance.calmMs(host.id) <= HEALTHY_AFTER_MS) return
      const calmMs = disturbance.calmMs(buried.id)
      if (calmMs > HEALTHY_AFTER_MS) {
        violate(name, `${host.id} buries ${buried.id}, well for ${calmMs} ms`)
      }
    }
  }
}
