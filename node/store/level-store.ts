/**
 * The daemon's store, on LevelDB. What LevelDB loses without a word (`promises.md` finding 1) is
 * noticed at opening: checksums a record, count and digest a batch, a marker that it was made,
 * and an anchor outside of it (`anchor.ts`). A store that lost something is moved aside, what is
 * sound of it taken over, and the node is amnesiac until its peers have filled it again.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { assert } from '../../gossip/core/assert.ts'
import type { PersistedRecord } from '../../gossip/core/effect.ts'
import { AnchorFile, readAnchor, readHostBoot } from './anchor.ts'
import { Inventory, unwrap, wrap } from './checksum.ts'
import {
  type Database,
  encodeMeta,
  type Inspection,
  inspect,
  META_KEY,
  type OpenFault,
  openDatabase,
  salvage,
  scratchOf
} from './database.ts'
import * as files from './files.ts'
import {
  AMNESIA_KEY,
  endOfPrefix,
  RESERVED_PREFIX,
  type Store,
  type StoredRecord,
  StoreFailure,
  type StoreStats
} from './store.ts'

export interface LevelStoreOptions {
  /** The store's own directory. */
  readonly dir: string
  /** Whose it is: a store of another node or mesh is refused. */
  readonly node: string
  readonly mesh: string
  /** Space kept for the day the disk is full; 0 for none. Default 32 MiB. */
  readonly ballastBytes?: number
}

interface Opened {
  readonly database: Database
  readonly inventory: Inventory
  readonly sequence: number
  readonly salvaged: number
}

interface Batch {
  readonly records: readonly PersistedRecord[]
  readonly sync: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Writes that wait are joined into one batch up to so many records. */
const BATCH_RECORDS_MAX = 4_096

export class LevelStore implements Store {
  readonly #options: LevelStoreOptions
  readonly #database: Database
  readonly #inventory: Inventory
  readonly #anchor: AnchorFile
  readonly #salvaged: number
  readonly #quarantined: number
  readonly #queue: Batch[] = []
  #amnesiac: string | undefined
  #sequence: number
  #synced: number
  #pumping: Promise<void> | undefined
  #failure: StoreFailure | undefined
  #closed = false

  /** Opens or makes the store. Throws `ShoalError` STORE with one clear line. */
  static async open(options: LevelStoreOptions): Promise<LevelStore> {
    const { dir } = options
    await files.prepareDirectory(dir)
    const marker = await files.readMarker(dir)
    if (typeof marker === 'object') refuseOthers(options, marker)
    if (files.isFull(dir)) await files.dropBallast(dir)
    const made =
      marker !== 'missing' ||
      existsSync(join(dir, files.DATABASE)) ||
      existsSync(join(dir, files.ANCHOR))
    const opened = made ? await reopen(options, marker) : await create(options, [])
    const store = new LevelStore(options, opened, await files.countQuarantined(dir))
    await store.#begin()
    const ballast = options.ballastBytes ?? files.DEFAULT_BALLAST_BYTES
    await files.layBallast(dir, ballast)
    return store
  }

  private constructor(options: LevelStoreOptions, opened: Opened, quarantined: number) {
    this.#options = options
    this.#database = opened.database
    this.#inventory = opened.inventory
    this.#sequence = opened.sequence
    this.#synced = opened.sequence
    this.#salvaged = opened.salvaged
    this.#quarantined = quarantined
    const path = join(options.dir, files.ANCHOR)
    this.#anchor = new AnchorFile(path, readHostBoot(), !existsSync(path))
  }

  get amnesiac(): string | undefined {
    return this.#amnesiac
  }

  /** The marker comes last: only a store that is whole is missed when it is gone. */
  async #begin(): Promise<void> {
    const { dir, node, mesh } = this.#options
    this.#anchor.write({ synced: this.#synced, written: this.#sequence })
    this.#anchor.sync()
    await files.writeMarker(dir, { schema: files.SCHEMA, node, mesh })
    const [reason] = await this.read(AMNESIA_KEY)
    if (reason !== undefined) this.#amnesiac = Buffer.from(reason.value).toString()
  }

  async read(prefix: string): Promise<StoredRecord[]> {
    assert(!this.#closed, 'read of a closed store')
    const end = endOfPrefix(prefix)
    const range = end === undefined ? {} : { gte: prefix, lt: end }
    const found: StoredRecord[] = []
    for await (const [key, stored] of this.#database.iterator(range)) {
      if (key.startsWith(RESERVED_PREFIX)) continue
      const record = unwrap(key, stored)
      if (record === undefined) {
        const hint = 'restart shoald: it sets damaged files aside and resyncs'
        throw files.storeError(`record ${key} fails its checksum`, this.#options.dir, hint)
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
      freeBytes: files.freeBytes(this.#options.dir)
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#pumping
    await this.#database.close()
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
        await this.#commit(group)
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
    const sync = group.some(batch => batch.sync)
    const last = new Map<string, Uint8Array | null>()
    for (const { records } of group) {
      for (const { key, value } of records) last.set(key, value)
    }
    const operations: (
      | { type: 'put'; key: string; value: Uint8Array }
      | { type: 'del'; key: string }
    )[] = []
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

function metaRecord(
  options: LevelStoreOptions,
  inventory: Inventory,
  sequence: number
): Uint8Array {
  const { node, mesh } = options
  const { count, digest } = inventory
  const meta = encodeMeta({ schema: files.SCHEMA, node, mesh, sequence, count, digest })
  return wrap(META_KEY, meta).bytes
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}

/** A store of another node, another mesh or a newer program is left untouched. */
function refuseOthers(options: LevelStoreOptions, found: files.Marker): void {
  const { dir, node, mesh } = options
  if (found.schema > files.SCHEMA) {
    throw files.storeError(
      `the store has layout ${found.schema}, this shoald knows layouts up to ${files.SCHEMA}`,
      dir,
      'install the newer shoald that wrote it'
    )
  }
  if (found.node !== node) {
    const hint = 'use the data directory of this node, or an empty one'
    throw files.storeError(`the store belongs to node ${found.node}, not to ${node}`, dir, hint)
  }
  if (found.mesh !== mesh) {
    const hint = 'leave that mesh first, or use an empty data directory'
    throw files.storeError(`the store belongs to mesh ${found.mesh}, not to ${mesh}`, dir, hint)
  }
}

/** Makes an empty database, or one with what was salvaged. */
async function create(
  options: LevelStoreOptions,
  salvaged: readonly StoredRecord[],
  amnesia?: string
): Promise<Opened> {
  const path = join(options.dir, files.DATABASE)
  await mkdir(path, { recursive: true, mode: 0o700 })
  const database = await openDatabase(path, true)
  if (!(database instanceof Level)) throw openError(options.dir, database)
  const inventory = new Inventory()
  const records = new Map(salvaged.map(({ key, value }) => [key, value]))
  if (amnesia !== undefined) records.set(AMNESIA_KEY, Buffer.from(amnesia))
  const operations = [...records].map(([key, value]) => {
    const { bytes, hash } = wrap(key, value)
    inventory.set(key, hash, value.byteLength)
    return { type: 'put' as const, key, value: bytes }
  })
  const sequence = 1
  const meta = metaRecord(options, inventory, sequence)
  try {
    await database.batch([...operations, { type: 'put', key: META_KEY, value: meta }], {
      sync: true
    })
  } catch (error) {
    await database.close().catch(() => undefined)
    throw files.storeError(`cannot write the store: ${reasonOf(error)}`, options.dir, '', error)
  }
  return { database, inventory, sequence, salvaged: salvaged.length }
}

function openError(dir: string, fault: OpenFault): Error {
  switch (fault.kind) {
    case 'locked':
      return files.storeError(
        'another shoald uses this store',
        dir,
        'stop it first, or give this one its own --data-dir'
      )
    case 'full':
      return files.storeError('the disk is full', dir, 'free some space and start again')
    case 'disk':
    case 'damaged':
      return files.storeError(`cannot open the store: ${fault.reason}`, dir)
  }
}

/** Opens what was made before and checks all of it; sets it aside when something is lost. */
async function reopen(
  options: LevelStoreOptions,
  marker: files.Marker | 'missing' | 'damaged'
): Promise<Opened> {
  const { dir } = options
  const path = join(dir, files.DATABASE)
  const unfinished = marker === 'missing' && !existsSync(join(dir, files.ANCHOR))
  let database = await openDatabase(path, false)
  if (!(database instanceof Level) && database.kind === 'full' && (await files.dropBallast(dir))) {
    database = await openDatabase(path, false)
  }
  if (!(database instanceof Level)) {
    if (database.kind !== 'damaged') throw openError(dir, database)
    const aside = await files.quarantine(dir)
    // Killed while it was made, before anything could be written to it: nothing is lost.
    if (unfinished) return await create(options, [])
    const found = await salvage(join(aside, files.DATABASE), scratchOf(dir))
    return await create(options, found, `the database does not open: ${database.reason}`)
  }
  let found: Inspection
  try {
    found = await inspect(database)
    if (found.meta !== undefined) refuseOthers(options, found.meta)
  } catch (error) {
    await database.close()
    throw error
  }
  const reason = found.damage ?? lossOf(dir, marker, found)
  if (reason === undefined) {
    const { inventory, meta } = found
    return { database, inventory, sequence: meta?.sequence ?? 0, salvaged: 0 }
  }
  await database.close()
  await files.quarantine(dir)
  const nothing = unfinished && found.records.length === 0 && found.meta === undefined
  return nothing ? await create(options, []) : await create(options, found.records, reason)
}

/** What the database itself cannot know: that its end is missing. */
function lossOf(
  dir: string,
  marker: files.Marker | 'missing' | 'damaged',
  found: Inspection
): string | undefined {
  if (marker === 'damaged') return 'its marker is damaged'
  const path = join(dir, files.ANCHOR)
  if (!existsSync(path)) return marker === 'missing' ? undefined : 'its anchor is gone'
  const anchor = readAnchor(path)
  if (anchor === undefined) return 'its anchor is damaged'
  const sequence = found.meta?.sequence ?? 0
  if (anchor.synced > sequence) return `synced batches are gone: ${sequence} of ${anchor.synced}`
  const sameBoot = anchor.hostBoot === readHostBoot()
  if (sameBoot && anchor.written > sequence) {
    return `batches are gone: ${sequence} of ${anchor.written}`
  }
  return undefined
}
