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
 * What is left of `prepared` when `repeated` was done before. An operation takes effect once: what
 * it found as it was asked for it did not write, and what was made since it has not seen, so both
 * are left alone, whatever they have become. Refused when its parts wrote something else than is
 * asked for now (one id names one wish), and when not all of them are known here and which are
 * lacking cannot be told.
 */
export function withoutRepeats(
  from: { readonly view: View; readonly read: ReadRecord },
  submission: Submission,
  prepared: Prepared | Refusal,
  repeated: readonly Repeated[]
): Prepared | Refusal {
  if (repeated.length === 0) return prepared
  const parts = Math.max(...repeated.map(one => one.parts))
  const named = keysOf(submission)
  const isOther = named !== undefined && parts > named.length
  if (isOther || repeated.some(one => contradicts(submission, one, from.read))) {
    const message = 'the operation id was used before for something else'
    return { ok: false, code: 'CONFLICT', message }
  }
  const confirms = repeated.map(one => one.key)
  const others = named?.filter(key => !confirms.includes(key)) ?? []
  const again = repeated.map(one => changeOf(from.view, one))
  const lacking = parts - confirms.length
  if (lacking <= 0) {
    return { changes: [...again, ...left(from.view, others)], writes: [], confirms, parts }
  }
  if (named === undefined || others.length !== lacking) return incomplete(confirms.length, parts)
  if ('ok' in prepared) return prepared
  const changes = prepared.changes.filter(one => !confirms.includes(keyOf(one)))
  const writes = prepared.writes.filter(write => !confirms.includes(write.key))
  return { changes: [...again, ...changes], writes, confirms, parts }
}

/** The registers that it is about; undefined when that depends on what there is. */
function keysOf(submission: Submission): readonly string[] | undefined {
  const { kind, project } = submission
  const key = (name: string): string => `${WORKLOAD}${project}/${name}`
  if (kind === 'apply')
    return submission.prune ? undefined : submission.workloads.map(({ name }) => key(name))
  if (kind === 'abandon' || submission.name === undefined) return undefined
  return [key(submission.name)]
}

/** It died, or is cut off, before all that it wrote was told: or the rest is on its way. */
function incomplete(known: number, parts: number): Refusal {
  return {
    ok: false,
    code: 'UNKNOWN_OUTCOME',
    message: `another node began this operation: ${known} of its ${parts} changes are known here`,
    hint: 'ask again; if it stays so, look with shoal ps and draw a new operation id'
  }
}

function keyOf({ project, name, change, uid, slot }: SubmittedChange): string {
  return change === 'abandoned' ? `${ABANDON}${uid}/${slot}` : `${WORKLOAD}${project}/${name}`
}

/** True when what was written cannot be what is asked for. */
function contradicts(submission: Submission, { key, write }: Repeated, read: ReadRecord): boolean {
  if (submission.kind === 'abandon') return !key.startsWith(ABANDON)
  const named = keysOf(submission)
  const isMeant = named?.includes(key) ?? key.startsWith(`${WORKLOAD}${submission.project}/`)
  if (!isMeant) return true
  if (write === undefined) return false
  const record = write.remove ? undefined : read(write.value)
  switch (submission.kind) {
    case 'remove':
      return !write.remove
    case 'scale':
      return record?.spec.replicas !== submission.replicas
    case 'apply': {
      const [, , name] = key.split('/')
      const spec = submission.workloads.find(one => one.name === name)
      // What it pruned.
      if (spec === undefined) return !write.remove
      return record === undefined || canonical(record.spec) !== canonical(spec)
    }
  }
}

/** What it was about and did not change, as it is now. */
function left(view: View, keys: readonly string[]): readonly SubmittedChange[] {
  return keys.flatMap(key => {
    const [, project = '', name = ''] = key.split('/')
    const uid = view.uidOf(project, name)
    if (uid === undefined) return []
    return [{ ...changeOf(view, { key, uid }), change: 'unchanged' as const }]
  })
}

function changeOf(view: View, { key, uid = '' }: Pick<Repeated, 'key' | 'uid'>): SubmittedChange {
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
