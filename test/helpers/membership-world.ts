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
import { ObserverGraph } from '../../gossip/core/membership/observers.ts'
import { SeededRandom } from '../../gossip/core/random.ts'
import type { MemberState, NodeId } from '../../gossip/core/types.ts'
import { type Change, codec, Host, OLD_BOOT, rowsOf, sealerOf } from './membership-host.ts'
import { Pipes } from './membership-pipes.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface WorldInit {
  readonly seed?: number
  readonly preset?: MembershipPreset
  readonly knobs?: Partial<MembershipKnobs>
  /** One way, in ms: this and up to as much again. */
  readonly delayMs?: number
  /** Thousands of daemons: no disks, no lists of events, each message is not looked at. */
  readonly many?: boolean
}

/** TCP's first retransmission on a short path; doubled each time. */
const RETRANSMIT_MS = 200
const RETRANSMITS_MAX = 6
const GRAPHS_MAX = 64

export class World {
  readonly hosts = new Map<NodeId, Host>()
  readonly changes: Change[] = []
  readonly random: SeededRandom
  /** Segments of a thousand that have to be sent again, each time anew. */
  lossPerMille = 0
  /** Called with each change of state that somebody sees. */
  onChange: (change: Change) => void = change => void this.changes.push(change)
  /** Called when `by` learns of the present life of another that it knew before. */
  onLife: (by: NodeId) => void = () => undefined
  /** Called with each message that goes over a link. */
  onSend: (message: MembershipMessage) => void = () => undefined
  readonly #init: WorldInit
  readonly #pipes: Pipes
  readonly #clock = new VirtualClock()
  /** Equal views have equal graphs: daemons that see the same share one. */
  readonly #graphs = new Map<string, ObserverGraph>()
  /** What every disk of a world of many holds. */
  #rows = rowsOf([])

  constructor(init: WorldInit = {}) {
    this.#init = init
    this.random = new SeededRandom(init.seed ?? 1)
    this.#pipes = new Pipes({
      host: id => this.host(id),
      at: address => this.hosts.get(address.split('/').at(-1) ?? ''),
      later: (afterMs, run) => this.later(afterMs, run),
      delayMs: () => this.#delay(),
      input: (host, input) => this.input(host, input)
    })
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
  start(id: NodeId, join?: NodeId, amnesiac = false): Host {
    const host = this.hosts.get(id) ?? new Host(id)
    this.hosts.set(id, host)
    host.silent = false
    host.life += 1
    host.boot = this.random.hex(32)
    host.waiting = []
    const random = new SeededRandom(this.random.int(2 ** 31))
    const config = membershipConfig(
      this.#init.preset ?? 'lan',
      { boot: host.boot, name: id, addresses: [host.address] },
      this.#init.knobs
    )
    const sealer = sealerOf(id)
    host.machine = this.#init.many
      ? new Membership(
          { random, sealer, codec: this.#rows.codec, graphOf: ids => this.#graph(ids) },
          config
        )
      : new Membership({ random, sealer, codec }, config)
    const persisted = this.#init.many
      ? this.#rows.persisted
      : [...host.disk].map(([key, value]) => ({ key, value }))
    this.input(host, { kind: 'start', persisted, amnesiac })
    if (join !== undefined) {
      const addresses = [this.host(join).address]
      this.input(host, { kind: 'command', command: { kind: 'join', addresses } })
    }
    return host
  }

  /** In a world of many: these have been a mesh before, and each start is from what it knew. */
  know(ids: readonly NodeId[]): void {
    this.#rows = rowsOf(ids)
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
    this.#pipes.closeAll(id)
  }

  /** As `silence`; what was not synced is gone. */
  cutPower(id: NodeId): void {
    this.silence(id)
    const host = this.host(id)
    host.disk.clear()
    for (const [key, value] of host.synced) host.disk.set(key, value)
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
    this.#pipes.cut(from, to)
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
    this.#pipes.heal()
  }

  /** Breaks the connection between two, which may dial again. */
  reset(a: NodeId, b: NodeId): void {
    const pipe = this.#pipes.of(a, b)
    if (pipe !== undefined) this.#pipes.break(pipe, undefined)
  }

  /** The connection between two is of no use for so long, as TCP's after a cut; its path is. */
  stall(a: NodeId, b: NodeId, ms: number): void {
    const pipe = this.#pipes.of(a, b)
    for (const end of [a, b]) pipe?.lastMs.set(end, this.nowMs + ms)
  }

  passes(from: NodeId, to: NodeId): boolean {
    return this.#pipes.passes(from, to)
  }

  linked(a: NodeId, b: NodeId): boolean {
    return this.#pipes.of(a, b) !== undefined
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
        if (this.#init.many) return
        for (const { key, value } of effect.records) {
          if (value === null) host.disk.delete(key)
          else host.disk.set(key, value)
        }
        if (effect.sync) host.synced = new Map(host.disk)
        return
      case 'notify':
        return this.#event(host, effect.event)
      case 'knock':
        return this.#pipes.knock(host, effect)
      case 'connect':
        return this.#pipes.connect(host, effect)
      case 'disconnect': {
        const pipe = this.#pipes.of(host.id, effect.peer)
        if (pipe !== undefined) this.#pipes.break(pipe, undefined)
        return
      }
      case 'publish':
        throw new Error('membership publishes nothing')
    }
  }

  #event(host: Host, event: MemberEvent): void {
    if (!this.#init.many) host.events.push(event)
    if (event.kind === 'member' && event.previous?.boot === OLD_BOOT) {
      if (event.member.boot !== OLD_BOOT && event.member.id !== host.id) this.onLife(host.id)
    }
    if (event.kind !== 'member' || event.member.state === event.previous?.state) return
    this.onChange({
      atMs: this.nowMs,
      by: host.id,
      member: event.member.id,
      state: event.member.state,
      previous: event.previous?.state
    })
  }

  #delay(): number {
    const delayMs = this.#init.delayMs ?? 1
    let ms = delayMs + this.random.int(delayMs * 1_000 + 1) / 1_000
    for (let again = 0; again < RETRANSMITS_MAX && this.#isLost(); again += 1) {
      ms += RETRANSMIT_MS * 2 ** again
    }
    return ms
  }

  #isLost(): boolean {
    return this.lossPerMille > 0 && this.random.int(1_000) < this.lossPerMille
  }

  #graph(ids: readonly NodeId[]): ObserverGraph {
    const key = ids.join()
    const made = this.#graphs.get(key) ?? new ObserverGraph(ids)
    // The latest few: views differ for a moment only.
    this.#graphs.delete(key)
    this.#graphs.set(key, made)
    const [oldest] = this.#graphs.keys()
    if (this.#graphs.size > GRAPHS_MAX && oldest !== undefined) this.#graphs.delete(oldest)
    return made
  }

  #send(host: Host, to: NodeId, original: MembershipMessage): void {
    const message = host.tamper === undefined ? original : host.tamper(to, original)
    const pipe = this.#pipes.of(host.id, to)
    if (pipe === undefined || message === undefined) return
    host.sent.set(message.kind, (host.sent.get(message.kind) ?? 0) + 1)
    this.onSend(message)
    if (!this.#init.many && readMembershipMessage(message) === undefined) {
      throw new Error(`${host.id} sends what nobody takes: ${JSON.stringify(message)}`)
    }
    const atMs = Math.max(this.nowMs + this.#delay(), pipe.lastMs.get(host.id) ?? 0)
    pipe.lastMs.set(host.id, atMs)
    this.later(atMs - this.nowMs, () => {
      const target = this.host(to)
      if (this.#pipes.of(host.id, to) !== pipe || !this.passes(host.id, to)) return
      this.input(target, { kind: 'message', from: host.id, message })
    })
  }
}
