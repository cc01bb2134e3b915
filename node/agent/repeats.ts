/**
 * A submission that was done before, by whichever node: what of it is left to do, and what is said
 * of the rest. What it did is told from what it wrote, never from what it would write now.
 */
import type { Repeated } from '../../gossip/core/replication/api.ts'
import type { Prepared, Refusal, Submission, SubmittedChange } from './api.ts'
import { canonical, generationOf } from './generation.ts'
import type { WorkloadRecord } from './records.ts'
import type { View } from './view.ts'

export type ReadRecord = (value: Uint8Array | null) => WorkloadRecord | undefined

const WORKLOAD = 'workload/'
const ABANDON = 'abandon/'

/**
 * `prepared` without the parts that `repeated` names; these are only confirmed. Refused when they
 * wrote something else than is asked for now: one id names one wish.
 */
export function withoutRepeats(
  parts: { readonly view: View; readonly read: ReadRecord },
  submission: Submission,
  prepared: Prepared | Refusal,
  repeated: readonly Repeated[]
): Prepared | Refusal {
  if (repeated.length === 0) return prepared
  if (repeated.some(one => contradicts(submission, one, parts.read))) {
    const message = 'the operation id was used before for something else'
    return { ok: false, code: 'CONFLICT', message }
  }
  const keys = new Set(repeated.map(one => one.key))
  const confirms = [...keys]
  const again = repeated.map(one => changeOf(parts.view, one))
  // What cannot be done now was done then.
  if ('ok' in prepared) return { changes: again, writes: [], confirms }
  const changes = prepared.changes.filter(one => !keys.has(keyOf(one)))
  const writes = prepared.writes.filter(write => !keys.has(write.key))
  return { changes: [...again, ...changes], writes, confirms }
}

function keyOf({ project, name, change, uid, slot }: SubmittedChange): string {
  return change === 'abandoned' ? `${ABANDON}${uid}/${slot}` : `${WORKLOAD}${project}/${name}`
}

/** True when what was written cannot be what is asked for. */
function contradicts(submission: Submission, { key, write }: Repeated, read: ReadRecord): boolean {
  if (submission.kind === 'abandon') return !key.startsWith(ABANDON)
  const [project, name] = key.startsWith(WORKLOAD) ? key.slice(WORKLOAD.length).split('/') : []
  if (project !== submission.project || name === undefined) return true
  if (submission.kind !== 'apply' && submission.name !== undefined && name !== submission.name) {
    return true
  }
  if (write === undefined) return false
  const record = write.remove ? undefined : read(write.value)
  switch (submission.kind) {
    case 'remove':
      return !write.remove
    case 'scale':
      return record?.spec.replicas !== submission.replicas
    case 'apply': {
      const spec = submission.workloads.find(one => one.name === name)
      if (spec === undefined) return !(write.remove && submission.prune)
      return record === undefined || canonical(record.spec) !== canonical(spec)
    }
  }
}

function changeOf(view: View, { key, uid = '' }: Repeated): SubmittedChange {
  const [, first = '', second = ''] = key.split('/')
  const abandoned = key.startsWith(ABANDON)
  const record = view.workloads.get(abandoned ? first : uid)?.record
  return {
    project: abandoned ? (record?.spec.project ?? '') : first,
    name: abandoned ? (record?.spec.name ?? '') : second,
    uid: abandoned ? first : uid,
    change: 'repeated',
    generation: record === undefined ? '' : generationOf(record),
    replicas: record?.spec.replicas ?? 0,
    fields: [],
    slot: abandoned ? Number(second) : undefined,
    node: undefined
  }
}
