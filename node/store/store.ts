/**
 * What the daemon keeps on disk: opaque records by key. A `write` is one atomic batch; with `sync`
 * it is on the disk itself before it resolves. Two implementations: `LevelStore` for daemons,
 * `MemoryStore` for tests and the simulator.
 */
import type { PersistedRecord } from '../../gossip/core/effect.ts'
import { AMNESIA_KEY } from '../../gossip/core/replication/constants.ts'
import { ShoalError } from '../../src/errors.ts'

export interface StoredRecord {
  readonly key: string
  readonly value: Uint8Array
}

export interface StoreStats {
  readonly records: number
  /** Keys and values. */
  readonly bytes: number
  /** Batches ever written. */
  readonly sequence: number
  /** Records taken over from a damaged store at this opening. */
  readonly salvaged: number
  /** Damaged stores that were moved aside, all openings counted. */
  readonly quarantined: number
  /** Free space on its disk; undefined for a store without one. */
  readonly freeBytes: number | undefined
}

export interface Store {
  /** Why this node cannot trust its memory; undefined when it can. Stays over restarts until
   * `AMNESIA_KEY` is deleted, which the replica does once a peer has filled it again. */
  readonly amnesiac: string | undefined
  /** Why nothing can be written now, for people; undefined when it can. It passes by itself. */
  readonly trouble: string | undefined
  /** Records whose key begins with `prefix`, sorted by key. */
  read(prefix: string): Promise<StoredRecord[]>
  /**
   * Writes all or nothing; the last word on a key counts. Throws `StoreFailure`. On a full disk it
   * resolves once there is room again, as on a disk that is very slow.
   */
  write(records: readonly PersistedRecord[], sync: boolean): Promise<void>
  stats(): StoreStats
  /** Waits for the writes that were begun. */
  close(): Promise<void>
}

export { AMNESIA_KEY }
/** Keys of the store itself begin so. */
export const RESERVED_PREFIX = '!'

/**
 * The disk failed while writing. The write may or may not exist after a restart, and no later one
 * will succeed: the daemon must exit and start again (`promises.md` finding 2).
 */
export class StoreFailure extends ShoalError {
  readonly mustExit = true

  constructor(message: string, cause: unknown) {
    super('UNKNOWN_OUTCOME', message, {
      hint: 'the daemon restarts; retry with the same operation id',
      cause
    })
    this.name = 'StoreFailure'
  }
}

/** The first key behind all that begin with `prefix`; undefined for the empty prefix. */
export function endOfPrefix(prefix: string): string | undefined {
  return prefix === '' ? undefined : `${prefix}\u{10ffff}`
}
