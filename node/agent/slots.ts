/**
 * The running half of the agent: what the runtimes show of this node's slots, which action comes
 * next, and how each slot's published record follows. One action at a time a slot (S7).
 */
import type { RuntimeName } from '../../src/spec/workload.ts'
import type { Action } from '../reconcile/action.ts'
import { Backoff } from '../reconcile/backoff.ts'
import type { FailureKind, Instance, InstanceMark } from '../reconcile/instance.ts'
import { planSlot } from '../reconcile/plan.ts'
import { progress } from '../reconcile/progress.ts'
import { adopt, dataOf } from './adopt.ts'
import type { AgentConfig } from './config.ts'
import type { AllocationRecord } from './records.ts'
import type { WorkloadView } from './view.ts'

/** How an action went, as the executor says. */
export type Outcome =
  | { readonly ok: true; readonly instance: Instance | undefined }
  | { readonly ok: false; readonly failure: FailureKind; readonly message: string }

interface SlotRun {
  instances: readonly Instance[]
  inflight: Action | undefined
  readonly backoff: Backoff
  /** The template that the back-off is about: a new one begins anew. */
  generation: string
  /** Which end of which run has been counted by back-off. */
  endedRun: string
  /** Seen running, or started, since this daemon began: what ended before then, as with the power
   * of its host, did not crash. */
  lived: boolean
  failure:
    | { readonly kind: FailureKind; readonly message: string; readonly runtime: RuntimeName }
    | undefined
  /** When `instances` were seen; their run times grow from then. */
  seenMs: number
  /** Observations begun before this are older than our last action. */
  actedMs: number
  /** Since when an instance without a known workload was seen. */
  orphanSinceMs: number | undefined
}

export interface StepInput {
  readonly uid: string
  readonly slot: number
  readonly nowMs: number
  readonly record: AllocationRecord | undefined
  readonly workload: WorkloadView | undefined
  /** True when the uid is known to be removed for good (not merely unknown). */
  readonly removed: boolean
  readonly mesh: string
}

export interface StepResult {
  readonly action: Action | undefined
  /** `null`: the record is to be deleted; undefined: unchanged. */
  readonly record: AllocationRecord | null | undefined
  /** The template cannot run here: say so to placement. */
  readonly failed: string | undefined
  /** It runs well here: a standing failure record is over. */
  readonly recovered: boolean
  readonly dueMs: number
}

export function slotKey(uid: string, slot: number): string {
  return `${uid}/${slot}`
}

export class Slots {
  readonly #config: AgentConfig
  readonly #runs = new Map<string, SlotRun>()
  readonly #ofUid = new Map<string, Set<number>>()
  /** Runtimes of the last listing. */
  #listed: readonly RuntimeName[] = []

  constructor(components: { config: AgentConfig }) {
    this.#config = components.config
  }

  /** Takes a full listing of some runtimes, begun at `beganMs`; returns the uids that changed.
   * What runs under other runtimes is not known to be gone. */
  observe(
    runtimes: readonly RuntimeName[],
    instances: readonly Instance[],
    beganMs: number
  ): ReadonlySet<string> {
    const changed = this.#returned(runtimes)
    const bySlot = new Map<string, Instance[]>()
    for (const instance of instances) {
      const key = slotKey(instance.mark.uid, instance.mark.slot)
      const list = bySlot.get(key) ?? []
      list.push(instance)
      bySlot.set(key, list)
    }
    for (const [key, run] of this.#runs) {
      const unseen = run.instances.filter(instance => !runtimes.includes(instance.runtime))
      const list = [...(bySlot.get(key) ?? []), ...unseen]
      bySlot.delete(key)
      const mark = list[0]?.mark ?? run.instances[0]?.mark
      // A listing begun before our last action ended may not show what it did.
      if (run.inflight !== undefined || beganMs < run.actedMs) continue
      run.instances = list
      run.seenMs = beganMs
      if (mark !== undefined) changed.add(mark.uid)
    }
    for (const list of bySlot.values()) {
      const mark = list[0]?.mark
      if (mark === undefined) continue
      const run = this.#run(mark.uid, mark.slot)
      run.instances = list
      run.seenMs = beganMs
      changed.add(mark.uid)
    }
    return changed
  }

  /** An engine answers again: what failed while it was down is tried at once. */
  #returned(runtimes: readonly RuntimeName[]): Set<string> {
    const back = runtimes.filter(runtime => !this.#listed.includes(runtime))
    this.#listed = runtimes
    const changed = new Set<string>()
    if (back.length === 0) return changed
    for (const [key, run] of this.#runs) {
      if (run.failure?.kind !== 'transient' || !back.includes(run.failure.runtime)) continue
      run.backoff.reset()
      changed.add(key.slice(0, key.lastIndexOf('/')))
    }
    return changed
  }

  /** The instance of a slot, its run time brought up to `nowMs`. */
  instance(uid: string, slot: number, nowMs: number): Instance | undefined {
    const run = this.#runs.get(slotKey(uid, slot))
    return run === undefined ? undefined : aged(run, nowMs)
  }

  /** Slots of a workload that this room knows of. */
  of(uid: string): Iterable<number> {
    return this.#ofUid.get(uid) ?? []
  }

  /** How many copies of each workload take room here now: instances and starts under way.
   * `except`: the slot that asks. */
  *held(except: string): Iterable<{ readonly uid: string; readonly count: number }> {
    for (const [uid, slots] of this.#ofUid) {
      let count = 0
      for (const slot of slots) {
        const key = slotKey(uid, slot)
        const run = key === except ? undefined : this.#runs.get(key)
        if (run !== undefined && (run.instances.length > 0 || run.inflight !== undefined))
          count += 1
      }
      if (count > 0) yield { uid, count }
    }
  }

  /** An action has ended. Returns false for one that is not under way (a stale answer). */
  done(action: Action, outcome: Outcome, nowMs: number): boolean {
    const run = this.#runs.get(slotKey(action.mark.uid, action.mark.slot))
    if (run === undefined || run.inflight === undefined) return false
    run.inflight = undefined
    run.actedMs = nowMs
    if (outcome.ok) {
      run.failure = undefined
      run.lived = true
      if (action.kind === 'stop') {
        run.instances = run.instances.filter(instance => instance.id !== action.instance)
      } else {
        run.instances = outcome.instance === undefined ? started(run) : [outcome.instance]
        run.seenMs = nowMs
      }
      return true
    }
    run.failure = { kind: outcome.failure, message: outcome.message, runtime: action.runtime }
    run.backoff.ended(nowMs)
    return true
  }

  /** One slot: adopt, follow, act. */
  step(input: StepInput): StepResult {
    const run = this.#run(input.uid, input.slot)
    const nothing = { failed: undefined, recovered: false, dueMs: Number.POSITIVE_INFINITY }
    if (run.inflight !== undefined) return { ...nothing, action: undefined, record: undefined }
    if (input.record === undefined) return this.#unclaimed(run, input)
    if (run.generation !== input.record.generation) {
      if (run.generation !== '') run.backoff.reset()
      run.generation = input.record.generation
    }
    const followed = this.#follow(run, input, input.record)
    const record = followed.record ?? input.record
    if (followed.record === null || record.state === 'claimed' || record.state === 'failed') {
      return { ...followed, action: undefined }
    }
    return this.#act(run, input, record, followed)
  }

  /** Forgets a slot that holds nothing, so that the map stays as small as what runs. */
  forget(uid: string, slot: number): void {
    const run = this.#runs.get(slotKey(uid, slot))
    if (run === undefined || run.instances.length > 0 || run.inflight !== undefined) return
    this.#runs.delete(slotKey(uid, slot))
    const slots = this.#ofUid.get(uid)
    slots?.delete(slot)
    if (slots?.size === 0) this.#ofUid.delete(uid)
  }

  /** An instance that no record of ours claims: adopt it, or stop an orphan (S9). */
  #unclaimed(run: SlotRun, input: StepInput): StepResult {
    const nothing = { record: undefined, failed: undefined, recovered: false }
    const instance = run.instances[0]
    if (instance === undefined) {
      run.orphanSinceMs = undefined
      return { ...nothing, action: undefined, dueMs: Number.POSITIVE_INFINITY }
    }
    const workload = input.workload
    if (workload !== undefined) {
      const adopted = adopt(instance, workload)
      return { ...nothing, action: undefined, record: adopted, dueMs: 1 }
    }
    run.orphanSinceMs ??= input.nowMs
    const leftMs = run.orphanSinceMs + this.#config.orphanMs - input.nowMs
    if (!input.removed && leftMs > 0) return { ...nothing, action: undefined, dueMs: leftMs }
    const plan = planSlot({
      desired: undefined,
      instances: run.instances,
      waitMs: 0,
      stopGraceMs: 10_000,
      stopSignal: 'SIGTERM',
      why: 'no such workload'
    })
    return {
      ...nothing,
      action: this.#begin(run, plan, input.nowMs),
      dueMs: Number.POSITIVE_INFINITY
    }
  }

  /** The record as the instance shows it. */
  #follow(run: SlotRun, input: StepInput, record: AllocationRecord): StepResult {
    const result = {
      action: undefined,
      record: undefined as AllocationRecord | null | undefined,
      failed: undefined as string | undefined,
      recovered: false,
      dueMs: Number.POSITIVE_INFINITY
    }
    const instance = aged(run, input.nowMs)
    if (instance?.state === 'running') run.lived = true
    if (record.state === 'stopping') {
      if (instance === undefined) result.record = null
      return result
    }
    const workload = input.workload
    if (run.failure !== undefined && record.state === 'starting') {
      const { kind, message } = run.failure
      if (kind === 'permanent') {
        run.failure = undefined
        return {
          ...result,
          record: { ...record, state: 'failed', reason: message },
          failed: message
        }
      }
      const reason = `${message}; tries again`
      if (instance === undefined) return changed(result, record, { reason })
    }
    if (instance === undefined || workload === undefined) return result
    if (instance.mark.generation !== record.generation || record.state === 'claimed') return result
    this.#countEnd(run, instance, input.nowMs)
    const now = progress(workload.record.spec, instance, {
      failures: run.backoff.failures,
      healthyAfterMs: this.#config.healthyAfterMs
    })
    if (record.state === 'failed' && now.state !== 'healthy') return result
    const next = changed(result, record, {
      state: now.state,
      reason: now.reason,
      ran: true,
      data: dataOf(record.data, instance, workload),
      instance: instance.id,
      health: instance.health,
      startedAt: instance.startedAt ?? ''
    })
    return {
      ...next,
      dueMs: now.dueMs,
      failed: now.elsewhere ? now.reason : undefined,
      recovered: now.state === 'healthy'
    }
  }

  #act(run: SlotRun, input: StepInput, record: AllocationRecord, followed: StepResult): StepResult {
    const { uid, slot, nowMs, workload } = input
    const spec = workload?.record.spec
    const current = record.generation === workload?.generation
    const wanted = record.state !== 'stopping' && spec !== undefined
    // An old template is not at hand any more: its copy runs on, but cannot be created again.
    if (wanted && !current && run.instances.length === 0) return followed
    const mark: InstanceMark = {
      mesh: input.mesh,
      uid,
      slot,
      generation: record.generation,
      project: record.project,
      workload: record.workload,
      claim: record.claim
    }
    const plan = planSlot({
      desired: wanted
        ? { spec: current ? spec : { ...spec, runtime: record.runtime }, mark, data: record.data }
        : undefined,
      instances: run.instances,
      waitMs: run.backoff.waitMs(nowMs),
      stopGraceMs: spec?.stopGraceMs ?? 10_000,
      stopSignal: spec?.stopSignal ?? 'SIGTERM',
      why: record.reason
    })
    const dueMs = plan.kind === 'wait' ? Math.min(followed.dueMs, plan.afterMs) : followed.dueMs
    return { ...followed, action: this.#begin(run, plan, nowMs), dueMs }
  }

  #begin(run: SlotRun, plan: ReturnType<typeof planSlot>, nowMs: number): Action | undefined {
    if (plan.kind !== 'act') return undefined
    run.inflight = plan.action
    if (plan.action.kind !== 'stop') run.backoff.started(nowMs)
    return plan.action
  }

  #countEnd(run: SlotRun, instance: Instance, nowMs: number): void {
    if (instance.state !== 'exited') return
    const ended = `${instance.id}@${instance.startedAt ?? ''}`
    if (run.endedRun === ended) return
    run.endedRun = ended
    if (run.lived) run.backoff.ended(nowMs)
  }

  #run(uid: string, slot: number): SlotRun {
    const key = slotKey(uid, slot)
    let run = this.#runs.get(key)
    if (run === undefined) {
      run = {
        instances: [],
        inflight: undefined,
        backoff: new Backoff({ config: this.#config }),
        generation: '',
        endedRun: '',
        lived: false,
        failure: undefined,
        seenMs: 0,
        actedMs: Number.NEGATIVE_INFINITY,
        orphanSinceMs: undefined
      }
      this.#runs.set(key, run)
      const slots = this.#ofUid.get(uid) ?? new Set()
      this.#ofUid.set(uid, slots.add(slot))
    }
    return run
  }
}

/** A restarted instance, until the next listing shows it. */
function started(run: SlotRun): readonly Instance[] {
  return run.instances.map(instance => ({
    ...instance,
    state: 'running' as const,
    health: instance.health === 'none' ? ('none' as const) : ('starting' as const),
    runningMs: 0
  }))
}

function aged(run: SlotRun, nowMs: number): Instance | undefined {
  const instance = run.instances[0]
  if (instance === undefined || instance.state !== 'running') return instance
  return { ...instance, runningMs: instance.runningMs + Math.max(0, nowMs - run.seenMs) }
}

function changed<R extends StepResult>(
  result: R,
  record: AllocationRecord,
  fields: Partial<AllocationRecord>
): R {
  const keys = Object.keys(fields) as (keyof AllocationRecord)[]
  if (keys.every(key => record[key] === fields[key])) return result
  return { ...result, record: { ...record, ...fields } }
}
