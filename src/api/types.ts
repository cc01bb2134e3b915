/**
 * The wire types of the API, as plain TypeScript: what the CLI's fast path and the daemon's
 * `Backend` are written against, without loading zod. `contract.ts` validates the same shapes;
 * a type test proves that both are equal. JSON-safe: absent is `null` or '', never `undefined`.
 */
import type { RuntimeName, WorkloadSpec } from '../spec/workload.ts'

export type MemberState = 'alive' | 'suspect' | 'dead' | 'left'
export type Phase = 'joining' | 'steady' | 'restarting' | 'draining'
export type AllocationState =
  | 'pending'
  | 'claimed'
  | 'starting'
  | 'running'
  | 'healthy'
  | 'stopping'
  | 'failed'
export type HealthState = 'none' | 'starting' | 'healthy' | 'unhealthy'

/** One member, as the answering node sees it. */
export interface NodeView {
  readonly name: string
  readonly id: string
  readonly state: MemberState
  readonly phase: Phase
  /** True for the node that answers. */
  readonly self: boolean
  /** Multiaddrs, best first. */
  readonly addresses: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly zone: string
  readonly capacity: { readonly cpuMillis: number; readonly memoryMiB: number }
  readonly platform: { readonly os: string; readonly arch: string }
  readonly runtimes: readonly string[]
  /** Its host answers, its daemon does not: its workloads may still run. */
  readonly daemonGone: boolean
  /** False: alive by another member's word, no direct path from the answering node. */
  readonly directPath: boolean
  /** When `state` last changed, by the answering node's wall clock. ISO 8601. Display only. */
  readonly since: string
  /** Version of its shoald; '' when not known. */
  readonly version: string
}

/** One replica: a claimed slot, or a slot that nobody holds (`pending`, node null). */
export interface AllocationView {
  readonly project: string
  readonly workload: string
  readonly uid: string
  readonly slot: number
  /** Name of the node; null when pending. */
  readonly node: string | null
  readonly nodeId: string | null
  readonly state: AllocationState
  /** Why it waits or failed; '' when there is nothing to say. */
  readonly reason: string
  /** Text form, equal to the `generation` of the workload once it runs the newest spec. */
  readonly generation: string
  readonly runtime: RuntimeName
  /** ISO 8601, display only. */
  readonly startedAt: string | null
  /** The runtime's own id: container id, process record id. '' until there is one. */
  readonly instance: string
  readonly health: HealthState
}

/** One thing that is not right. Times are ISO 8601, display only. */
export interface Trouble {
  readonly what: string
  readonly since: string | null
  /** Replicas that run elsewhere because of it. */
  readonly moved: number
  /** One text for each replica that waits, with its reason. */
  readonly waits: readonly string[]
  /** Commands or acts that end it; any one of them. */
  readonly do: readonly string[]
}

export interface StatusView {
  /** All alive members gossip my viewHash and digest, and running = feasible. */
  readonly converged: boolean
  readonly viewHash: string
  readonly mesh: string
  readonly self: { readonly name: string; readonly id: string }
  /** Version of the answering shoald. */
  readonly version: string
  readonly members: { readonly alive: number; readonly suspect: number; readonly dead: number }
  /** Counted in replicas. */
  readonly workloads: {
    readonly desired: number
    readonly running: number
    readonly pending: number
  }
  /** On how many disks a write can be acknowledged now, and on how many it should. */
  readonly durable: { readonly disks: number; readonly wanted: number }
  /** Empty: all is well. */
  readonly notOk: readonly Trouble[]
  /** Since the view last changed. */
  readonly viewAgeMs: number
  /** Why takeovers are paced; null when they are not. */
  readonly brake: string | null
  /** Evidence of clones, bugs, damaged files: one line each. */
  readonly alarms: readonly string[]
}

export interface WorkloadRef {
  readonly project: string
  readonly name: string
}

export interface WorkloadView extends WorkloadRef {
  readonly uid: string
  readonly generation: string
  readonly replicas: number
  readonly running: number
  readonly pending: number
  readonly runtime: RuntimeName
  /** '' for a workload without an image. */
  readonly image: string
  /** Concurrent edits that lost; readable in the detail. */
  readonly conflicts: number
}

/** A concurrent edit that lost. Its uid differs when two sides created one name. */
export interface ConflictView {
  readonly uid: string
  /** Name of the node that wrote it, or its id. */
  readonly author: string
  readonly spec: WorkloadSpec | null
}

export interface AllocationDetail extends AllocationView {
  /** The runtime's own description; null when it cannot be had. */
  readonly inspect: unknown
  /** Why not; '' when it is there. */
  readonly inspectError: string
}

export interface WorkloadDetail extends WorkloadView {
  readonly spec: WorkloadSpec
  readonly conflicting: readonly ConflictView[]
  readonly allocations: readonly AllocationDetail[]
}

/** Who takes a slot over when its node dies. */
export interface TakeoverView {
  readonly slot: number
  readonly node: string | null
  /** null: nobody can. */
  readonly next: string | null
}

export interface WhyView {
  readonly workload: WorkloadRef & { readonly uid: string }
  /** Digest of the placement input that gave this answer. */
  readonly inputDigest: string
  readonly viewHash: string
  /** The explanation in words, one line each. */
  readonly lines: readonly string[]
  readonly takeover: readonly TakeoverView[]
  /** What placement recorded (`placement/explain`), for programs. Not fixed yet. */
  readonly explanation: unknown
}

export interface VolumeView {
  readonly project: string
  /** As the Compose file and the engine name it, for example `db_data`; a path for a bind. */
  readonly name: string
  readonly kind: 'volume' | 'bind'
  /** '' and null: `unused`. */
  readonly workload: string
  readonly slot: number | null
  readonly node: string | null
  readonly nodeId: string | null
  readonly nodeState: MemberState | null
  /**
   * `waits`: its slot is pending until the node returns or the volume is abandoned. `unused`: the
   * node has it, and no workload there.
   */
  readonly state: 'used' | 'waits' | 'idle' | 'unused'
  readonly reason: string
}

export interface EventView {
  /** `<boot>.<number>`: names one event of one run of one daemon. */
  readonly id: string
  /** ISO 8601, display only. */
  readonly time: string
  /** For example `member`, `allocation`, `workload`, `alarm`. */
  readonly kind: string
  readonly text: string
  readonly node: string | null
  readonly project: string | null
  readonly workload: string | null
  readonly slot: number | null
}

/** One line of a log stream. `note`: about the stream itself (a node that does not answer). */
export interface LogEntry {
  readonly kind: 'line' | 'note'
  readonly project: string
  readonly workload: string
  readonly slot: number | null
  readonly node: string | null
  readonly stream: 'stdout' | 'stderr'
  /** ISO 8601 as the runtime gave it; '' for a note. */
  readonly time: string
  readonly line: string
}

export interface ReadyView {
  readonly ready: boolean
  /** What it waits for, or why it will not be ready. '' when ready. */
  readonly waits: string
  readonly name: string
  readonly id: string
  /** '' until it is known. */
  readonly mesh: string
  /** Multiaddrs with `/p2p/`, best first. */
  readonly addresses: readonly string[]
  readonly runtimes: readonly string[]
  readonly version: string
  readonly pid: number
  readonly dataDir: string
}

export interface DeployRequest {
  /** Drawn by the client; the same one again gives the same answer, never a second write. */
  readonly operation: string
  readonly project: string
  readonly workloads: readonly WorkloadSpec[]
  readonly dryRun: boolean
  /** Remove workloads of the project that are not in `workloads`. */
  readonly prune: boolean
}

export interface ScaleRequest extends WorkloadRef {
  readonly operation: string
  readonly replicas: number
}

export interface AbandonRequest {
  readonly operation: string
  /** Absent when the volume's name is enough. */
  readonly project?: string | undefined
  readonly volume: string
  /** Absent: every slot of it whose node is dead. */
  readonly slot?: number | undefined
}

/** `repeated`: the same operation was done before, and was not done again. */
export type Change = 'created' | 'changed' | 'unchanged' | 'removed' | 'repeated'

/** What a write does to one workload, and where its replicas are predicted to land. */
export interface ChangeView {
  readonly project: string
  readonly name: string
  readonly uid: string
  readonly generation: string
  readonly change: Change
  readonly replicas: number
  /** Spec fields that differ, for `changed`. */
  readonly fields: readonly string[]
  readonly seats: readonly { readonly node: string; readonly replicas: number }[]
  /** Why replicas find no place now, each reason once: `2 replicas: no alive node runs docker`. */
  readonly pending: readonly string[]
}

/** Answer of deploy, scale and rm: the plan that was (or, dry, would be) written. */
export interface ChangeAnswer {
  readonly operation: string
  readonly dryRun: boolean
  readonly changes: readonly ChangeView[]
  /** Disks that hold the write, of how many wanted. */
  readonly acks: { readonly disks: number; readonly wanted: number }
  /** For example `not durable yet (1/2)`. */
  readonly notes: readonly string[]
}

export interface AbandonAnswer {
  readonly operation: string
  readonly abandoned: readonly (WorkloadRef & {
    readonly slot: number
    readonly node: string | null
  })[]
  readonly acks: { readonly disks: number; readonly wanted: number }
  readonly notes: readonly string[]
}

export interface TokenAnswer {
  /** Holds the mesh key: never logged. */
  readonly token: string
  readonly mesh: string
  readonly addresses: readonly string[]
}

export interface LeaveAnswer {
  readonly left: boolean
  readonly notes: readonly string[]
}

/** Body of every answer that is not a success. */
export interface ErrorBody {
  readonly code: string
  readonly message: string
  readonly hint: string | null
  readonly where: string | null
}

/** Response header with the daemon's version. */
export const VERSION_HEADER = 'shoal-version'
