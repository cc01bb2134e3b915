/** Bugs assert and crash; faults of peers, disks and people are values (`style.md` 4.12). */

export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws when an invariant of our own code is broken. Stays on in production. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** The `default` of a switch over a union: does not compile when a case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`)
}
