/**
 * What people ask for, as writes of shared registers, and the answer once enough disks hold them.
 * Uids, generations and creation order are drawn here, from the view of the node that was asked.
 */
import type { Codec } from '../../gossip/core/effect.ts'
import type { ReplicationCommand, ReplicationEvent } from '../../gossip/core/replication/api.ts'
import type { Random } from '../../gossip/core/types.ts'
import { WORKLOADS_MAX, type WorkloadSpec } from '../../src/spec/workload.ts'
import type { AgentEffect, AgentInput, Submission, SubmitAnswer, SubmittedChange } from './api.ts'
import { canonical, templateHash } from './generation.ts'
import type { WorkloadRecord } from './records.ts'
import type { View, WorkloadView } from './view.ts'

interface PendingSubmission {
  readonly changes: readonly SubmittedChange[]
  /** Part operation -> what is known of it. */
  readonly parts: Map<string, { disks: number; wanted: number; final: boolean }>
}

interface Write {
  readonly key: string
  readonly uid: string
  readonly remove: boolean
  readonly value: unknown
}

interface Prepared {
  readonly changes: SubmittedChange[]
  readonly writes: Write[]
}

type Refusal = Extract<SubmitAnswer, { ok: false }>

/** Submissions that wait for disks; more are refused. */
const PENDING_MAX = 256

export class Submissions {
  readonly #codec: Codec
  readonly #random: Random
  readonly #view: View
  readonly #pending = new Map<string, PendingSubmission>()

  constructor(components: { codec: Codec; random: Random; view: View }) {
    this.#codec = components.codec
    this.#random = components.random
    this.#view = components.view
  }

  /** What a submission would change, without doing it. */
  preview(submission: Submission): Prepared | Refusal {
    return prepare(this.#view, this.#random, submission)
  }

  submit(
    input: Extract<AgentInput, { kind: 'submit' }>,
    _nowMs: number
  ): { commands: readonly ReplicationCommand[]; effects: readonly AgentEffect[] } {
    const { operation } = input
    const reply = (answer: SubmitAnswer): { commands: []; effects: readonly AgentEffect[] } => ({
      commands: [],
      effects: [{ kind: 'reply', operation, answer }]
    })
    if (this.#pending.has(operation)) return { commands: [], effects: [] }
    if (this.#pending.size >= PENDING_MAX) {
      return reply({ ok: false, code: 'LIMIT', message: 'too many submissions wait for disks' })
    }
    const prepared = this.preview(input.submission)
    if ('ok' in prepared) return reply(prepared)
    const { changes, writes } = prepared
    if (writes.length === 0) return reply({ ok: true, changes, disks: 0, wanted: 0 })
    const parts: PendingSubmission['parts'] = new Map()
    const commands = writes.map((write): ReplicationCommand => {
      const part = `${operation}#${write.key}`
      parts.set(part, { disks: 0, wanted: 0, final: false })
      return {
        kind: 'write',
        operation: part,
        key: write.key,
        uid: write.uid,
        remove: write.remove,
        value: write.value === null ? null : this.#codec.encode(write.value),
        wroteAtMs: input.wallMs,
        waitMs: input.waitMs
      }
    })
    this.#pending.set(operation, { changes, parts })
    return { commands, effects: [] }
  }

  /** A write was acknowledged or refused; gives the answer once all parts are final. */
  answered(event: Extract<ReplicationEvent, { kind: 'ack' | 'refused' }>): readonly AgentEffect[] {
    const operation = event.operation.split('#', 1)[0] ?? ''
    const pending = this.#pending.get(operation)
    const part = pending?.parts.get(event.operation)
    if (pending === undefined || part === undefined) return []
    if (event.kind === 'refused') {
      this.#pending.delete(operation)
      return [{ kind: 'reply', operation, answer: refusal(event.reason) }]
    }
    Object.assign(part, { disks: event.disks, wanted: event.wanted, final: event.final })
    const parts = [...pending.parts.values()]
    if (!parts.every(entry => entry.final)) return []
    this.#pending.delete(operation)
    const least = parts.reduce((low, entry) => (entry.disks < low.disks ? entry : low))
    const { disks, wanted } = least
    const answer: SubmitAnswer = { ok: true, changes: pending.changes, disks, wanted }
    return [{ kind: 'reply', operation, answer }]
  }
}

function refusal(reason: Extract<ReplicationEvent, { kind: 'refused' }>['reason']): Refusal {
  switch (reason) {
    case 'stale':
      return { ok: false, code: 'CONFLICT', message: 'the workload was changed meanwhile' }
    case 'removed':
      return { ok: false, code: 'NOT_FOUND', message: 'the workload was removed meanwhile' }
    case 'amnesiac':
      return {
        ok: false,
        code: 'UNAVAILABLE',
        message: 'this node has found its store damaged and fetches the state from its peers',
        hint: 'ask another node, or wait until shoal status is OK'
      }
    case 'limit':
      return { ok: false, code: 'LIMIT', message: 'a limit of the replicated state was reached' }
    case 'body':
      return {
        ok: false,
        code: 'CONFLICT',
        message: 'the operation id was used before for something else'
      }
  }
}

function prepare(view: View, random: Random, submission: Submission): Prepared | Refusal {
  switch (submission.kind) {
    case 'apply':
      return apply(view, random, submission)
    case 'scale':
      return scale(view, submission)
    case 'remove':
      return remove(view, submission)
    case 'abandon':
      return abandon(view, submission)
  }
}

function inProject(view: View, project: string): readonly WorkloadView[] {
  return [...view.workloads.values()]
    .filter(workload => workload.record.spec.project === project)
    .sort((a, b) => (a.key < b.key ? -1 : 1))
}

function change(
  spec: WorkloadSpec,
  uid: string,
  kind: SubmittedChange['change'],
  generation: number
): SubmittedChange {
  const { project, name, replicas } = spec
  return { project, name, uid, change: kind, generation, replicas }
}

function apply(
  view: View,
  random: Random,
  submission: Extract<Submission, { kind: 'apply' }>
): Prepared | Refusal {
  const prepared: Prepared = { changes: [], writes: [] }
  let created = Math.max(0, ...[...view.workloads.values()].map(one => one.record.created))
  for (const spec of submission.workloads) {
    const uid = view.uidOf(spec.project, spec.name)
    const existing = uid === undefined ? undefined : view.workloads.get(uid)
    if (existing === undefined) created += 1
    put(prepared, existing, spec, () => random.hex(32), created)
  }
  if (submission.prune) {
    const names = new Set(submission.workloads.map(spec => spec.name))
    for (const workload of inProject(view, submission.project)) {
      if (!names.has(workload.record.spec.name)) drop(prepared, workload)
    }
  }
  const added = prepared.changes.filter(entry => entry.change === 'created').length
  if (view.workloads.size + added > WORKLOADS_MAX) {
    return { ok: false, code: 'LIMIT', message: `a mesh holds at most ${WORKLOADS_MAX} workloads` }
  }
  return prepared
}

function put(
  prepared: Prepared,
  existing: WorkloadView | undefined,
  spec: WorkloadSpec,
  newUid: () => string,
  created: number
): void {
  const uid = existing?.uid ?? newUid()
  const before = existing?.record
  const same = before !== undefined && templateHash(before.spec) === templateHash(spec)
  const generation = before === undefined ? 1 : same ? before.generation : before.generation + 1
  if (before !== undefined && canonical(before.spec) === canonical(spec)) {
    prepared.changes.push(change(spec, uid, 'unchanged', generation))
    return
  }
  const kind = before === undefined ? 'created' : same ? 'rescaled' : 'updated'
  prepared.changes.push(change(spec, uid, kind, generation))
  const value: WorkloadRecord = { spec, generation, created: before?.created ?? created }
  prepared.writes.push({ key: `workload/${spec.project}/${spec.name}`, uid, remove: false, value })
}

function drop(prepared: Prepared, workload: WorkloadView): void {
  const { record, uid, key } = workload
  prepared.changes.push(change(record.spec, uid, 'removed', record.generation))
  prepared.writes.push({ key, uid, remove: true, value: null })
}

function scale(view: View, submission: Extract<Submission, { kind: 'scale' }>): Prepared | Refusal {
  const { project, name, replicas } = submission
  const uid = view.uidOf(project, name)
  const existing = uid === undefined ? undefined : view.workloads.get(uid)
  if (existing === undefined) return unknown(`${project}/${name}`)
  const prepared: Prepared = { changes: [], writes: [] }
  // A grouped service that is scaled asks for replicas, and so is placed by itself.
  const { group: _, ...alone } = existing.record.spec
  const spec = replicas > 1 ? { ...alone, replicas } : { ...existing.record.spec, replicas }
  put(prepared, existing, spec, () => existing.uid, existing.record.created)
  return prepared
}

function unknown(what: string): Refusal {
  return { ok: false, code: 'NOT_FOUND', message: `no workload ${what}`, hint: 'see shoal ps' }
}

function remove(
  view: View,
  submission: Extract<Submission, { kind: 'remove' }>
): Prepared | Refusal {
  const { project, name } = submission
  const found = inProject(view, project).filter(
    workload => name === undefined || workload.record.spec.name === name
  )
  if (found.length === 0)
    return unknown(name === undefined ? `in ${project}` : `${project}/${name}`)
  const prepared: Prepared = { changes: [], writes: [] }
  for (const workload of found) drop(prepared, workload)
  return prepared
}

/** Names of the volumes and binds that pin a workload, as people name them. */
export function volumeNames(spec: WorkloadSpec): readonly string[] {
  return spec.volumes.flatMap(volume => {
    if (volume.kind === 'volume') return volume.shared ? [] : [volume.name]
    return volume.kind === 'bind' ? [volume.source] : []
  })
}

function abandon(
  view: View,
  submission: Extract<Submission, { kind: 'abandon' }>
): Prepared | Refusal {
  const { volume, project } = submission
  const prepared: Prepared = { changes: [], writes: [] }
  const matches = (spec: WorkloadSpec): boolean =>
    (project === undefined || spec.project === project) &&
    volumeNames(spec).some(name => name === volume || `${spec.project}_${name}` === volume)
  for (const workload of [...view.workloads.values()].sort((a, b) => (a.uid < b.uid ? -1 : 1))) {
    const { record, uid } = workload
    if (!matches(record.spec)) continue
    const gone = view.claims(uid).filter(claim => !view.living(claim.node))
    for (const slot of new Set(gone.map(claim => claim.slot))) {
      const claims = gone.filter(claim => claim.slot === slot).map(claim => claim.record.claim)
      prepared.changes.push(change(record.spec, uid, 'abandoned', record.generation))
      const key = `abandon/${uid}/${slot}`
      prepared.writes.push({ key, uid, remove: false, value: { claims: claims.sort() } })
    }
  }
  if (prepared.writes.length > 0) return prepared
  return {
    ok: false,
    code: 'NOT_FOUND',
    message: `nothing waits for a volume ${volume} on a dead node`,
    hint: 'see shoal volume ls'
  }
}
