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

const STRINGS = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g
const REGEXES =
  /(?<=[(,=:!&|?;\n[{]\s*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[dgimsuvy]*/g
const blank = (text: string): string => text.replace(/[^\n]/g, ' ')

/** Blanks the text parts of template literals and keeps the code between `${` and `}`. */
function maskTemplates(source: string): string {
  let out = ''
  // Depth of braces for each `${` we are inside of; an odd end of the stack is template text.
  const stack: number[] = []
  let inText = false
  for (let i = 0; i < source.length; i++) {
    const char = source[i] ?? ''
    if (inText) {
      if (char === '\\') {
        out += blank(source.slice(i, i + 2))
        i += 1
      } else if (char === '$' && source[i + 1] === '{') {
        stack.push(0)
        inText = false
        out += '  '
        i += 1
      } else {
        if (char === '`') inText = false
        out += blank(char)
      }
      continue
    }
    const depth = stack.at(-1)
    if (char === '`') {
      inText = true
      out += ' '
    } else if (depth === 0 && char === '}') {
      stack.pop()
      inText = true
      out += ' '
    } else {
      if (depth !== undefined && char === '{') stack[stack.length - 1] = depth + 1
      if (depth !== undefined && char === '}') stack[stack.length - 1] = depth - 1
      out += char
    }
  }
  return out
}

/** The code alone: comments, strings, regular expressions and template text become blanks. */
export function codeOf(source: string): string {
  return maskTemplates(source.replace(REGEXES, blank).replace(STRINGS, blank))
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
