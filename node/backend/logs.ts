/** Log lines of all replicas of a workload, from this node's runtimes and from its peers. */

import { count, flag, isRecord, text } from '../../gossip/core/check.ts'
import type { MeshHost } from '../../gossip/libp2p/host.ts'
import type { LogEntry } from '../../src/api/types.ts'
import type { Claim } from '../agent/claim-book.ts'
import type { WorkloadView } from '../agent/view.ts'
import type { LogQuery } from '../api/backend.ts'
import { askRemote } from '../remote.ts'
import { nodeName, type ReportContext } from '../report/context.ts'
import type { LogLine, Runtime } from '../runtime/runtime.ts'
import { mergeArriving, mergeOrdered } from './merge.ts'

export const LOGS_PROTOCOL = '/shoal/logs/1'
const STREAMS_MAX = 256

interface LogRequest {
  readonly uid: string
  readonly slot: number
  readonly follow: boolean
  readonly tail: number | null
}

export interface LogsComponents {
  readonly context: ReportContext
  readonly host: MeshHost
  readonly runtimes: ReadonlyMap<string, Runtime>
}

export class Logs {
  readonly #c: LogsComponents

  constructor(components: LogsComponents) {
    this.#c = components
  }

  /** What a peer asks of us: the lines of one slot that runs here. */
  async *serve(value: unknown, signal: AbortSignal): AsyncGenerator<LogLine> {
    if (!isLogRequest(value)) throw new Error('this is no log request')
    yield* this.#local(value, signal)
  }

  /** All replicas of a workload, in the order in which lines arrive. */
  read(query: LogQuery, workload: WorkloadView, signal: AbortSignal): AsyncIterable<LogEntry> {
    const { view } = this.#c.context.agent
    const claims = view
      .claims(workload.uid)
      .filter(claim => view.living(claim.node) && claim.record.instance !== '')
      .filter(claim => query.slot === undefined || claim.slot === query.slot)
      .sort((a, b) => a.slot - b.slot)
      .slice(0, STREAMS_MAX)
    const sources = claims.map(claim => this.#entries(query, workload, claim, signal))
    if (query.follow) return mergeArriving(sources, signal)
    return mergeOrdered(sources, (a, b) => a.time < b.time)
  }

  async *#entries(
    query: LogQuery,
    workload: WorkloadView,
    claim: Claim,
    signal: AbortSignal
  ): AsyncGenerator<LogEntry> {
    const { context } = this.#c
    const base = {
      project: workload.record.spec.project,
      workload: workload.record.spec.name,
      slot: claim.slot,
      node: nodeName(context, claim.node)
    }
    const request: LogRequest = {
      uid: workload.uid,
      slot: claim.slot,
      follow: query.follow,
      tail: query.tail ?? null
    }
    try {
      const here = claim.node === context.agent.self
      const lines = here ? this.#local(request, signal) : this.#remote(claim.node, request, signal)
      for await (const line of lines) yield { kind: 'line', ...base, ...line }
    } catch (error) {
      if (signal.aborted) return
      const why = error instanceof Error ? error.message : String(error)
      const line = `no more lines from ${base.node}: ${why}`
      yield { kind: 'note', ...base, stream: 'stderr', time: '', line }
    }
  }

  async *#local(request: LogRequest, signal: AbortSignal): AsyncGenerator<LogLine> {
    const { agent } = this.#c.context
    const record = agent.view.claim(request.uid, request.slot, agent.self)
    const runtime = this.#c.runtimes.get(record?.runtime ?? '')
    if (record === undefined || runtime === undefined || record.instance === '') {
      throw new Error('it does not run here')
    }
    const options = {
      follow: request.follow,
      tail: request.tail ?? undefined,
      sinceMs: undefined
    }
    yield* runtime.logs(record.instance, options, signal)
  }

  async *#remote(node: string, request: LogRequest, signal: AbortSignal): AsyncGenerator<LogLine> {
    for await (const value of askRemote(this.#c.host, node, LOGS_PROTOCOL, request, signal)) {
      if (isLogLine(value)) yield { stream: value.stream, time: value.time, line: value.line }
    }
  }
}

function isLogRequest(value: unknown): value is LogRequest {
  return (
    isRecord(value) &&
    text(64)(value['uid']) &&
    count(value['slot']) &&
    flag(value['follow']) &&
    (value['tail'] === null || count(value['tail']))
  )
}

function isLogLine(value: unknown): value is LogLine {
  return (
    isRecord(value) &&
    (value['stream'] === 'stdout' || value['stream'] === 'stderr') &&
    text(64)(value['time']) &&
    typeof value['line'] === 'string'
  )
}
