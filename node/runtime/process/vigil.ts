/**
 * Who lived at the last look, and whether all of them still do. Ends ring a bell, but a shim that
 * was killed rings none; asking the kernel costs two small reads an instance, a whole listing ten.
 */
import { isAlive, type Proc, type ProcessIdentity } from './proc.ts'

export class Vigil {
  readonly #living = new Map<string, readonly ProcessIdentity[]>()

  get size(): number {
    return this.#living.size
  }

  /** The workload of an instance that runs, and its shim, as far as they live. */
  watch(proc: Proc, id: string, processes: readonly (ProcessIdentity | undefined)[]): void {
    const living = processes.filter(one => one !== undefined).filter(one => isAlive(proc, one))
    this.#living.set(id, living)
  }

  end(id: string): void {
    this.#living.delete(id)
  }

  /** There are no others any more. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#living.keys()) if (!ids.has(id)) this.#living.delete(id)
  }

  /** True when somebody has ended since. */
  isBroken(proc: Proc): boolean {
    return [...this.#living.values()].some(living => !living.every(one => isAlive(proc, one)))
  }
}
