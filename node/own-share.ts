/**
 * What this node offers of itself, watched while it runs: its load factor and ramp, and which of
 * its runtimes answer. Publishes only when something changes.
 */
import { codec } from '../gossip/codec.ts'
import { count, isRecord, list } from '../gossip/core/check.ts'
import type { Agent } from './agent/agent.ts'
import type { AgentInput } from './agent/api.ts'
import { EIGHTHS_FULL, LoadFactor } from './agent/load-factor.ts'
import { Ramp, STARTS_MAX, type StartHistory, withStart } from './agent/ramp.ts'
import type { NodeInfo } from './agent/records.ts'
import { type Clock, repeat } from './clock.ts'
import type { Executor } from './executor.ts'
import type { Store, StoredRecord } from './store/store.ts'

const SAMPLE_MS = 15_000
/** An engine that is down for so long gives up what is stateless (`protocols.md` 4, Planned). */
const ENGINE_DOWN_MS = 60_000
const STARTS_KEY = 'daemon/starts'

export interface OwnShareComponents {
  readonly agent: Agent
  readonly clock: Clock
  readonly executor: Executor
  readonly store: Store
  /** The host's load average over its cores. */
  readonly loadPerCore: () => number
  readonly input: (input: AgentInput) => void
  readonly onFailure: (error: unknown) => void
}

export class OwnShare {
  readonly #c: OwnShareComponents
  readonly #load: LoadFactor
  readonly #ramp: Ramp
  #info: NodeInfo
  #history: StartHistory
  #published = ''
  #end: (() => void) | undefined
  #isWriting = false

  constructor(
    components: OwnShareComponents,
    init: { readonly info: NodeInfo; readonly persisted: readonly StoredRecord[] }
  ) {
    const { clock } = components
    const nowMs = clock.nowMs()
    const wallMs = clock.wallMs()
    this.#c = components
    this.#info = init.info
    this.#load = new LoadFactor({ nowMs })
    const stored = init.persisted.find(record => record.key === STARTS_KEY)
    const history = stored === undefined ? undefined : readHistory(stored.value)
    this.#ramp = new Ramp({ history, wallMs, nowMs })
    this.#history = withStart(history, wallMs)
  }

  get info(): NodeInfo {
    return this.#info
  }

  start(): void {
    this.#publish(EIGHTHS_FULL)
    this.#end = repeat(this.#c.clock, SAMPLE_MS, () => this.#sample())
    this.#sample()
  }

  stop(): void {
    this.#end?.()
  }

  #sample(): void {
    const { clock } = this.#c
    const nowMs = clock.nowMs()
    const load = this.#load.sample(this.#c.loadPerCore(), nowMs)
    const ramp = this.#ramp.eighths(nowMs, this.#anyFull())
    // Without those that have not answered for so long that others should take over.
    const runtimes = this.#c.executor.usable(nowMs, ENGINE_DOWN_MS)
    this.#info = { ...this.#info, runtimes }
    this.#publish(Math.max(1, Math.floor((load * ramp) / EIGHTHS_FULL)))
    this.#history = { ...this.#history, aliveMs: clock.wallMs() }
    this.#write()
  }

  /** One at a time: a full disk keeps it waiting for long. */
  #write(): void {
    if (this.#isWriting) return
    this.#isWriting = true
    const record = { key: STARTS_KEY, value: codec.encode(this.#history) }
    this.#c.store.write([record], false).then(() => {
      this.#isWriting = false
    }, this.#c.onFailure)
  }

  #publish(eighths: number): void {
    const text = `${eighths} ${this.#info.runtimes.join()}`
    if (text === this.#published) return
    this.#published = text
    this.#c.input({ kind: 'info', info: this.#info, eighths })
  }

  #anyFull(): boolean {
    const { view, self } = this.#c.agent
    return [...view.infos.keys()].some(node => {
      const eighths = view.loads.get(node)?.eighths ?? EIGHTHS_FULL
      return node !== self && eighths === EIGHTHS_FULL && view.living(node)
    })
  }
}

function readHistory(value: Uint8Array): StartHistory | undefined {
  const decoded = codec.decode(value)
  if (!isRecord(decoded)) return undefined
  const { startsMs, aliveMs } = decoded
  if (!list(STARTS_MAX, count)(startsMs) || !count(aliveMs)) return undefined
  return { startsMs, aliveMs }
}
