/**
 * Our own row: settles the incarnation of this start, refutes what others say of us, notices a
 * clone. SWIM 4.2: only the member itself raises its incarnation.
 */
import { assert } from '../assert.ts'
import type { Signed } from '../signed.ts'
import type { BootId, Phase } from '../types.ts'
import type { AliveBody, Member } from './api.ts'
import type { Context } from './context.ts'
import type { Links } from './links.ts'
import type { Roster } from './members.ts'
import { INCARNATION_MAX, type LeaveBody } from './message.ts'

/** A foreign boot that outbids us so often answers to what we say: it lives. */
const OUTBID_MAX = 3
/** Who started so lately is the second of two clones. */
const YOUNG_MS = 10_000
/** Alerts about us may come from a liar: so far apart at least are the answers. */
const REFUTE_MS = 1_000

export interface IdentityComponents {
  readonly context: Context
  readonly roster: Roster
  readonly links: Links
}

export class Identity {
  readonly #c: IdentityComponents
  #incarnation = 0
  #settledMs: number | undefined
  #left = false
  #phase: Phase = 'steady'
  #restartMs: number | undefined
  #addresses: readonly string[]
  #refutedMs = Number.NEGATIVE_INFINITY
  #foreign: { boot: BootId; outbids: number; alarmedMs: number | undefined } | undefined

  constructor(components: IdentityComponents) {
    this.#c = components
    this.#addresses = components.context.config.addresses
  }

  get settled(): boolean {
    return this.#settledMs !== undefined
  }

  get left(): boolean {
    return this.#left
  }

  self(): Member {
    const member = this.#c.roster.get(this.#c.context.self)
    assert(member !== undefined, 'start is the first input')
    return member
  }

  /** `lastIncarnation` is what the disk holds. Nothing is published yet. */
  begin(lastIncarnation: number): void {
    this.#incarnation = lastIncarnation
    this.#c.roster.setOwn(this.#c.context.sealer.seal(this.#body('joining')), false)
  }

  /** A peer returned our newest record, or nobody is there: one above all that was ever seen. */
  settle(): void {
    if (this.settled) return
    this.#settledMs = this.#c.context.nowMs
    this.#raise(this.#incarnation)
    this.#c.context.notify({ kind: 'incarnation', incarnation: this.#incarnation })
  }

  /** Our own key's record, from another: the past, an old backup's future, or a clone. */
  seen(alive: Signed<AliveBody>): void {
    const { context } = this.#c
    const { boot, incarnation } = alive.body
    if (!this.settled || this.#left) {
      this.#incarnation = Math.max(this.#incarnation, incarnation)
      return
    }
    if (boot === context.config.boot || incarnation < this.#incarnation) return
    if (this.#foreign?.boot !== boot) {
      this.#foreign = { boot, outbids: 0, alarmedMs: undefined }
    }
    this.#foreign.outbids += 1
    if (this.#foreign.outbids >= OUTBID_MAX) {
      this.#clone(boot, alive.body.addresses)
      // Two that live outbid each other as fast as the network is.
      if (context.nowMs - this.#refutedMs < REFUTE_MS) return
      this.#refutedMs = context.nowMs
    }
    this.#raise(incarnation)
    context.notify({ kind: 'incarnation', incarnation: this.#incarnation })
  }

  /** Someone holds a word of ours of this life. */
  observe(incarnation: number): void {
    if (!this.settled) this.#incarnation = Math.max(this.#incarnation, incarnation)
  }

  /** Our key said hello to us: a clone, no doubt. */
  met(boot: BootId, addresses: readonly string[]): void {
    if (boot === this.#c.context.config.boot) return
    this.#foreign ??= { boot, outbids: OUTBID_MAX, alarmedMs: undefined }
    this.#clone(boot, addresses)
  }

  /** Somebody signed that we are dead, left or forgotten in life `incarnation`. */
  refute(incarnation: number): void {
    if (!this.settled || this.#left || incarnation !== this.#incarnation) return
    this.#c.context.stats.refutes += 1
    this.#raise(incarnation)
  }

  /** We were forgotten in life `incarnation`; an old backup of ours may not have come so far. */
  forgotten(incarnation: number): void {
    if (this.#left || incarnation < this.#incarnation) return
    if (!this.settled) this.#incarnation = incarnation
    else {
      this.#c.context.stats.refutes += 1
      this.#raise(incarnation)
    }
  }

  /** Somebody reports us: the same, but rarely, for it needs no proof. */
  reported(incarnation: number): void {
    const { nowMs } = this.#c.context
    if (incarnation !== this.#incarnation || nowMs - this.#refutedMs < REFUTE_MS) return
    this.#refutedMs = nowMs
    this.refute(incarnation)
  }

  phase(phase: Phase, restartMs?: number): void {
    this.#phase = phase
    this.#restartMs = restartMs
    this.#change()
  }

  addresses(addresses: readonly string[]): void {
    this.#addresses = addresses
    this.#change()
  }

  leave(): void {
    if (this.#left) return
    if (!this.settled) this.settle()
    this.#left = true
    this.#incarnation += 1
    const { context, roster, links } = this.#c
    const body: LeaveBody = { kind: 'leave', node: context.self, incarnation: this.#incarnation }
    const leave = context.sealer.seal(body)
    roster.takeLeave(leave)
    links.broadcast({ kind: 'leave', leave })
  }

  #change(): void {
    if (this.settled && !this.#left) this.#raise(this.#incarnation)
  }

  /** One above `seen`: to the disk, then to everybody. */
  #raise(seen: number): void {
    const { context, roster, links } = this.#c
    this.#incarnation = Math.min(INCARNATION_MAX, Math.max(this.#incarnation, seen) + 1)
    const alive = context.sealer.seal(this.#body(this.#phase))
    roster.setOwn(alive, true)
    links.broadcast({ kind: 'alive', alive })
  }

  #clone(boot: BootId, addresses: readonly string[]): void {
    const { context } = this.#c
    const foreign = this.#foreign
    assert(foreign !== undefined, 'a clone has a boot id')
    const ageMs = context.nowMs - (this.#settledMs ?? context.nowMs)
    const young = ageMs < YOUNG_MS
    if (foreign.alarmedMs === undefined) {
      foreign.alarmedMs = context.nowMs
      context.notify({ kind: 'clone', boot, addresses, yield: young })
      return
    }
    // Both are old, as after the heal of a long cut: the greater boot id goes.
    if (young || context.nowMs - foreign.alarmedMs < YOUNG_MS) return
    foreign.alarmedMs = context.nowMs
    context.notify({ kind: 'clone', boot, addresses, yield: context.config.boot > boot })
  }

  #body(phase: Phase): AliveBody {
    const { context } = this.#c
    const body: AliveBody = {
      kind: 'alive',
      node: context.self,
      incarnation: this.#incarnation,
      boot: context.config.boot,
      name: context.config.name,
      addresses: this.#addresses,
      phase
    }
    return this.#restartMs === undefined ? body : { ...body, restartMs: this.#restartMs }
  }
}
