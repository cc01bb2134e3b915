/**
 * A mapping that is being read: typed fields that report what is wrong with them, with the place.
 * A field that is missing, empty or wrong gives undefined; the report knows which.
 */
import { childPath, type Position, quote, type Report } from '../problem.ts'
import { describe, isNull, type MapNode, type ScalarNode, type YamlNode } from '../tree.ts'
import { type Parsed, parseBoolean, parseDuration, parseWhole } from '../units.ts'

export interface Field {
  readonly node: YamlNode
  /** Where the value stands; where its key stands when it is empty. */
  readonly at: Position
  readonly path: string
}

export class Scope {
  readonly report: Report
  readonly node: MapNode
  readonly path: string
  /** Where the mapping's key stands. */
  readonly at: Position

  constructor(report: Report, node: MapNode, path: string, at: Position) {
    this.report = report
    this.node = node
    this.path = path
    this.at = at
  }

  has(key: string): boolean {
    return this.node.entries.has(key)
  }

  /** The field as it stands, also when it is empty. */
  raw(key: string): Field | undefined {
    const entry = this.node.entries.get(key)
    if (entry === undefined) return undefined
    const at = isNull(entry.value) ? entry.keyAt : entry.value.at
    return { node: entry.value, at, path: childPath(this.path, key) }
  }

  /** The field, or undefined when it is missing or empty (`key:`). */
  field(key: string): Field | undefined {
    const field = this.raw(key)
    return field === undefined || isNull(field.node) ? undefined : field
  }

  error(field: Field, message: string, hint?: string): undefined {
    this.report.error('INVALID', field.at, field.path, message, hint)
    return undefined
  }

  wrongType(field: Field, wanted: string): undefined {
    const isValue = field.node.kind === 'scalar' && typeof field.node.value !== 'string'
    const hint = wanted === 'text' && isValue ? 'quote it' : undefined
    return this.error(field, `expected ${wanted}, got ${describe(field.node)}`, hint)
  }

  /** Text; numbers and booleans must be quoted, as in Compose. */
  text(key: string): string | undefined {
    const field = this.field(key)
    return field === undefined ? undefined : this.textOf(field)
  }

  textOf(field: Field): string | undefined {
    const { node } = field
    if (node.kind !== 'scalar' || typeof node.value !== 'string')
      return this.wrongType(field, 'text')
    if (node.value.includes('\0')) return this.error(field, 'a NUL character')
    return node.value
  }

  /** Text or a number, as text. */
  valueText(field: Field): string | undefined {
    const { node } = field
    if (node.kind === 'scalar' && typeof node.value === 'number') return numberText(node)
    if (node.kind === 'scalar' && typeof node.value === 'string') return this.textOf(field)
    return this.wrongType(field, 'text or a number')
  }

  /** A parsed value; `what` begins the message. */
  parse<T>(field: Field, parser: (text: string) => Parsed<T>): T | undefined {
    const text = this.valueText(field)
    if (text === undefined) return undefined
    const result = parser(text)
    return result.ok
      ? result.value
      : this.error(field, `${quote(text)} is not valid: ${result.reason}`)
  }

  parseKey<T>(key: string, parser: (text: string) => Parsed<T>): T | undefined {
    const field = this.field(key)
    return field === undefined ? undefined : this.parse(field, parser)
  }

  /** Text that a parser takes; a number there is an error (`interval: 10`). */
  parseText<T>(key: string, parser: (text: string) => Parsed<T>): T | undefined {
    const field = this.field(key)
    if (field === undefined) return undefined
    const text = this.textOf(field)
    return text === undefined ? undefined : this.parse(field, parser)
  }

  /** A duration in milliseconds; a bare number is an error that names the unit. */
  durationMs(key: string, minMs: number): number | undefined {
    const field = this.field(key)
    if (field === undefined) return undefined
    const ms = this.parse(field, parseDuration)
    if (ms !== undefined && ms < minMs)
      return this.error(field, `${sourceOf(field.node)} is too short: at least ${minMs} ms`)
    return ms
  }

  whole(key: string, min: number, max: number): number | undefined {
    return this.parseKey(key, text => parseWhole(text, min, max))
  }

  boolean(key: string): boolean | undefined {
    const field = this.field(key)
    if (field === undefined) return undefined
    if (field.node.kind === 'scalar' && typeof field.node.value === 'boolean')
      return field.node.value
    return field.node.kind === 'scalar' && typeof field.node.value === 'string'
      ? this.parse(field, parseBoolean)
      : this.wrongType(field, 'true or false')
  }

  /** One of some words; the choices are listed when it is none. */
  choice<T extends string>(key: string, choices: readonly T[]): T | undefined {
    const text = this.text(key)
    const field = this.field(key)
    if (text === undefined || field === undefined) return undefined
    const found = choices.find(choice => choice === text)
    return (
      found ??
      this.error(field, `${quote(text)} is not one of the choices`, `use ${choices.join(', ')}`)
    )
  }

  mapping(key: string): Scope | undefined {
    const field = this.field(key)
    return field === undefined ? undefined : this.mappingOf(field)
  }

  mappingOf(field: Field): Scope | undefined {
    if (field.node.kind !== 'map') return this.wrongType(field, 'a mapping')
    return new Scope(this.report, field.node, field.path, field.at)
  }

  items(field: Field): readonly Field[] {
    if (field.node.kind !== 'list') return []
    return field.node.items.map((node, index) => ({
      node,
      at: node.at,
      path: childPath(field.path, index)
    }))
  }

  list(key: string): readonly Field[] {
    const field = this.field(key)
    if (field === undefined) return []
    if (field.node.kind === 'list') return this.items(field)
    this.wrongType(field, 'a list')
    return []
  }

  /** A text or a list of texts, as fields. */
  textOrList(key: string): readonly Field[] {
    const field = this.field(key)
    if (field === undefined) return []
    return field.node.kind === 'scalar' ? [field] : this.list(key)
  }

  /** The fields of a mapping, also the empty ones. */
  fields(): readonly (Field & { readonly key: string })[] {
    return [...this.node.entries.values()].map(entry => ({
      key: entry.key,
      node: entry.value,
      at: isNull(entry.value) ? entry.keyAt : entry.value.at,
      path: childPath(this.path, entry.key)
    }))
  }
}

/** A number as people wrote it where that is its value, else its plain decimal form. */
export function numberText(node: ScalarNode): string {
  const { value, source } = node
  if (typeof value !== 'number') return String(value)
  return /^-?[1-9]\d{15,}$/.test(source) ? source : String(value)
}

function sourceOf(node: YamlNode): string {
  return node.kind === 'scalar' ? quote(String(node.value)) : describe(node)
}
