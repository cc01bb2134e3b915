/**
 * What a reader finds wrong in a file: one value a finding, with the place a person must look at.
 * Readers never throw for what a file says; they return problems, and an error means that nothing
 * of the file is applied.
 */
import { type ErrorCode, ShoalError } from '../errors.ts'

export type Severity = 'error' | 'warning'

/** Line and column count from 1; 0 means the whole file. */
export interface Position {
  readonly line: number
  readonly column: number
}

export const WHOLE_FILE: Position = { line: 0, column: 0 }

export interface Problem extends Position {
  readonly severity: Severity
  readonly code: ErrorCode
  readonly message: string
  readonly file: string
  /** Field path: `services.web.ports[0]`; empty for the whole file. */
  readonly path: string
  /** What to do, as half a sentence. */
  readonly hint?: string
}

/** At most so many problems of one file are kept; one last line counts the rest. */
export const PROBLEMS_MAX = 100

const SHOWN_LENGTH_MAX = 64
// Controls, separators, bidirectional overrides, byte-order mark: what could rewrite a terminal.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}"\\]/gu

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`
  if (character === '\n') return '\\n'
  if (character === '\t') return '\\t'
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

/** Text of others, quoted for a message: escaped and cut, so that it can rewrite no terminal. */
export function quote(value: unknown): string {
  if (typeof value !== 'string') return String(value)
  const cut = value.length > SHOWN_LENGTH_MAX ? `${value.slice(0, SHOWN_LENGTH_MAX)}...` : value
  return `"${cut.replace(UNPRINTABLE, escapeCharacter)}"`
}

/** Like `quote` without the quotes: for file names and paths inside a sentence. */
export function printable(value: string): string {
  return value.replace(UNPRINTABLE, character =>
    character === '"' || character === '\\' ? character : escapeCharacter(character)
  )
}

const PLAIN_KEY = /^[A-Za-z0-9_-]+$/

/** `services` + `web` is `services.web`; keys with other characters are quoted in brackets. */
export function childPath(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`
  const name = PLAIN_KEY.test(key) ? key : `[${quote(key)}]`
  if (path === '') return name
  return name.startsWith('[') ? `${path}${name}` : `${path}.${name}`
}

/** `compose.yaml:4:7`, or the file alone when the problem is the whole file. */
export function formatPlace(problem: Problem): string {
  const file = printable(problem.file)
  return problem.line === 0 ? file : `${file}:${problem.line}:${problem.column}`
}

/** One line: `error[INVALID]: what (compose.yaml:4:7); what to do`. */
export function formatProblem(problem: Problem): string {
  const head = problem.severity === 'error' ? `error[${problem.code}]` : 'warning'
  const subject = problem.path === '' ? '' : `${problem.path}: `
  const place = formatPlace(problem)
  const where = place === '' ? '' : ` (${place})`
  const hint = problem.hint === undefined ? '' : `; ${problem.hint}`
  return `${head}: ${subject}${problem.message}${where}${hint}`
}

/** For a terminal: the line, then the source line with a caret under the column. */
export function formatWithCaret(problem: Problem, text: string): string {
  const line = problem.line === 0 ? undefined : text.split(/\r\n|\n|\r/, problem.line).at(-1)
  const first = formatProblem(problem)
  if (line === undefined || line.length > 1_000) return first
  const number = String(problem.line).padStart(4)
  const shown = line.replace(/\t/g, ' ').replace(UNPRINTABLE, escapeUnlessQuote)
  return `${first}\n${number} | ${shown}\n     | ${' '.repeat(problem.column - 1)}^`
}

function escapeUnlessQuote(character: string): string {
  return character === '"' || character === '\\' ? character : '?'
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some(problem => problem.severity === 'error')
}

/** The error that stands for a list of problems: the first error's code; undefined without one. */
export function errorOf(problems: readonly Problem[]): ShoalError | undefined {
  const errors = problems.filter(problem => problem.severity === 'error')
  const first = errors[0]
  if (first === undefined) return undefined
  const more = errors.length === 1 ? '' : ` (and ${errors.length - 1} more)`
  const subject = first.path === '' ? '' : `${first.path}: `
  const where = formatPlace(first)
  return new ShoalError(first.code, `${subject}${first.message}${more}`, {
    ...(where === '' ? {} : { where }),
    ...(first.hint === undefined ? {} : { hint: first.hint })
  })
}

/** Collects the problems of one file. */
export class Report {
  readonly file: string
  #problems: Problem[] = []
  #dropped = 0
  #errors = 0

  constructor(file: string) {
    this.file = file
  }

  error(code: ErrorCode, at: Position, path: string, message: string, hint?: string): void {
    this.#errors += 1
    this.add('error', code, at, path, message, hint)
  }

  warn(code: ErrorCode, at: Position, path: string, message: string, hint?: string): void {
    this.add('warning', code, at, path, message, hint)
  }

  get failed(): boolean {
    return this.#errors > 0
  }

  /** By place, errors and warnings mixed: the order in which a person repairs a file. */
  problems(): readonly Problem[] {
    const sorted = this.#problems
      .map((problem, index) => ({ problem, index }))
      .sort(
        (a, b) =>
          a.problem.line - b.problem.line ||
          a.problem.column - b.problem.column ||
          a.index - b.index
      )
      .map(entry => entry.problem)
    if (this.#dropped === 0) return sorted
    const message = `and ${this.#dropped} more problems`
    const severity = this.#errors > 0 ? 'error' : 'warning'
    const last = { severity, code: 'INVALID', message, file: this.file, path: '' } as const
    return [...sorted, { ...last, ...WHOLE_FILE }]
  }

  private add(
    severity: Severity,
    code: ErrorCode,
    at: Position,
    path: string,
    message: string,
    hint: string | undefined
  ): void {
    if (this.#problems.length >= PROBLEMS_MAX) {
      this.#dropped += 1
      return
    }
    const { line, column } = at
    const problem = { severity, code, message, file: this.file, line, column, path }
    this.#problems.push(hint === undefined ? problem : { ...problem, hint })
  }
}
