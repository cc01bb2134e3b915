/** What an engine says of an instance, here or on the node that runs it. */

import { count, isRecord, text } from '../../gossip/core/check.ts'
import type { MeshHost } from '../../gossip/libp2p/host.ts'
import type { AllocationDetail, AllocationView } from '../../src/api/types.ts'
import { askRemote } from '../remote.ts'
import type { ReportContext } from '../report/context.ts'
import type { Runtime } from '../runtime/runtime.ts'

export const INSPECT_PROTOCOL = '/shoal/inspect/1'
const ASK_TIMEOUT_MS = 3_000

export interface InspectComponents {
  readonly context: ReportContext
  readonly host: MeshHost
  readonly runtimes: ReadonlyMap<string, Runtime>
}

export class Inspect {
  readonly #c: InspectComponents

  constructor(components: InspectComponents) {
    this.#c = components
  }

  /** What a peer asks of us: the runtime's own description of one slot. */
  async *serve(value: unknown, signal: AbortSignal): AsyncGenerator<unknown> {
    if (!isRecord(value) || !text(64)(value['uid']) || !count(value['slot'])) {
      throw new Error('this is no inspect request')
    }
    yield await this.#local(value['uid'], value['slot'], signal)
  }

  async detail(row: AllocationView, signal: AbortSignal): Promise<AllocationDetail> {
    if (row.instance === '' || row.nodeId === null) {
      return { ...row, inspect: null, inspectError: 'it has no instance' }
    }
    try {
      return { ...row, inspect: await this.#ask(row, signal), inspectError: '' }
    } catch (error) {
      const inspectError = error instanceof Error ? error.message : String(error)
      return { ...row, inspect: null, inspectError }
    }
  }

  async #ask(row: AllocationView, signal: AbortSignal): Promise<unknown> {
    const { context, host } = this.#c
    const limited = AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)])
    if (row.nodeId === context.agent.self) return await this.#local(row.uid, row.slot, limited)
    const request = { uid: row.uid, slot: row.slot }
    for await (const answer of askRemote(
      host,
      row.nodeId ?? '',
      INSPECT_PROTOCOL,
      request,
      limited
    )) {
      return answer
    }
    throw new Error(`${row.node} did not answer`)
  }

  async #local(uid: string, slot: number, signal: AbortSignal): Promise<unknown> {
    const { agent } = this.#c.context
    const record = agent.view.claim(uid, slot, agent.self)
    const runtime = this.#c.runtimes.get(record?.runtime ?? '')
    if (record === undefined || runtime === undefined || record.instance === '') {
      throw new Error('it does not run here')
    }
    return await runtime.inspect(record.instance, signal)
  }
}
