/**
 * One evaluation: what is dirty in the view goes through placement, claims and planning, and comes
 * out as records to publish and actions to run. Only workloads that changed or are due are looked
 * at, so that the cost follows the change and not the size of the mesh.
 */
import type { NodeId, Random } from '../../gossip/core/types.ts'
import type { RuntimeName } from '../../src/spec/workload.ts'
import type { Action } from '../reconcile/action.ts'
import type { Instance } from '../reconcile/instance.ts'
import type { AgentEvent } from './api.ts'
import { decide } from './claims.ts'
import type { AgentConfig } from './config.ts'
import type { SlotMemory } from './decision.ts'
import { standingClaims } from './mapping.ts'
import { NoClaims } from './no-claims.ts'
import type { Pacing } from './pacing.ts'
import type { Placing } from './placing.ts'
import { type AllocationRecord, allocKey } from './records.ts'
import { type Slots, type StepResult, slotKey } from './slots.ts'
import type { View, WorkloadView } from './view.ts'

export interface EvaluationComponents {
  readonly self: NodeId
  readonly mesh: string
  readonly config: AgentConfig
  readonly random: Random
  readonly view: View
  readonly placing: Placing
  readonly slots: Slots
  readonly pacing: Pacing
  /** True for a uid that was removed for good. */
  readonly removed: (uid: string) => boolean
}

export type Publish = (key: string, value: unknown) => void

export interface EvaluationResult {
  readonly actions: Action[]
  readonly events: AgentEvent[]
  /** How many it looked at: what it cost. */
  claims: number
  dueMs: number
}

export class Evaluation {
  readonly #c: EvaluationComponents
  readonly #noClaims: NoClaims
  /** Workload -> when to look again although nothing changed. */
  readonly #dueAtMs = new Map<string, number>()
  readonly #memory = new Map<string, Map<number, SlotMemory>>()
  /** Since when our own failure record of a workload stands, and how often it was written. */
  readonly #failures = new Map<string, { sinceMs: number; tries: number }>()
  #published = ''
  /** The hash that is about to be said, and since when it has been this one. */
  #settling = { text: '', sinceMs: 0 }

  constructor(components: EvaluationComponents) {
    this.#c = components
    this.#noClaims = new NoClaims(components)
  }

  /** These runtimes were listed for the first time since the start: claims of the last run whose
   * instances are gone end here. */
  adopt(runtimes: readonly RuntimeName[], nowMs: number, publish: Publish): void {
    const { view, slots, self } = this.#c
    for (const uid of [...view.claimed()]) {
      const sticky = view.workloads.get(uid)?.sticky === true
      for (const claim of view.claims(uid)) {
        if (claim.node !== self || !runtimes.includes(claim.record.runtime)) continue
        const instance = slots.instance(uid, claim.slot, nowMs)
        const holds = instance !== undefined || (sticky && claim.record.ran)
        if (!holds) publish(allocKey(uid, claim.slot), null)
        // What it was made of, or its data, is here. But it does not run, and must not say so.
        else if (ended(claim.record, instance)) {
          publish(allocKey(uid, claim.slot), idle(claim.record))
        }
      }
    }
    for (const uid of view.workloads.keys()) view.dirty.uids.add(uid)
  }

  run(nowMs: number, publish: Publish): EvaluationResult {
    const { view, placing } = this.#c
    const result: EvaluationResult = {
      actions: [],
      events: [],
      claims: 0,
      dueMs: Number.POSITIVE_INFINITY
    }
    for (const item of placing.update()) {
      for (const uid of view.items.get(item) ?? []) view.dirty.uids.add(uid)
    }
    const sayMs = this.#sayView(nowMs, publish, result)
    const uids = new Set(view.dirty.uids)
    view.dirty.uids.clear()
    for (const [uid, atMs] of this.#dueAtMs) if (atMs <= nowMs) uids.add(uid)
    for (const uid of [...uids].sort()) {
      this.#dueAtMs.delete(uid)
      const dueMs = this.#workload(uid, nowMs, publish, result)
      if (Number.isFinite(dueMs)) this.#dueAtMs.set(uid, nowMs + dueMs)
    }
    result.dueMs = sayMs
    for (const atMs of this.#dueAtMs.values()) {
      result.dueMs = Math.min(result.dueMs, Math.max(1, atMs - nowMs))
    }
    return result
  }

  /**
   * Says which view this node decides by, once it stands: while members come and go, each of N
   * nodes would tell N others of N views. Returns in how many ms to ask again.
   */
  #sayView(nowMs: number, publish: Publish, result: EvaluationResult): number {
    const { viewHash, digest } = this.#c.placing
    const text = `${viewHash}/${digest}`
    if (text === this.#published) return Number.POSITIVE_INFINITY
    if (text !== this.#settling.text) this.#settling = { text, sinceMs: nowMs }
    const leftMs = this.#settling.sinceMs + this.#c.config.viewSettleMs - nowMs
    if (leftMs > 0) return leftMs
    this.#published = text
    publish('view', { viewHash, digest })
    result.events.push({ kind: 'view', viewHash })
    return Number.POSITIVE_INFINITY
  }

  #workload(uid: string, nowMs: number, publish: Publish, result: EvaluationResult): number {
    const { view, placing, slots, self } = this.#c
    const workload = view.workloads.get(uid)
    const removed = this.#c.removed(uid)
    const targets = workload === undefined ? new Map<number, NodeId>() : placing.targets(workload)
    result.claims += view.claims(uid).length
    const decision = this.#decide(uid, workload, targets, removed, nowMs)
    const say = (key: string, value: unknown): void => {
      publish(key, value)
      this.#sayAllocation(uid, key, value, result)
    }
    for (const [key, value] of decision.publish) say(key, value)
    let dueMs = decision.dueMs
    const mine = new Set(slots.of(uid))
    for (const claim of view.claims(uid)) if (claim.node === self) mine.add(claim.slot)
    for (const slot of [...mine].sort((a, b) => a - b)) {
      const record = view.claim(uid, slot, self)
      const mesh = this.#c.mesh
      const step = slots.step({ uid, slot, nowMs, record, workload, removed, mesh })
      dueMs = Math.min(dueMs, step.dueMs)
      this.#apply(uid, slot, step, workload, nowMs, say)
      if (step.action !== undefined) result.actions.push(step.action)
      if (view.claim(uid, slot, self) === undefined) slots.forget(uid, slot)
    }
    if (workload === undefined) {
      this.#noClaims.forget(uid, publish)
      if (mine.size === 0) this.#memory.delete(uid)
    } else {
      dueMs = Math.min(dueMs, this.#noClaims.check(workload, targets, nowMs, publish))
    }
    return Math.min(dueMs, this.#retry(uid, workload, targets, nowMs, publish))
  }

  #decide(
    uid: string,
    workload: WorkloadView | undefined,
    targets: ReadonlyMap<number, NodeId>,
    removed: boolean,
    nowMs: number
  ): ReturnType<typeof decide> {
    const { self, config, random, view, placing, slots, pacing } = this.#c
    const memory = this.#memory.get(uid) ?? new Map<number, SlotMemory>()
    this.#memory.set(uid, memory)
    return decide({
      self,
      nowMs,
      config,
      random,
      view,
      uid,
      workload,
      removed,
      targets,
      rank: () => (workload === undefined ? [] : placing.rank(workload.item)),
      memory,
      instance: slot => slots.instance(uid, slot, nowMs),
      fits: slot => workload === undefined || this.#fits(workload, slot),
      takeoverWaitMs: () => pacing.takeoverWaitMs(nowMs),
      moveWaitMs: () => pacing.moveWaitMs(nowMs)
    })
  }

  /** Whether a copy fits beside what else takes room here now, leaving copies included. */
  #fits(workload: WorkloadView, slot: number): boolean {
    const { view, slots, self } = this.#c
    const { cpuMillis, memoryMiB } = workload.record.spec.resources
    if (cpuMillis === 0 && memoryMiB === 0) return true
    const info = view.infos.get(self)
    if (info === undefined) return false
    let cpu = cpuMillis
    let memory = memoryMiB
    for (const { uid, count } of slots.held(slotKey(workload.uid, slot))) {
      const resources = view.workloads.get(uid)?.record.spec.resources
      cpu += (resources?.cpuMillis ?? 0) * count
      memory += (resources?.memoryMiB ?? 0) * count
    }
    return cpu <= info.cpuMillis && memory <= info.memoryMiB
  }

  #apply(
    uid: string,
    slot: number,
    step: StepResult,
    workload: WorkloadView | undefined,
    nowMs: number,
    say: Publish
  ): void {
    let record = step.record
    if (step.failed !== undefined && workload !== undefined) {
      if (this.#rolling(workload)) {
        const reason = `roll stopped: ${step.failed}`
        if (record !== undefined && record !== null) record = { ...record, reason }
      } else this.#fail(uid, workload, step.failed, nowMs, say)
    }
    if (record !== undefined) say(allocKey(uid, slot), record)
    const mine = this.#c.view.failed(uid).get(this.#c.self)
    if (step.recovered && mine !== undefined) {
      this.#failures.delete(uid)
      say(`failed/${uid}`, null)
    }
  }

  /** Another template of it runs somewhere: a failure stops the roll and avoids no node. */
  #rolling(workload: WorkloadView): boolean {
    return standingClaims(this.#c.view, workload.uid).some(
      claim =>
        claim.record.generation !== workload.generation &&
        (claim.record.state === 'running' || claim.record.state === 'healthy')
    )
  }

  #fail(uid: string, workload: WorkloadView, reason: string, nowMs: number, say: Publish): void {
    const standing = this.#c.view.failed(uid).get(this.#c.self)
    if (standing?.generation === workload.generation) return
    const tries = (this.#failures.get(uid)?.tries ?? 0) + 1
    this.#failures.set(uid, { sinceMs: nowMs, tries })
    say(`failed/${uid}`, { generation: workload.generation, reason, tries })
  }

  /** True when a slot waits for room, and not for the node of its data. */
  #placeless(workload: WorkloadView): boolean {
    const { pending } = this.#c.placing.seats(workload.item)
    return pending.some(({ reason }) => reason !== 'pinned node gone')
  }

  /** Our failure record ends with the spec, or after a while once a slot has no node to try. */
  #retry(
    uid: string,
    workload: WorkloadView | undefined,
    targets: ReadonlyMap<number, NodeId>,
    nowMs: number,
    publish: Publish
  ): number {
    const standing = this.#c.view.failed(uid).get(this.#c.self)
    if (standing === undefined) return Number.POSITIVE_INFINITY
    if (workload === undefined || standing.generation !== workload.generation) {
      this.#failures.delete(uid)
      publish(`failed/${uid}`, null)
      return Number.POSITIVE_INFINITY
    }
    if (targets.size > 0 && !this.#placeless(workload)) return Number.POSITIVE_INFINITY
    const memory = this.#failures.get(uid) ?? { sinceMs: nowMs, tries: standing.tries }
    this.#failures.set(uid, memory)
    const { retryMinMs, retryMaxMs } = this.#c.config
    const delayMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(20, memory.tries - 1))
    const leftMs = memory.sinceMs + delayMs - nowMs
    if (leftMs > 0) return leftMs
    publish(`failed/${uid}`, null)
    return Number.POSITIVE_INFINITY
  }

  #sayAllocation(uid: string, key: string, value: unknown, result: EvaluationResult): void {
    if (!key.startsWith('alloc/') || value === null) return
    const record = value as AllocationRecord
    const slot = Number(key.slice(slotKey(`alloc/${uid}`, 0).length - 1))
    const { project, workload, state, reason } = record
    result.events.push({ kind: 'allocation', project, workload, slot, state, reason })
  }
}

const LIVES: ReadonlySet<string> = new Set(['starting', 'running', 'healthy'])

/** The record is of a copy that runs no more. */
function ended(record: AllocationRecord, instance: Instance | undefined): boolean {
  return LIVES.has(record.state) && (instance === undefined || instance.state === 'exited')
}

/** A claim that keeps its slot and waits for its turn to start. */
function idle(record: AllocationRecord): AllocationRecord {
  return { ...record, state: 'claimed', reason: '', instance: '', health: 'none', startedAt: '' }
}
