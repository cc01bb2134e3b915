/**
 * Recent operations by id and register, so that a retry is told apart from new work. Bounded: what
 * fell out is still found in the register itself, which carries its last operations (`past`).
 */

import type { Dot, Repeated, SharedBody } from './api.ts'
import { compareText } from './clock.ts'
import { OPERATIONS_MAX } from './constants.ts'
import { type Hash, hashBytes, hashText } from './hash.ts'

export interface KnownOperation {
  readonly dot: Dot
  /** Of what it wrote; undefined when only its dot is known. */
  readonly content: Hash | undefined
  readonly parts: number
  readonly request: string
  /** The life that it wrote in, or whose writes have seen it: with the end of that it is over. */
  readonly uid: string
}

/** What an operation writes, without what differs between two tries. */
export function contentOf(write: Pick<SharedBody, 'remove' | 'value'>): Hash {
  if (write.value === null) return hashText(write.remove ? 'remove' : 'nothing')
  return hashBytes(write.value)
}

/** The name under which a submitter's operation writes one register. */
export function partOf(operation: string, key: string): string {
  return `${operation}#${key}`
}

function nameOf(operation: string, key: string): string {
  return `${operation}\n${key}`
}

export class Operations {
  /** Oldest first, as a Map keeps its order. */
  readonly #known = new Map<string, KnownOperation>()
  #hasForgotten = false

  get(key: string, operation: string): KnownOperation | undefined {
    return this.#known.get(nameOf(operation, key))
  }

  /** Registers may know operations that are known here no more. */
  get hasForgotten(): boolean {
    return this.#hasForgotten
  }

  /** All known parts `<operation>#<key>` of one operation, sorted by key. */
  parts(operation: string): Repeated[] {
    const found: Repeated[] = []
    for (const [name, { uid, parts, request }] of this.#known) {
      if (!name.startsWith(`${operation}#`)) continue
      const key = name.slice(name.lastIndexOf('\n') + 1)
      if (name === nameOf(partOf(operation, key), key)) found.push({ key, uid, parts, request })
    }
    return found.sort((a, b) => compareText(a.key, b.key))
  }

  /** A write that we hold now, and those that it carries along: we may have missed them. */
  note(write: SharedBody): void {
    const { key, uid } = write
    for (const { operation, dot, parts, request } of [...write.past].reverse()) {
      this.#note(nameOf(operation, key), { dot, parts, request, content: undefined, uid })
    }
    const { operation, dot, parts, request } = write
    const content = contentOf(write)
    this.#note(nameOf(operation, key), { dot, parts, request, content, uid })
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
    this.#hasForgotten = true
  }
}
