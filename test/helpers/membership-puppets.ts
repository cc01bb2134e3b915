/**
 * One real membership machine among puppets: the test says what every other member says and how
 * its kernel answers, and reads all that the machine does. For cases of one message; protocols
 * between several machines are played in `membership-world.ts`.
 */
import type {
  AliveBody,
  Member,
  MemberEvent,
  MembershipEffect,
  MembershipInput
} from '../../gossip/core/membership/api.ts'
import {
  MEMBERSHIP_PRESETS,
  type MembershipKnobs,
  membershipConfig
} from '../../gossip/core/membership/config.ts'
import { Membership } from '../../gossip/core/membership/membership.ts'
import {
  type AlertBody,
  type ForgetBody,
  type LeaveBody,
  type MembershipMessage,
  type ObituaryBody,
  type Report,
  type RosterRow,
  readMembershipMessage
} from '../../gossip/core/membership/message.ts'
import { ObserverGraph } from '../../gossip/core/membership/observers.ts'
import type { Claim } from '../../gossip/core/membership/precedence.ts'
import { SeededRandom } from '../../gossip/core/random.ts'
import type { Signed } from '../../gossip/core/signed.ts'
import type { MemberState, NodeId } from '../../gossip/core/types.ts'
import { codec, sealerOf } from './membership-host.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface PuppetsInit {
  /** Members in all, the machine among them. */
  readonly count: number
  readonly seed?: number
  readonly knobs?: Partial<MembershipKnobs>
  readonly persisted?: readonly { readonly key: string; readonly value: Uint8Array }[]
  /** The roster that the first peer answers with. */
  readonly rows?: readonly RosterRow[]
}

export interface Sent {
  readonly atMs: number
  readonly to: NodeId
  readonly message: MembershipMessage
}

export const LAN = MEMBERSHIP_PRESETS.lan
/** The boot id of every puppet's first life. */
export const BOOT = 'b'.repeat(32)
const OWN_BOOT = 'a'.repeat(32)

export type Alive = Partial<Omit<AliveBody, 'kind' | 'node' | 'incarnation'>>

/** A member's signed word about itself. */
export function alive(node: NodeId, incarnation: number, rest: Alive = {}): Signed<AliveBody> {
  return sealerOf(node).seal({
    kind: 'alive',
    node,
    incarnation,
    boot: BOOT,
    name: node,
    addresses: [`/ip4/10.0.0.1/tcp/1/${node}`],
    phase: 'steady',
    ...rest
  })
}

export function leave(node: NodeId, incarnation: number): Signed<LeaveBody> {
  return sealerOf(node).seal({ kind: 'leave', node, incarnation })
}

export function obituary(
  author: NodeId,
  subject: NodeId,
  incarnation: number
): Signed<ObituaryBody> {
  return sealerOf(author).seal({ kind: 'obituary', node: author, subject, incarnation })
}

export function forget(author: NodeId, node: NodeId, incarnation: number): Signed<ForgetBody> {
  return sealerOf(author).seal({ kind: 'forget', node, last: alive(node, incarnation) })
}

export class Puppets {
  readonly self: NodeId = 'n0000'
  /** The other members, `n0001` and on. */
  readonly others: readonly NodeId[]
  readonly machine: Membership
  readonly graph: ObserverGraph
  /** Who sends heartbeats: all, until the test says otherwise. */
  readonly beating: Set<NodeId>
  /** How kernels answer a knock. Without an entry: not at all. */
  readonly doors = new Map<NodeId, 'refused' | 'accepted'>()
  readonly sent: Sent[] = []
  readonly events: MemberEvent[] = []
  readonly effects: MembershipEffect[] = []
  readonly disk = new Map<string, Uint8Array>()
  readonly #clock = new VirtualClock()
  readonly #sequences = new Map<NodeId, number>()
  #asleep: MembershipInput[] | undefined

  /** A mesh that has settled: all linked, all heard, the machine's own incarnation is 1. */
  constructor({ count, seed = 1, knobs = {}, persisted = [], rows = [] }: PuppetsInit) {
    this.others = Array.from({ length: count - 1 }, (_, index) => puppet(index + 1))
    this.graph = new ObserverGraph([this.self, ...this.others])
    this.beating = new Set(this.others)
    const identity = { boot: OWN_BOOT, name: this.self, addresses: ['/ip4/10.0.0.1/tcp/1/n0000'] }
    const config = membershipConfig('lan', identity, { fullMeshMax: 64, ...knobs })
    const components = { random: new SeededRandom(seed), sealer: sealerOf(this.self), codec }
    this.machine = new Membership(components, config)
    this.input({ kind: 'start', persisted })
    for (const id of this.others) this.link(id)
    for (const id of this.others) this.say(id, { kind: 'alive', alive: alive(id, 1) })
    const [first] = this.others
    if (first !== undefined) this.say(first, page(rows))
    const beat = (): void => {
      for (const id of this.beating) this.say(id, { kind: 'heartbeat' })
      this.#clock.schedule(config.heartbeatMs, beat)
    }
    beat()
    this.run(3_000)
    this.forgetThePast()
  }

  get nowMs(): number {
    return this.#clock.nowMs()
  }

  /** The first of those that the machine observes. */
  get subject(): NodeId {
    return [...this.graph.subjects(this.self)].sort()[0] as NodeId
  }

  /** All but the machine and `x`. */
  without(x: NodeId): NodeId[] {
    return this.others.filter(id => id !== x)
  }

  /** What was sent and told so far is of no interest. */
  forgetThePast(): void {
    for (const list of [this.sent, this.events, this.effects]) list.length = 0
  }

  run(ms: number): void {
    this.#clock.run(ms)
  }

  /** The process is not scheduled for so long; what waits comes after it. */
  stall(ms: number): void {
    const waiting: MembershipInput[] = []
    this.#asleep = waiting
    this.run(ms)
    this.#asleep = undefined
    // Timers that are overdue run before the sockets are read, as in libuv.
    const timers = waiting.filter(input => input.kind === 'timer')
    for (const input of [...timers, ...waiting.filter(one => one.kind !== 'timer')]) {
      this.input(input)
    }
  }

  input(input: MembershipInput): void {
    if (this.#asleep !== undefined) {
      this.#asleep.push(input)
      return
    }
    for (const effect of this.machine.handle(input, this.nowMs)) this.#one(effect)
  }

  /** `at`: whose address it has. */
  link(peer: NodeId, boot: string = BOOT, at: NodeId = peer): void {
    const addresses = [`/ip4/10.0.0.1/tcp/1/${at}`]
    const hello = { boot, incarnation: 1, name: peer, addresses }
    this.input({ kind: 'link', peer, state: 'open', ...hello })
  }

  unlink(peer: NodeId): void {
    this.beating.delete(peer)
    this.input({ kind: 'link', peer, state: 'closed' })
  }

  /** One message, which must be one that a real peer could send. */
  say(from: NodeId, message: MembershipMessage): void {
    if (readMembershipMessage(message) === undefined) throw new Error(`bad ${message.kind}`)
    this.input({ kind: 'message', from, message })
  }

  /** `author` reports these, its newest alert yet, and brings it itself. */
  alert(author: NodeId, reports: readonly Partial<Report>[], from: NodeId = author): void {
    const sequence = (this.#sequences.get(author) ?? 0) + 1
    this.#sequences.set(author, sequence)
    const full = reports.map(
      (report): Report => ({
        node: puppet(1),
        incarnation: 1,
        evidence: 'silent',
        due: true,
        ...report
      })
    )
    const body: AlertBody = {
      kind: 'alert',
      node: author,
      incarnation: this.member(author)?.incarnation ?? 1,
      sequence,
      reports: full
    }
    this.say(from, { kind: 'alert', alert: sealerOf(author).seal(body) })
  }

  /** The words of `by` that make a claim about `x`, as they are said on the wire. */
  claim(x: NodeId, by: readonly NodeId[], { state, incarnation }: Claim): void {
    const [from] = by as [NodeId]
    const word = alive(x, incarnation)
    switch (state) {
      case 'alive':
        return this.say(from, { kind: 'alive', alive: word })
      case 'left':
        return this.say(from, { kind: 'leave', leave: leave(x, incarnation) })
      case 'suspect':
        for (const id of by) this.alert(id, [{ node: x, incarnation, due: false }])
        return
      case 'dead':
        for (const id of by) {
          this.say(id, { kind: 'obituary', obituary: obituary(id, x, incarnation), alive: word })
          this.alert(id, [{ node: x, incarnation, due: true }])
        }
    }
  }

  member(id: NodeId): Member | undefined {
    return this.machine.members().get(id)
  }

  state(id: NodeId): MemberState | undefined {
    return this.member(id)?.state
  }

  /** Kinds of what was sent, to one or to all. */
  said(kind: MembershipMessage['kind'], to?: NodeId): Sent[] {
    return this.sent.filter(one => one.message.kind === kind && (to ?? one.to) === one.to)
  }

  /** States that a member was told to turn to. */
  turns(id: NodeId): MemberState[] {
    return this.events.flatMap(event => {
      if (event.kind !== 'member' || event.member.id !== id) return []
      return event.previous?.state === event.member.state ? [] : [event.member.state]
    })
  }

  #one(effect: MembershipEffect): void {
    this.effects.push(effect)
    switch (effect.kind) {
      case 'send':
        this.sent.push({ atMs: this.nowMs, to: effect.to, message: effect.message })
        return
      case 'schedule':
        this.#clock.schedule(effect.afterMs, () =>
          this.input({ kind: 'timer', timer: effect.timer })
        )
        return
      case 'notify':
        this.events.push(effect.event)
        return
      case 'persist':
        for (const { key, value } of effect.records) {
          if (value === null) this.disk.delete(key)
          else this.disk.set(key, value)
        }
        return
      case 'disconnect':
        this.#clock.schedule(1, () => this.unlink(effect.peer))
        return
      case 'knock': {
        const { peer, token } = effect
        const outcome = this.doors.get(peer) ?? 'nothing'
        this.#clock.schedule(outcome === 'nothing' ? 500 : 1, () =>
          this.input({ kind: 'knocked', peer, token, outcome })
        )
      }
    }
  }
}

/** A settled mesh in which the first that the machine observes says nothing from now on. */
export function quiet(count: number, init: Partial<PuppetsInit> = {}): { p: Puppets; x: NodeId } {
  const p = new Puppets({ count, seed: count, ...init })
  p.beating.delete(p.subject)
  return { p, x: p.subject }
}

export function puppet(index: number): NodeId {
  return `n${String(index).padStart(4, '0')}`
}

/** The last page of a peer's roster. */
export function page(rows: readonly RosterRow[]): MembershipMessage {
  return { kind: 'roster', rows, forgets: [], want: [], done: true }
}
