/** Bugs of the caller or of this room; never a fault of a peer or a user. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`placement: ${message}`)
}
