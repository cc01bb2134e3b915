/**
 * The membership machine (`protocols.md` 2): inputs in, effects out. Pure: no socket, no clock, no
 * randomness of its own. This file only wires the parts and routes inputs to them.
 */
import { unreachable } from '../assert.ts'
import type { NodeId } from '../types.ts'
import { Alerts } from './alerts.ts'
import type { Member, MembershipCommand, MembershipEffect, MembershipInput } from './api.ts'
import { Awareness } from './awareness.ts'
import type { MembershipConfig } from './config.ts'
import { Context, type MembershipComponents, type MembershipStats } from './context.ts'
import { Dialer } from './dialer.ts'
import { Identity } from './identity.ts'
import { Links } from './links.ts'
import { Roster } from './members.ts'
import type { ForgetBody, MembershipMessage } from './message.ts'
import { News } from './news.ts'
import { Overlay } from './overlay.ts'
import { Survey } from './survey.ts'
import { Suspicion } from './suspicion.ts'
import { Sync } from './sync.ts'
import type { MembershipTimer } from './timer.ts'
import { Verdict } from './verdict.ts'
import { Witness } from './witness.ts'

/** A peer that is linked but returns no roster is waited for so long. */
const SNAPSHOT_MS = 5_000
const HEARTBEAT = { kind: 'heartbeat' } as const

export class Membership {
  readonly #context: Context
  readonly #roster: Roster
  readonly #links: Links
  readonly #overlay: Overlay
  readonly #identity: Identity
  readonly #dialer: Dialer
  readonly #suspicion: Suspicion
  readonly #witness: Witness
  readonly #survey: Survey
  readonly #alerts: Alerts
  readonly #verdict: Verdict
  readonly #sync: Sync
  readonly #news: News
  readonly #awareness: Awareness
  #startedMs: number | undefined
  #joined = false
  /** We knew others when we started: what we tell is of the mesh, also while we `join` it again. */
  #returns = false
  /** Who is in we may have forgotten, and nobody has told us since. */
  #forgetful = false
  /** Who asks for our roster while we have none to give: two that look for the mesh are none. */
  readonly #askers = new Map<NodeId, readonly number[]>()
  #tickToken = 0
  #beatMs = 0

  constructor(components: MembershipComponents, config: MembershipConfig) {
    const context = new Context(components, config)
    const roster = new Roster(context)
    const links = new Links(context)
    const overlay = new Overlay(context, roster)
    const base = { context, roster, links, overlay }
    const identity = new Identity(base)
    const dialer = new Dialer(base)
    const dial = (peer: NodeId): void => dialer.dial(peer)
    const suspicion = new Suspicion({ ...base, graph: () => overlay.graph, dial })
    const alerts = new Alerts({ ...base, suspicion })
    const survey = new Survey({ ...base, originators: () => alerts.originators(), dial })
    const verdict = new Verdict({ ...base, suspicion, alerts, survey })
    this.#context = context
    this.#roster = roster
    this.#links = links
    this.#overlay = overlay
    this.#identity = identity
    this.#dialer = dialer
    this.#suspicion = suspicion
    this.#witness = new Witness(base)
    this.#survey = survey
    this.#alerts = alerts
    this.#verdict = verdict
    this.#sync = new Sync({ ...base, settled: () => identity.settled })
    this.#news = new News({ ...base, identity, suspicion, alerts, verdict, dialer })
    this.#awareness = new Awareness(context)
  }

  /** The only entry. `nowMs` never goes back. Effects are to be executed in order. */
  handle(input: MembershipInput, nowMs: number): MembershipEffect[] {
    const pausedMs = this.#awareness.advance(nowMs)
    if (this.#identity.left) return this.#goodbye(input)
    if (pausedMs > 0) this.#resume(pausedMs)
    this.#take(input)
    if (this.#overlay.fullMesh) this.#rewire()
    if (this.#identity.settled) this.#alerts.update()
    return this.#context.take()
  }

  /** We have left and are about to end: a newcomer that asked us first learns of the others. */
  #goodbye(input: MembershipInput): MembershipEffect[] {
    if (input.kind === 'message' && input.message.kind === 'digest' && !this.#isOutside) {
      this.#sync.digest(input.from, input.message.buckets)
    }
    return this.#context.take()
  }

  /** A newcomer that waits for a roster has none to give. */
  get #isOutside(): boolean {
    return this.#dialer.joining && !this.#returns
  }

  members(): ReadonlyMap<NodeId, Member> {
    return this.#roster.members
  }

  /** Our own row; provisional until the `incarnation` event. Asserts before `start`. */
  self(): Member {
    return this.#identity.self()
  }

  stats(): Readonly<MembershipStats> & { readonly links: number; readonly watches: number } {
    const { stats } = this.#context
    return { ...stats, links: this.#links.size, watches: this.#suspicion.watches.size }
  }

  #take(input: MembershipInput): void {
    switch (input.kind) {
      case 'start':
        return this.#start(input)
      case 'message':
        return this.#message(input.from, input.message)
      case 'timer':
        return this.#timer(input.timer)
      case 'link':
        return this.#link(input)
      case 'knocked': {
        if (!this.#survey.knocked(input)) this.#suspicion.knocked(input)
        return this.#verdict.judge(false)
      }
      case 'command':
        return this.#command(input.command)
      default:
        return unreachable(input)
    }
  }

  #start({ persisted, amnesiac = false }: Extract<MembershipInput, { kind: 'start' }>): void {
    const context = this.#context
    this.#forgetful = amnesiac
    this.#startedMs = context.nowMs
    this.#identity.begin(this.#roster.restore(persisted))
    this.#returns = this.#roster.members.size > 1
    this.#rewire()
    this.#beatMs = context.nowMs + context.random.int(context.config.heartbeatMs)
    this.#dialer.restored()
    this.#schedule()
  }

  #timer(timer: MembershipTimer): void {
    switch (timer.kind) {
      case 'tick':
        if (timer.token === this.#tickToken) this.#tick()
        return
      case 'flush':
        return this.#alerts.flush(timer.token)
      default:
        return unreachable(timer)
    }
  }

  #tick(): void {
    this.#settle()
    this.#beat()
    this.#links.tellNewcomers()
    this.#roster.secure()
    if (this.#awareness.mayJudge()) {
      this.#suspicion.tick()
      this.#survey.tick()
      this.#verdict.judge(true)
    }
    this.#rewire()
    this.#dialer.tick()
    this.#sync.tick()
    this.#schedule()
  }

  #schedule(): void {
    this.#tickToken += 1
    const timer = { kind: 'tick', token: this.#tickToken } as const
    this.#context.emit({ kind: 'schedule', afterMs: this.#context.config.tickMs, timer })
  }

  /** Alone, or with a peer that does not answer: goes on without its roster. */
  #settle(): void {
    if (this.#joined || this.#startedMs === undefined) return
    const waitedMs = this.#context.nowMs - this.#startedMs
    // Whoever was told to join has nothing to go on with before it has joined.
    if (this.#dialer.joining) return
    const peers = this.#links.peers().some(peer => this.#roster.get(peer) !== undefined)
    if (waitedMs >= (peers ? SNAPSHOT_MS : this.#context.config.aloneMs)) this.#join()
  }

  #join(): void {
    this.#identity.settle()
    if (this.#joined) return
    this.#joined = true
    this.#roster.joined()
    this.#dialer.joined()
    this.#rewire()
    this.#sync.start()
    this.#answer()
    this.#context.notify({ kind: 'joined' })
  }

  #answer(): void {
    const askers = [...this.#askers]
    this.#askers.clear()
    for (const [peer, buckets] of askers) this.#asked(peer, buckets)
  }

  #beat(): void {
    const context = this.#context
    if (!this.#identity.settled || context.nowMs < this.#beatMs) return
    const { heartbeatMs } = context.config
    this.#beatMs = Math.max(this.#beatMs + heartbeatMs, context.nowMs + heartbeatMs / 2)
    for (const peer of this.#overlay.graph.observers(context.self)) {
      if (this.#links.has(peer)) context.send(peer, HEARTBEAT)
    }
  }

  /** Rule 2: we were not scheduled. Tell all that we live and ask what we missed. */
  #resume(pausedMs: number): void {
    this.#context.notify({ kind: 'paused', pausedMs })
    if (!this.#identity.settled) return
    for (const peer of this.#links.peers()) this.#context.send(peer, HEARTBEAT)
    const [peer] = this.#context.sample(this.#links.peers(), 1)
    if (peer !== undefined) this.#sync.greet(peer)
  }

  #rewire(): void {
    if (this.#overlay.refresh()) this.#links.rewire(this.#overlay.graph)
  }

  #link(input: Extract<MembershipInput, { kind: 'link' }>): void {
    const { peer, state } = input
    switch (state) {
      case 'open': {
        if (peer === this.#context.self) return this.#identity.met(input.boot, input.addresses)
        if (!this.#links.open(input)) return
        this.#dialer.opened(peer)
        this.#suspicion.heard(peer)
        if (this.#identity.settled) {
          this.#context.send(peer, { kind: 'alive', alive: this.#identity.self().alive })
          // Silence counts from the first heartbeat: a cut right after this one is noticed in time.
          if (this.#overlay.graph.observers(this.#context.self).has(peer)) {
            this.#context.send(peer, HEARTBEAT)
          }
          this.#alerts.greet(peer)
        }
        this.#sync.greet(peer)
        return this.#verdict.judge(false)
      }
      case 'closed': {
        const link = this.#links.close(peer)
        this.#askers.delete(peer)
        if (link !== undefined) {
          this.#dialer.closed(peer, this.#context.awakeMs - link.openedMs)
          this.#suspicion.broken(peer, link.beats ? link.heardMs : undefined)
        }
        return
      }
      case 'refused':
      case 'failed': {
        this.#dialer.failed(peer)
        if (this.#links.has(peer)) return
        if (state === 'refused') this.#suspicion.broken(peer, undefined)
        else this.#suspicion.unreachable(peer)
        return
      }
      default:
        return unreachable(state)
    }
  }

  /**
   * A newcomer gets a roster with ourselves in it: not before our own row is for others, and from
   * one that may have forgotten who is in not before another has told it. The two would be a mesh
   * beside the mesh.
   */
  #asked(from: NodeId, buckets: readonly number[]): void {
    const isNew = this.#roster.get(from) === undefined
    // Who knows nobody (the first of a mesh) has nothing that would let it in without ourselves.
    const isEarly = !this.#joined && this.#roster.members.size > 1
    if (this.#isOutside || (isNew && (isEarly || this.#forgetful))) this.#askers.set(from, buckets)
    else this.#sync.digest(from, buckets)
  }

  #message(from: NodeId, message: MembershipMessage): void {
    const link = this.#links.get(from)
    if (link === undefined) return this.#context.drop('unlinked')
    link.heardMs = this.#context.awakeMs
    if (message.kind === 'heartbeat') link.beats = true
    this.#suspicion.heard(from)
    switch (message.kind) {
      case 'heartbeat':
        return
      case 'digest':
        return this.#asked(from, message.buckets)
      case 'roster':
        this.#news.rows(from, message.rows, message.forgets, this.#joined)
        if (message.done) {
          this.#forgetful = false
          this.#join()
          this.#answer()
        }
        return this.#sync.wanted(from, message.want)
      case 'ask':
      case 'challenge':
        return this.#identity.settled ? this.#witness.asked(from, message) : undefined
      case 'answer':
        return this.#suspicion.answered(from, message)
      case 'proof':
        return this.#suspicion.proven(from, message)
      default:
        return this.#news.take(from, message)
    }
  }

  #command(command: MembershipCommand): void {
    switch (command.kind) {
      case 'join':
        return this.#dialer.join(command.addresses)
      case 'leave':
        return this.#identity.leave()
      case 'restarting':
        return this.#identity.phase('restarting', command.restartMs)
      case 'phase':
        return this.#identity.phase(command.phase)
      case 'addresses':
        return this.#identity.addresses(command.addresses)
      case 'forget': {
        const last = this.#roster.lastWord(command.node)
        if (last === undefined || command.node === this.#context.self) return
        const body: ForgetBody = { kind: 'forget', node: command.node, last }
        return this.#news.forget(this.#context.sealer.seal(body), [])
      }
      default:
        return unreachable(command)
    }
  }
}
