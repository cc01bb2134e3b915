/**
 * What we know first hand of members that fell silent: asks others (rule 3), knocks (rule 4) and
 * keeps one `Watch` an episode. Judging is elsewhere (`verdict.ts`). Every living member whose
 * link broke is watched; silence on an open link counts only for our subjects.
 */
import type { NodeId } from '../types.ts'
import type { MembershipInput } from './api.ts'
import type { Context } from './context.ts'
import type { Links } from './links.ts'
import type { Roster } from './members.ts'
import type { MembershipMessage, Report } from './message.ts'
import type { ObserverGraph } from './observers.ts'
import { heldBack, isDue, NEVER_MS, newWatch, silentMs, type Watch } from './watch.ts'

/** SWIM's k, memberlist's IndirectChecks. */
const ASKED_MAX = 3

export interface SuspicionComponents {
  readonly context: Context
  readonly roster: Roster
  readonly links: Links
  readonly graph: () => ObserverGraph
  /** A dial is worth a try now: the port accepts. */
  readonly dial: (peer: NodeId) => void
}

export class Suspicion {
  readonly #c: SuspicionComponents
  readonly #watches = new Map<NodeId, Watch>()
  /** Nobody is due before (awake clock): announced restarts. */
  readonly #restarts = new Map<NodeId, number>()
  /** What we reported of those that died, until (awake clock) all had time to decide alike. */
  readonly #epitaphs = new Map<NodeId, { readonly report: Report; readonly untilMs: number }>()
  /** Since when (awake clock) subjects are due a probe: no link with them, nothing known. */
  readonly #unmet = new Map<NodeId, number>()
  #knockToken = 0

  constructor(components: SuspicionComponents) {
    this.#c = components
  }

  get watches(): ReadonlyMap<NodeId, Watch> {
    return this.#watches
  }

  /** Nobody is silent, and no report outlives its subject. */
  get calm(): boolean {
    return this.#watches.size === 0 && this.#epitaphs.size === 0
  }

  /** True while any subject of ours is silent, vetoed or not: we beacon. */
  get troubled(): boolean {
    const { context, graph } = this.#c
    const subjects = graph().subjects(context.self)
    for (const { subject, stage, quietMs } of this.#watches.values()) {
      if (!subjects.has(subject)) continue
      const quiet = context.awakeMs - (quietMs ?? context.awakeMs)
      if (stage !== 'waiting' || quiet >= context.config.silenceSuspectMs) return true
    }
    return false
  }

  /** We suspect it ourselves. */
  suspects(subject: NodeId): boolean {
    return this.#watches.get(subject)?.stage === 'reported'
  }

  /** It was heard, or proven to live, too lately for another's alert to count here. */
  vouches(subject: NodeId): boolean {
    const { context, links } = this.#c
    const { silenceSuspectMs } = context.config
    const link = links.get(subject)
    if (link !== undefined && context.awakeMs - link.heardMs < silenceSuspectMs) return true
    const provenMs = this.#watches.get(subject)?.provenMs
    return provenMs !== undefined && context.awakeMs - provenMs < silenceSuspectMs
  }

  grade(subject: NodeId): 'none' | 'suspect' | 'due' {
    const watch = this.#watches.get(subject)
    if (watch?.stage !== 'reported') return 'none'
    return this.#due(watch) ? 'due' : 'suspect'
  }

  /** What we report now: suspects that we observe, and those that died of it just now. */
  reports(): Report[] {
    const { context, roster, graph } = this.#c
    const subjects = graph().subjects(context.self)
    const reports: Report[] = []
    for (const [subject, { report, untilMs }] of this.#epitaphs) {
      if (context.awakeMs < untilMs) reports.push(report)
      else this.#epitaphs.delete(subject)
    }
    for (const subject of [...this.#watches.keys()].sort()) {
      const watch = this.#watches.get(subject) as Watch
      const member = roster.get(subject)
      if (watch.stage !== 'reported' || !subjects.has(subject) || member === undefined) continue
      const { incarnation } = member
      const due = this.#due(watch)
      reports.push({ node: subject, incarnation, evidence: watch.evidence, due })
    }
    return reports
  }

  /** Any message of it came: the episode is over. */
  heard(peer: NodeId): void {
    if (!this.#watches.delete(peer)) return
    this.#c.roster.opine(peer, { directPath: true, daemonGone: false })
  }

  /**
   * It died to us. Withdrawing our report with it would leave slower judges a vote short; worse, an
   * observer that reports nothing vouches for it, and brings all of the other side back to mine.
   */
  died(subject: NodeId): void {
    const { context, graph, roster } = this.#c
    const incarnation = roster.get(subject)?.incarnation
    const evidence = this.#watches.get(subject)?.evidence ?? 'silent'
    this.end(subject)
    if (incarnation === undefined || !graph().subjects(context.self).has(subject)) return
    const report: Report = { node: subject, incarnation, evidence, due: true }
    const untilMs = context.awakeMs + 2 * context.config.sideMs
    this.#epitaphs.set(subject, { report, untilMs })
  }

  /** No longer a living member. */
  end(subject: NodeId): void {
    this.#watches.delete(subject)
    this.#restarts.delete(subject)
  }

  /** A new incarnation: signed after whatever we suspected, so it is a proof of life. */
  refuted(subject: NodeId, restartMs: number | undefined): void {
    const { context } = this.#c
    this.#restarts.delete(subject)
    // One of those that we buried lives: it was a cut, and the rest need not hear that it is dead.
    if (this.#epitaphs.has(subject)) this.#epitaphs.clear()
    if (restartMs !== undefined) this.#restarts.set(subject, context.awakeMs + restartMs)
    const watch = this.#watches.get(subject)
    if (watch !== undefined) this.#prove(watch, context.awakeMs)
  }

  /** Its link broke, or a dial failed: knock at once. */
  broken(subject: NodeId, quietMs: number | undefined): void {
    const { context, roster } = this.#c
    if (subject === context.self || !roster.lives(subject)) return
    let watch = this.#watches.get(subject)
    if (watch === undefined) {
      watch = newWatch(subject, quietMs)
      this.#watches.set(subject, watch)
    }
    // A refused knock is repeated by the tick.
    if (watch.refusedMs === undefined) this.#knock(watch)
  }

  /** A dial to it failed: from now on its silence counts. */
  unreachable(subject: NodeId): void {
    this.broken(subject, this.#c.context.awakeMs)
    const watch = this.#watches.get(subject)
    if (watch !== undefined) watch.quietMs ??= this.#c.context.awakeMs
  }

  knocked(input: Extract<MembershipInput, { kind: 'knocked' }>): boolean {
    const { context, roster } = this.#c
    const watch = this.#watches.get(input.peer)
    if (watch === undefined || watch.knockToken !== input.token) return false
    const gone = input.outcome === 'refused'
    watch.refusedMs = gone ? (watch.refusedMs ?? context.awakeMs) : undefined
    roster.opine(input.peer, { daemonGone: gone })
    switch (input.outcome) {
      case 'refused':
        watch.quietMs ??= context.awakeMs
        watch.evidence = 'refused'
        watch.stage = 'reported'
        break
      case 'accepted':
        if (watch.unmet && watch.quietMs === undefined) return this.#excuse(watch)
        watch.evidence = 'frozen'
        this.#renew(watch)
        break
      case 'nothing':
        watch.quietMs ??= watch.knockedMs
        watch.evidence = 'silent'
    }
    return true
  }

  /** It lives, and only waits for its turn to be dialled. */
  #excuse({ subject }: Watch): true {
    this.#unmet.set(subject, this.#c.context.awakeMs)
    this.end(subject)
    return true
  }

  /** Starts and advances episodes. Call once a tick, never right after a lag. */
  tick(): void {
    const { context, links, roster, graph } = this.#c
    const { config, awakeMs } = context
    const subjects = graph().subjects(context.self)
    for (const subject of this.#unmet.keys()) {
      if (!subjects.has(subject) || links.has(subject)) this.#unmet.delete(subject)
    }
    for (const subject of subjects) {
      if (this.#watches.has(subject) || !roster.lives(subject)) continue
      const link = links.get(subject)
      const quiet = awakeMs - (link?.heardMs ?? this.#unmetSince(subject))
      // Without a link it may only wait for its turn to be dialled.
      if (quiet < (link === undefined ? config.silenceDeadMs : config.silenceSuspectMs)) continue
      // It may not know yet that we observe it: without a heartbeat ever, a probe must fail first.
      const quietMs = link?.beats === true ? link.heardMs : undefined
      this.#watches.set(subject, newWatch(subject, quietMs, link === undefined))
    }
    for (const watch of this.#watches.values()) this.#advance(watch)
  }

  #unmetSince(subject: NodeId): number {
    const { awakeMs } = this.#c.context
    const sinceMs = this.#unmet.get(subject) ?? awakeMs
    this.#unmet.set(subject, sinceMs)
    return sinceMs
  }

  #advance(watch: Watch): void {
    const { context } = this.#c
    const { config, awakeMs } = context
    const silent = silentMs(watch, awakeMs)
    if (watch.stage === 'waiting') {
      const held = heldBack(watch, config, awakeMs)
      if (silent >= config.silenceSuspectMs && !held) {
        watch.stage = 'asking'
        this.#ask(watch)
        if (watch.unanswered.size === 0) this.#conclude(watch)
      } else if (watch.quietMs === undefined) this.#knockAgain(watch)
      return
    }
    this.#knockAgain(watch)
    if (watch.stage === 'asking') {
      if (awakeMs - watch.askedMs >= config.probeMs) this.#conclude(watch)
    } else if (awakeMs - watch.askedMs >= config.heartbeatMs) this.#ask(watch)
  }

  #conclude(watch: Watch): void {
    const { config, awakeMs } = this.#c.context
    const proven = silentMs(watch, awakeMs) < config.silenceSuspectMs
    watch.stage = proven || heldBack(watch, config, awakeMs) ? 'waiting' : 'reported'
  }

  #ask(watch: Watch): void {
    const { context, links, graph } = this.#c
    const { subject } = watch
    const others = (ids: Iterable<NodeId>): NodeId[] =>
      [...ids].filter(id => id !== context.self && id !== subject && links.has(id)).sort()
    const observers = others(graph().observers(subject)).filter(id => !this.#watches.has(id))
    const asked = context.sample(observers, ASKED_MAX)
    watch.nonce = context.random.hex(16)
    watch.askedMs = context.awakeMs
    watch.unanswered = new Set(asked)
    context.stats.asks += asked.length
    for (const id of asked) {
      context.send(id, { kind: 'ask', about: subject, nonce: watch.nonce })
    }
    this.#knockAgain(watch)
  }

  answered(from: NodeId, message: Extract<MembershipMessage, { kind: 'answer' }>): void {
    const { context } = this.#c
    const watch = this.#watches.get(message.about)
    if (watch?.nonce !== message.nonce || !watch.unanswered.delete(from)) {
      return context.drop('unasked')
    }
    if (message.heardAgoMs !== null) {
      const heardMs = context.awakeMs - message.heardAgoMs
      watch.freshMs = Math.max(watch.freshMs ?? heardMs, heardMs)
    }
    if (watch.stage === 'asking' && watch.unanswered.size === 0) this.#conclude(watch)
  }

  /** A signed answer, for us or for one that we are linked with. */
  proven(from: NodeId, message: Extract<MembershipMessage, { kind: 'proof' }>): void {
    const { context, links } = this.#c
    const { node, asker, nonce } = message.proof.body
    if (asker !== context.self) {
      // One step only: from the subject itself.
      if (from === node && links.has(asker)) context.send(asker, message)
      else context.drop('unasked')
      return
    }
    const watch = this.#watches.get(node)
    if (watch?.nonce !== nonce) return context.drop('unasked')
    this.#prove(watch, watch.askedMs)
  }

  #prove(watch: Watch, atMs: number): void {
    const { context, roster } = this.#c
    if (watch.stage === 'reported') context.stats.vetoes += 1
    watch.provenMs = Math.max(watch.provenMs ?? atMs, atMs)
    watch.refusedMs = undefined
    watch.stage = 'waiting'
    const linked = this.#c.links.has(watch.subject)
    const quiet = context.awakeMs - (watch.quietMs ?? context.awakeMs)
    const direct = linked && quiet < context.config.silenceSuspectMs
    roster.opine(watch.subject, { directPath: direct, daemonGone: false })
  }

  /** Its port accepts: a new link may do what a stalled or broken one does not. */
  #renew(watch: Watch): void {
    const { context, links, dial } = this.#c
    if (!links.has(watch.subject)) return dial(watch.subject)
    // Others may vouch for it all the while, and TCP try again as late as the path was broken.
    const quiet = context.awakeMs - (watch.quietMs ?? context.awakeMs)
    if (watch.reset || quiet < context.config.silenceDeadMs) return
    watch.reset = true
    context.emit({ kind: 'disconnect', peer: watch.subject })
  }

  #due(watch: Watch): boolean {
    const { config, awakeMs } = this.#c.context
    if (awakeMs < (this.#restarts.get(watch.subject) ?? 0)) return false
    return isDue(watch, config, awakeMs)
  }

  #knockAgain(watch: Watch): void {
    const { context } = this.#c
    if (context.awakeMs - watch.knockedMs >= context.config.knockMs) this.#knock(watch)
  }

  #knock(watch: Watch): void {
    const { context, links, roster } = this.#c
    const hello = links.addresses(watch.subject)
    const said = roster.get(watch.subject)?.addresses ?? []
    // Where it last said hello, for a wrong address keeps a knock from being refused. Once nothing
    // answers there it may have moved, or that hello was a clone's.
    const isWrong = watch.knockedMs > NEVER_MS && watch.evidence === 'silent'
    const addresses = hello.length > 0 && !isWrong ? hello : [...new Set([...hello, ...said])]
    if (addresses.length === 0) return
    this.#knockToken += 1
    watch.knockToken = this.#knockToken
    watch.knockedMs = context.awakeMs
    context.stats.knocks += 1
    context.emit({ kind: 'knock', peer: watch.subject, addresses, token: watch.knockToken })
  }
}
