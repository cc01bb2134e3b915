/**
 * `.env` and `env_file` files, by the grammar of Compose: `NAME=value`, `NAME: value`, `export`,
 * comments, single quotes (as written), double quotes (escapes, several lines), variables in what
 * is not single-quoted. A name alone takes its value from outside.
 */
import type { Position } from '../problem.ts'
import { quote } from '../problem.ts'
import { interpolate, type Lookup } from './interpolate.ts'

export interface DotenvFault extends Position {
  readonly message: string
  readonly hint?: string
}

export interface Dotenv {
  /** In the order of the file; a name alone is here only when it has a value outside. */
  readonly values: ReadonlyMap<string, string>
  readonly faults: readonly DotenvFault[]
  /** Variables that were used and not set: they gave an empty text. */
  readonly unset: readonly string[]
}

export interface DotenvOptions {
  /** What variables resolve to, after the names of the file itself. */
  readonly lookup: Lookup
  /** `format: raw`: values as written, no quotes, no variables. */
  readonly raw?: boolean
}

const FAULTS_MAX = 20
const ASSIGNMENT = /^(?:export[ \t]+)?([^\s=:#'"]{1,256})[ \t]*([=:])/
const NAME_ALONE = /^(?:export[ \t]+)?([^\s=:#'"]{1,256})[ \t]*(?:#.*)?$/
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  '\\': '\\'
}

class DotenvReader {
  readonly #lines: readonly string[]
  readonly #options: DotenvOptions
  readonly values = new Map<string, string>()
  readonly faults: DotenvFault[] = []
  readonly unset = new Set<string>()
  #line = 0

  constructor(text: string, options: DotenvOptions) {
    this.#lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
    this.#options = options
  }

  read(): void {
    while (this.#line < this.#lines.length && this.faults.length < FAULTS_MAX) {
      this.#statement()
      this.#line += 1
    }
  }

  #statement(): void {
    const full = this.#lines[this.#line] ?? ''
    const line = full.trimStart()
    const indent = full.length - line.length
    if (line === '' || line.startsWith('#')) return
    const match = ASSIGNMENT.exec(line)
    if (match === null) {
      const alone = NAME_ALONE.exec(line.trimEnd())
      if (alone === null) this.#fault(indent, `not NAME=value: ${quote(line)}`)
      else this.#take(alone[1] ?? '')
      return
    }
    const name = match[1] ?? ''
    const rest = line.slice(match[0].length)
    if (this.#options.raw === true) this.values.set(name, rest)
    else this.#value(name, rest, indent + match[0].length)
  }

  #take(name: string): void {
    const value = this.#options.lookup(name)
    if (value !== undefined) this.values.set(name, value)
  }

  #value(name: string, rest: string, column: number): void {
    const text = rest.trimStart()
    const at = column + rest.length - text.length
    if (text.startsWith("'") || text.startsWith('"')) {
      this.#quoted(name, text, at)
      return
    }
    const comment = /[ \t]#/.exec(` ${text}`)
    const bare = (comment === null ? text : text.slice(0, Math.max(0, comment.index - 1))).trimEnd()
    this.#set(name, bare, at)
  }

  #quoted(name: string, first: string, at: number): void {
    const mark = first[0] ?? ''
    const startLine = this.#line
    let text = first.slice(1)
    let close = closingAt(text, mark, 0)
    const parts: string[] = []
    while (close === -1 && this.#line + 1 < this.#lines.length) {
      parts.push(text)
      this.#line += 1
      text = this.#lines[this.#line] ?? ''
      close = closingAt(text, mark, 0)
    }
    if (close === -1) {
      this.#line = startLine
      this.#fault(at, `the ${mark === '"' ? 'double' : 'single'} quote of ${name} is not closed`)
      this.#line = this.#lines.length
      return
    }
    const after = text.slice(close + 1).trim()
    if (after !== '' && !after.startsWith('#')) this.#fault(at, `text after the value of ${name}`)
    const value = [...parts, text.slice(0, close)].join('\n')
    if (mark === "'") this.values.set(name, value)
    else this.#set(name, value.replace(/\\(.)/gs, unquoted), at)
  }

  #set(name: string, text: string, at: number): void {
    const { lookup } = this.#options
    const result = interpolate(text, key => lookup(key) ?? this.values.get(key))
    if (!result.ok) {
      this.#fault(at + result.fault.offset, result.fault.message, result.fault.hint)
      return
    }
    for (const { name: missing } of result.unset) this.unset.add(missing)
    this.values.set(name, result.text)
  }

  #fault(column: number, message: string, hint?: string): void {
    const fault = { line: this.#line + 1, column: column + 1, message }
    this.faults.push(hint === undefined ? fault : { ...fault, hint })
  }
}

/** `\$` stays a dollar that starts no variable. */
function unquoted(whole: string, character: string): string {
  if (character === '$') return '$$'
  return ESCAPES[character] ?? whole
}

function closingAt(text: string, mark: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    if (mark === '"' && text[at] === '\\') at += 1
    else if (text[at] === mark) return at
  }
  return -1
}

/** Reads one file. Names that are set twice keep the last value. */
export function parseDotenv(text: string, options: DotenvOptions): Dotenv {
  const reader = new DotenvReader(text, options)
  reader.read()
  return { values: reader.values, faults: reader.faults, unset: [...reader.unset] }
}
