/**
 * A submission that was done before, by whichever node: what of it is left to do, and what is said
 * of the rest. What it did is told from what it wrote, never from what it would write now.
 */
import type { Repeated } from '../../gossip/core/replication/api.ts'
import type { Replica } from '../../gossip/core/replication/replica.ts'
import type { Prepared, Refusal, Submission, SubmittedChange } from './api.ts'
import { generationOf } from './generation.ts'
import { requestOf } from './prepare.ts'
import type { View } from './view.ts'

const WORKLOAD = 'workload/'
const ABANDON = 'abandon/'

interface Known {
  readonly view: View
  readonly replica: Pick<Replica, 'repeated' | 'isForgetful'>
}

/**
 * What is left of `prepared` when the operation was done before. It takes effect once: what it
 * found as it was asked for it did not write, and what was made since it has not seen, so both are
 * left alone, whatever they have become. Refused when it was another request (one id names one
 * wish), and when not all of it is known here and what is lacking cannot be told.
 */
export function withoutRepeats(
  { view, replica }: Known,
  submission: Submission,
  prepared: Prepared | Refusal,
  operation: string
): Prepared | Refusal {
  const repeated = replica.repeated(operation)
  if (repeated.length === 0) return prepared
  const request = requestOf(submission)
  if (repeated.some(one => one.request !== request)) {
    const message = 'the operation id was used before for something else'
    return { ok: false, code: 'CONFLICT', message }
  }
  const parts = Math.max(...repeated.map(one => one.parts))
  const confirms = repeated.map(one => one.key)
  const named = keysOf(submission)
  const others = named?.filter(key => !confirms.includes(key)) ?? []
  const again = repeated.map(one => changeOf(view, one))
  const lacking = parts - confirms.length
  if (lacking <= 0) {
    return { changes: [...again, ...left(view, others)], writes: [], confirms, parts, request }
  }
  // A register that was written often since may tell no more that it was written by this.
  const isClear = others.length === lacking && !others.some(key => replica.isForgetful(key))
  if (named === undefined || !isClear) return incomplete(confirms.length, parts)
  if ('ok' in prepared) return prepared
  const changes = prepared.changes.filter(one => !confirms.includes(keyOf(one)))
  const writes = prepared.writes.filter(write => !confirms.includes(write.key))
  return { changes: [...again, ...changes], writes, confirms, parts, request }
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

/** What it was about and did not change, as it is now. */
function left(view: View, keys: readonly string[]): readonly SubmittedChange[] {
  return keys.flatMap(key => {
    const [, project = '', name = ''] = key.split('/')
    const uid = view.uidOf(project, name)
    if (uid === undefined) return []
    return [{ ...changeOf(view, { key, uid }), change: 'unchanged' as const }]
  })
}

function changeOf(view: View, { key, uid }: Pick<Repeated, 'key' | 'uid'>): SubmittedChange {
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
