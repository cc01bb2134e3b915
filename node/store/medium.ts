/**
 * The disk as the store needs it: LevelDB and a few files beside it. `fileMedium` is the real one,
 * the simulator brings one that breaks on purpose. Holds no decision: what damage means is the
 * store's business.
 */
import type { StoredRecord } from './store.ts'

export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string }

export interface Range {
  readonly gte?: string
  readonly lt?: string
  readonly reverse?: boolean
}

/** LevelDB as far as we use it; `Level` fits. */
export interface Database {
  /** All or nothing; on the disk itself when it resolves with `sync`. */
  batch(operations: Operation[], options: { readonly sync: boolean }): Promise<void>
  iterator(range: Range): AsyncIterable<[string, Uint8Array]>
  close(): Promise<void>
}

export type OpenFault =
  /** Its files are damaged or gone: what was in it is lost or in doubt. */
  | { readonly kind: 'damaged'; readonly reason: string }
  | { readonly kind: 'locked' }
  | { readonly kind: 'full' }
  /** The disk or its permissions: the files themselves may be sound. */
  | { readonly kind: 'disk'; readonly reason: string }

export function isFault(opened: Database | OpenFault): opened is OpenFault {
  return 'kind' in opened
}

/** A small file that is overwritten in place. */
export interface SlotFile {
  write(bytes: Uint8Array, offset: number): void
  sync(): void
  close(): void
}

export interface Medium {
  /** Where it is, for people. */
  readonly where: string
  /** Makes the place, or refuses one that others may read. */
  prepare(): Promise<void>
  /** Undefined when there is none. Throws a `ShoalError` when it cannot be read. */
  readMarker(): Promise<string | undefined>
  /** Whole and on disk. */
  writeMarker(text: string): Promise<void>
  hasDatabase(): boolean
  /** `create`: it must not be there yet; else it must. Gives the fault instead of throwing it. */
  openDatabase(create: boolean): Promise<Database | OpenFault>
  /** What the database's own repair finds in one that was set aside, checked; it is untouched. */
  salvage(aside: number): Promise<readonly StoredRecord[]>
  hasAnchor(): boolean
  readAnchor(): Uint8Array
  openAnchor(create: boolean): SlotFile
  /** Which boot of the host it is; undefined where nobody says. */
  hostBoot(): string | undefined
  /** Moves anchor and database aside, in this order; never deletes them. Gives their number. */
  quarantine(): Promise<number>
  /** Numbers go from 1 to this. */
  countQuarantined(): Promise<number>
  freeBytes(): number | undefined
  /** No room left to open a database. */
  isFull(): boolean
  /** Gives the ballast back to the disk; true when there was one. */
  dropBallast(): Promise<boolean>
  /** Lays in the ballast when there is room for it. Failing to is no fault. */
  layBallast(bytes: number): Promise<void>
}
