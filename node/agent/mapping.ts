/**
 * The view as placement input (`protocols.md` 4, "Placement input"): what `viewHash` covers and
 * nothing else. Never incarnations, addresses, allocation states or suspicion.
 */
import type { NodeId } from '../../gossip/core/types.ts'
import type {
  Pin,
  PlacementItem,
  PlacementNode,
  Requirement,
  SlotClaim
} from '../../placement/types.ts'
import {
  DEFAULT_BALANCE_CPU_MILLIS,
  DEFAULT_BALANCE_MEMORY_MIB,
  type WorkloadSpec
} from '../../src/spec/workload.ts'
import type { Claim } from './claim-book.ts'
import type { NodeInfo } from './records.ts'
import { itemOf, type NoClaim, type View, type WorkloadView } from './view.ts'

/** What mapping reads of a view; a forecast lays changed workloads over a real one. */
export type MappingView = Pick<
  View,
  | 'abandoned'
  | 'claim'
  | 'claims'
  | 'failed'
  | 'infos'
  | 'items'
  | 'living'
  | 'loads'
  | 'members'
  | 'noClaims'
  | 'workloads'
>

/** A node is never filled past this share of its memory. */
const MEMORY_PERCENT_MAX = 90

/** A member that takes part in placement, or undefined. */
export function nodeInput(view: MappingView, id: NodeId): PlacementNode | undefined {
  const info = view.infos.get(id)
  if (info === undefined || !view.living(id)) return undefined
  return {
    id,
    cpuMillis: info.cpuMillis,
    memoryMiB: Math.floor((info.memoryMiB * MEMORY_PERCENT_MAX) / 100),
    eighths: view.loads.get(id)?.eighths ?? 8,
    zone: info.zone,
    attributes: attributesOf(id, info),
    schedulable: !isDraining(view, id)
  }
}

function attributesOf(id: NodeId, info: NodeInfo): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = {
    'node.id': id,
    'node.name': info.name,
    'node.zone': info.zone,
    'node.platform.os': info.os,
    'node.platform.arch': info.arch
  }
  for (const [key, value] of Object.entries(info.labels)) attributes[`node.labels.${key}`] = value
  for (const runtime of info.runtimes) attributes[`runtime.${runtime}`] = 'true'
  return attributes
}

/** Keeps what is pinned by data, gets nothing new, hands over the rest. */
export function isDraining(view: MappingView, node: NodeId): boolean {
  return view.infos.get(node)?.draining === true || view.members.get(node)?.phase === 'draining'
}

function requirementsOf(spec: WorkloadSpec): readonly Requirement[] {
  const needs: Requirement = {
    attribute: `runtime.${spec.runtime}`,
    operator: 'in',
    values: ['true']
  }
  const asked = spec.constraints.map(
    (constraint): Requirement => ({
      attribute: constraint.attribute,
      operator: constraint.operator === '==' ? 'in' : 'not-in',
      values: [constraint.value]
    })
  )
  return [needs, ...asked]
}

/** Whether the spec may run on a node at all, whatever room it has. */
function allows(view: MappingView, spec: WorkloadSpec, node: NodeId): boolean {
  const info = view.infos.get(node)
  if (info === undefined) return false
  const attributes = attributesOf(node, info)
  return requirementsOf(spec).every(({ attribute, operator, values }) => {
    const value = Object.hasOwn(attributes, attribute) ? attributes[attribute] : undefined
    return (value !== undefined && values.includes(value)) === (operator === 'in')
  })
}

function portsOf(spec: WorkloadSpec): readonly string[] {
  return spec.ports
    .filter(port => port.hostPort !== undefined)
    .map(port => `${port.protocol}/${port.hostPort}`)
}

/** Nodes with a standing failure for the current template, or a standing `noClaim`. */
function avoidOf(view: MappingView, workload: WorkloadView): readonly NodeId[] {
  const avoid = new Set<NodeId>()
  for (const [node, failure] of view.failed(workload.uid)) {
    if (failure.generation === workload.generation) avoid.add(node)
  }
  for (const record of view.noClaims(workload.uid)) {
    if (stands(view, workload, record)) avoid.add(record.node)
  }
  return [...avoid].sort()
}

function stands(view: MappingView, { uid }: WorkloadView, record: NoClaim): boolean {
  const { node, slot, boot, writer } = record
  const sameBoot = view.members.get(node)?.boot === boot
  return sameBoot && view.claim(uid, slot, node) === undefined && view.living(writer)
}

/** Whether a claim holds its slot on its node, and so enters placement. */
function pins(view: MappingView, workload: WorkloadView, claim: Claim): boolean {
  const { record, node, slot } = claim
  if (!mayPin(workload, claim) && !keeps(view, workload, claim)) return false
  if (view.abandoned(workload.uid, slot, record.claim)) return false
  if (workload.sticky) return true
  // A pin without data only spares a move; a node that drains or is ruled out wants to be left.
  if (!view.living(node) || isDraining(view, node)) return false
  if (!allows(view, workload.record.spec, node)) return false
  return view.failed(workload.uid).get(node)?.generation !== workload.generation
}

/** As far as the claim itself says: most of them say no. */
function mayPin(
  { sticky, generation, record: { spec } }: WorkloadView,
  { record }: Claim
): boolean {
  if (sticky || spec.rebalance === 'failover') return record.ran
  return record.pinned && record.generation === generation
}

/** A node that was passed over because it says nothing keeps what it runs well. */
function keeps(view: MappingView, workload: WorkloadView, { node, record }: Claim): boolean {
  if (!record.ran || record.generation !== workload.generation) return false
  return view
    .noClaims(workload.uid)
    .some(one => one.node === node && one.silent === true && stands(view, workload, one))
}

function pinsOf(view: MappingView, workload: WorkloadView): readonly Pin[] {
  const { replicas } = workload.record.spec
  const bySlot = new Map<number, Claim>()
  for (const claim of view.claims(workload.uid)) {
    // Data beyond the count is wanted by nobody; a copy that stays where it lives keeps its number.
    const staysOn = !workload.sticky && STANDING.has(claim.record.state)
    if (claim.slot >= replicas && !staysOn) continue
    if (!pins(view, workload, claim)) continue
    const other = bySlot.get(claim.slot)
    if (other === undefined || newer(claim, other)) bySlot.set(claim.slot, claim)
  }
  return [...bySlot.values()]
    .map(claim => ({ slot: claim.slot, node: claim.node }))
    .sort((a, b) => a.slot - b.slot)
    .slice(0, replicas)
}

/** What was only started has written nothing; where two have, the later claim counts. */
function newer(claim: Claim, other: Claim): boolean {
  const [mine, theirs] = [claim.record.data.length > 0, other.record.data.length > 0]
  if (mine !== theirs) return mine
  const difference = claim.record.sequence - other.record.sequence
  return difference > 0 || (difference === 0 && claim.node < other.node)
}

/** Workloads of one item, oldest first. */
function workloadsOf(view: MappingView, item: string): readonly WorkloadView[] {
  return [...(view.items.get(item) ?? [])]
    .map(uid => view.workloads.get(uid))
    .filter(workload => workload !== undefined)
    .sort((a, b) => a.record.created - b.record.created || (a.uid < b.uid ? -1 : 1))
}

/** One placement item: a workload, or a project group with summed requests; undefined when gone. */
export function itemInput(view: MappingView, item: string): PlacementItem | undefined {
  const workloads = workloadsOf(view, item)
  const first = workloads[0]
  if (first === undefined) return undefined
  const specs = workloads.map(workload => workload.record.spec)
  const sum = (of: (spec: WorkloadSpec) => number): number =>
    specs.reduce((total, spec) => total + of(spec), 0)
  const grouped = first.record.spec.group !== undefined
  const allPins = workloads.flatMap(workload => pinsOf(view, workload))
  return {
    uid: item,
    created: first.record.created,
    // The spec says priority (9 is most wanted); placement serves the lower class first.
    class: 9 - Math.max(...specs.map(spec => spec.priority)),
    kind: 'service',
    replicas: grouped
      ? Math.min(1, Math.max(...specs.map(spec => spec.replicas)))
      : first.record.spec.replicas,
    cpuMillis: sum(spec => spec.resources.cpuMillis),
    memoryMiB: sum(spec => spec.resources.memoryMiB),
    balanceCpuMillis: sum(spec => spec.resources.cpuMillis || DEFAULT_BALANCE_CPU_MILLIS),
    balanceMemoryMiB: sum(spec => spec.resources.memoryMiB || DEFAULT_BALANCE_MEMORY_MIB),
    ports: [...new Set(specs.flatMap(portsOf))].sort(),
    requirements: specs.flatMap(requirementsOf),
    maxPerNode: first.record.spec.maxPerNode,
    zones: first.record.spec.spread,
    avoid: [...new Set(workloads.flatMap(workload => avoidOf(view, workload)))].sort(),
    pins: grouped ? allPins.slice(0, 1) : allPins
  }
}

/**
 * Claims that keep their slot number: of living nodes, standing, not beaten, not handed over. One
 * that has started nothing yet gives way to a copy that runs, unless that is to leave its node: a
 * number that moves would move the copy.
 */
export function slotClaims(view: MappingView, uid: string): readonly SlotClaim[] {
  const standing = standingClaims(view, uid)
  const running = new Set<number>()
  for (const { slot, node, record } of standing) {
    if (record.state !== 'claimed' && !isDraining(view, node)) running.add(slot)
  }
  return standing
    .filter(({ slot, record }) => record.state !== 'claimed' || record.ran || !running.has(slot))
    .map(claim => ({ slot: claim.slot, node: claim.node }))
}

const STANDING: ReadonlySet<string> = new Set(['claimed', 'starting', 'running', 'healthy'])

/** Standing claims of living nodes, sorted by slot, then node. */
export function standingClaims(view: MappingView, uid: string): readonly Claim[] {
  const living = view
    .claims(uid)
    .filter(claim => STANDING.has(claim.record.state) && view.living(claim.node))
  const over = new Set<string>()
  for (const claim of living) {
    for (const beaten of claim.record.beats) over.add(beaten)
    if (claim.record.state === 'healthy') for (const old of claim.record.replaces) over.add(old)
  }
  return living.filter(claim => !over.has(claim.record.claim))
}

/** The view as it would be with these workloads written, and those uids gone. */
export function overlay(
  view: MappingView,
  puts: readonly WorkloadView[],
  drops: readonly string[]
): MappingView {
  const workloads = new Map(view.workloads)
  for (const uid of drops) workloads.delete(uid)
  for (const workload of puts) workloads.set(workload.uid, workload)
  const items = new Map<string, Set<string>>()
  for (const { uid, record } of workloads.values()) {
    const item = itemOf(uid, record.spec)
    items.set(item, (items.get(item) ?? new Set()).add(uid))
  }
  return {
    infos: view.infos,
    loads: view.loads,
    members: view.members,
    workloads,
    items,
    living: node => view.living(node),
    claim: (uid, slot, node) => view.claim(uid, slot, node),
    claims: uid => view.claims(uid),
    failed: uid => view.failed(uid),
    noClaims: uid => view.noClaims(uid),
    abandoned: (uid, slot, claim) => view.abandoned(uid, slot, claim)
  }
}
