/**
 * A host without an engine: its instances, its volumes, whether it answers. It outlives the
 * `MemoryRuntime`s, as an engine outlives a daemon. All time comes from the clock it is given.
 */
import type { WorkloadSpec } from '../../../src/spec/workload.ts'
import type { Clock } from '../../clock.ts'
import { instanceName, type Owner } from '../labels.ts'
import {
  type HealthState,
  type InstanceMark,
  type InstanceState,
  type LogLine,
  RuntimeFailure
} from '../runtime.ts'

/** What a start of one run does; every part is optional. */
export interface MemoryBehaviour {
  readonly startLatencyMs?: number
  /** Until a health check passes; undefined never does. */
  readonly healthyAfterMs?: number
  /** Ends by itself. */
  readonly exit?: { readonly afterMs: number; readonly code: number }
  /** Refuses to start. */
  readonly failure?: RuntimeFailure
  /** Does not end on its stop signal: takes the whole grace. */
  readonly ignoresSignal?: boolean
  readonly output?: readonly Pick<LogLine, 'stream' | 'line'>[]
}

export interface MemoryEngineInit {
  /** What a start does. `run` counts from 1. */
  readonly behave?: (spec: WorkloadSpec, mark: InstanceMark, run: number) => MemoryBehaviour
  /** Paths that exist on this host, for binds. Default: all. */
  readonly exists?: (path: string) => boolean
}

/** Exit statuses of a stop: 128 and the signal's number. */
export const EXIT_TERMINATED = 143
export const EXIT_KILLED = 137
const LOG_LINES_MAX = 10_000

/** One instance on the host. */
export interface MemoryEntry {
  readonly id: string
  readonly owner: Owner
  readonly mark: InstanceMark
  readonly spec: WorkloadSpec
  run: number
  state: InstanceState
  health: HealthState
  exitCode: number | undefined
  startedMs: number
  startedAt: string | undefined
  behaviour: MemoryBehaviour
  readonly lines: LogLine[]
}

export class MemoryEngine {
  readonly clock: Clock
  readonly #init: MemoryEngineInit
  readonly entries = new Map<string, MemoryEntry>()
  readonly volumes = new Map<string, Owner & { readonly name: string; readonly project: string }>()
  readonly #listeners = new Set<() => void>()
  #sequence = 0
  #isUp = true

  constructor(components: { readonly clock: Clock }, init: MemoryEngineInit = {}) {
    this.clock = components.clock
    this.#init = init
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** The engine's answer to calls; instances run on while it is down. */
  setUp(isUp: boolean): void {
    this.#isUp = isUp
    this.notify()
  }

  /** An instance ends by itself, or somebody kills it. */
  end(id: string, code: number): void {
    const entry = this.entries.get(id)
    if (entry?.state !== 'running') return
    entry.state = 'exited'
    entry.exitCode = code
    entry.health = 'none'
    this.notify()
  }

  setHealth(id: string, health: HealthState): void {
    const entry = this.entries.get(id)
    if (entry?.state !== 'running') return
    entry.health = health
    this.notify()
  }

  write(id: string, stream: LogLine['stream'], line: string): void {
    const entry = this.entries.get(id)
    if (entry === undefined) return
    entry.lines.push({ stream, time: new Date(this.clock.wallMs()).toISOString(), line })
    if (entry.lines.length > LOG_LINES_MAX) entry.lines.shift()
    this.notify()
  }

  /** The host loses power: everything that ran has ended, volumes stay. */
  crash(): void {
    for (const id of [...this.entries.keys()].sort()) this.end(id, EXIT_KILLED)
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  exists(path: string): boolean {
    return this.#init.exists?.(path) ?? true
  }

  create(owner: Owner, spec: WorkloadSpec, mark: InstanceMark): MemoryEntry {
    const entry: MemoryEntry = {
      id: `${instanceName(mark)}:${++this.#sequence}`,
      owner,
      mark,
      spec,
      run: 0,
      state: 'created',
      health: 'none',
      exitCode: undefined,
      startedMs: 0,
      startedAt: undefined,
      behaviour: {},
      lines: []
    }
    this.entries.set(entry.id, entry)
    this.notify()
    return entry
  }

  /** Resolves when it runs. Throws the failure of its behaviour. */
  async run(entry: MemoryEntry): Promise<void> {
    const run = ++entry.run
    const { clock } = this
    entry.behaviour = this.#init.behave?.(entry.spec, entry.mark, run) ?? {}
    const { startLatencyMs = 0, failure, healthyAfterMs, exit, output = [] } = entry.behaviour
    if (startLatencyMs > 0)
      await new Promise<void>(resolve => clock.schedule(startLatencyMs, resolve))
    if (failure !== undefined) throw failure
    if (this.entries.get(entry.id) !== entry || entry.run !== run)
      throw new RuntimeFailure('transient', `${entry.id} was removed while it started`)
    entry.state = 'running'
    entry.exitCode = undefined
    entry.health = entry.spec.health === undefined ? 'none' : 'starting'
    entry.startedMs = clock.nowMs()
    entry.startedAt = new Date(clock.wallMs()).toISOString()
    for (const { stream, line } of output) this.write(entry.id, stream, line)
    const still = (task: () => void) => () => {
      if (entry.run === run && this.entries.get(entry.id) === entry) task()
    }
    if (healthyAfterMs !== undefined && entry.spec.health !== undefined)
      clock.schedule(
        healthyAfterMs,
        still(() => this.setHealth(entry.id, 'healthy'))
      )
    if (exit !== undefined)
      clock.schedule(
        exit.afterMs,
        still(() => this.end(entry.id, exit.code))
      )
    this.notify()
  }
}
