/**
 * Checks of hostile values: bytes of a peer decode to `unknown`, and every field is checked before
 * a core reads it. Each check only answers; it throws on no value and changes none.
 */

/** Says whether a value is a `T`. Composes: `list(8, text(64))`. */
export type Check<T> = (value: unknown) => value is T

/** A plain object: no array, no class of ours, no inherited fields to be fooled by. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Text of at most `maxLength` UTF-16 units. */
export function text(maxLength: number): Check<string> {
  return (value): value is string => typeof value === 'string' && value.length <= maxLength
}

/** An integer from 0 to 2^53 - 1. */
export function count(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

export function flag(value: unknown): value is boolean {
  return typeof value === 'boolean'
}

/** At most `maxLength` bytes. */
export function bytes(maxLength: number): Check<Uint8Array> {
  return (value): value is Uint8Array =>
    value instanceof Uint8Array && value.byteLength <= maxLength
}

/** An array of at most `max` entries, each of which passes `item`. */
export function list<T>(max: number, item: Check<T>): Check<readonly T[]> {
  return (value): value is readonly T[] =>
    Array.isArray(value) && value.length <= max && value.every(entry => item(entry))
}

/** One of the given texts. */
export function oneOf<T extends string>(...choices: readonly T[]): Check<T> {
  return (value): value is T => choices.some(choice => choice === value)
}
