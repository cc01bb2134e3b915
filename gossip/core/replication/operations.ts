/**
 * Recent operations by id and register, so that a retry is told apart from new work. Bounded: what
 * fell out is still found in the register itself, which carries its last operations (`past`).
 */

import type { Dot, SharedBody } from './api.ts'
import { OPERATIONS_MAX } from './constants.ts'
import { type Hash, hashBytes, hashText } from './hash.ts'

export interface KnownOperation {
  readonly dot: Dot
  /** Of what it wrote; undefined when only its dot is known. */
  readonly content: Hash | undefined
}

/** What an operation writes, without what differs between two tries. */
export function contentOf(write: Pick<SharedBody, 'remove' | 'value'>): Hash {
  if (write.value === null) return hashText(write.remove ? 'remove' : 'nothing')
  return hashBytes(write.value)
}

export class Operations {
  /** Oldest first, as a Map keeps its order. */
  readonly #known = new Map<string, KnownOperation>()

  get(key: string, operation: string): KnownOperation | undefined {
    return this.#known.get(`${operation}\n${key}`)
  }

  /** A write that we hold now, and those that it carries along: we may have missed them. */
  note(write: SharedBody): void {
    for (const { operation, dot } of [...write.past].reverse()) {
      this.#note(`${operation}\n${write.key}`, { dot, content: undefined })
    }
    const content = contentOf(write)
    this.#note(`${write.operation}\n${write.key}`, { dot: write.dot, content })
  }

  #note(name: string, operation: KnownOperation): void {
    const known = this.#known.get(name)
    if (known !== undefined && (known.content !== undefined || operation.content === undefined)) {
      return
    }
    this.#known.set(name, operation)
    if (this.#known.size <= OPERATIONS_MAX) return
    const oldest = this.#known.keys().next().value
    if (oldest !== undefined) this.#known.delete(oldest)
  }
}
