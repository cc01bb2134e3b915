/**
 * Strict parsers of the small values in specs: durations, sizes, cpus, names, signals. Each gives
 * the value or the rule that was broken. Every pattern is linear; no package is imported here,
 * because the CLI loads this for every command.
 */

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string }

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value }
}

export function broken(reason: string): Parsed<never> {
  return { ok: false, reason }
}

export const DURATION_RULE = 'a duration like 1m30s or 500ms, of h, m, s, ms and us, not negative'
export const DURATION_MS_MAX = 365 * 24 * 3_600_000
const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 0.001,
  µs: 0.001
}
const DURATION_PART = /(\d{1,15}(?:\.\d{1,9})?)(h|ms|m|s|us|µs)/y
const UNITS_LENGTH_MAX = 64

/** Go's duration form, as Compose has it, in whole milliseconds (rounded up). */
export function parseDuration(text: string): Parsed<number> {
  if (text === '0') return parsed(0)
  if (text.length === 0 || text.length > UNITS_LENGTH_MAX) return broken(DURATION_RULE)
  let totalMs = 0
  let at = 0
  while (at < text.length) {
    DURATION_PART.lastIndex = at
    const part = DURATION_PART.exec(text)
    if (part === null) return broken(DURATION_RULE)
    totalMs += Number(part[1]) * (UNIT_MS[part[2] ?? ''] ?? 0)
    at = DURATION_PART.lastIndex
  }
  if (totalMs > DURATION_MS_MAX) return broken(`${DURATION_RULE}, at most a year`)
  return parsed(Math.ceil(totalMs - 1e-9))
}

export const SIZE_RULE = 'a size like 512m or 1.5G, of b, k, m, g and t (1024 each), not negative'
const SIZE = /^(\d{1,15}(?:\.\d{1,9})?) ?(?:([bkmgt])|([kmgt])i?b)?$/i
const SIZE_POWERS = ['b', 'k', 'm', 'g', 't']

/** A byte size as Docker reads it: every unit is a power of 1024; no unit is bytes. */
export function parseBytes(text: string): Parsed<number> {
  const match = text.length > UNITS_LENGTH_MAX ? null : SIZE.exec(text)
  if (match === null) return broken(SIZE_RULE)
  const power = SIZE_POWERS.indexOf((match[2] ?? match[3] ?? 'b').toLowerCase())
  const bytes = Math.floor(Number(match[1]) * 1024 ** power)
  return Number.isSafeInteger(bytes) ? parsed(bytes) : broken(SIZE_RULE)
}

export const MIB = 1024 * 1024
/** The engines refuse memory limits below this. */
export const MEMORY_LIMIT_MIB_MIN = 6
export const CPUS_MAX = 1_024
export const CPUS_RULE = `a number of cpus like 0.5 or 2, from 0.001 to ${CPUS_MAX}`
const CPUS = /^\d{1,9}(?:\.\d{1,9})?$|^\.\d{1,9}$/

/** A number of cpus, in whole thousandths (rounded up). 0 is "not said". */
export function parseCpus(text: string): Parsed<number> {
  if (!CPUS.test(text)) return broken(CPUS_RULE)
  const millis = Math.ceil(Number(text) * 1_000 - 1e-9)
  return millis > CPUS_MAX * 1_000 ? broken(CPUS_RULE) : parsed(millis)
}

/** A whole number within bounds, written plainly: no sign but a minus, no exponent. */
export function parseWhole(text: string, min: number, max: number): Parsed<number> {
  const rule = `a whole number from ${min} to ${max}`
  if (!/^-?\d{1,15}$/.test(text)) return broken(rule)
  const value = Number(text)
  return value < min || value > max ? broken(rule) : parsed(value)
}

const TRUE = new Set(['true', 'yes', 'y', 'on'])
const FALSE = new Set(['false', 'no', 'n', 'off'])

/** A boolean that came as text (Compose allows it where a variable may stand). */
export function parseBoolean(text: string): Parsed<boolean> {
  const lower = text.toLowerCase()
  if (TRUE.has(lower)) return parsed(true)
  return FALSE.has(lower) ? parsed(false) : broken('true or false')
}

export const NAME_LENGTH_MAX = 63
export const NAME_RULE =
  'a name is 1 to 63 of a-z, 0-9, "-", "_" and ".", begins and ends with a letter or digit'
/** The pattern behind `NAME_RULE`, for schemas. */
export const NAME_PATTERN = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/
const PROTOTYPE_NAMES: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  'prototype'
])

/** True for names that mean something to every JavaScript object (`__proto__`, `constructor`). */
export function isPrototypeName(name: string): boolean {
  return PROTOTYPE_NAMES.has(name)
}

/** Names of projects and workloads. */
export function parseName(text: string): Parsed<string> {
  if (isPrototypeName(text)) return broken('this name is reserved')
  if (!NAME_PATTERN.test(text) || text.includes('..')) return broken(NAME_RULE)
  return parsed(text)
}

export const VOLUME_NAME_RULE =
  'a volume name is 1 to 128 of letters, digits, "-", "_" and ".", begins with a letter or digit'
export const VOLUME_NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/

export function parseVolumeName(text: string): Parsed<string> {
  if (isPrototypeName(text)) return broken('this name is reserved')
  return VOLUME_NAME_PATTERN.test(text) ? parsed(text) : broken(VOLUME_NAME_RULE)
}

const SIGNALS: ReadonlySet<string> = new Set(
  (
    'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP ' +
    'TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
  ).split(' ')
)
export const SIGNAL_RULE = 'a signal like SIGTERM, INT or a number from 1 to 64'

/** `TERM`, `sigterm`, `SIGRTMIN+3` or a number; given back as `SIGTERM` or the number. */
export function parseSignal(text: string): Parsed<string> {
  if (/^\d{1,2}$/.test(text)) {
    const number = Number(text)
    return number >= 1 && number <= 64 ? parsed(String(number)) : broken(SIGNAL_RULE)
  }
  const upper = text.toUpperCase()
  const name = upper.startsWith('SIG') ? upper.slice(3) : upper
  if (SIGNALS.has(name)) return parsed(`SIG${name}`)
  if (/^RTMIN(?:\+\d{1,2})?$/.test(name) || /^RTMAX(?:-\d{1,2})?$/.test(name))
    return parsed(`SIG${name}`)
  return broken(SIGNAL_RULE)
}
