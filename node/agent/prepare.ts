/**
 * A submission as writes of shared registers. Pure: the same view, submission and operation id give
 * the same writes, on whichever node a client retries.
 */
import { WORKLOADS_MAX, type WorkloadSpec } from '../../src/spec/workload.ts'
import type { Prepared, PreparedWrite, Refusal, Submission, SubmittedChange } from './api.ts'
import type { Claim } from './claim-book.ts'
import { canonical, generationOf, hashText, templateHash } from './generation.ts'
import { nextOrdinal, type WorkloadRecord } from './records.ts'
import type { View, WorkloadView } from './view.ts'

class Draft {
  readonly changes: SubmittedChange[] = []
  readonly writes: PreparedWrite[] = []
  readonly confirms: readonly string[] = []
  readonly request: string

  constructor(submission: Submission) {
    this.request = requestOf(submission)
  }

  get parts(): number {
    return this.writes.length
  }
}

/** What a submission writes; or why it is refused whole. */
export function prepare(view: View, submission: Submission, operation: string): Prepared | Refusal {
  switch (submission.kind) {
    case 'apply':
      return apply(view, submission, operation)
    case 'scale':
      return scale(view, submission)
    case 'remove':
      return remove(view, submission)
    case 'abandon':
      return abandon(view, submission)
  }
}

/** The same on every node for the same wish. */
export function requestOf(submission: Submission): string {
  return hashText(canonical(submission))
}

/** A new life of a name. Derived, so that a retry elsewhere creates the same life. */
function uidFor(operation: string, key: string): string {
  return hashText(`${operation}/${key}`) + hashText(`${key}#${operation}`)
}

function inProject(view: View, project: string): readonly WorkloadView[] {
  return [...view.workloads.values()]
    .filter(workload => workload.record.spec.project === project)
    .sort((a, b) => (a.key < b.key ? -1 : 1))
}

function change(
  record: WorkloadRecord,
  uid: string,
  kind: SubmittedChange['change'],
  extra: Partial<SubmittedChange> = {}
): SubmittedChange {
  const { project, name, replicas } = record.spec
  return {
    project,
    name,
    uid,
    change: kind,
    generation: generationOf(record),
    replicas,
    fields: [],
    slot: undefined,
    node: undefined,
    ...extra
  }
}

function apply(
  view: View,
  submission: Extract<Submission, { kind: 'apply' }>,
  operation: string
): Prepared | Refusal {
  const draft = new Draft(submission)
  let created = [...view.workloads.values()].reduce(
    (most, { record }) => Math.max(most, record.created),
    0
  )
  for (const spec of submission.workloads) {
    const uid = view.uidOf(spec.project, spec.name)
    const existing = uid === undefined ? undefined : view.workloads.get(uid)
    if (existing === undefined) created = nextOrdinal(created)
    put(draft, existing, spec, { operation, created })
  }
  if (submission.prune) {
    const names = new Set(submission.workloads.map(spec => spec.name))
    for (const workload of inProject(view, submission.project)) {
      if (!names.has(workload.record.spec.name)) drop(draft, workload)
    }
  }
  const added = draft.changes.filter(entry => entry.change === 'created').length
  if (view.workloads.size + added > WORKLOADS_MAX) {
    return { ok: false, code: 'LIMIT', message: `a mesh holds at most ${WORKLOADS_MAX} workloads` }
  }
  return draft
}

/** Top-level fields in which two specs differ. */
function differing(before: WorkloadSpec, after: WorkloadSpec): readonly string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  const of = (spec: WorkloadSpec, key: string): string =>
    canonical((spec as unknown as Record<string, unknown>)[key] ?? null)
  return [...keys].filter(key => of(before, key) !== of(after, key)).sort()
}

function put(
  draft: Draft,
  existing: WorkloadView | undefined,
  spec: WorkloadSpec,
  init: { readonly operation: string; readonly created: number }
): void {
  const key = `workload/${spec.project}/${spec.name}`
  const uid = existing?.uid ?? uidFor(init.operation, key)
  const before = existing?.record
  if (before === undefined) {
    const record: WorkloadRecord = { spec, generation: 1, created: init.created }
    draft.changes.push(change(record, uid, 'created'))
    draft.writes.push({ key, uid, remove: false, value: record })
    return
  }
  const fields = differing(before.spec, spec)
  if (fields.length === 0) {
    draft.changes.push(change(before, uid, 'unchanged'))
    return
  }
  const same = templateHash(before.spec) === templateHash(spec)
  const generation = same ? before.generation : nextOrdinal(before.generation)
  const record: WorkloadRecord = { spec, generation, created: before.created }
  draft.changes.push(change(record, uid, 'changed', { fields }))
  draft.writes.push({ key, uid, remove: false, value: record })
}

function drop(draft: Draft, workload: WorkloadView): void {
  const { record, uid, key } = workload
  draft.changes.push(change(record, uid, 'removed'))
  draft.writes.push({ key, uid, remove: true, value: null })
}

function unknown(what: string): Refusal {
  return { ok: false, code: 'NOT_FOUND', message: `no workload ${what}`, hint: 'see shoal ps' }
}

function scale(view: View, submission: Extract<Submission, { kind: 'scale' }>): Prepared | Refusal {
  const { project, name, replicas } = submission
  const uid = view.uidOf(project, name)
  const existing = uid === undefined ? undefined : view.workloads.get(uid)
  if (existing === undefined) return unknown(`${project}/${name}`)
  const draft = new Draft(submission)
  // A grouped service that is scaled asks for replicas, and so is placed by itself.
  const { group: _group, ...alone } = existing.record.spec
  const spec = replicas > 1 ? { ...alone, replicas } : { ...existing.record.spec, replicas }
  put(draft, existing, spec, { operation: '', created: existing.record.created })
  return draft
}

function remove(
  view: View,
  submission: Extract<Submission, { kind: 'remove' }>
): Prepared | Refusal {
  const { project, name } = submission
  const found = inProject(view, project).filter(
    workload => name === undefined || workload.record.spec.name === name
  )
  if (found.length === 0) {
    return unknown(name === undefined ? `in project ${project}` : `${project}/${name}`)
  }
  const draft = new Draft(submission)
  for (const workload of found) drop(draft, workload)
  return draft
}

/** Names of the volumes and binds that pin a workload, as people name them. */
export function volumeNames(spec: WorkloadSpec): readonly string[] {
  return spec.volumes.flatMap(volume => {
    if (volume.kind === 'volume') return volume.shared ? [] : [volume.name]
    return volume.kind === 'bind' ? [volume.source] : []
  })
}

/** Its data is on a dead node, or was found to be gone from a living one. */
function isGone(view: View, { node, record }: Claim): boolean {
  return !view.living(node) || (record.state === 'failed' && record.data.length > 0)
}

function abandon(
  view: View,
  submission: Extract<Submission, { kind: 'abandon' }>
): Prepared | Refusal {
  const { volume, project, slot: only } = submission
  const draft = new Draft(submission)
  const matches = (spec: WorkloadSpec): boolean =>
    (project === undefined || spec.project === project) &&
    volumeNames(spec).some(name => name === volume || `${spec.project}_${name}` === volume)
  for (const workload of [...view.workloads.values()].sort((a, b) => (a.uid < b.uid ? -1 : 1))) {
    const { record, uid } = workload
    if (!matches(record.spec)) continue
    const gone = view
      .claims(uid)
      .filter(claim => isGone(view, claim) && (only === undefined || claim.slot === only))
      .filter(claim => !view.abandoned(uid, claim.slot, claim.record.claim))
    for (const slot of [...new Set(gone.map(claim => claim.slot))].sort((a, b) => a - b)) {
      const here = gone.filter(claim => claim.slot === slot)
      const claims = here.map(claim => claim.record.claim).sort()
      draft.changes.push(change(record, uid, 'abandoned', { slot, node: here[0]?.node }))
      const key = `abandon/${uid}/${slot}`
      draft.writes.push({ key, uid, remove: false, value: { claims } })
    }
  }
  if (draft.writes.length > 0) return draft
  const lives = [...view.workloads.values()].some(
    ({ uid, record }) =>
      matches(record.spec) && view.claims(uid).some(claim => view.living(claim.node))
  )
  if (lives) {
    return {
      ok: false,
      code: 'CONFLICT',
      message: `the node that holds ${volume} is alive`,
      hint: 'only data on a dead node can be given up; see shoal volume ls'
    }
  }
  return {
    ok: false,
    code: 'NOT_FOUND',
    message: `nothing waits for a volume ${volume} on a dead node`,
    hint: 'see shoal volume ls'
  }
}
