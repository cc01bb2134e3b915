/**
 * What the API needs from the daemon. The server knows nothing else of it; tests give a fake.
 * Faults are thrown as `ShoalError` with the code of `src/errors.ts`; anything else is a bug and
 * is answered as INTERNAL without its text.
 *
 * Signals: a read's signal aborts when the client is gone, a write's only when the daemon stops or
 * its deadline passes (a client that hangs up must not leave a half-done write).
 */
import type {
  AbandonAnswer,
  AbandonRequest,
  AllocationView,
  ChangeAnswer,
  DeployRequest,
  EventView,
  LeaveAnswer,
  LogEntry,
  NodeView,
  ReadyView,
  ScaleRequest,
  StatusView,
  TokenAnswer,
  VolumeView,
  WhyView,
  WorkloadDetail,
  WorkloadRef,
  WorkloadView
} from '../../src/api/types.ts'

export interface AllocationFilter {
  /** Also those that stop or belong to removed workloads. */
  readonly all: boolean
  readonly project: string | undefined
  readonly workload: string | undefined
}

export interface LogQuery extends WorkloadRef {
  /** Undefined: all slots. */
  readonly slot: number | undefined
  readonly follow: boolean
  /** Last n lines of each replica; undefined: all that is kept. */
  readonly tail: number | undefined
}

export interface RemoveRequest {
  readonly operation: string
  readonly project: string
  /** Undefined: every workload of the project. */
  readonly name: string | undefined
}

export interface Backend {
  /** Answers at any time, also before the mesh is joined. Never throws. */
  ready(): ReadyView
  status(signal: AbortSignal): Promise<StatusView>
  nodes(signal: AbortSignal): Promise<readonly NodeView[]>
  allocations(filter: AllocationFilter, signal: AbortSignal): Promise<readonly AllocationView[]>
  workloads(signal: AbortSignal): Promise<readonly WorkloadView[]>
  /** Throws NOT_FOUND. */
  workload(ref: WorkloadRef, signal: AbortSignal): Promise<WorkloadDetail>
  /** Throws NOT_FOUND. */
  why(ref: WorkloadRef, signal: AbortSignal): Promise<WhyView>
  volumes(signal: AbortSignal): Promise<readonly VolumeView[]>
  /** Everything after the event named `after` that is still kept, then what comes. `EventLog`. */
  events(after: string | undefined, signal: AbortSignal): AsyncIterable<EventView>
  /** Throws NOT_FOUND before the first entry; later faults are `note` entries. Ends when the
   * signal aborts, or without `follow` when all replicas have been read. */
  logs(query: LogQuery, signal: AbortSignal): Promise<AsyncIterable<LogEntry>>
  /** Specs are checked. Throws CONFLICT, LIMIT, UNKNOWN_OUTCOME, UNAVAILABLE. */
  deploy(request: DeployRequest, signal: AbortSignal): Promise<ChangeAnswer>
  /** Throws NOT_FOUND. */
  scale(request: ScaleRequest, signal: AbortSignal): Promise<ChangeAnswer>
  /** Throws NOT_FOUND for what never was; what was removed before is a success with a note. */
  remove(request: RemoveRequest, signal: AbortSignal): Promise<ChangeAnswer>
  /** Throws NOT_FOUND; CONFLICT when the name is in several projects, or its node is alive. */
  abandon(request: AbandonRequest, signal: AbortSignal): Promise<AbandonAnswer>
  token(signal: AbortSignal): Promise<TokenAnswer>
  /** Announces `left`, stops what runs here; the daemon ends soon after the answer. */
  leave(signal: AbortSignal): Promise<LeaveAnswer>
}
