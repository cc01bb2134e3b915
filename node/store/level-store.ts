/**
 * The daemon's store, on LevelDB. What LevelDB loses without a word (`promises.md` finding 1) is
 * noticed at opening: checksums a record, count and digest a batch, a marker that it was made,
 * and an anchor outside of it (`anchor.ts`). A store that lost something is moved aside, what is
 * sound of it taken over, and the node is amnesiac until its peers have filled it again.
 */
import { assert } from '../../gossip/core/assert.ts'
import type { PersistedRecord } from '../../gossip/core/effect.ts'
import { pause } from '../clock.ts'
import { AnchorFile } from './anchor.ts'
import { type Inventory, unwrap, wrap } from './checksum.ts'
import { isNoSpace, noSpaceText, reasonOf, storeError } from './faults.ts'
import { encodeMarker, META_KEY, SCHEMA } from './format.ts'
import type { Database, Operation } from './medium.ts'
import {
  create,
  metaRecord,
  type Opened,
  openAgain,
  readMarker,
  refuseOthers,
  reopen,
  type StoreOptions
} from './opening.ts'
import {
  AMNESIA_KEY,
  endOfPrefix,
  RESERVED_PREFIX,
  type Store,
  type StoredRecord,
  StoreFailure,
  type StoreStats
} from './store.ts'

interface Batch {
  readonly records: readonly PersistedRecord[]
  readonly sync: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A full disk is asked again after so long, then after twice as long, up to the most. */
const RETRY_MS = 250
const RETRY_MAX_MS = 4_000

const DEFAULT_BALLAST_BYTES = 32 * 1024 * 1024

/** Writes that wait are joined into one batch up to so many records. */
const BATCH_RECORDS_MAX = 4_096

export class LevelStore implements Store {
  readonly #options: StoreOptions
  /** Undefined between a full disk and the next opening. */
  #database: Database | undefined
  #inventory: Inventory
  readonly #anchor: AnchorFile
  readonly #salvaged: number
  readonly #quarantined: number
  readonly #queue: Batch[] = []
  #amnesiac: string | undefined
  #sequence: number
  #synced: number
  #pumping: Promise<void> | undefined
  #failure: StoreFailure | undefined
  #trouble: string | undefined
  readonly #closing = new AbortController()

  /** Opens or makes the store. Throws `ShoalError` STORE with one clear line. */
  static async open(options: StoreOptions): Promise<LevelStore> {
    const { medium } = options
    await medium.prepare()
    const marker = await readMarker(medium)
    if (typeof marker === 'object') refuseOthers(options, marker)
    if (medium.isFull()) await medium.dropBallast()
    const wasSetAside = (await medium.countQuarantined()) > 0
    const wasBegun = medium.hasDatabase() || medium.hasAnchor() || wasSetAside
    const opened =
      marker !== 'missing' || wasBegun ? await reopen(options, marker) : await create(options, [])
    let store: LevelStore | undefined
    try {
      store = new LevelStore(options, opened, await medium.countQuarantined())
      await store.#begin()
      await store.#layBallast()
      return store
    } catch (error) {
      await opened.database.close()
      if (store !== undefined) store.#anchor.drop()
      throw error
    }
  }

  private constructor(options: StoreOptions, opened: Opened, quarantined: number) {
    this.#options = options
    this.#database = opened.database
    this.#inventory = opened.inventory
    this.#sequence = opened.sequence
    this.#synced = opened.sequence
    this.#salvaged = opened.salvaged
    this.#quarantined = quarantined
    this.#anchor = new AnchorFile(options.medium)
  }

  get amnesiac(): string | undefined {
    return this.#amnesiac
  }

  get trouble(): string | undefined {
    return this.#trouble
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted
  }

  async #layBallast(): Promise<void> {
    const { medium, ballastBytes } = this.#options
    await medium.layBallast(ballastBytes ?? DEFAULT_BALLAST_BYTES)
  }

  /** The marker comes last: only a store that is whole is missed when it is gone. */
  async #begin(): Promise<void> {
    const { medium, node, mesh } = this.#options
    this.#anchor.write({ synced: this.#synced, written: this.#sequence })
    this.#anchor.sync()
    await medium.writeMarker(encodeMarker({ schema: SCHEMA, node, mesh }))
    const [reason] = await this.read(AMNESIA_KEY)
    if (reason !== undefined) this.#amnesiac = Buffer.from(reason.value).toString()
  }

  async read(prefix: string): Promise<StoredRecord[]> {
    assert(!this.#closed, 'read of a closed store')
    if (this.#database === undefined) {
      throw storeError('no space left on the disk', this.#options.medium.where)
    }
    const end = endOfPrefix(prefix)
    const range = end === undefined ? {} : { gte: prefix, lt: end }
    const found: StoredRecord[] = []
    for await (const [key, stored] of this.#database.iterator(range)) {
      if (key.startsWith(RESERVED_PREFIX)) continue
      const record = unwrap(key, stored)
      if (record === undefined) {
        const hint = 'restart shoald: it sets damaged files aside and resyncs'
        throw storeError(`record ${key} fails its checksum`, this.#options.medium.where, hint)
      }
      found.push({ key, value: record.value })
    }
    return found
  }

  async write(records: readonly PersistedRecord[], sync: boolean): Promise<void> {
    assert(!this.#closed, 'write to a closed store')
    for (const { key } of records) {
      assert(!key.startsWith(RESERVED_PREFIX), `key ${key} is the store's own`)
    }
    if (this.#failure !== undefined) throw this.#failure
    if (records.length === 0) return
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ records, sync, resolve, reject })
      this.#pumping ??= this.#pump()
    })
  }

  stats(): StoreStats {
    return {
      records: this.#inventory.count,
      bytes: this.#inventory.bytes,
      sequence: this.#sequence,
      salvaged: this.#salvaged,
      quarantined: this.#quarantined,
      freeBytes: this.#options.medium.freeBytes()
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closing.abort()
    await this.#pumping
    await this.#database?.close()
    this.#anchor.close()
  }

  /** One batch at a time; what came meanwhile goes together (group commit). */
  async #pump(): Promise<void> {
    // Writes of the same tick go together too.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const group = this.#nextGroup()
      try {
        if (this.#failure !== undefined) throw this.#failure
        await this.#persist(group)
        for (const batch of group) batch.resolve()
      } catch (error) {
        // One sync error wedges LevelDB: nothing may be written any more.
        this.#failure ??= new StoreFailure(
          `the disk failed while writing: ${reasonOf(error)}`,
          error
        )
        for (const batch of group) batch.reject(this.#failure)
      }
    }
    this.#pumping = undefined
  }

  /**
   * Commits, however long the disk is full. A failed batch may exist or not, and LevelDB takes none
   * after it: the database is opened again, then the same batch is written again, which is the same
   * either way. Nothing behind it is written before it.
   */
  async #persist(group: readonly Batch[]): Promise<void> {
    for (let waitMs = 0; ; waitMs = Math.min(RETRY_MAX_MS, Math.max(RETRY_MS, waitMs * 2))) {
      if (waitMs > 0) await pause(this.#options.clock, waitMs, this.#closing.signal)
      if (waitMs > 0 && this.#closed) throw new Error('the store was closed on a full disk')
      try {
        await this.#open()
        await this.#commit(group)
        if (this.#trouble !== undefined) await this.#recover()
        return
      } catch (error) {
        if (!isNoSpace(error) || this.#closed) throw error
        await this.#full()
      }
    }
  }

  async #open(): Promise<void> {
    if (this.#database !== undefined) return
    const { database, inventory, sequence } = await openAgain(this.#options)
    this.#database = database
    this.#inventory = inventory
    this.#sequence = sequence
  }

  /** Gives the ballast back: LevelDB needs room to open. */
  async #full(): Promise<void> {
    const { medium, onTrouble } = this.#options
    const isNew = this.#trouble === undefined
    this.#trouble = noSpaceText(medium)
    if (isNew) onTrouble?.(this.#trouble)
    await this.#database?.close()
    this.#database = undefined
    await medium.dropBallast()
  }

  /** Not before there is more room than the ballast just gave. */
  async #recover(): Promise<void> {
    const { medium, onTrouble } = this.#options
    if (medium.isFull()) {
      this.#trouble = noSpaceText(medium)
      return
    }
    this.#trouble = undefined
    await this.#layBallast()
    onTrouble?.(undefined)
  }

  #nextGroup(): Batch[] {
    let size = 0
    let taken = 0
    for (const batch of this.#queue) {
      size += batch.records.length
      if (taken > 0 && size > BATCH_RECORDS_MAX) break
      taken += 1
    }
    return this.#queue.splice(0, taken)
  }

  async #commit(group: readonly Batch[]): Promise<void> {
    assert(this.#database !== undefined, 'commit to a closed database')
    const sync = group.some(batch => batch.sync)
    const last = new Map<string, Uint8Array | null>()
    for (const { records } of group) {
      for (const { key, value } of records) last.set(key, value)
    }
    const operations: Operation[] = []
    for (const [key, value] of last) {
      if (value === null) {
        if (!this.#inventory.has(key)) continue
        operations.push({ type: 'del', key })
        this.#inventory.delete(key)
      } else {
        const { bytes, hash } = wrap(key, value)
        operations.push({ type: 'put', key, value: bytes })
        this.#inventory.set(key, hash, value.byteLength)
      }
    }
    this.#sequence += 1
    const meta = metaRecord(this.#options, this.#inventory, this.#sequence)
    await this.#database.batch([...operations, { type: 'put', key: META_KEY, value: meta }], {
      sync
    })
    if (sync) this.#synced = this.#sequence
    this.#anchor.write({ synced: this.#synced, written: this.#sequence })
    if (!this.#inventory.has(AMNESIA_KEY)) this.#amnesiac = undefined
  }
}
