/** The shape of one row of the support table, and short ways to write rows. */

export type SupportStatus = 'supported' | 'warned' | 'refused'

/** What is lost when the key is ignored. `meaning`: the file would say something else. */
export type Loss = 'security' | 'data' | 'meaning'

type Plain = string | number | boolean | null

export interface SupportRow {
  readonly status: SupportStatus
  /** Supported: what it does. Warned and refused: what happens without it. */
  readonly effect: string
  /** What to write or do instead. */
  readonly hint?: string
  /** Refused keys only. */
  readonly loss?: Loss
  /** Refused keys only: `allowUnsupported` may name it, and then it is left out with a warning. */
  readonly allowable?: boolean
  /** Values that ask for nothing: said nothing about. Empty values never ask for anything. */
  readonly neutral?: readonly Plain[]
  /** Told where a service uses it, not where it is declared. */
  readonly atUse?: boolean
}

export type SupportSection = Readonly<Record<string, SupportRow>>

interface Extra {
  readonly hint?: string
  readonly neutral?: readonly Plain[]
}

export function supported(effect: string): SupportRow {
  return { status: 'supported', effect }
}

export function warned(effect: string, extra: Extra = {}): SupportRow {
  return { status: 'warned', effect, ...extra }
}

/** Losing it changes security or data: an error, unless it is allowed by name. */
export function refused(loss: 'security' | 'data', effect: string, extra: Extra = {}): SupportRow {
  return { status: 'refused', effect, loss, allowable: true, ...extra }
}

/** Without it the file says something else: an error that nothing allows away. */
export function never(effect: string, extra: Extra = {}): SupportRow {
  return { status: 'refused', effect, loss: 'meaning', allowable: false, ...extra }
}

/** Rows of keys inside a key that is itself warned about or refused: said once, at the parent. */
export function within(parent: SupportRow, names: string): SupportSection {
  const { status, loss, allowable } = parent
  const row: SupportRow = {
    status,
    effect: 'goes with the key around it',
    ...(loss === undefined ? {} : { loss }),
    ...(allowable === undefined ? {} : { allowable })
  }
  return Object.fromEntries(names.split(' ').map(name => [name, row]))
}

/** Puts a prefix before every key of a section. */
export function under(prefix: string, section: SupportSection): SupportSection {
  return Object.fromEntries(Object.entries(section).map(([key, row]) => [`${prefix}.${key}`, row]))
}
