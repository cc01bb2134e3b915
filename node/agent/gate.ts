/**
 * When a node may claim, start and stop: it has met its mesh, seen what its runtimes run, trusts
 * its store, knows what its peers know, and was not just woken from a pause.
 */
import type { RuntimeName } from '../../src/spec/workload.ts'
import type { AgentConfig } from './config.ts'

export type Verdict =
  /** `first`: for the first time since the start. */
  | { readonly act: true; readonly first: boolean }
  /** `afterMs`: ask again then; undefined when an event will come first. */
  | { readonly act: false; readonly afterMs: number | undefined }

/** How often it is asked whether peers have been heard. */
const ASK_MS = 100
/** Inputs within so long of each other are evaluated together. */
const COALESCE_MS = 5
/** Rest after an evaluation for each claim that it looked at, some eight times what that takes:
 * while thousands of claims change one by one, deciding leaves the processor to the rest. */
const REST_MS_PER_CLAIM = 0.02

export class Gate {
  readonly #config: AgentConfig
  readonly #observed = new Set<RuntimeName>()
  #joinedMs: number | undefined
  #holdUntilMs = 0
  #restUntilMs = 0
  #ready = false
  amnesiac = false

  constructor(components: { config: AgentConfig }) {
    this.#config = components.config
  }

  get ready(): boolean {
    return this.#ready
  }

  /** Only an event can open it. */
  get shut(): boolean {
    return this.#joinedMs === undefined || this.#observed.size === 0 || this.amnesiac
  }

  /** Runtimes that have been listed since the start. */
  get observed(): readonly RuntimeName[] {
    return [...this.#observed]
  }

  joined(nowMs: number): void {
    this.#joinedMs ??= nowMs
  }

  /** Takes listed runtimes; returns those that were listed for the first time. */
  observe(runtimes: readonly RuntimeName[]): readonly RuntimeName[] {
    const fresh = runtimes.filter(runtime => !this.#observed.has(runtime))
    for (const runtime of fresh) this.#observed.add(runtime)
    return fresh
  }

  /** We were paused: our view may be old until the peers have spoken again. */
  paused(nowMs: number): void {
    this.#holdUntilMs = nowMs + this.#config.settleMs
  }

  /** `synced`: one repair with a peer is whole. `alone`: no peer is known at all. */
  ask(nowMs: number, known: { readonly synced: boolean; readonly alone: boolean }): Verdict {
    if (this.#joinedMs === undefined || this.shut) return { act: false, afterMs: undefined }
    const waited = nowMs - this.#joinedMs >= this.#config.syncWaitMs
    if (!this.#ready && !known.synced && !known.alone && !waited) {
      return { act: false, afterMs: ASK_MS }
    }
    if (nowMs < this.#holdUntilMs) return { act: false, afterMs: this.#holdUntilMs - nowMs }
    const first = !this.#ready
    this.#ready = true
    return { act: true, first }
  }

  /** An evaluation has looked at so many claims. */
  evaluated(nowMs: number, claims: number): void {
    this.#restUntilMs = nowMs + claims * REST_MS_PER_CLAIM
  }

  /** When dirty things are evaluated: together, not before a hold is over, and not at once after
   * an evaluation that was large. */
  wakeAtMs(nowMs: number): number {
    return this.notBefore(Math.max(this.#holdUntilMs, nowMs + COALESCE_MS))
  }

  /** `atMs`, or when the rest is over. */
  notBefore(atMs: number): number {
    return Math.max(this.#restUntilMs, atMs)
  }
}
