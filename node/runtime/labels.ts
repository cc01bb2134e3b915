/**
 * The marks that say "this is ours": labels on what an engine holds, names that are functions of
 * the mark. Ours means this mesh and this node: several daemons may share one engine, and none
 * touches what another made (`promises.md` S8).
 */
import { createHash } from 'node:crypto'
import type { InstanceMark } from './runtime.ts'

/** Who we are, on everything we make. */
export interface Owner {
  readonly mesh: string
  readonly node: string
}

export const LABEL = {
  managed: 'shoal.managed',
  mesh: 'shoal.mesh',
  node: 'shoal.node',
  uid: 'shoal.uid',
  slot: 'shoal.slot',
  generation: 'shoal.generation',
  project: 'shoal.project',
  workload: 'shoal.workload',
  claim: 'shoal.claim',
  /** On volumes: the name in the spec. */
  volume: 'shoal.volume'
} as const

export type Labels = Readonly<Record<string, string>>

const SLOT_PATTERN = /^\d{1,6}$/
const NAME_BYTES_MAX = 200

/** Labels that select what is ours. */
export function ownerLabels(owner: Owner): Labels {
  return { [LABEL.managed]: 'true', [LABEL.mesh]: owner.mesh, [LABEL.node]: owner.node }
}

/** `key=value` strings, the form of an engine's label filter. */
export function filterOf(labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`)
}

/** True when a thing with these labels was made by this node for this mesh. */
export function isOurs(labels: Labels | null | undefined, owner: Owner): boolean {
  return (
    labels?.[LABEL.managed] === 'true' &&
    labels[LABEL.mesh] === owner.mesh &&
    labels[LABEL.node] === owner.node
  )
}

/** Labels of an instance. Ours come last: a spec's label never overrides them. */
export function instanceLabels(mark: InstanceMark, owner: Owner, fromSpec: Labels): Labels {
  return {
    ...fromSpec,
    ...ownerLabels(owner),
    [LABEL.uid]: mark.uid,
    [LABEL.slot]: String(mark.slot),
    [LABEL.generation]: mark.generation,
    [LABEL.project]: mark.project,
    [LABEL.workload]: mark.workload,
    [LABEL.claim]: mark.claim
  }
}

/** The mark in an instance's labels; undefined when it is not ours or not whole. */
export function markOf(labels: Labels | null | undefined, owner: Owner): InstanceMark | undefined {
  if (labels === null || labels === undefined || !isOurs(labels, owner)) return undefined
  const { uid, slot, generation, project, workload, claim } = LABEL
  const slotText = labels[slot] ?? ''
  if (!SLOT_PATTERN.test(slotText)) return undefined
  const texts = [uid, generation, project, workload, claim].map(key => labels[key])
  if (texts.some(text => text === undefined || text === '')) return undefined
  return {
    mesh: owner.mesh,
    uid: labels[uid] as string,
    slot: Number(slotText),
    generation: labels[generation] as string,
    project: labels[project] as string,
    workload: labels[workload] as string,
    claim: labels[claim] as string
  }
}

function clean(text: string): string {
  return text.replaceAll(/[^a-zA-Z0-9_.-]/g, '-')
}

/** Six hex digits that tell daemons on one engine apart. */
export function ownerTag(owner: Owner): string {
  return createHash('sha256').update(`${owner.mesh}\0${owner.node}`).digest('hex').slice(0, 6)
}

/** `shoal-<project>-<workload>-<slot>-<uid8>`: one name a (uid, slot), so that a name conflict is
 * the local mutex of S7. */
export function instanceName(mark: InstanceMark): string {
  const head = clean(`shoal-${mark.project}-${mark.workload}`).slice(0, NAME_BYTES_MAX)
  return `${head}-${mark.slot}-${clean(mark.uid).slice(0, 8)}`
}

/** The container's name: the instance's, and which daemon made it. */
export function containerName(mark: InstanceMark, owner: Owner): string {
  return `${instanceName(mark)}-${ownerTag(owner)}`
}

/** The project's bridge; the tagged form when the plain name belongs to someone else. */
export function networkNames(project: string, owner: Owner): readonly [string, string] {
  const plain = clean(`shoal-${project}`).slice(0, NAME_BYTES_MAX)
  return [plain, `${plain}-${ownerTag(owner)}`]
}

/** `<project>_<name>`, as Compose names them. */
export function volumeName(project: string, name: string): string {
  return clean(`${project}_${name}`).slice(0, NAME_BYTES_MAX)
}

/** What a workload may know of itself. Set last: a spec cannot override them. */
export function markEnv(mark: InstanceMark, owner: Owner): Readonly<Record<string, string>> {
  return {
    SHOAL_PROJECT: mark.project,
    SHOAL_WORKLOAD: mark.workload,
    SHOAL_SLOT: String(mark.slot),
    SHOAL_NODE: owner.node
  }
}
