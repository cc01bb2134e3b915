/**
 * The one shape of everything that runs allocations: docker, process, memory.
 * A runtime never touches what does not carry this mesh's mark (`promises.md` S8), and is a local
 * mutex: one instance a (uid, slot) (S7). It decides nothing: restarts, moves and stops are told.
 */
import type { RuntimeName, WorkloadSpec } from '../../src/spec/workload.ts'
import type { FailureKind, Instance, InstanceMark } from '../reconcile/instance.ts'

export type {
  FailureKind,
  HealthState,
  Instance,
  InstanceMark,
  InstanceState
} from '../reconcile/instance.ts'

export interface RuntimeStatus {
  readonly available: boolean
  /** `docker 20.10.24 (API 1.41)`; or why it is not available. */
  readonly detail: string
}

export class RuntimeFailure extends Error {
  override readonly name = 'RuntimeFailure'
  readonly kind: FailureKind
  constructor(kind: FailureKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
  }
}

export interface LogLine {
  readonly stream: 'stdout' | 'stderr'
  /** ISO 8601 with as many digits as the runtime gives. */
  readonly time: string
  readonly line: string
}

export interface LogOptions {
  readonly follow: boolean
  /** Last n lines first; undefined is all that is kept. */
  readonly tail: number | undefined
  /** Wall clock, milliseconds since 1970: lines from then on. */
  readonly sinceMs: number | undefined
}

export interface Runtime {
  readonly name: RuntimeName
  /** Connects and checks. Never throws for an engine that is down: `status` says so. */
  open(signal: AbortSignal): Promise<void>
  close(): Promise<void>
  status(signal: AbortSignal): Promise<RuntimeStatus>
  /** Everything with this mesh's mark, running or not. Throws when the engine cannot be asked. */
  list(signal: AbortSignal): Promise<readonly Instance[]>
  /** Calls `changed` whenever something may have changed (level-triggered; may be spurious).
   * Resolves when the signal aborts; survives engine restarts by itself. */
  watch(changed: () => void, signal: AbortSignal): Promise<void>
  /** Creates and starts; adopts an existing instance with the same (uid, slot, generation), as it
   * is (also an exited one: `restart` is another decision) and with the claim it was started with;
   * replaces an exited one of another generation, and refuses (transient) while that one runs.
   * Image: present, else pulled. */
  start(spec: WorkloadSpec, mark: InstanceMark, signal: AbortSignal): Promise<Instance>
  /** Stop signal, grace, then SIGKILL; removes the instance, keeps its volumes. Idempotent. */
  stop(
    id: string,
    options: { readonly graceMs: number; readonly signal: string },
    signal: AbortSignal
  ): Promise<void>
  /** Starts an exited instance again (same mark). */
  restart(id: string, signal: AbortSignal): Promise<void>
  /** Frees networks and the like of projects that have no instance here; never volumes. */
  sweep(signal: AbortSignal): Promise<void>
  logs(id: string, options: LogOptions, signal: AbortSignal): AsyncIterable<LogLine>
  /** The runtime's own description (docker inspect), for `shoal inspect`. */
  inspect(id: string, signal: AbortSignal): Promise<unknown>
  /** Local volumes that carry this mesh's mark; `name` is the spec's (an engine calls it
   * `<project>_<name>`). */
  volumes(
    signal: AbortSignal
  ): Promise<readonly { readonly name: string; readonly project: string }[]>
}
