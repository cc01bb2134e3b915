/**
 * Holds a file against the support table: unknown keys with the nearest name, one warning for each
 * key that is ignored, an error for each that is refused. Values are the readers' matter.
 */
import { nearest } from '../nearest.ts'
import { childPath, quote, type Report } from '../problem.ts'
import { allowableNames, allowName, levelAt, type SupportRow } from '../support.ts'
import type { MapEntry, MapNode, YamlNode } from '../tree.ts'

export interface CheckOptions {
  /** Names as `allowName` gives them. */
  readonly allowed: ReadonlySet<string>
}

const EXTENSION = 'x-shoal'

/** Reports names in `allowUnsupported` that mean nothing. */
export function checkAllowed(report: Report, allowed: Iterable<string>): void {
  const names = allowableNames()
  for (const name of allowed) {
    if (names.includes(name)) continue
    const near = nearest(name, names)
    const hint = near === undefined ? 'it is no key that can be allowed' : `did you mean ${near}?`
    const message = `${quote(name)} is not a key whose loss can be allowed`
    report.error('USAGE', { line: 0, column: 0 }, '', message, hint)
  }
}

/** Checks every key of the file. */
export function checkKeys(report: Report, root: MapNode, options: CheckOptions): void {
  new KeyChecker(report, options).map(root, '', '', false)
}

class KeyChecker {
  readonly #report: Report
  readonly #options: CheckOptions

  constructor(report: Report, options: CheckOptions) {
    this.#report = report
    this.#options = options
  }

  /** `quiet`: inside a key that was already told about; only unknown keys are. */
  map(node: MapNode, table: string, path: string, quiet: boolean): void {
    const level = levelAt(table)
    if (level === undefined || (level.rows.size === 0 && !level.free)) return
    for (const entry of node.entries.values()) {
      const here = childPath(path, entry.key)
      if (level.free) this.#value(entry.value, `${table}.*`, here, quiet)
      else if (entry.key.startsWith('x-') && entry.key !== EXTENSION) this.#extension(entry, here)
      else this.#key(entry, level.rows, table, { path: here, parent: path, quiet })
    }
  }

  #key(
    entry: MapEntry,
    rows: ReadonlyMap<string, SupportRow>,
    table: string,
    place: { readonly path: string; readonly parent: string; readonly quiet: boolean }
  ): void {
    const row = rows.get(entry.key)
    if (row === undefined) {
      this.#unknown(entry, rows, place.parent)
      return
    }
    const inner = table === '' ? entry.key : `${table}.${entry.key}`
    const asked = !isNeutral(entry.value, row)
    const told = place.quiet || row.status !== 'supported'
    if (!place.quiet && asked && row.atUse !== true) this.#tell(entry, row, inner, place.path)
    this.#value(entry.value, inner, place.path, told)
  }

  #value(node: YamlNode, table: string, path: string, quiet: boolean): void {
    if (node.kind === 'map') this.map(node, table, path, quiet)
    if (node.kind !== 'list') return
    node.items.forEach((item, index) => {
      if (item.kind === 'map') this.map(item, `${table}[]`, childPath(path, index), quiet)
    })
  }

  #extension(entry: MapEntry, path: string): void {
    if (nearest(entry.key, [EXTENSION]) === undefined) return
    const hint = `did you mean ${EXTENSION}?`
    this.#report.warn('INVALID', entry.keyAt, path, 'an extension that shoal does not read', hint)
  }

  #unknown(entry: MapEntry, rows: ReadonlyMap<string, SupportRow>, parent: string): void {
    if (entry.key === EXTENSION) {
      this.#report.error('INVALID', entry.keyAt, parent, 'x-shoal stands in a service')
      return
    }
    const names = [...rows.keys()].filter(name => name !== EXTENSION)
    const near = nearest(entry.key, names)
    const known = names.length > 12 ? 'own keys begin with x-' : `known here: ${names.join(', ')}`
    const hint = near === undefined ? known : `did you mean ${near}?`
    const message = `unknown key ${quote(entry.key)}`
    this.#report.error('INVALID', entry.keyAt, parent, message, hint)
  }

  #tell(entry: MapEntry, row: SupportRow, table: string, path: string): void {
    if (row.status === 'supported') return
    if (row.status === 'warned') {
      this.#report.warn('UNSUPPORTED', entry.keyAt, path, `ignored: ${row.effect}`, row.hint)
      return
    }
    const name = allowName(table)
    if (row.allowable === true && this.#options.allowed.has(name)) {
      const message = `left out, as allowed: ${row.effect}`
      this.#report.warn('UNSUPPORTED', entry.keyAt, path, message)
      return
    }
    const accept =
      row.allowable === true ? `accept the loss with --allow-unsupported=${name}` : undefined
    const hint = [row.hint, accept].filter(part => part !== undefined).join(', or ')
    const message = `not supported: ${row.effect}`
    this.#report.error('UNSUPPORTED', entry.keyAt, path, message, hint === '' ? undefined : hint)
  }
}

/** Empty values and those that equal what shoal does anyway. */
function isNeutral(node: YamlNode, row: SupportRow): boolean {
  if (node.kind === 'map') return node.entries.size === 0
  if (node.kind === 'list') return node.items.length === 0
  if (node.value === null || node.value === '') return true
  const { value } = node
  return (row.neutral ?? []).some(
    neutral => neutral === value || (typeof value === 'string' && String(neutral) === value)
  )
}
