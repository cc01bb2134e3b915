/** `environment`, `env_file`, `labels` and `label_file`: names and texts. */
import { isAbsolute, relative, resolve } from 'node:path'
import { childPath, printable, quote } from '../problem.ts'
import type { ScalarNode } from '../tree.ts'
import { isPrototypeName } from '../units.ts'
import type { ReadContext } from './context.ts'
import { parseDotenv } from './dotenv.ts'
import { type Field, numberText, type Scope } from './scope.ts'

export type Pairs = Map<string, string>

/** Sorted by name, so that the order in a file changes no spec. */
export function pairsToRecord(pairs: Pairs): Record<string, string> {
  return Object.fromEntries([...pairs].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function checkPair(scope: Scope, field: Field, name: string, value: string): boolean {
  const what = name === '' ? 'an empty name' : `the name ${quote(name)}`
  if (name === '' || /[=\0\s]/.test(name)) {
    scope.error(field, `${what} is not a name`, 'write NAME=value')
    return false
  }
  if (isPrototypeName(name)) {
    scope.error(field, `${what} is reserved`)
    return false
  }
  if (value.includes('\0')) {
    scope.error(field, `the value of ${printable(name)} has a NUL character`)
    return false
  }
  return true
}

/** The text of a value; numbers as Compose writes them, with a warning where that differs. */
function pairValue(scope: Scope, field: Field, name: string): string | undefined {
  const { node } = field
  if (node.kind !== 'scalar') return scope.wrongType(field, `text for ${printable(name)}`)
  if (typeof node.value === 'number') {
    const text = numberText(node)
    if (text !== node.source) warnNumber(scope, field, node, text)
    return text
  }
  return String(node.value ?? '')
}

function warnNumber(scope: Scope, field: Field, node: ScalarNode, text: string): void {
  const message = `${node.source} is the number ${text}, as in Compose`
  scope.report.warn('INVALID', field.at, field.path, message, 'quote it to keep it as written')
}

interface PairOptions {
  /** What a name without a value resolves to; undefined: such a name has an empty value. */
  readonly inherit: ReadContext['lookup'] | undefined
}

/** `{ A: 1 }` or `[A=1]`. */
export function readPairs(scope: Scope, key: string, options: PairOptions): Pairs {
  const pairs: Pairs = new Map()
  const field = scope.field(key)
  if (field === undefined) return pairs
  const put = (at: Field, name: string, value: string | undefined): void => {
    const text = value ?? inherited(scope, at, name, options)
    if (text !== undefined && checkPair(scope, at, name, text)) pairs.set(name, text)
  }
  if (field.node.kind === 'map') {
    for (const entry of scope.mappingOf(field)?.fields() ?? []) {
      const isEmpty = entry.node.kind === 'scalar' && entry.node.value === null
      const value = isEmpty ? undefined : pairValue(scope, entry, entry.key)
      if (isEmpty || value !== undefined) put(entry, entry.key, value)
    }
    return pairs
  }
  if (field.node.kind !== 'list') {
    scope.wrongType(field, 'a mapping or a list of NAME=value')
    return pairs
  }
  for (const item of scope.items(field)) {
    const text = scope.textOf(item)
    if (text === undefined) continue
    const sign = text.indexOf('=')
    if (sign === -1) put(item, text, undefined)
    else put(item, text.slice(0, sign), text.slice(sign + 1))
  }
  return pairs
}

/** A name without a value: from outside, never an empty text unasked. */
function inherited(
  scope: Scope,
  field: Field,
  name: string,
  options: PairOptions
): string | undefined {
  if (options.inherit === undefined || name === '') return ''
  const value = options.inherit(name)
  if (value !== undefined) return value
  const message = `${printable(name)} has no value here or outside, it is left out`
  scope.report.warn('INVALID', field.at, field.path, message, `set it, or write ${name}=`)
  return undefined
}

interface FileEntry {
  readonly field: Field
  readonly path: string
  readonly required: boolean
  readonly raw: boolean
}

function fileEntry(scope: Scope, field: Field): FileEntry | undefined {
  if (field.node.kind !== 'map') {
    const path = scope.textOf(field)
    return path === undefined ? undefined : { field, path, required: true, raw: false }
  }
  const inner = scope.mappingOf(field)
  const path = inner?.text('path')
  if (inner === undefined) return undefined
  if (path === undefined) {
    if (!inner.has('path')) scope.error(field, 'an entry needs a path')
    return undefined
  }
  const required = inner.boolean('required') ?? true
  const raw = inner.choice('format', ['raw', 'dotenv']) === 'raw'
  return { field: inner.field('path') ?? field, path, required, raw }
}

/** A file below the project, or undefined with a reported reason. */
function projectPath(scope: Scope, entry: FileEntry, context: ReadContext): string | undefined {
  const { directory } = context
  if (directory === undefined)
    return scope.error(entry.field, 'files cannot be named from standard input', 'use -f FILE')
  const path = resolve(directory, entry.path)
  const inside = relative(directory, path)
  if (entry.path === '' || inside === '' || inside.startsWith('..') || isAbsolute(inside)) {
    const message = `policy: the file ${quote(entry.path)} is not below the project`
    const hint = `move it below ${printable(directory)}`
    scope.report.error('REFUSED', entry.field.at, entry.field.path, message, hint)
    return undefined
  }
  return path
}

/** `env_file` and `label_file`: one or several files, later ones win. */
export async function readPairFiles(
  scope: Scope,
  key: string,
  context: ReadContext
): Promise<Pairs> {
  const pairs: Pairs = new Map()
  const field = scope.field(key)
  if (field === undefined) return pairs
  const fields = field.node.kind === 'list' ? scope.items(field) : [field]
  for (const one of fields) {
    const entry = fileEntry(scope, one)
    const path = entry === undefined ? undefined : projectPath(scope, entry, context)
    if (entry === undefined || path === undefined) continue
    const text = await readText(scope, entry, path, context)
    if (text !== undefined) addFile(scope, entry, text, pairs, context)
  }
  return pairs
}

async function readText(
  scope: Scope,
  entry: FileEntry,
  path: string,
  context: ReadContext
): Promise<string | undefined> {
  try {
    const text = await context.readFile(path)
    if (text !== undefined || !entry.required) return text
    return scope.error(
      entry.field,
      `the file ${quote(entry.path)} does not exist`,
      'create it, or say required: false'
    )
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return scope.error(entry.field, `the file ${quote(entry.path)}: ${printable(reason)}`)
  }
}

function addFile(
  scope: Scope,
  entry: FileEntry,
  text: string,
  pairs: Pairs,
  context: ReadContext
): void {
  const lookup = (name: string): string | undefined => context.lookup(name) ?? pairs.get(name)
  const { values, faults, unset } = parseDotenv(text, { lookup, raw: entry.raw })
  for (const fault of faults)
    scope.error(
      entry.field,
      `${printable(entry.path)}:${fault.line}:${fault.column}: ${fault.message}`,
      fault.hint
    )
  for (const name of unset) {
    const message = `${printable(entry.path)}: variable ${name} is not set, an empty text is used`
    scope.report.warn('INVALID', entry.field.at, entry.field.path, message)
  }
  for (const [name, value] of values) {
    const at = { ...entry.field, path: childPath(entry.field.path, name) }
    if (checkPair(scope, at, name, value)) pairs.set(name, value)
  }
}
