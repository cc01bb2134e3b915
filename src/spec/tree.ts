/**
 * A parsed file as plain values that know where they stand. Mappings are `Map`s, so that no key
 * (`__proto__`) can mean anything to JavaScript. Aliased nodes are shared, not copied.
 */
import { childPath, type Position, WHOLE_FILE } from './problem.ts'

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly value: string | number | boolean | null
  /** The characters in the file, for numbers whose text matters. */
  readonly source: string
  readonly style: 'plain' | 'quoted' | 'block'
  readonly at: Position
  /** A variable was put in: numbers and booleans may then stand as text. */
  readonly interpolated: boolean
}

export interface MapEntry {
  readonly key: string
  readonly keyAt: Position
  readonly value: YamlNode
}

export interface MapNode {
  readonly kind: 'map'
  readonly entries: ReadonlyMap<string, MapEntry>
  readonly at: Position
}

export interface ListNode {
  readonly kind: 'list'
  readonly items: readonly YamlNode[]
  readonly at: Position
}

export type YamlNode = ScalarNode | MapNode | ListNode

export function isNull(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.value === null
}

/** `a mapping`, `a list`, `text`, `a number`...: what a message says instead of the value. */
export function describe(node: YamlNode): string {
  if (node.kind === 'map') return 'a mapping'
  if (node.kind === 'list') return 'a list'
  if (node.value === null) return 'empty'
  return typeof node.value === 'string' ? 'text' : `a ${typeof node.value}`
}

/** The node at a path, or undefined. */
export function nodeAt(root: YamlNode, path: readonly (string | number)[]): YamlNode | undefined {
  let node: YamlNode | undefined = root
  for (const step of path) {
    if (node?.kind === 'map' && typeof step === 'string') node = node.entries.get(step)?.value
    else if (node?.kind === 'list' && typeof step === 'number') node = node.items[step]
    else return undefined
  }
  return node
}

/**
 * Where a value stands. A key that leads to nothing (or to an empty value) gives its own place;
 * a path that does not exist gives the place of its deepest existing part.
 */
export function positionOf(root: YamlNode, path: readonly (string | number)[]): Position {
  let node: YamlNode = root
  let at: Position = root.at
  for (const step of path) {
    if (node.kind === 'map' && typeof step === 'string') {
      const entry: MapEntry | undefined = node.entries.get(step)
      if (entry === undefined) return at
      node = entry.value
      at = isNull(node) ? entry.keyAt : node.at
    } else if (node.kind === 'list' && typeof step === 'number') {
      const item: YamlNode | undefined = node.items[step]
      if (item === undefined) return at
      node = item
      at = node.at
    } else return at
  }
  return at
}

/** The place inside a scalar that stands on one line as written; else where it begins. */
export function positionWithin(node: ScalarNode, offset: number): Position {
  if (typeof node.value !== 'string' || node.at.line === WHOLE_FILE.line) return node.at
  const lead = node.style === 'quoted' ? 1 : 0
  const asWritten = node.source === node.value || node.source.slice(1, -1) === node.value
  if (node.style === 'block' || !asWritten || node.value.includes('\n')) return node.at
  return { line: node.at.line, column: node.at.column + lead + offset }
}

/** Plain data without positions; objects have no prototype. */
export function toPlain(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(toPlain)
  const plain: Record<string, unknown> = Object.create(null)
  for (const entry of node.entries.values()) plain[entry.key] = toPlain(entry.value)
  return plain
}

/** Walks every scalar of a tree once, shared ones too; gives the tree with what came back. */
export function mapScalars(
  root: YamlNode,
  change: (node: ScalarNode, path: string) => ScalarNode
): YamlNode {
  const done = new Map<YamlNode, YamlNode>()
  const visit = (node: YamlNode, path: string): YamlNode => {
    const known = done.get(node)
    if (known !== undefined) return known
    const result = visitNew(node, path)
    done.set(node, result)
    return result
  }
  const visitNew = (node: YamlNode, path: string): YamlNode => {
    if (node.kind === 'scalar') return change(node, path)
    if (node.kind === 'list')
      return {
        ...node,
        items: node.items.map((item, index) => visit(item, childPath(path, index)))
      }
    const entries = new Map<string, MapEntry>()
    for (const [key, entry] of node.entries)
      entries.set(key, { ...entry, value: visit(entry.value, childPath(path, key)) })
    return { ...node, entries }
  }
  return visit(root, '')
}
