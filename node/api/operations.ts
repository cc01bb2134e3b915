/**
 * Writes carry an operation id. The same id with the same body gives the same answer, also while
 * the first is still under way, so that a client whose connection broke may simply ask again. The
 * same id with another body is a conflict (B61). Kept in memory: after a restart of the
 * daemon, or at another one, it is told from what was written (`node/agent/repeats.ts`).
 */
import { createHash } from 'node:crypto'
import { ShoalError } from '../../src/errors.ts'

interface Entry {
  readonly bodyDigest: string
  /** Undefined once it failed, or said less than may be had: then it may be tried again. */
  answer: Promise<unknown> | undefined
}

const OPERATIONS_MAX = 1_024

export class Operations {
  readonly #entries = new Map<string, Entry>()

  /**
   * Throws CONFLICT, or what `work` throws. An answer that `isFinal` does not take is not kept:
   * asked again, the work is done again.
   */
  run<T>(
    operation: string,
    body: unknown,
    work: () => Promise<T>,
    isFinal: (answer: T) => boolean = () => true
  ): Promise<T> {
    const bodyDigest = createHash('sha256').update(JSON.stringify(body)).digest('hex')
    const known = this.#entries.get(operation)
    if (known !== undefined && known.bodyDigest !== bodyDigest)
      return Promise.reject(
        new ShoalError('CONFLICT', `operation ${operation} was used for another request`, {
          hint: 'draw a new operation id'
        })
      )
    if (known?.answer !== undefined) return known.answer as Promise<T>
    const answer = work()
    this.#keep(operation, { bodyDigest, answer })
    answer.then(
      value => isFinal(value) || this.#again(operation),
      () => this.#again(operation)
    )
    return answer
  }

  #keep(operation: string, entry: Entry): void {
    this.#entries.delete(operation)
    this.#entries.set(operation, entry)
    while (this.#entries.size > OPERATIONS_MAX) {
      const oldest = this.#entries.keys().next().value
      if (oldest === undefined) return
      this.#entries.delete(oldest)
    }
  }

  #again(operation: string): void {
    const entry = this.#entries.get(operation)
    if (entry !== undefined) entry.answer = undefined
  }
}
