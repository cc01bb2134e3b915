/**
 * The engine of a host as one life of a daemon calls it: slow, silent, lying, or fine. What runs
 * there outlives the daemon (`node/runtime/memory`).
 */

import type { MemoryEngine } from '../../../node/runtime/memory.ts'
import { MemoryRuntime } from '../../../node/runtime/memory.ts'
import {
  type Instance,
  type InstanceMark,
  type LogLine,
  type Runtime,
  RuntimeFailure,
  type RuntimeStatus
} from '../../../node/runtime/runtime.ts'
import type { WorkloadSpec } from '../../../src/spec/workload.ts'
import type { VirtualClock } from '../../helpers/virtual-clock.ts'

/** What an engine does to its callers, until it is told otherwise. */
export interface EngineFaults {
  /** Each answer takes so much longer. */
  slowMs: number
  /** No answer at all; what was asked may be done (F44). */
  hangs: boolean
  /** Calls that wait for a silent engine: told when it is well again, and its sockets are new. */
  readonly hung: (() => void)[]
  /** One in so many calls is answered with an error of the server, done or not; 0: none. */
  liesOneIn: number
}

export function calmEngine(): EngineFaults {
  return { slowMs: 0, hangs: false, hung: [], liesOneIn: 0 }
}

export interface SimRuntimeComponents {
  readonly clock: VirtualClock
  readonly engine: MemoryEngine
  readonly faults: EngineFaults
  readonly random: { int(below: number): number }
  readonly enter: (task: () => void) => void
  readonly isLive: () => boolean
  /** Promises were made or ended. */
  readonly touch: () => void
}

const CALL_MS = 1
const SOCKET_LOST = 'memory: socket hang up'
const SERVER_ERRORS = ['500 server error', '409 conflict', '404 not found'] as const

export class SimRuntime implements Runtime {
  readonly name = 'memory'
  readonly #c: SimRuntimeComponents
  readonly #inner: MemoryRuntime

  constructor(components: SimRuntimeComponents, owner: { mesh: string; node: string }) {
    this.#c = components
    this.#inner = new MemoryRuntime({ engine: components.engine }, owner)
  }

  open(): Promise<void> {
    return this.#inner.open()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  status(): Promise<RuntimeStatus> {
    return this.#inner.status()
  }

  list(signal: AbortSignal): Promise<readonly Instance[]> {
    return this.#call(signal, () => this.#inner.list())
  }

  watch(changed: () => void, signal: AbortSignal): Promise<void> {
    return this.#inner.watch(() => {
      if (this.#c.isLive()) this.#c.enter(changed)
    }, signal)
  }

  start(spec: WorkloadSpec, mark: InstanceMark, signal: AbortSignal): Promise<Instance> {
    return this.#call(signal, () => this.#inner.start(spec, mark, signal))
  }

  stop(
    id: string,
    options: { readonly graceMs: number; readonly signal: string },
    signal: AbortSignal
  ): Promise<void> {
    return this.#call(signal, () => this.#inner.stop(id, options, signal))
  }

  restart(id: string, signal: AbortSignal): Promise<void> {
    return this.#call(signal, () => this.#inner.restart(id, signal))
  }

  sweep(): Promise<void> {
    return this.#inner.sweep()
  }

  logs(id: string, options: Parameters<Runtime['logs']>[1], signal: AbortSignal) {
    return this.#inner.logs(id, options, signal) as AsyncIterable<LogLine>
  }

  inspect(id: string): Promise<unknown> {
    return this.#inner.inspect(id)
  }

  volumes(signal: AbortSignal): ReturnType<Runtime['volumes']> {
    return this.#call(signal, () => this.#inner.volumes())
  }

  /**
   * One call over the engine's socket. A dead caller's request is still carried out when it had
   * been sent; nobody hears the answer.
   */
  #call<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    const { clock, faults, random, enter, isLive, touch } = this.#c
    touch()
    return new Promise((resolve, reject) => {
      if (!isLive()) return
      const answer = (task: () => void): void => {
        clock.schedule(CALL_MS + faults.slowMs, () => {
          touch()
          signal.removeEventListener('abort', onAbort)
          if (isLive()) enter(task)
        })
      }
      const onAbort = (): void => reject(signal.reason)
      if (signal.aborted) return onAbort()
      signal.addEventListener('abort', onAbort)
      const hang = (): void => {
        faults.hung.push(() => answer(() => reject(new RuntimeFailure('transient', SOCKET_LOST))))
      }
      const lies = faults.liesOneIn > 0 && random.int(faults.liesOneIn) === 0
      const does = !lies || random.int(2) === 0
      const lie = (): void =>
        answer(() => {
          const what = SERVER_ERRORS[random.int(SERVER_ERRORS.length)] as string
          reject(new RuntimeFailure('transient', `memory: ${what}`))
        })
      if (!does) return lie()
      work().then(
        result => {
          if (faults.hangs) return hang()
          if (lies) return lie()
          answer(() => resolve(result))
        },
        (error: unknown) => {
          if (faults.hangs) return hang()
          answer(() => reject(error))
        }
      )
    })
  }
}
