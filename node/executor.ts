/**
 * Runs actions on the runtimes and tells the agent how they went and what is there. Bounded: so
 * many starts at once, one listing at a time, one deadline an action.
 */
import type { RuntimeName } from '../src/spec/workload.ts'
import type { AgentInput } from './agent/api.ts'
import type { Outcome } from './agent/slots.ts'
import { type Clock, repeat, within } from './clock.ts'
import type { Log } from './log.ts'
import type { OnPoint } from './points.ts'
import { type Action, describe } from './reconcile/action.ts'
import type { Instance } from './reconcile/instance.ts'
import { type Runtime, RuntimeFailure } from './runtime/runtime.ts'

/** More starts at once make no engine faster (`figures.md`: 16 against 8 adds 11 %). */
const CONCURRENCY_MAX = 12
const START_TIMEOUT_MS = 10 * 60_000
const STOP_MARGIN_MS = 30_000
const LIST_TIMEOUT_MS = 20_000
/** Runtime events within so long of each other are one listing. */
const DEBOUNCE_MS = 20
/** A missed event costs at most so long. */
const RESYNC_MS = 20_000

export interface Unavailable {
  readonly reason: string
  readonly sinceMs: number
}

export interface ExecutorComponents {
  readonly runtimes: ReadonlyMap<string, Runtime>
  /** Not there yet, and no trouble until they once were. */
  readonly absent: ReadonlySet<RuntimeName>
  readonly clock: Clock
  readonly log: Log
  readonly input: (input: AgentInput) => void
  /** Asked before an action begins, which may be long after it was decided. */
  readonly wants: (action: Action) => boolean
  readonly onPoint: OnPoint
}

export class Executor {
  readonly #c: ExecutorComponents
  readonly #abort = new AbortController()
  readonly #waiting: Action[] = []
  #active = 0
  #listing = false
  #again = false
  #debounce: (() => void) | undefined
  #resync: (() => void) | undefined
  readonly #unavailable = new Map<RuntimeName, Unavailable>()
  readonly #absent: Set<RuntimeName>

  constructor(components: ExecutorComponents) {
    this.#c = components
    this.#absent = new Set(components.absent)
  }

  /** Why a runtime cannot be asked now, by its name. */
  get unavailable(): ReadonlyMap<RuntimeName, Unavailable> {
    return this.#unavailable
  }

  /** Those that can run something: there, and not down for longer than `downMs`. */
  usable(nowMs: number, downMs: number): readonly RuntimeName[] {
    return [...this.#c.runtimes.values()]
      .map(runtime => runtime.name)
      .filter(name => {
        const down = this.#unavailable.get(name)
        return !this.#absent.has(name) && (down === undefined || nowMs - down.sinceMs < downMs)
      })
  }

  start(): void {
    for (const runtime of this.#c.runtimes.values()) {
      runtime
        .watch(() => this.changed(), this.#abort.signal)
        .catch((error: unknown) => {
          this.#c.log.warn({ runtime: runtime.name, error: String(error) }, 'watch ended')
        })
    }
    this.#resync = repeat(this.#c.clock, RESYNC_MS, () => this.changed())
    this.#observe()
  }

  stop(): void {
    this.#abort.abort()
    this.#debounce?.()
    this.#resync?.()
  }

  /** Queues an action; its outcome comes as a `done` input. */
  run(action: Action): void {
    this.#waiting.push(action)
    this.#next()
  }

  /** Something may have changed: list again soon. */
  changed(): void {
    if (this.#abort.signal.aborted || this.#debounce !== undefined) return
    this.#debounce = this.#c.clock.schedule(DEBOUNCE_MS, () => {
      this.#debounce = undefined
      this.#observe()
    })
  }

  #next(): void {
    while (this.#active < CONCURRENCY_MAX) {
      // Stops first: they make room.
      const index = this.#waiting.findIndex(action => action.kind === 'stop')
      const action = this.#waiting.splice(Math.max(0, index), 1)[0]
      if (action === undefined || this.#abort.signal.aborted) return
      this.#active += 1
      void this.#perform(action).then(outcome => {
        this.#active -= 1
        if (this.#abort.signal.aborted) return
        this.#c.input({ kind: 'done', action, outcome })
        this.changed()
        this.#next()
      })
    }
  }

  async #perform(action: Action): Promise<Outcome> {
    const runtime = this.#c.runtimes.get(action.runtime)
    if (runtime === undefined) {
      return { ok: false, failure: 'permanent', message: `no ${action.runtime} runtime here` }
    }
    if (!this.#c.wants(action)) {
      return { ok: false, failure: 'transient', message: 'it is not wanted any more' }
    }
    // A restart starts; it has the points of a start.
    const what = action.kind === 'stop' ? 'stop' : 'start'
    try {
      this.#c.onPoint(`${what}.before`)
      const instance = await this.#on(runtime, action)
      this.#c.onPoint(`${what}.after`)
      return { ok: true, instance }
    } catch (error) {
      const failure = error instanceof RuntimeFailure ? error.kind : 'transient'
      const message = error instanceof Error ? error.message : String(error)
      this.#c.log.warn({ failure, error: message }, `failed: ${describe(action)}`)
      return { ok: false, failure, message }
    }
  }

  async #on(runtime: Runtime, action: Action): Promise<Instance | undefined> {
    switch (action.kind) {
      case 'start':
        return await this.#within(START_TIMEOUT_MS, async signal => {
          await refuseEmptyData(runtime, action, signal)
          return await runtime.start(action.spec, action.mark, signal)
        })
      case 'restart':
        await this.#within(START_TIMEOUT_MS, signal => runtime.restart(action.instance, signal))
        return undefined
      case 'stop': {
        const { graceMs, signal: name } = action
        await this.#within(graceMs + STOP_MARGIN_MS, signal =>
          runtime.stop(action.instance, { graceMs, signal: name }, signal)
        )
        return undefined
      }
    }
  }

  #within<Result>(ms: number, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    return within(this.#c.clock, { ms, parent: this.#abort.signal }, work)
  }

  #observe(): void {
    if (this.#listing) {
      this.#again = true
      return
    }
    this.#listing = true
    void this.#list().finally(() => {
      this.#listing = false
      if (!this.#again) return
      this.#again = false
      this.changed()
    })
  }

  /** One listing of every runtime. A runtime that cannot be asked leaves all as it was: what it
   * runs is not known to be gone. */
  async #list(): Promise<void> {
    const beganMs = this.#c.clock.nowMs()
    const instances: Instance[] = []
    const runtimes: RuntimeName[] = []
    for (const runtime of this.#c.runtimes.values()) {
      try {
        instances.push(...(await this.#within(LIST_TIMEOUT_MS, signal => runtime.list(signal))))
        runtimes.push(runtime.name)
        this.#unavailable.delete(runtime.name)
        this.#absent.delete(runtime.name)
      } catch (error) {
        if (this.#abort.signal.aborted) return
        if (this.#absent.has(runtime.name)) continue
        const reason = error instanceof Error ? error.message : String(error)
        const sinceMs = this.#unavailable.get(runtime.name)?.sinceMs ?? beganMs
        this.#unavailable.set(runtime.name, { reason, sinceMs })
      }
    }
    if (runtimes.length > 0 && !this.#abort.signal.aborted) {
      this.#c.input({ kind: 'observed', runtimes, instances, beganMs })
    }
  }
}

/** An engine would make a volume that is gone anew, empty. Throws `permanent` instead. */
async function refuseEmptyData(
  runtime: Runtime,
  { data, spec }: Extract<Action, { kind: 'start' }>,
  signal: AbortSignal
): Promise<void> {
  const wanted = spec.volumes.flatMap(volume =>
    volume.kind === 'volume' && !volume.shared && data.includes(volume.name) ? [volume.name] : []
  )
  if (wanted.length === 0) return
  const here = await runtime.volumes(signal)
  const gone = wanted.filter(
    name => !here.some(volume => volume.name === name && volume.project === spec.project)
  )
  if (gone.length === 0) return
  throw new RuntimeFailure(
    'permanent',
    `its data is gone: no volume ${gone.join(', ')} here; to start empty: ` +
      `shoal volume abandon ${gone[0]}`
  )
}
