/** What every reader of one file shares. */
import type { Report } from '../problem.ts'
import type { Lookup } from './interpolate.ts'

/** Gives a file's text; undefined when it is not there; throws with a plain cause otherwise. */
export type ReadFile = (path: string) => Promise<string | undefined>

/** A named volume of the file, as a service mounts it. */
export interface VolumeDefinition {
  /** Its name within the project. */
  readonly name: string
  readonly shared: boolean
  readonly driver?: string
  readonly driverOptions?: Readonly<Record<string, string>>
}

export interface ReadContext {
  readonly report: Report
  readonly project: string
  /** Absolute directory of the file; undefined for standard input. */
  readonly directory: string | undefined
  readonly lookup: Lookup
  readonly readFile: ReadFile
  readonly volumes: ReadonlyMap<string, VolumeDefinition>
  readonly networks: ReadonlySet<string>
  readonly services: ReadonlySet<string>
  /** Absolute roots under which binds are allowed; undefined: the project, and no system path. */
  readonly bindRoots: readonly string[] | undefined
}
