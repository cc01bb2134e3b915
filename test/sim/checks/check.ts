/**
 * A promise, watched by somebody who sees the true state of all hosts. Each check is an object of
 * its own; it throws a `Violation` that says what was broken.
 */
import type { Client } from '../fuzz/client.ts'
import type { Faults } from '../fuzz/context.ts'
import type { SimHost } from '../world/host.ts'
import type { Observation, World } from '../world/world.ts'

export class Violation extends Error {
  override readonly name = 'Violation'
  readonly check: string

  constructor(check: string, message: string) {
    super(`${check}: ${message}`)
    this.check = check
  }
}

export interface Subject {
  readonly world: World
  readonly faults: Faults
  readonly client: Client
}

export interface Check {
  /** `S7`: a promise of `promises.md` 1.2 and 1.3, or a rule of `protocols.md`. */
  readonly name: string
  observe?(observation: Observation): void
  /** Once a simulated second. */
  sample?(): void
  /** Faults have ended and the core has had its time: what must be true now. */
  finish?(core: readonly SimHost[]): void
}

export function violate(check: string, message: string): never {
  throw new Violation(check, message)
}
