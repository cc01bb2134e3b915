/**
 * The values inside replicated records: what nodes say of themselves (owner records) and what
 * everybody may write (shared registers). The replication core carries them as opaque bytes; here
 * they get a shape, checked field by field because a peer may have written them.
 */
import { type Check, count, flag, isRecord, list, oneOf, text } from '../../gossip/core/check.ts'
import type { NodeId } from '../../gossip/core/types.ts'
import type { RuntimeName, WorkloadSpec } from '../../src/spec/workload.ts'

export const NAME_LENGTH_MAX = 256
const REASON_LENGTH_MAX = 1_024
const LABELS_MAX = 128
const RUNTIMES_MAX = 16
const RIVALS_MAX = 64
const DATA_MAX = 256

/** Owner record `info`: what placement and people may know of a node. */
export interface NodeInfo {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly zone: string
  readonly cpuMillis: number
  readonly memoryMiB: number
  readonly os: string
  readonly arch: string
  /** Of a later version, names that we do not know too. */
  readonly runtimes: readonly string[]
  readonly draining: boolean
  readonly version: string
}

/** Owner record `load`: factor and joining ramp, in eighths (`placement.md` D). */
export interface NodeLoad {
  readonly eighths: number
}

/** Owner record `view`: lets everybody see whether everybody agrees. */
export interface NodeView {
  readonly viewHash: string
  readonly digest: string
}

export const ALLOCATION_STATES = [
  'claimed',
  'starting',
  'running',
  'healthy',
  'stopping',
  'failed'
] as const
export type AllocationState = (typeof ALLOCATION_STATES)[number]

/** Owner record `alloc/<uid>/<slot>`: a claim, and how it goes. */
export interface AllocationRecord {
  readonly project: string
  readonly workload: string
  /** Random, new at each start decision; the instance carries it as a label. */
  readonly claim: string
  /** One more than any claim of this slot that its owner had seen: orders pins. */
  readonly sequence: number
  readonly state: AllocationState
  readonly reason: string
  /** `<generation>.<template hash>`. */
  readonly generation: string
  readonly runtime: RuntimeName
  /** Claims of living nodes that this one takes over from: they stop when this is healthy. */
  readonly replaces: readonly string[]
  /** Claims that lost a duel against this one: they stop, this one stays (`protocols.md` 4). */
  readonly beats: readonly string[]
  /** A duel was won: this slot is a pin until a paced rebalance releases it. */
  readonly pinned: boolean
  /** Waits its turn by pacing, not by fault. */
  readonly paced: boolean
  /** It was started once, so its data may exist. */
  readonly ran: boolean
  /** Local volumes and paths that it ran with here: what it wrote is on this node. */
  readonly data: readonly string[]
  readonly instance: string
  readonly health: string
  /** Wall clock, display only. ISO 8601 or ''. */
  readonly startedAt: string
}

export function allocKey(uid: string, slot: number): string {
  return `alloc/${uid}/${slot}`
}

export function duelKey(uid: string, slot: number, rivalClaim: string): string {
  return `duel/${uid}/${slot}/${rivalClaim}`
}

/** Owner record `failed/<uid>`: this node cannot run that template (`protocols.md` 4). */
export interface FailedRecord {
  readonly generation: string
  readonly reason: string
  readonly tries: number
}

/** Owner record `noclaim/<uid>/<slot>`: `node` was due and did not claim. */
export interface NoClaimRecord {
  readonly node: NodeId
  readonly boot: string
  readonly viewHash: string
  /** It did not even say that it sees this view. What it runs stays where it is. */
  readonly silent?: boolean
}

/** Owner record `duel/<uid>/<slot>/<rival claim>`: log2 of my run time, published once. */
export interface DuelRecord {
  readonly mine: string
  readonly theirs: string
  readonly bucket: number
}

/** Shared register `workload/<project>/<name>`. */
export interface WorkloadRecord {
  readonly spec: WorkloadSpec
  /** Rises when the template (what an instance is made of) changes; starts at 1. */
  readonly generation: number
  /** Order of creation: one more than any seen by the author; ties are broken by uid. */
  readonly created: number
}

/** Shared register `abandon/<uid>/<slot>`: these claims pin no more. */
export interface AbandonRecord {
  readonly claims: readonly string[]
}

const name = text(NAME_LENGTH_MAX)
const reason = text(REASON_LENGTH_MAX)
const runtime: Check<RuntimeName> = oneOf('docker', 'process', 'memory')

function isLabels(value: unknown): value is Readonly<Record<string, string>> {
  if (!isRecord(value)) return false
  const keys = Object.keys(value)
  return keys.length <= LABELS_MAX && keys.every(key => name(key) && name(value[key]))
}

export function isNodeInfo(value: unknown): value is NodeInfo {
  return (
    isRecord(value) &&
    name(value['name']) &&
    isLabels(value['labels']) &&
    name(value['zone']) &&
    count(value['cpuMillis']) &&
    count(value['memoryMiB']) &&
    name(value['os']) &&
    name(value['arch']) &&
    list(RUNTIMES_MAX, name)(value['runtimes']) &&
    flag(value['draining']) &&
    name(value['version'])
  )
}

export function isNodeLoad(value: unknown): value is NodeLoad {
  return (
    isRecord(value) && count(value['eighths']) && value['eighths'] >= 1 && value['eighths'] <= 8
  )
}

export function isNodeView(value: unknown): value is NodeView {
  return isRecord(value) && name(value['viewHash']) && name(value['digest'])
}

export function isAllocationRecord(value: unknown): value is AllocationRecord {
  return (
    isRecord(value) &&
    [
      value['project'],
      value['workload'],
      value['claim'],
      value['generation'],
      value['instance'],
      value['health'],
      value['startedAt']
    ].every(name) &&
    isOrdinal(value['sequence']) &&
    oneOf(...ALLOCATION_STATES)(value['state']) &&
    reason(value['reason']) &&
    runtime(value['runtime']) &&
    list(RIVALS_MAX, name)(value['replaces']) &&
    list(RIVALS_MAX, name)(value['beats']) &&
    list(DATA_MAX, reason)(value['data']) &&
    [value['pinned'], value['paced'], value['ran']].every(flag)
  )
}

export function isFailedRecord(value: unknown): value is FailedRecord {
  return (
    isRecord(value) && name(value['generation']) && reason(value['reason']) && count(value['tries'])
  )
}

export function isNoClaimRecord(value: unknown): value is NoClaimRecord {
  if (!isRecord(value) || !(value['silent'] === undefined || flag(value['silent']))) return false
  return name(value['node']) && name(value['boot']) && name(value['viewHash'])
}

export function isDuelRecord(value: unknown): value is DuelRecord {
  return isRecord(value) && name(value['mine']) && name(value['theirs']) && count(value['bucket'])
}

export function isAbandonRecord(value: unknown): value is AbandonRecord {
  return isRecord(value) && list(RIVALS_MAX, name)(value['claims'])
}

/** Of what rises by one with each change: one hostile record must not end that. */
const ORDINAL_MAX = 2 ** 48

export function isOrdinal(value: unknown): value is number {
  return count(value) && value <= ORDINAL_MAX
}

/** One above all of these. */
export function nextOrdinal(...seen: readonly number[]): number {
  return Math.min(ORDINAL_MAX, Math.max(0, ...seen) + 1)
}

/** The spec inside is checked by `readSpec`, which knows its schema. */
export function readWorkloadRecord(
  value: unknown,
  readSpec: (value: unknown) => WorkloadSpec | undefined
): WorkloadRecord | undefined {
  if (!isRecord(value) || !isOrdinal(value['generation']) || !isOrdinal(value['created']))
    return undefined
  const spec = readSpec(value['spec'])
  if (spec === undefined) return undefined
  return { spec, generation: value['generation'], created: value['created'] }
}
