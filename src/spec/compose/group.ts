/**
 * Which services are placed together, and what a file needs that names inside one node cannot
 * give. Until services span nodes, a name leads only to replicas on the same node; so services of
 * one project share one placement item, unless a service asks for replicas or for a spread.
 */
import { hasLocalData, type WorkloadSpec } from '../workload.ts'

export interface Draft {
  readonly spec: Omit<WorkloadSpec, 'partition'>
  /** What `x-shoal.partition` says, if anything. */
  readonly partition: WorkloadSpec['partition'] | undefined
  /** It asked for replicas (`deploy.replicas`, `scale`) or for a spread: placed by itself. */
  readonly apart: boolean
  /** Services of the file that it depends on or links to. */
  readonly references: readonly string[]
}

type SpecDraft = Omit<WorkloadSpec, 'partition'>

function localData(spec: SpecDraft): boolean {
  return hasLocalData({ ...spec, partition: 'manual' })
}

/** Gives each service its group and its partition policy, in the order of the file. */
export function groupServices(drafts: readonly Draft[]): readonly WorkloadSpec[] {
  const together = drafts.filter(draft => !draft.apart)
  const grouped = new Set(together.length > 1 ? together : [])
  const groupHasData = [...grouped].some(draft => localData(draft.spec))
  return drafts.map(draft => {
    const inGroup = grouped.has(draft)
    const pinned = inGroup ? groupHasData : localData(draft.spec)
    const partition = draft.partition ?? (pinned ? 'manual' : 'any-partition')
    return {
      ...draft.spec,
      partition,
      ...(inGroup ? { group: draft.spec.project } : {})
    }
  })
}

const ESCAPED = /[.*+?^${}()|[\]\\]/g
/** Longer texts are not searched for names. */
const SEARCHED_LENGTH_MAX = 8_192

/** True when a text uses the name as a host: `db`, `db:5432`, `http://db/x`, `user@db`. */
export function namesHost(text: string, name: string): boolean {
  if (text.length > SEARCHED_LENGTH_MAX || !text.includes(name)) return false
  const host = name.replace(ESCAPED, '\\$&')
  return new RegExp(`(?:^|[/@,=\\s"'])${host}(?=$|[:/,;\\s"'])`).test(text)
}

function referencesTo(draft: Draft, name: string): boolean {
  if (draft.references.includes(name)) return true
  const { env, command = [], entrypoint = [] } = draft.spec
  return [...Object.values(env), ...command, ...entrypoint].some(text => namesHost(text, name))
}

/**
 * Plain sentences for the person who deploys. The rule: a service that names another one
 * (`depends_on`, `links`, or as a host in its environment or command) must be placed with it; a
 * volume must not be expected to be one volume on several nodes; a bind must exist on the node.
 */
export function describeNeeds(
  drafts: readonly Draft[],
  specs: readonly WorkloadSpec[]
): readonly string[] {
  const needs: string[] = []
  const together = (a: number, b: number): boolean =>
    specs[a]?.group !== undefined && specs[a]?.group === specs[b]?.group
  drafts.forEach((from, a) => {
    drafts.forEach((to, b) => {
      if (a === b || together(a, b) || !referencesTo(from, to.spec.name)) return
      needs.push(
        `${from.spec.name} names ${to.spec.name}, but they are not placed together: a name leads ` +
          'only to replicas on the same node'
      )
    })
  })
  return [...needs, ...describeVolumes(specs), ...describeBinds(specs)]
}

function describeVolumes(specs: readonly WorkloadSpec[]): readonly string[] {
  const needs: string[] = []
  const users = new Map<string, WorkloadSpec[]>()
  for (const spec of specs) {
    for (const volume of spec.volumes) {
      if (volume.kind !== 'volume' || volume.shared) continue
      users.set(volume.name, [...(users.get(volume.name) ?? []), spec])
      if (spec.replicas > 1)
        needs.push(
          `${spec.name} has ${spec.replicas} replicas: each node has a volume ${volume.name} of ` +
            'its own, nothing copies between them'
        )
    }
  }
  for (const [name, all] of users) {
    const [first, ...rest] = all
    const other = rest.find(spec => spec.group === undefined || spec.group !== first?.group)
    if (first !== undefined && other !== undefined && other.name !== first.name)
      needs.push(
        `${first.name} and ${other.name} mount volume ${name}, but they are not placed together: ` +
          'each node has a volume of its own'
      )
  }
  return needs
}

function describeBinds(specs: readonly WorkloadSpec[]): readonly string[] {
  return specs.flatMap(spec => {
    const sources = spec.volumes.flatMap(volume => (volume.kind === 'bind' ? [volume.source] : []))
    if (sources.length === 0) return []
    const paths = [...new Set(sources)].join(', ')
    return [`${spec.name} mounts ${paths}: only a node that has it can run ${spec.name}`]
  })
}
