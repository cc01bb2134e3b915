/**
 * A small deterministic world for the membership machine: one virtual clock, links that deliver in
 * order until they break, kernels that answer knocks, cuts, pauses, kills and restarts. Everything
 * random comes from one seed. No signature is checked: every author is whom the world says.
 */
import type {
  Member,
  MemberEvent,
  MembershipEffect,
  MembershipInput
} from '../../gossip/core/membership/api.ts'
import {
  type MembershipKnobs,
  type MembershipPreset,
  membershipConfig
} from '../../gossip/core/membership/config.ts'
import { Membership } from '../../gossip/core/membership/membership.ts'
import {
  type MembershipMessage,
  readMembershipMessage
} from '../../gossip/core/membership/message.ts'
import { SeededRandom } from '../../gossip/core/random.ts'
import type { MemberState, NodeId } from '../../gossip/core/types.ts'
import { type Change, codec, Host, nameOf, type Pipe, sealerOf } from './membership-host.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface WorldInit {
  readonly seed?: number
  readonly preset?: MembershipPreset
  readonly knobs?: Partial<MembershipKnobs>
  /** One way, in ms: this and up to as much again. */
  readonly delayMs?: number
}

const DIAL_TIMEOUT_MS = 5_000
const KNOCK_TIMEOUT_MS = 500

export class World {
  readonly hosts = new Map<NodeId, Host>()
  readonly changes: Change[] = []
  readonly random: SeededRandom
  readonly #init: WorldInit
  readonly #pipes = new Map<string, Pipe>()
  readonly #cuts = new Set<string>()
  readonly #clock = new VirtualClock()

  constructor(init: WorldInit = {}) {
    this.#init = init
    this.random = new SeededRandom(init.seed ?? 1)
  }

  get nowMs(): number {
    return this.#clock.nowMs()
  }

  host(id: NodeId): Host {
    const host = this.hosts.get(id)
    if (host === undefined) throw new Error(`no host ${id}`)
    return host
  }

  machine(id: NodeId): Membership {
    const { machine } = this.host(id)
    if (machine === undefined) throw new Error(`${id} does not run`)
    return machine
  }

  /** A daemon comes up, on its host's disk. */
  start(id: NodeId, join?: NodeId): Host {
    const host = this.hosts.get(id) ?? new Host(id)
    this.hosts.set(id, host)
    host.life += 1
    host.boot = this.random.hex(32)
    host.waiting = []
    const random = new SeededRandom(this.random.int(2 ** 31))
    const config = membershipConfig(
      this.#init.preset ?? 'lan',
      { boot: host.boot, name: id, addresses: [host.address] },
      this.#init.knobs
    )
    host.machine = new Membership({ random, sealer: sealerOf(id), codec }, config)
    const persisted = [...host.disk].map(([key, value]) => ({ key, value }))
    this.input(host, { kind: 'start', persisted })
    if (join !== undefined) {
      const addresses = [this.host(join).address]
      this.input(host, { kind: 'command', command: { kind: 'join', addresses } })
    }
    return host
  }

  /** `count` daemons that joined through the first, and see each other. */
  mesh(count: number): NodeId[] {
    const ids = Array.from({ length: count }, (_, index) => `n${String(index).padStart(4, '0')}`)
    const [first] = ids as [NodeId]
    for (const id of ids) {
      this.start(id, id === first ? undefined : first)
      this.run(20)
    }
    this.run(12_000)
    for (const id of ids) {
      const seen = this.seen(id, 'alive').length
      if (seen !== count) throw new Error(`${id} sees ${seen} of ${count}`)
    }
    this.changes.length = 0
    return ids
  }

  /** kill -9: the kernel closes its connections and refuses new ones. */
  kill(id: NodeId): void {
    const host = this.host(id)
    host.machine = undefined
    host.life += 1
    for (const pipe of this.#pipesOf(id)) this.#break(pipe, id)
  }

  /** The whole host falls silent: no FIN, no RST, no answer. */
  silence(id: NodeId): void {
    const host = this.host(id)
    host.silent = true
    host.machine = undefined
    host.life += 1
  }

  pause(id: NodeId): void {
    this.host(id).paused = true
  }

  resume(id: NodeId): void {
    const host = this.host(id)
    host.paused = false
    const waiting = host.waiting.splice(0)
    // Timers that are overdue run before the sockets are read, as in libuv.
    const timers = waiting.filter(input => input.kind === 'timer')
    for (const input of [...timers, ...waiting.filter(one => one.kind !== 'timer')]) {
      this.input(host, input)
    }
  }

  /** Nothing passes from one to the other, until `heal`. */
  cutOneWay(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from} ${to}`)
  }

  cut(some: readonly NodeId[], others: readonly NodeId[]): void {
    for (const a of some) {
      for (const b of others) {
        this.cutOneWay(a, b)
        this.cutOneWay(b, a)
      }
    }
  }

  /** Connections that a cut starved are given up by both kernels. */
  heal(): void {
    for (const pipe of [...this.#pipes.values()]) {
      const [a, b] = pipe.ends
      if (!this.passes(a, b) || !this.passes(b, a)) this.#break(pipe, undefined)
    }
    this.#cuts.clear()
  }

  /** Breaks the connection between two, which may dial again. */
  reset(a: NodeId, b: NodeId): void {
    const pipe = this.#pipes.get(nameOf(a, b))
    if (pipe !== undefined) this.#break(pipe, undefined)
  }

  passes(from: NodeId, to: NodeId): boolean {
    return !this.#cuts.has(`${from} ${to}`) && !this.host(from).silent && !this.host(to).silent
  }

  linked(a: NodeId, b: NodeId): boolean {
    return this.#pipes.has(nameOf(a, b))
  }

  /** Ids that `id` sees in a state, sorted. */
  seen(id: NodeId, state: MemberState): NodeId[] {
    const members: Member[] = [...this.machine(id).members().values()]
    return members
      .filter(member => member.state === state)
      .map(member => member.id)
      .sort()
  }

  stateOf(by: NodeId, member: NodeId): MemberState | undefined {
    return this.machine(by).members().get(member)?.state
  }

  /** When `by` first saw `member` turn to `state` after `fromMs`, relative to it. */
  firstMs(by: NodeId, member: NodeId, state: MemberState, fromMs: number): number | undefined {
    const change = this.changes.find(
      one => one.by === by && one.member === member && one.state === state && one.atMs >= fromMs
    )
    return change === undefined ? undefined : change.atMs - fromMs
  }

  command(id: NodeId, command: Extract<MembershipInput, { kind: 'command' }>['command']): void {
    this.input(this.host(id), { kind: 'command', command })
  }

  message(from: NodeId, to: NodeId, message: MembershipMessage): void {
    this.input(this.host(to), { kind: 'message', from, message })
  }

  /** Advances the clock. */
  run(durationMs: number): void {
    this.#clock.run(durationMs)
  }

  later(afterMs: number, run: () => void): void {
    this.#clock.schedule(afterMs, run)
  }

  input(host: Host, input: MembershipInput): void {
    const { machine } = host
    if (machine === undefined) return
    if (host.paused || host.starvedMs > 0) {
      host.waiting.push(input)
      if (host.waiting.length === 1 && !host.paused) {
        const { life } = host
        this.later(host.starvedMs, () => {
          if (host.life === life) this.#drain(host)
        })
      }
      return
    }
    this.#perform(host, machine.handle(input, this.nowMs))
  }

  #drain(host: Host): void {
    const waiting = host.waiting.splice(0)
    for (const input of waiting) {
      if (host.machine !== undefined) this.#perform(host, host.machine.handle(input, this.nowMs))
    }
  }

  #perform(host: Host, effects: readonly MembershipEffect[]): void {
    for (const effect of effects) this.#one(host, effect)
  }

  #one(host: Host, effect: MembershipEffect): void {
    const { life } = host
    const alive = (): boolean => host.life === life
    switch (effect.kind) {
      case 'send':
        return this.#send(host, effect.to, effect.message)
      case 'schedule':
        return this.later(effect.afterMs, () => {
          if (alive()) this.input(host, { kind: 'timer', timer: effect.timer })
        })
      case 'persist':
        for (const { key, value } of effect.records) {
          if (value === null) host.disk.delete(key)
          else host.disk.set(key, value)
        }
        return
      case 'notify':
        return this.#event(host, effect.event)
      case 'knock':
        return this.#knock(host, effect)
      case 'connect':
        return this.#connect(host, effect)
      case 'disconnect': {
        const pipe = this.#pipes.get(nameOf(host.id, effect.peer))
        if (pipe !== undefined) this.#break(pipe, undefined)
        return
      }
      case 'publish':
        throw new Error('membership publishes nothing')
    }
  }

  #event(host: Host, event: MemberEvent): void {
    host.events.push(event)
    if (event.kind !== 'member' || event.member.state === event.previous?.state) return
    this.changes.push({
      atMs: this.nowMs,
      by: host.id,
      member: event.member.id,
      state: event.member.state,
      previous: event.previous?.state
    })
  }

  #delay(): number {
    const delayMs = this.#init.delayMs ?? 1
    return delayMs + this.random.int(delayMs * 1_000 + 1) / 1_000
  }

  #send(host: Host, to: NodeId, original: MembershipMessage): void {
    const message = host.tamper === undefined ? original : host.tamper(to, original)
    const pipe = this.#pipes.get(nameOf(host.id, to))
    if (pipe === undefined || message === undefined) return
    host.sent.set(message.kind, (host.sent.get(message.kind) ?? 0) + 1)
    if (readMembershipMessage(message) === undefined) {
      throw new Error(`${host.id} sends what nobody takes: ${JSON.stringify(message)}`)
    }
    const atMs = Math.max(this.nowMs + this.#delay(), pipe.lastMs.get(host.id) ?? 0)
    pipe.lastMs.set(host.id, atMs)
    this.later(atMs - this.nowMs, () => {
      const target = this.host(to)
      if (this.#pipes.get(nameOf(host.id, to)) !== pipe || !this.passes(host.id, to)) return
      this.input(target, { kind: 'message', from: host.id, message })
    })
  }

  #knock(host: Host, effect: Extract<MembershipEffect, { kind: 'knock' }>): void {
    const { life } = host
    const target = this.#at(effect.addresses[0] ?? '')
    const both = target !== undefined && this.#reaches(host, target)
    const outcome = !both ? 'nothing' : target.machine === undefined ? 'refused' : 'accepted'
    const afterMs = outcome === 'nothing' ? KNOCK_TIMEOUT_MS : this.#delay() + this.#delay()
    this.later(afterMs, () => {
      if (host.life !== life) return
      const { peer, token } = effect
      this.input(host, { kind: 'knocked', peer, token, outcome })
    })
  }

  #connect(host: Host, effect: Extract<MembershipEffect, { kind: 'connect' }>): void {
    const { life } = host
    const target = this.#at(effect.addresses[0] ?? '')
    const peer = effect.peer ?? target?.id
    const end = (state: 'refused' | 'failed'): void => {
      if (host.life === life && peer !== undefined && effect.peer !== undefined)
        this.input(host, { kind: 'link', peer, state })
    }
    const reach = (): boolean => target !== undefined && this.#reaches(host, target)
    if (target === undefined || !reach()) return this.later(DIAL_TIMEOUT_MS, () => end('failed'))
    const attempt = (leftMs: number): void => {
      if (host.life !== life) return
      if (!reach() || leftMs <= 0) return end('failed')
      if (target.machine === undefined) return end('refused')
      // A paused daemon's kernel accepts; its hello comes when it runs again.
      if (target.paused || host.paused) return this.later(100, () => attempt(leftMs - 100))
      this.#open(host, target)
    }
    this.later(4 * this.#delay(), () => attempt(DIAL_TIMEOUT_MS))
  }

  #open(a: Host, b: Host): void {
    if (a.id === b.id) return
    const name = nameOf(a.id, b.id)
    const before = this.#pipes.get(name)
    if (before !== undefined) {
      const [x, y] = before.ends
      if (before.lives[0] === this.host(x).life && before.lives[1] === this.host(y).life) return
      this.#break(before, undefined)
    }
    const pipe = { ends: [a.id, b.id], lives: [a.life, b.life], lastMs: new Map() } as const
    this.#pipes.set(name, pipe)
    const hello = (host: Host): MembershipInput => ({
      kind: 'link',
      peer: host.id,
      state: 'open',
      boot: host.boot,
      incarnation: host.machine?.self().incarnation ?? 0,
      name: host.id,
      addresses: [host.address]
    })
    const [toA, toB] = [hello(b), hello(a)]
    this.input(a, toA)
    this.input(b, toB)
  }

  /** `by`: its kernel closed; undefined: both sides notice. */
  #break(pipe: Pipe, by: NodeId | undefined): void {
    const [a, b] = pipe.ends
    const name = nameOf(a, b)
    if (this.#pipes.get(name) !== pipe) return
    this.#pipes.delete(name)
    for (const [index, id] of pipe.ends.entries()) {
      const host = this.host(id)
      const other = pipe.ends[1 - index] as NodeId
      if (id === by || host.life !== pipe.lives[index]) continue
      if (by !== undefined && !this.passes(by, id)) continue
      this.later(this.#delay(), () => {
        if (host.life !== pipe.lives[index] || this.#pipes.has(name)) return
        this.input(host, { kind: 'link', peer: other, state: 'closed' })
      })
    }
  }

  #pipesOf(id: NodeId): Pipe[] {
    return [...this.#pipes.values()].filter(pipe => pipe.ends.includes(id))
  }

  #reaches(a: Host, b: Host): boolean {
    return this.passes(a.id, b.id) && this.passes(b.id, a.id)
  }

  #at(address: string): Host | undefined {
    return this.hosts.get(address.split('/').at(-1) ?? '')
  }
}
