/** Reads the project's own source files, for tests that check the repository itself. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const NOT_SOURCE = new Set(['node_modules', 'dist', 'coverage', '.git', '.cache', 'fixtures'])

/** Paths of all files below `folder`, relative to the top, sorted. */
export function filesBelow(folder: string): string[] {
  const found: string[] = []
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory() && !NOT_SOURCE.has(entry.name)) found.push(...filesBelow(path))
    else if (entry.isFile()) found.push(path)
  }
  return found.sort()
}

export function readSource(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

const blank = (text: string): string => text.replace(/[^\n]/g, ' ')

const QUIET = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/y
const REGEX = /\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[dgimsuvy]*/y
const BEFORE_REGEX = /(?:^|[(,=:!&|?;{}[\n]|=>|return)\s*$/
const TEMPLATE_TEXT = /(?:\\[\s\S]|\$(?!\{)|[^\\`$])*/y

function matchAt(form: RegExp, source: string, at: number): string {
  form.lastIndex = at
  return form.exec(source)?.[0] ?? ''
}

/** The code alone: comments, strings, regular expressions and template text become blanks. */
export function codeOf(source: string): string {
  let out = ''
  // Open braces of each `${` we are inside of; a template's text lies between two of them.
  const depths: number[] = []
  let inTemplate = false
  while (out.length < source.length) {
    const at = out.length
    if (inTemplate) {
      const text = matchAt(TEMPLATE_TEXT, source, at)
      const opens = source[at + text.length] === '$'
      out += blank(text) + (opens ? '  ' : ' ')
      if (opens) depths.push(0)
      inTemplate = false
      continue
    }
    const char = source[at] ?? ''
    const regex = char === '/' && BEFORE_REGEX.test(out.slice(-80))
    const quiet = matchAt(QUIET, source, at) || (regex ? matchAt(REGEX, source, at) : '')
    const depth = depths.at(-1)
    const closes = char === '}' && depth === 0
    if (closes) depths.pop()
    else if (depth !== undefined && char === '{') depths[depths.length - 1] = depth + 1
    else if (depth !== undefined && char === '}') depths[depths.length - 1] = depth - 1
    inTemplate = closes || char === '`'
    out += quiet !== '' ? blank(quiet) : inTemplate ? ' ' : char
  }
  return out
}

/** What a file imports, as written. */
export function importsOf(source: string): string[] {
  const text = source.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, blank)
  const form = /(?:\bfrom\s+|\bimport\s*\(\s*|^\s*import\s+)['"]([^'"]+)['"]/gm
  return [...text.matchAll(form)].map(match => match[1] ?? '')
}

export interface FunctionSpan {
  readonly line: number
  readonly lines: number
  readonly head: string
}

const CONTROL = /^\s*(?:\} )?(?:if|for|while|switch|catch|else|do|try|finally|with)\b/
const HEAD = /(?:=> \{|\)(?:: [^=]*)? \{)$/

/**
 * Functions and their lengths. Leans on the formatter: a body that opens at the end of a line
 * closes on the next line with the same indentation that starts with `}`.
 */
export function functionsOf(source: string): FunctionSpan[] {
  const lines = source.split('\n')
  const indent = (line: string): number => line.length - line.trimStart().length
  const spans: FunctionSpan[] = []
  lines.forEach((line, index) => {
    if (!HEAD.test(line)) return
    let start = index
    // A head over several lines starts at the line before with the same indentation.
    if (/^\s*[)}\]]/.test(line)) {
      start -= 1
      while (start > 0 && (indent(lines[start] ?? '') > indent(line) || lines[start] === ''))
        start -= 1
    }
    const head = lines[start] ?? ''
    if (CONTROL.test(head) || CONTROL.test(line)) return
    const rest = lines.slice(index + 1)
    const end = rest.findIndex(
      next => indent(next) === indent(line) && next.trimStart().startsWith('}')
    )
    if (end >= 0) spans.push({ line: start + 1, lines: end + index - start + 2, head: head.trim() })
  })
  return spans
}
