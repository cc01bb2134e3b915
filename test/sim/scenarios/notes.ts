/** What somebody who sees everything notes down while a scenario runs. */
import type { Member, MemberEvent } from '../../../gossip/core/membership/api.ts'
import type { AgentEvent } from '../../../node/agent/api.ts'
import type { SimHost } from '../world/host.ts'
import type { Observation, World } from '../world/world.ts'

export type Note =
  /** Of a member, as one daemon believes from now on. */
  | {
      readonly kind: 'member'
      readonly atMs: number
      readonly by: string
      readonly of: string
      readonly what: string
    }
  /** Of a slot on a host. */
  | {
      readonly kind: 'slot'
      readonly atMs: number
      readonly host: string
      readonly slot: string
      readonly what: string
    }
  | { readonly kind: 'host'; readonly atMs: number; readonly host: string; readonly what: string }

/** Of the states of an allocation; the others are seen in the engine. */
const TOLD: Readonly<Record<string, string>> = {
  claimed: 'claimed',
  starting: 'claimed',
  healthy: 'healthy',
  failed: 'failed'
}

export class Notes {
  readonly #world: World
  #notes: Note[] = []
  /** Instances that run, by host: slot by id and run. */
  readonly #running = new Map<string, Map<string, string>>()
  /** What was last told of a slot on a host. */
  readonly #told = new Map<string, string>()

  constructor(world: World) {
    this.#world = world
    world.watch(observation => this.#observe(observation))
  }

  /** Everything since it was last asked. */
  take(): Note[] {
    const taken = this.#notes
    this.#notes = []
    return taken
  }

  host(host: SimHost, what: string): void {
    this.#notes.push({ kind: 'host', atMs: this.#nowMs, host: nameOf(host), what })
  }

  get #nowMs(): number {
    return Math.floor(this.#world.clock.nowMs())
  }

  #observe(observation: Observation): void {
    const { host } = observation
    switch (observation.kind) {
      case 'event':
        return this.#event(host, observation.event)
      case 'engine':
        return this.#engine(host)
      case 'ended':
        return this.host(host, `ends by itself: ${textOf(observation.error)}`)
      case 'opened':
        if (observation.amnesiac !== undefined) {
          this.host(host, `does not trust its store: ${observation.amnesiac}`)
        }
        return
      case 'reply': {
        const { answer } = observation
        if (!answer.ok) return this.host(host, `answers ${answer.code}: ${answer.message}`)
        const changes = answer.changes.map(one => `${one.name} ${one.change}`).join(', ')
        const disks = `on ${answer.disks} of ${answer.wanted} disks`
        return this.host(host, `answers: ${changes}, ${disks}`)
      }
      default:
        return
    }
  }

  #event(host: SimHost, event: AgentEvent): void {
    if (event.kind === 'member') return this.#member(host, event.event)
    if (event.kind === 'brake') {
      return this.host(host, event.on ? 'takeovers are braked' : 'takeovers are braked no longer')
    }
    if (event.kind === 'alarm') {
      return this.host(host, `ALARM ${event.event.key} ${event.event.reason}`)
    }
    if (event.kind !== 'allocation') return
    const slot = `${event.workload}/${event.slot}`
    const state = TOLD[event.state]
    if (state === undefined) return void this.#told.delete(`${host.id} ${slot}`)
    const what = event.reason === '' ? state : `${state} (${event.reason})`
    if (this.#told.get(`${host.id} ${slot}`) === what) return
    this.#told.set(`${host.id} ${slot}`, what)
    this.#slot(host, slot, what)
  }

  #member(host: SimHost, event: MemberEvent): void {
    if (event.kind === 'clone') {
      return this.host(host, `finds its own key at another host${event.yield ? '' : ', stays'}`)
    }
    if (event.kind === 'paused') return this.host(host, 'notices that it did not run')
    if (event.kind === 'forgotten') return this.host(host, `forgets ${event.node}`)
    if (event.kind !== 'member') return
    const { member, previous } = event
    const what = changeOf(member, previous, member.id === host.identity)
    if (what === undefined) return
    if (member.id === host.identity) return this.host(host, what)
    const atMs = this.#nowMs
    this.#notes.push({ kind: 'member', atMs, by: nameOf(host), of: member.id, what })
  }

  #engine(host: SimHost): void {
    const before = this.#running.get(host.id) ?? new Map<string, string>()
    const now = new Map<string, string>()
    for (const { id, mark, run, state } of host.engine.entries.values()) {
      if (state === 'running') now.set(`${id} ${run}`, `${mark.workload}/${mark.slot}`)
    }
    this.#running.set(host.id, now)
    for (const [id, slot] of now) if (!before.has(id)) this.#slot(host, slot, 'starts')
    for (const [id, slot] of before) if (!now.has(id)) this.#slot(host, slot, 'ends')
  }

  #slot(host: SimHost, slot: string, what: string): void {
    this.#notes.push({ kind: 'slot', atMs: this.#nowMs, host: nameOf(host), slot, what })
  }
}

/** A host whose disk was replaced is another member; a copy of one is told from it. */
export function nameOf(host: SimHost): string {
  return host.isClone ? host.id : host.identity
}

/** One change of a row of somebody's view in words; undefined when there is nothing to say. */
function changeOf(
  member: Member,
  previous: Member | undefined,
  isSelf: boolean
): string | undefined {
  const { state, phase, incarnation } = member
  const isLater = previous !== undefined && incarnation > previous.incarnation
  // Of itself a daemon has only its incarnation to tell.
  if (isSelf) return isLater ? `own incarnation ${incarnation}` : undefined
  if (previous === undefined) return `${state} (new to it)`
  const isNewLife = member.boot !== previous.boot
  if (state !== previous.state) {
    if (state !== 'alive') return state
    if (isNewLife) return 'alive in a new life'
    return isLater ? `alive, refuted by incarnation ${incarnation}` : 'alive after all'
  }
  if (isNewLife) return 'in a new life'
  if (phase !== previous.phase) return phase
  if (state === 'alive' && member.directPath !== previous.directPath) {
    return member.directPath ? 'has a direct path again' : 'has no direct path'
  }
  if (member.daemonGone && !previous.daemonGone) return 'has no daemon, but its host is there'
  return undefined
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
