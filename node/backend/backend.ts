/** What the API server asks of the daemon, put together from reports, writes, logs and inspect. */
import type {
  AbandonRequest,
  DeployRequest,
  EventView,
  LeaveAnswer,
  LogEntry,
  ReadyView,
  ScaleRequest,
  StatusView,
  TokenAnswer,
  WorkloadDetail,
  WorkloadRef,
  WorkloadView as WorkloadRow
} from '../../src/api/types.ts'
import { ShoalError } from '../../src/errors.ts'
import type { WorkloadView } from '../agent/view.ts'
import type { AllocationFilter, Backend, LogQuery, RemoveRequest } from '../api/backend.ts'
import type { EventLog } from '../api/event-log.ts'
import { reportAllocations, reportWorkload } from '../report/allocations.ts'
import { nodeName, type ReportContext } from '../report/context.ts'
import { reportNodes } from '../report/nodes.ts'
import { reportStatus, type StatusExtra } from '../report/status.ts'
import type { Inspect } from './inspect.ts'
import type { Logs } from './logs.ts'
import { reportVolumes } from './volumes.ts'
import { reportWhy } from './why.ts'
import type { Writes } from './writes.ts'

export interface BackendComponents {
  readonly context: ReportContext
  readonly events: EventLog
  readonly inspect: Inspect
  readonly logs: Logs
  readonly writes: Writes
  readonly ready: () => ReadyView
  /** Why the disk takes nothing; undefined when it does. */
  readonly trouble: () => string | undefined
  readonly statusExtra: () => StatusExtra
  readonly token: () => TokenAnswer
  readonly leave: (signal: AbortSignal) => Promise<LeaveAnswer>
}

const RUNS: ReadonlySet<string> = new Set(['running', 'healthy'])

export class NodeBackend implements Backend {
  readonly #c: BackendComponents

  constructor(components: BackendComponents) {
    this.#c = components
  }

  ready(): ReadyView {
    return this.#c.ready()
  }

  async status(): Promise<StatusView> {
    return reportStatus(this.#c.context, this.#c.statusExtra())
  }

  async nodes(): ReturnType<Backend['nodes']> {
    return reportNodes(this.#c.context)
  }

  async allocations(filter: AllocationFilter): ReturnType<Backend['allocations']> {
    return reportAllocations(this.#c.context, filter)
  }

  async workloads(): Promise<readonly WorkloadRow[]> {
    const rows = [...this.#c.context.agent.view.workloads.values()]
    return rows.sort((a, b) => (a.key < b.key ? -1 : 1)).map(workload => this.#row(workload))
  }

  async workload(ref: WorkloadRef, signal: AbortSignal): Promise<WorkloadDetail> {
    const { context, inspect } = this.#c
    const workload = this.#find(ref)
    const rows = reportWorkload(context, workload)
    const entry = context.agent.replica.entry(workload.key)
    return {
      ...this.#row(workload),
      spec: workload.record.spec,
      conflicting: (entry?.conflicts ?? []).map(conflict => ({
        uid: conflict.body.uid,
        author: nodeName(context, conflict.author),
        spec: context.agent.specOf(conflict.body.value)
      })),
      allocations: await Promise.all(rows.map(row => inspect.detail(row, signal)))
    }
  }

  async why(ref: WorkloadRef): ReturnType<Backend['why']> {
    return reportWhy(this.#c.context, this.#find(ref))
  }

  async volumes(signal: AbortSignal): ReturnType<Backend['volumes']> {
    return reportVolumes(this.#c.context, await this.#c.inspect.volumes(signal))
  }

  events(after: string | undefined, signal: AbortSignal): AsyncIterable<EventView> {
    return this.#c.events.read(after, signal)
  }

  async logs(query: LogQuery, signal: AbortSignal): Promise<AsyncIterable<LogEntry>> {
    return this.#c.logs.read(query, this.#find(query), signal)
  }

  deploy(request: DeployRequest, signal: AbortSignal): ReturnType<Backend['deploy']> {
    const { operation, project, workloads, prune, dryRun } = request
    this.#mayWrite(dryRun)
    const submission = { kind: 'apply' as const, project, workloads, prune }
    return this.#c.writes.change(operation, submission, dryRun, signal)
  }

  scale(request: ScaleRequest, signal: AbortSignal): ReturnType<Backend['scale']> {
    const { operation, project, name, replicas } = request
    this.#mayWrite(false)
    const submission = { kind: 'scale' as const, project, name, replicas }
    return this.#c.writes.change(operation, submission, false, signal)
  }

  async remove(request: RemoveRequest, signal: AbortSignal): ReturnType<Backend['remove']> {
    const { operation, project, name } = request
    this.#mayWrite(false)
    if (this.#wasRemoved(project, name)) {
      const notes = [`${name === undefined ? project : `${project}/${name}`} was removed before`]
      return { operation, dryRun: false, changes: [], acks: { disks: 0, wanted: 0 }, notes }
    }
    const submission = { kind: 'remove' as const, project, name }
    return await this.#c.writes.change(operation, submission, false, signal)
  }

  abandon(request: AbandonRequest, signal: AbortSignal): ReturnType<Backend['abandon']> {
    const { operation, project, volume, slot } = request
    this.#mayWrite(false)
    const submission = { kind: 'abandon' as const, volume, project, slot }
    return this.#c.writes.abandon(operation, submission, signal)
  }

  async token(): Promise<TokenAnswer> {
    return this.#c.token()
  }

  leave(signal: AbortSignal): Promise<LeaveAnswer> {
    return this.#c.leave(signal)
  }

  #mayWrite(dryRun: boolean): void {
    const { ready, waits } = this.#c.ready()
    if (ready || dryRun) return
    const trouble = this.#c.trouble()
    if (trouble !== undefined)
      throw new ShoalError('STORE', trouble, { hint: 'or ask another node' })
    throw new ShoalError('UNAVAILABLE', `this node is not ready: ${waits}`, {
      hint: 'ask another node, or try again'
    })
  }

  /** It was there, and nothing of it is left. */
  #wasRemoved(project: string, name: string | undefined): boolean {
    const { agent } = this.#c.context
    const entries =
      name === undefined
        ? agent.replica.shared(`workload/${project}/`)
        : [agent.replica.entry(`workload/${project}/${name}`)]
    return entries.length > 0 && entries.every(entry => entry !== undefined && !entry.current)
  }

  #find(ref: WorkloadRef): WorkloadView {
    const { view } = this.#c.context.agent
    const uid = view.uidOf(ref.project, ref.name)
    const workload = uid === undefined ? undefined : view.workloads.get(uid)
    if (workload !== undefined) return workload
    throw new ShoalError('NOT_FOUND', `no workload ${ref.project}/${ref.name}`, {
      hint: 'see shoal ps'
    })
  }

  #row(workload: WorkloadView): WorkloadRow {
    const { spec } = workload.record
    const rows = reportWorkload(this.#c.context, workload)
    return {
      project: spec.project,
      name: spec.name,
      uid: workload.uid,
      generation: workload.generation,
      replicas: spec.replicas,
      running: new Set(rows.filter(row => RUNS.has(row.state)).map(row => row.slot)).size,
      pending: rows.filter(row => row.state === 'pending').length,
      runtime: spec.runtime,
      image: spec.image ?? '',
      conflicts: workload.conflicts
    }
  }
}
