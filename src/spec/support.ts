/**
 * The one table of Compose keys: what each does here, or what is lost without it. Parsing,
 * messages and the support matrix come from it; a key without a row does not exist.
 *
 * Keys of the table are paths: `services.*.ports[].target`, `*` for names that people choose and
 * `[]` for items. A path without rows below it is a leaf: what it holds is the reader's matter.
 */
import { SERVICE_NESTED } from './support/nested.ts'
import { type SupportRow, type SupportSection, under } from './support/row.ts'
import { SERVICE } from './support/service.ts'
import { TOP, X_SHOAL } from './support/top.ts'

export type { SupportRow } from './support/row.ts'

export const SUPPORT: SupportSection = {
  ...TOP,
  ...under('services.*', SERVICE),
  ...under('services.*', SERVICE_NESTED),
  ...X_SHOAL
}

export interface SupportLevel {
  /** The keys that may stand here; empty where names are free. */
  readonly rows: ReadonlyMap<string, SupportRow>
  /** Names here are people's own (`services.*`). */
  readonly free: boolean
}

/** `a.b[].c` to its parent and last name: `a.b[]` and `c`. */
function splitPath(path: string): [string, string] {
  const dot = path.lastIndexOf('.')
  return dot === -1 ? ['', path] : [path.slice(0, dot), path.slice(dot + 1)]
}

function buildLevels(): ReadonlyMap<string, SupportLevel> {
  const levels = new Map<string, { rows: Map<string, SupportRow>; free: boolean }>()
  const level = (path: string) => {
    const known = levels.get(path)
    if (known !== undefined) return known
    const made = { rows: new Map<string, SupportRow>(), free: false }
    levels.set(path, made)
    return made
  }
  for (const [path, row] of Object.entries(SUPPORT)) {
    const [parent, name] = splitPath(path)
    level(parent).rows.set(name, row)
    for (let rest = parent; rest !== ''; ) {
      const [above, last] = splitPath(rest)
      if (last === '*') level(above).free = true
      if (last.endsWith('[]')) level(rest.slice(0, -2))
      rest = above
    }
  }
  return levels
}

let levels: ReadonlyMap<string, SupportLevel> | undefined

/** The keys that may stand below a path; undefined where anything may (or nothing is known). */
export function levelAt(path: string): SupportLevel | undefined {
  levels ??= buildLevels()
  return levels.get(path)
}

/** How people name a key when they allow its loss: `privileged`, `deploy.mode`. */
export function allowName(path: string): string {
  return path
    .replace(/^services\.\*\./, '')
    .replace(/\[\]/g, '')
    .replace(/\.\*/g, '')
}

/** Every name that `allowUnsupported` may hold. */
export function allowableNames(): readonly string[] {
  const names = Object.entries(SUPPORT)
    .filter(([path, row]) => row.allowable === true && levelParentAllows(path))
    .map(([path]) => allowName(path))
  return [...new Set([...names, NETWORK_ISOLATION])].sort()
}

/** `networks` stands for the isolation between networks, which no single key carries. */
export const NETWORK_ISOLATION = 'networks'

/** Keys within a refused key are named by that key alone. */
function levelParentAllows(path: string): boolean {
  const row = SUPPORT[path]
  return row !== undefined && row.effect !== 'goes with the key around it'
}
