/**
 * A runtime without an engine: for tests and the simulator. All time comes from the clock it is
 * given; nothing is random. The `MemoryEngine` is the host and outlives the `MemoryRuntime`s, as an
 * engine outlives a daemon.
 */
import { hasLocalData, type WorkloadSpec } from '../../src/spec/workload.ts'
import { instanceName, type Owner } from './labels.ts'
import {
  type HealthState,
  type Instance,
  type InstanceMark,
  type InstanceState,
  type LogLine,
  type LogOptions,
  type Runtime,
  RuntimeFailure,
  type RuntimeStatus
} from './runtime.ts'

export interface MemoryClock {
  /** Milliseconds, monotonic. */
  nowMs(): number
  /** Wall clock in milliseconds since 1970, for display. */
  wallMs(): number
  /** Calls `task` once, `afterMs` later. */
  schedule(afterMs: number, task: () => void): void
}

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

export const EXIT_TERMINATED = 143
export const EXIT_KILLED = 137
const LOG_LINES_MAX = 10_000

interface Entry {
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

/** One host: its instances, its volumes, whether its engine answers. */
export class MemoryEngine {
  readonly clock: MemoryClock
  readonly #init: MemoryEngineInit
  readonly entries = new Map<string, Entry>()
  readonly volumes = new Map<string, Owner & { readonly name: string; readonly project: string }>()
  readonly #listeners = new Set<() => void>()
  #sequence = 0
  #isUp = true

  constructor(components: { readonly clock: MemoryClock }, init: MemoryEngineInit = {}) {
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

  create(owner: Owner, spec: WorkloadSpec, mark: InstanceMark): Entry {
    const entry: Entry = {
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
    return entry
  }

  /** Resolves when it runs. Throws the failure of its behaviour. */
  async run(entry: Entry): Promise<void> {
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

export class MemoryRuntime implements Runtime {
  readonly name = 'memory'
  readonly #engine: MemoryEngine
  readonly #owner: Owner
  readonly #starting = new Map<string, Promise<Instance>>()

  constructor(components: { readonly engine: MemoryEngine }, init: Owner) {
    this.#engine = components.engine
    this.#owner = { mesh: init.mesh, node: init.node }
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  async status(): Promise<RuntimeStatus> {
    return this.#engine.isUp
      ? { available: true, detail: 'memory' }
      : { available: false, detail: 'memory: the engine is down' }
  }

  #ask(): MemoryEngine {
    if (this.#engine.isUp) return this.#engine
    throw new RuntimeFailure('transient', 'memory: the engine is down')
  }

  #mine(): Entry[] {
    const { mesh, node } = this.#owner
    return [...this.#ask().entries.values()]
      .filter(entry => entry.owner.mesh === mesh && entry.owner.node === node)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  #instance(entry: Entry): Instance {
    const running = entry.state === 'running'
    return {
      id: entry.id,
      runtime: this.name,
      mark: entry.mark,
      state: entry.state,
      health: running ? entry.health : 'none',
      exitCode: entry.exitCode,
      runningMs: running ? this.#engine.clock.nowMs() - entry.startedMs : 0,
      startedAt: entry.startedAt
    }
  }

  async list(): Promise<readonly Instance[]> {
    return this.#mine().map(entry => this.#instance(entry))
  }

  watch(changed: () => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    const unsubscribe = this.#engine.subscribe(changed)
    changed()
    return new Promise(resolve => {
      const end = (): void => {
        unsubscribe()
        resolve()
      }
      signal.addEventListener('abort', end, { once: true })
    })
  }

  async start(spec: WorkloadSpec, mark: InstanceMark, signal: AbortSignal): Promise<Instance> {
    signal.throwIfAborted()
    const key = `${mark.uid}/${mark.slot}/${mark.generation}`
    const under = this.#starting.get(key)
    if (under !== undefined) return under
    const starting = this.#start(spec, mark).finally(() => this.#starting.delete(key))
    this.#starting.set(key, starting)
    return starting
  }

  async #start(spec: WorkloadSpec, mark: InstanceMark): Promise<Instance> {
    const here = this.#mine().filter(
      ({ mark: { uid, slot } }) => uid === mark.uid && slot === mark.slot
    )
    let entry = here.find(({ mark: { generation } }) => generation === mark.generation)
    if (entry !== undefined && entry.state !== 'created') return this.#instance(entry)
    for (const other of here) {
      if (other === entry) continue
      if (other.state !== 'exited')
        throw new RuntimeFailure(
          'transient',
          `slot ${mark.slot} of ${mark.project}/${mark.workload} still runs generation ` +
            `${other.mark.generation}; stop it first`
        )
      this.#engine.entries.delete(other.id)
    }
    this.#mount(spec)
    entry ??= this.#engine.create(this.#owner, spec, mark)
    try {
      await this.#engine.run(entry)
    } catch (error) {
      this.#engine.entries.delete(entry.id)
      throw error
    }
    return this.#instance(entry)
  }

  #mount(spec: WorkloadSpec): void {
    if (!hasLocalData(spec)) return
    for (const volume of spec.volumes) {
      if (volume.kind === 'bind' && !this.#engine.exists(volume.source))
        throw new RuntimeFailure('permanent', `bind source ${volume.source} does not exist`)
    }
    for (const volume of spec.volumes) {
      if (volume.kind !== 'volume') continue
      const { project } = spec
      this.#engine.volumes.set(`${project}/${volume.name}`, {
        ...this.#owner,
        project,
        name: volume.name
      })
    }
  }

  #find(id: string): Entry | undefined {
    return this.#mine().find(entry => entry.id === id)
  }

  #need(id: string): Entry {
    const entry = this.#find(id)
    if (entry === undefined) throw new RuntimeFailure('transient', `${id} is gone`)
    return entry
  }

  async stop(
    id: string,
    options: { readonly graceMs: number; readonly signal: string },
    signal: AbortSignal
  ): Promise<void> {
    signal.throwIfAborted()
    const entry = this.#find(id)
    if (entry === undefined) return
    const stubborn = entry.behaviour.ignoresSignal === true && options.signal !== 'SIGKILL'
    if (entry.state === 'running' && stubborn) {
      await new Promise<void>(resolve => this.#engine.clock.schedule(options.graceMs, resolve))
      signal.throwIfAborted()
    }
    this.#engine.end(id, stubborn ? EXIT_KILLED : EXIT_TERMINATED)
    this.#engine.entries.delete(id)
    this.#engine.notify()
  }

  async restart(id: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const entry = this.#need(id)
    if (entry.state !== 'running') await this.#engine.run(entry)
  }

  async sweep(): Promise<void> {
    this.#ask()
  }

  async *logs(id: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<LogLine> {
    const entry = this.#need(id)
    const fromMs = options.sinceMs ?? Number.NEGATIVE_INFINITY
    const kept = entry.lines.filter(line => Date.parse(line.time) >= fromMs)
    const { tail } = options
    yield* tail === undefined ? kept : kept.slice(Math.max(0, kept.length - tail))
    if (options.follow) yield* this.#follow(entry, entry.lines.at(-1), signal)
  }

  async *#follow(
    entry: Entry,
    last: LogLine | undefined,
    signal: AbortSignal
  ): AsyncGenerator<LogLine> {
    let seen = last
    while (!signal.aborted) {
      const fresh = entry.lines.slice(seen === undefined ? 0 : entry.lines.lastIndexOf(seen) + 1)
      for (const line of fresh) {
        if (signal.aborted) return
        yield line
      }
      seen = fresh.at(-1) ?? seen
      if (entry.state === 'exited') return
      if (entry.lines.at(-1) === seen) await this.#next(signal)
    }
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        unsubscribe()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const unsubscribe = this.#engine.subscribe(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  async inspect(id: string): Promise<unknown> {
    const { mark, spec, run, state } = this.#need(id)
    return { id, mark, spec, run, state }
  }

  async volumes(): Promise<readonly { readonly name: string; readonly project: string }[]> {
    const { mesh, node } = this.#owner
    return [...this.#ask().volumes.values()]
      .filter(volume => volume.mesh === mesh && volume.node === node)
      .map(({ name, project }) => ({ name, project }))
      .sort((a, b) => (`${a.project}/${a.name}` < `${b.project}/${b.name}` ? -1 : 1))
  }
}
