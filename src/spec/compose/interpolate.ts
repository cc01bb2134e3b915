// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of Compose variables
/**
 * Compose's variables: `$V ${V} ${V:-d} ${V-d} ${V:?e} ${V?e} ${V:+a} ${V+a}`, nested, `$$` for
 * one dollar. Values only, never keys. One pass: what a variable holds is not read again.
 */
import type { Position, Report } from '../problem.ts'
import { quote } from '../problem.ts'
import { mapScalars, positionWithin, type ScalarNode, type YamlNode } from '../tree.ts'

/** A variable's value; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined

/** Nested defaults at most so deep. */
export const NESTING_MAX = 16
/** All values of one file together may grow to so many characters. */
export const EXPANSION_MAX = 4 * 1024 * 1024

export interface InterpolationFault {
  readonly offset: number
  readonly message: string
  readonly hint?: string
}

export type Interpolated =
  | { readonly ok: true; readonly text: string; readonly unset: readonly Unset[] }
  | { readonly ok: false; readonly fault: InterpolationFault }

export interface Unset {
  readonly name: string
  readonly offset: number
}

const NAME = /[_a-zA-Z][_a-zA-Z0-9]*/y
const OPERATORS = [':-', ':?', ':+', '-', '?', '+'] as const
const DOLLAR_HINT = 'write $$ for a dollar sign'

class Fault extends Error {
  readonly fault: InterpolationFault
  constructor(fault: InterpolationFault) {
    super(fault.message)
    this.fault = fault
  }
}

class Interpolator {
  readonly #text: string
  readonly #lookup: Lookup
  readonly unset: Unset[] = []
  #at = 0

  constructor(text: string, lookup: Lookup) {
    this.#text = text
    this.#lookup = lookup
  }

  /** Reads to the end, or inside braces to the closing one. `live` false: read, put in nothing. */
  run(depth: number, live: boolean): string {
    const parts: string[] = []
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]
      if (depth > 0 && character === '}') break
      if (character !== '$') {
        const next = this.#plainEnd(depth)
        parts.push(this.#text.slice(this.#at, next))
        this.#at = next
      } else parts.push(this.#variable(depth, live))
    }
    return parts.join('')
  }

  #plainEnd(depth: number): number {
    let end = this.#at
    while (end < this.#text.length) {
      const character = this.#text[end]
      if (character === '$' || (depth > 0 && character === '}')) break
      end += 1
    }
    return end
  }

  #variable(depth: number, live: boolean): string {
    const start = this.#at
    const next = this.#text[start + 1]
    if (next === '$') {
      this.#at += 2
      return '$'
    }
    if (next === '{') return this.#braced(start, depth, live)
    this.#at = start + 1
    const name = this.#name()
    if (name === undefined) {
      const message = `${quote(this.#text.slice(start, start + 2))} is not a variable`
      throw new Fault({ offset: start, message, hint: DOLLAR_HINT })
    }
    return this.#plain(name, start, live)
  }

  #name(): string | undefined {
    NAME.lastIndex = this.#at
    const match = NAME.exec(this.#text)
    if (match === null) return undefined
    this.#at = NAME.lastIndex
    return match[0]
  }

  #plain(name: string, offset: number, live: boolean): string {
    const value = this.#lookup(name)
    if (value === undefined && live) this.unset.push({ name, offset })
    return value ?? ''
  }

  #braced(start: number, depth: number, live: boolean): string {
    if (depth >= NESTING_MAX)
      throw new Fault({ offset: start, message: `variables nested over ${NESTING_MAX} deep` })
    this.#at = start + 2
    const name = this.#name()
    if (name === undefined)
      throw new Fault({ offset: start, message: 'no variable name after "${"', hint: DOLLAR_HINT })
    const operator = OPERATORS.find(one => this.#text.startsWith(one, this.#at))
    if (operator === undefined) {
      this.#close(start, name)
      return this.#plain(name, start, live)
    }
    this.#at += operator.length
    const value = this.#lookup(name)
    const present = value !== undefined && (value !== '' || !operator.startsWith(':'))
    const kind = operator.at(-1)
    const wanted = kind === '+' ? present : !present
    const argument = this.run(depth + 1, live && wanted)
    this.#close(start, name)
    if (kind === '+') return present ? argument : ''
    if (present) return value
    if (kind === '-') return argument
    if (!live) return ''
    const state = value === undefined ? 'is not set' : 'is empty'
    const why = argument === '' ? '' : `: ${quote(argument)}`
    throw new Fault({
      offset: start,
      message: `the required variable ${name} ${state}${why}`,
      hint: `set ${name} in the environment or in .env`
    })
  }

  #close(start: number, name: string): void {
    if (this.#text[this.#at] !== '}') {
      const message =
        this.#at >= this.#text.length
          ? `"\${${name}" is not closed`
          : `after "\${${name}" comes }, or one of ${OPERATORS.join(' ')}`
      throw new Fault({ offset: start, message, hint: DOLLAR_HINT })
    }
    this.#at += 1
  }
}

/** Puts variables into one text. Unset variables give an empty text and are listed. */
export function interpolate(text: string, lookup: Lookup): Interpolated {
  if (!text.includes('$')) return { ok: true, text, unset: [] }
  const reader = new Interpolator(text, lookup)
  try {
    return { ok: true, text: reader.run(0, true), unset: reader.unset }
  } catch (error) {
    if (error instanceof Fault) return { ok: false, fault: error.fault }
    throw error
  }
}

/** Puts variables into every value of a file; one warning for each variable that is not set. */
export function interpolateTree(root: YamlNode, lookup: Lookup, report: Report): YamlNode {
  const missing = new Map<string, { at: Position; path: string }>()
  let room = EXPANSION_MAX
  const change = (node: ScalarNode, path: string): ScalarNode => {
    if (typeof node.value !== 'string' || !node.value.includes('$')) return node
    const result = interpolate(node.value, lookup)
    if (!result.ok) {
      const { offset, message, hint } = result.fault
      report.error('INVALID', positionWithin(node, offset), path, message, hint)
      return node
    }
    for (const { name, offset } of result.unset)
      if (!missing.has(name)) missing.set(name, { at: positionWithin(node, offset), path })
    if (room < 0) return node
    room -= result.text.length
    if (room < 0) {
      const message = `with its variables the file is over ${EXPANSION_MAX} characters`
      report.error('LIMIT', node.at, path, message)
      return node
    }
    return { ...node, value: result.text, interpolated: true }
  }
  const tree = mapScalars(root, change)
  for (const [name, { at, path }] of missing) {
    const message = `variable ${name} is not set, an empty text is used`
    report.warn('INVALID', at, path, message, `set it, or write \${${name}:-default}`)
  }
  return tree
}
