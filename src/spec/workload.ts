/**
 * The workload spec: what every reader (Compose now, others later) produces and every node runs.
 * Plain data, JSON-safe, no class. Units are in the names. Absent optional fields are left out,
 * never `undefined` (specs are signed as bytes).
 */

export type RuntimeName = 'docker' | 'process' | 'memory'
export type PartitionPolicy = 'any-partition' | 'manual'
export type ReconcilePolicy = 'keep-running' | 'ring-owner' | 'oldest-claim' | 'newest-claim'
export type RebalancePolicy = 'gradual' | 'failover' | 'never'
export type SpreadPolicy = 'soft' | 'hard' | 'none'
export type RestartPolicy = 'no' | 'on-failure' | 'always'

/** `node.labels.disk == ssd`. Attributes: `node.name`, `node.id`, `node.zone`,
 * `node.labels.<key>`, `node.platform.os`, `node.platform.arch`. */
export interface Constraint {
  readonly attribute: string
  readonly operator: '==' | '!='
  readonly value: string
}

export interface PortSpec {
  readonly containerPort: number
  /** Absent: the container port is not published on the host. */
  readonly hostPort?: number
  readonly hostIp?: string
  readonly protocol: 'tcp' | 'udp'
}

export type VolumeSpec =
  | {
      readonly kind: 'volume'
      readonly name: string
      readonly target: string
      readonly readOnly: boolean
      /** `true` for drivers whose data is reachable from every node (NFS): does not pin. */
      readonly shared: boolean
      readonly driver?: string
      readonly driverOptions?: Readonly<Record<string, string>>
    }
  | {
      readonly kind: 'bind'
      readonly source: string
      readonly target: string
      readonly readOnly: boolean
    }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly sizeBytes?: number }

export interface HealthCheck {
  /** Argument vector run inside the allocation; a `CMD-SHELL` test is `['/bin/sh', '-c', test]`. */
  readonly command: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly startPeriodMs: number
  readonly retries: number
}

export interface Resources {
  /** Reservation; 0 when nothing was asked (then 100 mCPU and 128 MiB count for balance only). */
  readonly cpuMillis: number
  readonly memoryMiB: number
  /** Limits; 0 is none. */
  readonly cpuLimitMillis: number
  readonly memoryLimitMiB: number
}

/** One service of a project. `(project, name)` names it; `uid` is drawn when it is created. */
export interface WorkloadSpec {
  readonly project: string
  readonly name: string
  /** Absent: `docker` when `image` is set, else `process`. Readers always fill it in. */
  readonly runtime: RuntimeName
  readonly image?: string
  readonly entrypoint?: readonly string[]
  readonly command?: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir?: string
  readonly user?: string
  readonly init: boolean
  readonly ports: readonly PortSpec[]
  readonly volumes: readonly VolumeSpec[]
  /** Absent: the image's own check, if it has one. */
  readonly health?: HealthCheck
  /** Not even the image's own check. Never with `health`. */
  readonly healthDisabled?: true
  readonly labels: Readonly<Record<string, string>>
  readonly restart: RestartPolicy
  readonly stopSignal: string
  readonly stopGraceMs: number
  readonly replicas: number
  readonly resources: Resources
  readonly constraints: readonly Constraint[]
  /** At most so many replicas on one node; 0 is no limit. */
  readonly maxPerNode: number
  readonly partition: PartitionPolicy
  readonly reconcile: ReconcilePolicy
  readonly rebalance: RebalancePolicy
  readonly onDataLoss: 'wait'
  readonly spread: SpreadPolicy
  /** Lower waits last; 0..9, default 5. */
  readonly priority: number
  /** Workloads with one group are one placement item on one node (services of a project until
   * service discovery comes). Absent: placed by itself. */
  readonly group?: string
}

/** Defaults that readers share. */
export const DEFAULT_STOP_GRACE_MS = 10_000
export const DEFAULT_STOP_SIGNAL = 'SIGTERM'
export const DEFAULT_PRIORITY = 5
/** What a workload without requests counts for balance (never causes `pending`). */
export const DEFAULT_BALANCE_CPU_MILLIS = 100
export const DEFAULT_BALANCE_MEMORY_MIB = 128

/** Limits of `protocols.md` 6. */
export const WORKLOADS_MAX = 10_000
export const REPLICAS_MAX = 1_000
export const SPEC_BYTES_MAX = 64 * 1024

/** True when losing the node loses the workload's data: its slots are pinned where they ran. */
export function hasLocalData(spec: WorkloadSpec): boolean {
  return spec.volumes.some(
    volume => volume.kind === 'bind' || (volume.kind === 'volume' && !volume.shared)
  )
}
