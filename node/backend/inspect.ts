/** What an engine says of an instance or of its volumes, here or on the node that has them. */
import { type Check, count, isRecord, list, text } from '../../gossip/core/check.ts'
import type { MeshHost } from '../../gossip/libp2p/host.ts'
import type { AllocationDetail, AllocationView } from '../../src/api/types.ts'
import { askRemote } from '../remote.ts'
import type { ReportContext } from '../report/context.ts'
import type { Runtime } from '../runtime/runtime.ts'

export const INSPECT_PROTOCOL = '/shoal/inspect/1'
const ASK_TIMEOUT_MS = 3_000
/** Nodes asked for their volumes at once. */
const ASKED_MAX = 16
/** Volumes told of one node; names are as long as an engine allows. */
const VOLUMES_MAX = 1_000
const NAME_LENGTH_MAX = 255

/** A named volume of ours that a node has, by the spec's names. */
export interface FoundVolume {
  readonly node: string
  readonly project: string
  readonly name: string
}

type OwnVolume = Omit<FoundVolume, 'node'>

const isVolume: Check<OwnVolume> = (value): value is OwnVolume =>
  isRecord(value) && text(NAME_LENGTH_MAX)(value['project']) && text(NAME_LENGTH_MAX)(value['name'])

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

  /** What a peer asks of us: our volumes, or the runtime's own description of one slot. */
  async *serve(value: unknown, signal: AbortSignal): AsyncGenerator<unknown> {
    if (isRecord(value) && value['volumes'] === true) {
      yield await this.#ownVolumes(signal)
      return
    }
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

  /** Named volumes of every living node; a node that does not answer in time is left out. */
  async volumes(signal: AbortSignal): Promise<readonly FoundVolume[]> {
    const { context } = this.#c
    const limited = AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)])
    const queue = [...context.agent.view.members.values()]
      .filter(member => member.state === 'alive')
      .map(member => member.id)
    const found: FoundVolume[] = []
    const work = async (): Promise<void> => {
      for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
        if (limited.aborted) return
        const asked = node
        const volumes = await this.#volumesOf(asked, limited).catch(() => [])
        found.push(...volumes.map(({ project, name }) => ({ node: asked, project, name })))
      }
    }
    await Promise.all(Array.from({ length: Math.min(ASKED_MAX, queue.length) }, work))
    return found
  }

  async #volumesOf(node: string, signal: AbortSignal): Promise<readonly OwnVolume[]> {
    const { context, host } = this.#c
    if (node === context.agent.self) return await this.#ownVolumes(signal)
    const request = { volumes: true }
    for await (const answer of askRemote(host, node, INSPECT_PROTOCOL, request, signal)) {
      return list(VOLUMES_MAX, isVolume)(answer) ? answer : []
    }
    return []
  }

  /** Of all runtimes here; one that cannot be asked now has none. */
  async #ownVolumes(signal: AbortSignal): Promise<readonly OwnVolume[]> {
    const asked = [...this.#c.runtimes.values()].map(runtime =>
      runtime.volumes(signal).catch(() => [])
    )
    return (await Promise.all(asked)).flat().slice(0, VOLUMES_MAX)
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
