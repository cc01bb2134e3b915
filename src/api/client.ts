/**
 * The client of the API: a method a route, in wire types. Loads neither zod nor hono, so that
 * `shoal ps` starts fast. Every call takes an AbortSignal.
 */
import { lines, sseData } from './stream.ts'
import { type Answer, type Call, readJson, send } from './transport.ts'
import {
  type AbandonAnswer,
  type AbandonRequest,
  type AllocationView,
  type ChangeAnswer,
  type DeployRequest,
  type EventView,
  type LeaveAnswer,
  type LogEntry,
  type NodeView,
  type ReadyView,
  type ScaleRequest,
  type StatusView,
  type TokenAnswer,
  VERSION_HEADER,
  type VolumeView,
  type WhyView,
  type WorkloadDetail,
  type WorkloadRef,
  type WorkloadView
} from './types.ts'

const READ_TIMEOUT_MS = 35_000
const WRITE_TIMEOUT_MS = 40_000
const READY_TIMEOUT_MS = 2_000

export interface ClientInit {
  readonly socketPath: string
  /** Told of the version in each answer. */
  readonly onVersion?: (version: string) => void
}

export interface LogRequest extends WorkloadRef {
  readonly slot?: number | undefined
  readonly tail?: number | undefined
  readonly follow: boolean
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

export class Client {
  readonly socketPath: string
  readonly #onVersion: ((version: string) => void) | undefined

  constructor(init: ClientInit) {
    this.socketPath = init.socketPath
    this.#onVersion = init.onVersion
  }

  /** Also answers while the daemon is not ready. */
  async ready(signal: AbortSignal): Promise<ReadyView> {
    const call: Call = { method: 'GET', path: '/readyz', timeoutMs: READY_TIMEOUT_MS, signal }
    const answer = await this.#send(call)
    // 503 with the same body says what it waits for.
    const status = answer.status === 503 ? 200 : answer.status
    return (await readJson({ ...answer, status }, call)) as ReadyView
  }

  status(signal: AbortSignal): Promise<StatusView> {
    return this.#get('/v1/status', {}, signal)
  }

  nodes(signal: AbortSignal): Promise<readonly NodeView[]> {
    return this.#get('/v1/nodes', {}, signal)
  }

  allocations(
    filter: {
      readonly all?: boolean
      readonly project?: string | undefined
      readonly workload?: string | undefined
    },
    signal: AbortSignal
  ): Promise<readonly AllocationView[]> {
    return this.#get('/v1/allocations', { ...filter }, signal)
  }

  workloads(signal: AbortSignal): Promise<readonly WorkloadView[]> {
    return this.#get('/v1/workloads', {}, signal)
  }

  workload(ref: WorkloadRef, signal: AbortSignal): Promise<WorkloadDetail> {
    return this.#get(`/v1/workloads/${segment(ref.project)}/${segment(ref.name)}`, {}, signal)
  }

  why(ref: WorkloadRef, signal: AbortSignal): Promise<WhyView> {
    return this.#get('/v1/why', { project: ref.project, name: ref.name }, signal)
  }

  volumes(signal: AbortSignal): Promise<readonly VolumeView[]> {
    return this.#get('/v1/volumes', {}, signal)
  }

  /** Ends when the daemon stops; throws when the signal aborts. */
  async *events(after: string | undefined, signal: AbortSignal): AsyncGenerator<EventView> {
    const headers = after === undefined ? {} : { 'last-event-id': after }
    const call: Call = { method: 'GET', path: '/v1/events', headers, timeoutMs: 0, signal }
    const answer = await this.#stream(call)
    for await (const data of sseData(lines(answer.response, signal)))
      yield JSON.parse(data) as EventView
  }

  async *logs(query: LogRequest, signal: AbortSignal): AsyncGenerator<LogEntry> {
    const path = `/v1/logs${queryText({ ...query })}`
    const call: Call = { method: 'GET', path, timeoutMs: READ_TIMEOUT_MS, signal }
    const answer = await this.#stream(call)
    for await (const line of lines(answer.response, signal)) {
      if (line !== '') yield JSON.parse(line) as LogEntry
    }
  }

  deploy(request: DeployRequest, signal: AbortSignal): Promise<ChangeAnswer> {
    return this.#write('POST', '/v1/deploy', request, request.operation, signal)
  }

  scale(request: ScaleRequest, signal: AbortSignal): Promise<ChangeAnswer> {
    return this.#write('POST', '/v1/scale', request, request.operation, signal)
  }

  /** Without a name: every workload of the project. */
  remove(
    request: { readonly operation: string; readonly project: string; readonly name?: string },
    signal: AbortSignal
  ): Promise<ChangeAnswer> {
    const name = request.name === undefined ? '' : `/${segment(request.name)}`
    const query = queryText({ operation: request.operation })
    const path = `/v1/workloads/${segment(request.project)}${name}${query}`
    return this.#write('DELETE', path, undefined, request.operation, signal)
  }

  abandon(request: AbandonRequest, signal: AbortSignal): Promise<AbandonAnswer> {
    return this.#write('POST', '/v1/volumes/abandon', request, request.operation, signal)
  }

  token(signal: AbortSignal): Promise<TokenAnswer> {
    return this.#write('POST', '/v1/token', undefined, undefined, signal)
  }

  leave(signal: AbortSignal): Promise<LeaveAnswer> {
    return this.#write('POST', '/v1/leave', undefined, undefined, signal)
  }

  async #get<T>(path: string, query: Query, signal: AbortSignal): Promise<T> {
    const timeoutMs = READ_TIMEOUT_MS
    const call: Call = { method: 'GET', path: path + queryText(query), timeoutMs, signal }
    return (await readJson(await this.#send(call), call)) as T
  }

  async #write<T>(
    method: 'POST' | 'DELETE',
    path: string,
    body: unknown,
    operation: string | undefined,
    signal: AbortSignal
  ): Promise<T> {
    const rest = operation === undefined ? {} : { operation }
    const call: Call = { method, path, body, timeoutMs: WRITE_TIMEOUT_MS, signal, ...rest }
    return (await readJson(await this.#send(call), call)) as T
  }

  async #stream(call: Call): Promise<Answer> {
    const answer = await this.#send(call)
    if (answer.status !== 200) await readJson(answer, call)
    return answer
  }

  async #send(call: Call): Promise<Answer> {
    const answer = await send(this.socketPath, call)
    const version = answer.response.headers[VERSION_HEADER]
    if (typeof version === 'string') this.#onVersion?.(version)
    return answer
  }
}

function segment(text: string): string {
  return encodeURIComponent(text)
}

function queryText(query: Query): string {
  const pairs = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}
