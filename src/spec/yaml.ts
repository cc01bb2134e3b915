/**
 * The one YAML loader: text to a tree with positions, or problems. Safe on hostile text: size,
 * depth, token and expanded-node caps are checked before the costly steps, aliases are shared and
 * weighed rather than copied, duplicate keys are errors with both lines, and nothing throws.
 *
 * As in Go's YAML (what Compose files were written for): `0440` is octal, `<<` merges, `22:22`
 * and `yes` are text.
 */
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type Scalar,
  type ScalarTag,
  type YAMLMap,
  type YAMLSeq
} from 'yaml'
import type { ErrorCode } from '../errors.ts'
import { childPath, type Position, printable, quote, type Report } from './problem.ts'
import type { MapEntry, YamlNode } from './tree.ts'

export const DEPTH_MAX = 64
/** Nodes after aliases are expanded: what a careless walk of the tree would cost. */
export const NODES_MAX = 100_000
const TOKENS_MAX = 400_000
const SYNTAX_ERRORS_MAX = 20
const SYNTAX_ERRORS_SHOWN = 3

const KNOWN_TAGS: ReadonlySet<string> = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map(name => `tag:yaml.org,2002:${name}`)
)

/** Go's YAML reads a leading zero as octal; YAML 1.2 alone would read `0440` as 440. */
const OCTAL: ScalarTag = {
  identify: () => false,
  default: true,
  tag: 'tag:yaml.org,2002:int',
  test: /^[-+]?0[0-7]+$/,
  resolve: text => {
    const digits = Number.parseInt(text.replace(/^[-+]/, ''), 8)
    return text.startsWith('-') ? -digits : digits
  }
}

class Refusal extends Error {
  readonly code: ErrorCode
  readonly at: Position
  readonly path: string
  readonly hint: string | undefined

  constructor(code: ErrorCode, at: Position, path: string, message: string, hint?: string) {
    super(message)
    this.code = code
    this.at = at
    this.path = path
    this.hint = hint
  }
}

/** The library's stack holds at most two entries a level: a collection and its item. */
const STACK_MAX = 2 * DEPTH_MAX + 4

function tooDeep(at: Position, path: string): Refusal {
  return new Refusal('LIMIT', at, path, `nested more than ${DEPTH_MAX} levels deep`, 'flatten it')
}

interface Stream {
  readonly documents: readonly Document.Parsed[]
  /** Syntax errors that were found before documents could be composed. */
  readonly errors: readonly { readonly offset: number; readonly message: string }[]
}

/** Text to documents; stops early where a cap is passed, before anything recursive runs. */
function composeDocuments(text: string, counter: LineCounter): Stream {
  const parser = new Parser(counter.addNewLine)
  counter.addNewLine(0)
  const here = (): Position => place(counter, parser.offset)
  const tokens: CST.Token[] = []
  const errors: { offset: number; message: string }[] = []
  let lexemes = 0
  for (const lexeme of new Lexer().lex(text)) {
    lexemes += 1
    if (lexemes > TOKENS_MAX)
      throw new Refusal('LIMIT', here(), '', `more than ${TOKENS_MAX} tokens`, 'split the file')
    for (const token of parser.next(lexeme)) {
      tokens.push(token)
      if (token.type === 'error') errors.push({ offset: token.offset, message: token.message })
    }
    if (parser.stack.length > STACK_MAX) throw tooDeep(here(), '')
    if (errors.length >= SYNTAX_ERRORS_MAX) return { documents: [], errors }
  }
  tokens.push(...parser.end())
  const composer = new Composer({
    customTags: tags => [OCTAL, ...tags.filter(tag => typeof tag === 'object')],
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent'
  })
  return { documents: [...composer.compose(tokens, false, text.length)], errors: [] }
}

function place(counter: LineCounter, offset: number): Position {
  const { line, col } = counter.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

/** Builds our tree from the library's nodes. */
class TreeBuilder {
  readonly #text: string
  readonly #counter: LineCounter
  readonly #report: Report
  readonly #anchors = new Map<string, YamlNode | 'open'>()
  readonly #weights = new Map<YamlNode, number>()

  constructor(text: string, counter: LineCounter, report: Report) {
    this.#text = text
    this.#counter = counter
    this.#report = report
  }

  build(node: unknown, path: string, at: Position, depth: number): YamlNode {
    if (depth > DEPTH_MAX) throw tooDeep(at, path)
    if (isAlias(node)) return this.#alias(node.source, path, this.#at(node, at))
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return this.#weigh(emptyScalar(at), 1)
    const here = this.#at(node, at)
    this.#checkTag(node.tag, path, here)
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, 'open')
    const built = isScalar(node)
      ? this.#weigh(this.#scalar(node, here), 1)
      : isMap(node)
        ? this.#map(node, path, here, depth)
        : this.#list(node, path, here, depth)
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, built)
    return built
  }

  #at(
    node: { readonly range?: readonly number[] | null | undefined },
    fallback: Position
  ): Position {
    const offset = node.range?.[0]
    return offset === undefined ? fallback : place(this.#counter, offset)
  }

  #weigh<T extends YamlNode>(node: T, weight: number): T {
    if (weight > NODES_MAX)
      throw new Refusal(
        'LIMIT',
        node.at,
        '',
        `more than ${NODES_MAX} values once aliases are expanded`,
        'use fewer aliases'
      )
    this.#weights.set(node, weight)
    return node
  }

  #checkTag(tag: string | undefined, path: string, at: Position): void {
    if (tag === undefined || tag === '!' || KNOWN_TAGS.has(tag)) return
    const [code, hint] =
      tag === '!reset' || tag === '!override'
        ? (['UNSUPPORTED', 'several files are not merged yet: write the result'] as const)
        : (['INVALID', 'remove it'] as const)
    throw new Refusal(code, at, path, `the tag ${quote(tag)} is not known here`, hint)
  }

  #alias(name: string, path: string, at: Position): YamlNode {
    const target = this.#anchors.get(name)
    if (target === undefined)
      throw new Refusal('INVALID', at, path, `no anchor ${quote(name)} stands before this alias`)
    if (target === 'open')
      throw new Refusal('INVALID', at, path, `the alias ${quote(name)} contains itself`)
    return target
  }

  #scalar(node: Scalar, at: Position): YamlNode {
    const [start = 0, end = 0] = node.range ?? []
    const value = plainValue(node.value)
    const style =
      node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE'
        ? 'quoted'
        : node.type === 'PLAIN' || node.type === undefined
          ? 'plain'
          : 'block'
    const source = node.range === undefined ? String(value) : this.#text.slice(start, end)
    return { kind: 'scalar', value, source, style, at, interpolated: false }
  }

  #list(node: YAMLSeq, path: string, at: Position, depth: number): YamlNode {
    const items = node.items.map((item, index) =>
      this.build(item, childPath(path, index), at, depth + 1)
    )
    const weight = items.reduce((sum, item) => sum + (this.#weights.get(item) ?? 1), 1)
    return this.#weigh({ kind: 'list', items, at }, weight)
  }

  #map(node: YAMLMap, path: string, at: Position, depth: number): YamlNode {
    const entries = new Map<string, MapEntry>()
    const merged: YamlNode[] = []
    let weight = 1
    for (const pair of node.items) {
      const keyNode = this.build(pair.key, path, at, depth + 1)
      if (keyNode.kind !== 'scalar' || keyNode.value === null)
        throw new Refusal('INVALID', keyNode.at, path, 'a key must be text', 'quote it')
      const isPlain = keyNode.style === 'plain'
      const key = isPlain && typeof keyNode.value !== 'string' ? keyNode.source : `${keyNode.value}`
      const value = this.build(pair.value, childPath(path, key), keyNode.at, depth + 1)
      weight += 1 + (this.#weights.get(value) ?? 1)
      if (key === '<<' && isPlain) merged.push(value)
      else this.#addEntry(entries, { key, keyAt: keyNode.at, value }, path)
    }
    for (const source of merged) this.#merge(entries, source, path)
    return this.#weigh({ kind: 'map', entries, at }, weight)
  }

  #addEntry(entries: Map<string, MapEntry>, entry: MapEntry, path: string): void {
    const first = entries.get(entry.key)
    if (first === undefined) {
      entries.set(entry.key, entry)
      return
    }
    const lines = `lines ${first.keyAt.line} and ${entry.keyAt.line}`
    const where = childPath(path, entry.key)
    this.#report.error('INVALID', entry.keyAt, where, `duplicate key, ${lines}`, 'keep one')
  }

  /** `<<`: what is written here wins; of several sources the first. */
  #merge(entries: Map<string, MapEntry>, source: YamlNode, path: string): void {
    const sources = source.kind === 'list' ? source.items : [source]
    for (const one of sources) {
      if (one.kind !== 'map')
        throw new Refusal('INVALID', one.at, path, '"<<" takes a mapping or a list of mappings')
      for (const [key, entry] of one.entries) if (!entries.has(key)) entries.set(key, entry)
    }
  }
}

function emptyScalar(at: Position): YamlNode {
  return { kind: 'scalar', value: null, source: '', style: 'plain', at, interpolated: false }
}

function plainValue(value: unknown): string | number | boolean | null {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value
  return value === null || value === undefined ? null : String(value)
}

export interface Loaded {
  /** Absent: the file is empty (only comments, only `---`), or an error was reported. */
  readonly root?: YamlNode
}

/** Loads one document. Everything wrong with it is in the report. */
export function loadYaml(text: string, report: Report): Loaded {
  const counter = new LineCounter()
  try {
    return loadDocument(text, counter, report)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    report.error(error.code, error.at, error.path, error.message, error.hint)
    return {}
  }
}

function loadDocument(text: string, counter: LineCounter, report: Report): Loaded {
  const { documents, errors } = composeDocuments(text, counter)
  const faults = [
    ...errors,
    ...documents.flatMap(document =>
      document.errors.map(error => ({ offset: error.pos[0], message: error.message }))
    )
  ]
  for (const fault of faults.slice(0, SYNTAX_ERRORS_SHOWN)) {
    const message = `not valid YAML: ${firstLine(fault.message)}`
    report.error('INVALID', place(counter, fault.offset), '', message)
  }
  if (faults.length > 0) return {}
  const filled = documents.filter(document => !isEmpty(document))
  const [first, second] = filled
  if (second !== undefined) {
    const at = place(counter, second.range?.[0] ?? 0)
    const message = `the file has ${filled.length} documents, one is read`
    report.error('UNSUPPORTED', at, '', message, 'put each project into a file of its own')
    return {}
  }
  if (first === undefined) return {}
  const start = place(counter, first.range?.[0] ?? 0)
  return { root: new TreeBuilder(text, counter, report).build(first.contents, '', start, 0) }
}

function isEmpty(document: Document.Parsed): boolean {
  const { contents } = document
  return contents === null || (isScalar(contents) && contents.value === null)
}

function firstLine(message: string): string {
  const line = message.split('\n')[0] ?? ''
  const cut = line.length > 160 ? `${line.slice(0, 160)}...` : line
  return printable(cut.charAt(0).toLowerCase() + cut.slice(1))
}
