/**
 * What a fault may use: the world, randomness of its own, and a record of who is disturbed, so that
 * checks know whom a promise covers just now.
 */
import { SeededRandom } from '../../../gossip/core/random.ts'
import type { SimHost } from '../world/host.ts'
import type { World } from '../world/world.ts'
import type { Atlas } from './atlas.ts'
import { Client } from './client.ts'

/** Whose surroundings are not as promises assume them, and since when they are again. */
export class Disturbance {
  readonly #world: World
  /** Whom each that lasts concerns. */
  readonly #active = new Set<Set<string>>()
  readonly #endedMs = new Map<string, number>()

  constructor(world: World) {
    this.#world = world
    world.watch(({ kind, host }) => {
      if (kind !== 'opened' || this.#endedMs.has(host.id)) return
      // It meets others in the middle of what is done to them: it is left alone once they are.
      for (const hosts of this.#active) hosts.add(host.id)
      this.#endedMs.set(host.id, world.clock.nowMs())
    })
  }

  /** Gives what ends it. */
  begin(ids: readonly string[]): () => void {
    const hosts = new Set(ids)
    this.#active.add(hosts)
    return () => {
      if (!this.#active.delete(hosts)) return
      for (const id of hosts) this.#endedMs.set(id, this.#world.clock.nowMs())
    }
  }

  /** For how long a host was left alone; 0 while it is not. */
  calmMs(id: string): number {
    for (const hosts of this.#active) if (hosts.has(id)) return 0
    return this.#world.clock.nowMs() - (this.#endedMs.get(id) ?? 0)
  }

  /** For how long all were. */
  get allCalmMs(): number {
    return Math.min(...[...this.#world.hosts.keys()].map(id => this.calmMs(id)))
  }
}

interface Active {
  readonly undo: () => void
  isOver: boolean
}

export class Faults {
  readonly world: World
  readonly atlas: Atlas
  readonly client: Client
  readonly disturbance: Disturbance
  /** How often each row of `promises.md` section 2 was exercised. */
  readonly counts = new Map<string, number>()
  isOver = false
  readonly #active = new Set<Active>()

  constructor(world: World, atlas: Atlas) {
    this.world = world
    this.atlas = atlas
    this.client = new Client(world, atlas)
    this.disturbance = new Disturbance(world)
  }

  count(ids: readonly string[]): void {
    for (const id of ids) this.counts.set(id, (this.counts.get(id) ?? 0) + 1)
  }

  /** Undoes later what was done to `hosts`; at the latest when faults end. */
  during(ms: number, hosts: readonly SimHost[], undo: () => void): void {
    const calm = this.disturbance.begin(hosts.map(host => host.id))
    const active: Active = {
      undo: () => {
        undo()
        calm()
      },
      isOver: false
    }
    this.#active.add(active)
    this.world.clock.schedule(ms, () => this.#end(active))
  }

  /** Faults have ended, all of them; what they still had in mind does not happen. */
  endAll(): void {
    this.isOver = true
    for (const active of [...this.#active]) this.#end(active)
  }

  #end(active: Active): void {
    if (active.isOver) return
    active.isOver = true
    this.#active.delete(active)
    active.undo()
  }
}

/** A fault about to happen, with randomness of its own: leaving others out changes nothing. */
export class FaultContext {
  readonly faults: Faults
  readonly world: World
  readonly random: SeededRandom
  readonly durationMs: number

  constructor(faults: Faults, init: { readonly seed: number; readonly durationMs: number }) {
    this.faults = faults
    this.world = faults.world
    this.random = new SeededRandom(init.seed)
    this.durationMs = init.durationMs
  }

  get hosts(): SimHost[] {
    return [...this.world.hosts.values()]
  }

  /** One of those that fit; undefined when none does. */
  pick(fits: (host: SimHost) => boolean): SimHost | undefined {
    const fit = this.hosts.filter(fits)
    return fit.length === 0 ? undefined : fit[this.random.int(fit.length)]
  }

  /** A running daemon that nobody has stopped. */
  pickUp(): SimHost | undefined {
    return this.pick(host => host.isUp && host.isOn && host.process?.isPaused === false)
  }

  /** Somebody who can be joined: it is in the mesh, and sees most of it. */
  pickMember(except?: SimHost): SimHost | undefined {
    const most = this.hosts.filter(host => host.isUp).length / 2
    return this.pick(host => {
      const members = [...(host.agent?.view.members.values() ?? [])]
      const seen = members.filter(member => member.state === 'alive').length
      return host !== except && !host.isClone && host.disk.isMember && seen > most
    })
  }

  /** Both sides of a cut through all hosts, neither empty; undefined when there is but one. */
  halves(): readonly [SimHost[], SimHost[]] | undefined {
    if (this.hosts.length < 2) return undefined
    const left = this.some(1 + this.random.int(this.hosts.length - 1))
    return [left, this.hosts.filter(host => !left.includes(host))]
  }

  /** Some hosts, in random order. */
  some(count: number): SimHost[] {
    const left = this.hosts
    const chosen: SimHost[] = []
    while (chosen.length < count && left.length > 0) {
      chosen.push(...left.splice(this.random.int(left.length), 1))
    }
    return chosen
  }

  during(ms: number, hosts: readonly SimHost[], undo: () => void): void {
    this.faults.during(ms, hosts, undo)
  }

  /** A later part of the same fault. */
  later(ms: number, task: () => void): void {
    this.world.clock.schedule(ms, () => {
      if (!this.faults.isOver) task()
    })
  }
}

export interface Fault {
  /** Rows of `promises.md` section 2. */
  readonly ids: readonly string[]
  readonly name: string
  /** Relative to the others; 1 when absent. */
  readonly weight?: number
  /** Whether frames have sizes in this world is decided before it begins. */
  readonly needsBytes?: true
  /** False when it cannot happen now: nothing was changed. */
  readonly begin: (context: FaultContext) => boolean
}
