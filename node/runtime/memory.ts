/**
 * A runtime without an engine: for tests and the simulator. Nothing in it is random and no time but
 * its engine's clock is used.
 */
import { hasLocalData, type WorkloadSpec } from '../../src/spec/workload.ts'
import type { Owner } from './labels.ts'
import {
  EXIT_KILLED,
  EXIT_TERMINATED,
  type MemoryEngine,
  type MemoryEntry
} from './memory/engine.ts'
import {
  type Instance,
  type InstanceMark,
  type LogLine,
  type LogOptions,
  type Runtime,
  RuntimeFailure,
  type RuntimeStatus
} from './runtime.ts'
import { onAbort } from './wait.ts'

export {
  type MemoryBehaviour,
  MemoryEngine,
  type MemoryEngineInit
} from './memory/engine.ts'

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

  #mine(): MemoryEntry[] {
    const { mesh, node } = this.#owner
    return [...this.#ask().entries.values()]
      .filter(entry => entry.owner.mesh === mesh && entry.owner.node === node)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  #instance(entry: MemoryEntry): Instance {
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
      onAbort(signal, end)
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

  #find(id: string): MemoryEntry | undefined {
    return this.#mine().find(entry => entry.id === id)
  }

  #need(id: string): MemoryEntry {
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
    entry: MemoryEntry,
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
        release()
        resolve()
      }
      const unsubscribe = this.#engine.subscribe(done)
      const release = onAbort(signal, done)
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
