/**
 * One node's decisions, whole and pure. Routes each input to the core it is for, feeds what the
 * cores say into the view, and evaluates: view -> placement -> claims -> next actions.
 * Level-triggered and coalesced: inputs mark things dirty, one wake-up evaluates them.
 */
import { assert } from '../../gossip/core/assert.ts'
import type { MemberEvent, MembershipEffect } from '../../gossip/core/membership/api.ts'
import { Membership } from '../../gossip/core/membership/membership.ts'
import { readMembershipMessage } from '../../gossip/core/membership/message.ts'
import type {
  ReplicationCommand,
  ReplicationEffect,
  ReplicationEvent,
  SharedEntry
} from '../../gossip/core/replication/api.ts'
import { readReplicationMessage } from '../../gossip/core/replication/message.ts'
import { Replica } from '../../gossip/core/replication/replica.ts'
import type { NodeId } from '../../gossip/core/types.ts'
import type { RuntimeName, WorkloadSpec } from '../../src/spec/workload.ts'
import { describe } from '../reconcile/action.ts'
import type {
  AgentComponents,
  AgentEffect,
  AgentEvent,
  AgentInit,
  AgentInput,
  AgentTimer,
  Prepared,
  Refusal,
  Submission
} from './api.ts'
import { Evaluation } from './evaluation.ts'
import { Gate } from './gate.ts'
import { EIGHTHS_FULL } from './load-factor.ts'
import { Pacing } from './pacing.ts'
import { Placing } from './placing.ts'
import { allocKey, readWorkloadRecord } from './records.ts'
import { Slots } from './slots.ts'
import { Submissions } from './submissions.ts'
import { View } from './view.ts'

export class Agent {
  readonly self: NodeId
  readonly view: View
  readonly membership: Membership
  readonly replica: Replica
  readonly placing: Placing
  readonly slots: Slots
  readonly pacing: Pacing
  readonly #components: AgentComponents
  readonly #gate: Gate
  readonly #evaluation: Evaluation
  readonly #submissions: Submissions
  /** Keys that we hold since the start. */
  readonly #said = new Set<string>()
  #effects: AgentEffect[] = []
  #nowMs = 0
  #wakeAtMs = Number.POSITIVE_INFINITY
  #wakeToken = 0
  #braking = false
  #rosterChanged = false

  constructor(components: AgentComponents, init: AgentInit) {
    this.self = components.sealer.self
    this.#components = components
    this.#gate = new Gate({ config: init.agent })
    this.view = new View({ readSpec: components.readSpec })
    this.membership = new Membership(components, init.membership)
    this.replica = new Replica(components, { boot: init.membership.boot })
    this.placing = new Placing({ view: this.view }, { salt: init.mesh })
    this.slots = new Slots({ config: init.agent })
    this.pacing = new Pacing({ config: init.agent })
    this.#evaluation = new Evaluation({
      self: this.self,
      mesh: init.mesh,
      config: init.agent,
      random: components.random,
      view: this.view,
      placing: this.placing,
      slots: this.slots,
      pacing: this.pacing,
      removed: uid => this.replica.removed(uid)
    })
    this.#submissions = new Submissions({ ...components, view: this.view, replica: this.replica })
  }

  /** True once this node may claim, start and stop. */
  get ready(): boolean {
    return this.#gate.ready
  }

  get amnesiac(): boolean {
    return this.#gate.amnesiac
  }

  /** The spec inside a workload register's bytes; null when there is none. */
  specOf(value: Uint8Array | null): WorkloadSpec | null {
    return readWorkloadRecord(this.#decode(value), this.#components.readSpec)?.spec ?? null
  }

  /** What a submission would write now, without writing it. */
  preview(submission: Submission, operation: string): Prepared | Refusal {
    return this.#submissions.preview(submission, operation)
  }

  /** The only entry. `nowMs` never goes back. */
  handle(input: AgentInput, nowMs: number): AgentEffect[] {
    assert(nowMs >= this.#nowMs, 'time went back')
    this.#nowMs = nowMs
    this.#effects = []
    this.#take(input)
    this.#tellReplica()
    this.#plan()
    return this.#effects
  }

  #take(input: AgentInput): void {
    switch (input.kind) {
      case 'start':
        return this.#start(input)
      case 'frame':
        return this.#frame(input)
      case 'published': {
        const message = readReplicationMessage(input.message)
        if (message !== undefined) this.#replicate({ kind: 'message', from: undefined, message })
        return
      }
      case 'timer':
        return this.#timer(input.timer)
      case 'link':
      case 'knocked':
        if (input.kind === 'link' && (input.state === 'open' || input.state === 'closed')) {
          this.#replicate({ kind: 'link', peer: input.peer, state: input.state })
        }
        return this.#member(this.membership.handle(input, this.#nowMs))
      case 'membership': {
        const { command } = input
        if (command.kind === 'leave') this.#effects.push(...this.#submissions.end())
        return this.#member(this.membership.handle({ kind: 'command', command }, this.#nowMs))
      }
      case 'observed':
        return this.#observe(input)
      case 'done':
        return this.#done(input)
      case 'info':
        this.#publish('info', input.info)
        // Unsaid it counts as full: one record less of every newcomer for everybody.
        if (input.eighths === EIGHTHS_FULL && !this.view.loads.has(this.self)) return
        return this.#publish('load', { eighths: input.eighths })
      case 'leaving':
        return this.#submissions.leave(input.leaving)
      case 'submit': {
        const step = this.#submissions.submit(input)
        for (const command of step.commands) this.#command(command)
        this.#effects.push(...step.effects)
      }
    }
  }

  #observe(input: Extract<AgentInput, { kind: 'observed' }>): void {
    const { runtimes, instances, beganMs } = input
    for (const uid of this.slots.observe(runtimes, instances, beganMs)) {
      this.view.dirty.uids.add(uid)
    }
    const fresh = this.#gate.observe(runtimes)
    // An engine that comes up after us: only now is it known what of the last run is gone.
    if (this.#gate.ready && fresh.length > 0) this.#adopt(fresh)
  }

  #adopt(runtimes: readonly RuntimeName[]): void {
    this.#evaluation.adopt(runtimes, this.#nowMs, (key, value) => this.#publish(key, value))
  }

  /** What stands of the last run is said under our new incarnation; the rest becomes void. */
  #sayAgain(): void {
    for (const uid of [...this.view.claimed()]) {
      for (const { node, slot, record } of this.view.claims(uid)) {
        if (node === this.self) this.#publish(allocKey(uid, slot), record)
      }
    }
    this.#command({ kind: 'complete' })
  }

  #start(input: Extract<AgentInput, { kind: 'start' }>): void {
    const of = (prefixes: readonly string[]): typeof input.persisted =>
      input.persisted.filter(record => prefixes.some(prefix => record.key.startsWith(prefix)))
    const persisted = of(['own/', 'shared/', 'removed/', 'replica/'])
    this.#replicate({ kind: 'start', persisted, amnesiac: input.amnesiac })
    this.#gate.amnesiac = this.replica.amnesiac
    const start = { persisted: of(['member/']), amnesiac: this.replica.amnesiac }
    this.#member(this.membership.handle({ kind: 'start', ...start }, this.#nowMs))
  }

  #frame(input: Extract<AgentInput, { kind: 'frame' }>): void {
    if (input.channel === 'member') {
      const message = readMembershipMessage(input.message)
      if (message === undefined) return
      this.#member(
        this.membership.handle({ kind: 'message', from: input.from, message }, this.#nowMs)
      )
      return
    }
    const message = readReplicationMessage(input.message)
    if (message !== undefined) this.#replicate({ kind: 'message', from: input.from, message })
  }

  #timer(timer: AgentTimer): void {
    switch (timer.core) {
      case 'membership':
        return this.#member(
          this.membership.handle({ kind: 'timer', timer: timer.timer }, this.#nowMs)
        )
      case 'replication':
        return this.#replicate({ kind: 'timer', timer: timer.timer })
      case 'agent':
        if (timer.token !== this.#wakeToken) return
        this.#wakeAtMs = Number.POSITIVE_INFINITY
        this.#evaluate()
    }
  }

  #done(input: Extract<AgentInput, { kind: 'done' }>): void {
    if (!this.slots.done(input.action, input.outcome, this.#nowMs)) return
    this.view.dirty.uids.add(input.action.mark.uid)
    this.#event({
      kind: 'action',
      text: describe(input.action),
      failure: input.outcome.ok ? undefined : input.outcome.message
    })
  }

  #member(effects: readonly MembershipEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'notify') this.#memberEvent(effect.event)
      else if (effect.kind === 'schedule') {
        const timer: AgentTimer = { core: 'membership', timer: effect.timer }
        this.#effects.push({ kind: 'schedule', afterMs: effect.afterMs, timer })
      } else if (effect.kind !== 'publish') this.#effects.push(effect)
    }
  }

  #memberEvent(event: MemberEvent): void {
    this.#event({ kind: 'member', event })
    switch (event.kind) {
      case 'member': {
        const { id, state } = event.member
        this.#rosterChanged = true
        this.view.setMember(event.member)
        if (state === 'left') return this.pacing.left(id)
        return this.pacing.member(id, this.view.living(id), this.#nowMs)
      }
      case 'forgotten':
        this.#rosterChanged = true
        this.view.dropMember(event.node)
        return this.pacing.left(event.node)
      case 'incarnation':
        this.#tellReplica()
        return this.#command({ kind: 'incarnation', incarnation: event.incarnation })
      case 'joined':
        return this.#gate.joined(this.#nowMs)
      case 'paused':
        return this.#gate.paused(this.#nowMs)
      case 'clone':
        return
    }
  }

  #tellReplica(): void {
    if (this.#rosterChanged) this.#command({ kind: 'members', ...this.view.roster() })
    this.#rosterChanged = false
  }

  #command(command: ReplicationCommand): void {
    this.#replicate({ kind: 'command', command })
  }

  #replicate(input: Parameters<Replica['handle']>[0]): void {
    const effects: readonly ReplicationEffect[] = this.replica.handle(input, this.#nowMs)
    for (const effect of effects) {
      if (effect.kind === 'notify') this.#replicaEvent(effect.event)
      else if (effect.kind === 'schedule') {
        const timer: AgentTimer = { core: 'replication', timer: effect.timer }
        this.#effects.push({ kind: 'schedule', afterMs: effect.afterMs, timer })
      } else this.#effects.push(effect)
    }
  }

  #replicaEvent(event: ReplicationEvent): void {
    switch (event.kind) {
      case 'own':
        if (event.node !== this.self || this.#isNews(event)) {
          this.view.setOwn(event.node, event.key, this.#decode(event.value))
        }
        return
      case 'shared':
        return this.#shared(event.entry)
      case 'ack':
      case 'refused':
        this.#effects.push(...this.#submissions.answered(event))
        return
      case 'alarm':
        return this.#event({ kind: 'alarm', event })
      case 'resynced':
        this.#gate.amnesiac = false
    }
  }

  /** Of ourselves we know from ourselves; of an earlier life of this daemon from its records. */
  #isNews({ key, value }: Extract<ReplicationEvent, { kind: 'own' }>): boolean {
    return !this.#gate.ready || (value === null && !this.#said.has(key))
  }

  #shared(entry: SharedEntry): void {
    const body = entry.current?.body
    const losers = new Set(
      entry.conflicts.map(conflict => conflict.body.uid).filter(uid => uid !== body?.uid)
    )
    this.view.setShared({
      key: entry.key,
      uid: body?.uid,
      value: this.#decode(body?.value ?? null),
      losers: [...losers],
      conflicts: entry.conflicts.length
    })
  }

  #decode(value: Uint8Array | null): unknown {
    if (value === null) return null
    try {
      return this.#components.codec.decode(value)
    } catch {
      this.view.invalidCount += 1
      return null
    }
  }

  /** Says something of ourselves: to the view at once, to the others through replication. */
  #publish(key: string, value: unknown): void {
    this.view.setOwn(this.self, key, value)
    if (value === null) this.#said.delete(key)
    else this.#said.add(key)
    const bytes = value === null ? null : this.#components.codec.encode(value)
    this.#command({ kind: 'own', key, value: bytes })
  }

  #event(event: AgentEvent): void {
    this.#effects.push({ kind: 'event', event })
  }

  #evaluate(): void {
    if (!this.#mayAct()) return
    const result = this.#evaluation.run(this.#nowMs, (key, value) => this.#publish(key, value))
    // Nothing starts before its claim is on the disk: a crash leaves nothing that nobody knows.
    if (result.actions.length > 0) this.#command({ kind: 'flush' })
    for (const action of result.actions) this.#effects.push({ kind: 'run', action })
    for (const event of result.events) this.#event(event)
    const braking = this.pacing.brake(this.#nowMs) !== undefined
    if (braking !== this.#braking) this.#event({ kind: 'brake', on: braking })
    this.#braking = braking
    this.#gate.evaluated(this.#nowMs, result.claims)
    this.#wakeBy(this.#gate.notBefore(this.#nowMs + result.dueMs))
  }

  #mayAct(): boolean {
    // A peer that we only remember may know what we missed: it gets its time to answer.
    const members = [...this.view.members.values()]
    const alone = members.every(({ id, state }) => id === this.self || state === 'left')
    const verdict = this.#gate.ask(this.#nowMs, { alone, synced: this.replica.synced })
    if (!verdict.act) {
      if (verdict.afterMs !== undefined) this.#wakeBy(this.#nowMs + verdict.afterMs)
      return false
    }
    if (verdict.first) {
      this.#adopt(this.#gate.observed)
      this.#sayAgain()
      this.#event({ kind: 'ready' })
    }
    return true
  }

  /** After each input: wake up soon when anything is dirty. */
  #plan(): void {
    const { nodes, items, uids } = this.view.dirty
    const dirty = nodes.size + items.size + uids.size > 0
    const idle = this.#wakeAtMs === Number.POSITIVE_INFINITY
    if (!this.#gate.shut && (this.#gate.ready ? dirty : idle)) {
      this.#wakeBy(this.#gate.wakeAtMs(this.#nowMs))
    }
  }

  #wakeBy(atMs: number): void {
    if (atMs >= this.#wakeAtMs || !Number.isFinite(atMs)) return
    this.#wakeAtMs = atMs
    this.#wakeToken += 1
    const timer: AgentTimer = { core: 'agent', token: this.#wakeToken }
    this.#effects.push({ kind: 'schedule', afterMs: Math.max(1, atMs - this.#nowMs), timer })
  }
}
