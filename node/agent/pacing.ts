/**
 * What may start now. Rebalancing moves are paced by a token bucket; takeovers run free unless the
 * brake is on: more than half of the last stable membership vanished within a minute
 * (`protocols.md` 5, L8). Pacing delays execution only; it never changes an assignment.
 */
import type { NodeId } from '../../gossip/core/types.ts'
import type { AgentConfig } from './config.ts'

export class Pacing {
  readonly #config: AgentConfig
  #tokens = 1
  #refilledMs = 0
  /** Living members by when each was first seen living, and when those that vanished did. */
  readonly #livingSinceMs = new Map<NodeId, number>()
  readonly #vanishedMs = new Map<NodeId, number>()
  #brakeSinceMs: number | undefined
  #nextTakeoverMs = 0

  constructor(components: { config: AgentConfig }) {
    this.#config = components.config
  }

  /** To be told at each change of a member. */
  member(node: NodeId, living: boolean, nowMs: number): void {
    if (living) {
      if (!this.#livingSinceMs.has(node)) this.#livingSinceMs.set(node, nowMs)
      this.#vanishedMs.delete(node)
      return
    }
    if (!this.#livingSinceMs.delete(node)) return
    this.#vanishedMs.set(node, nowMs)
    for (const [gone, atMs] of this.#vanishedMs) {
      if (nowMs - atMs > this.#config.brakeWindowMs) this.#vanishedMs.delete(gone)
    }
    const before = this.#livingSinceMs.size + this.#vanishedMs.size
    // Each further one that vanishes begins the minute anew.
    if (this.#vanishedMs.size * 2 > before) this.#brakeSinceMs = nowMs
  }

  /** A member that left on purpose, or was forgotten, did not vanish. */
  left(node: NodeId): void {
    this.#livingSinceMs.delete(node)
    this.#vanishedMs.delete(node)
  }

  /** Since when the brake is on, or undefined. */
  brake(nowMs: number): number | undefined {
    if (this.#brakeSinceMs === undefined) return undefined
    if (nowMs - this.#brakeSinceMs >= this.#config.brakeLiftMs) {
      this.#brakeSinceMs = undefined
      this.#vanishedMs.clear()
    }
    return this.#brakeSinceMs
  }

  /** 0 when a takeover may start now (and counts it), else how long to wait. */
  takeoverWaitMs(nowMs: number): number {
    if (this.brake(nowMs) === undefined) return 0
    if (nowMs < this.#nextTakeoverMs) return this.#nextTakeoverMs - nowMs
    this.#nextTakeoverMs = nowMs + this.#config.brakeStepMs
    return 0
  }

  /** 0 when a rebalancing move may start now (and takes its token), else how long to wait. */
  moveWaitMs(nowMs: number): number {
    const perTokenMs = 60_000 / this.#config.movesPerMinute
    const grown = (nowMs - this.#refilledMs) / perTokenMs
    this.#tokens = Math.min(this.#config.movesPerMinute, this.#tokens + Math.max(0, grown))
    this.#refilledMs = nowMs
    if (this.#tokens < 1) return Math.ceil((1 - this.#tokens) * perTokenMs)
    this.#tokens -= 1
    return 0
  }
}
