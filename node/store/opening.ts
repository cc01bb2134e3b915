/**
 * Opening the store: made new, opened and checked, or set aside because something is lost; then
 * what is sound of it is taken over, and the node is amnesiac until its peers have filled it again.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import { makeDirectory } from '../../src/api/files.ts'
import { readAnchor, readHostBoot } from './anchor.ts'
import { Inventory, wrap } from './checksum.ts'
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
import { AMNESIA_KEY, type StoredRecord } from './store.ts'

export interface LevelStoreOptions {
  /** The store's own directory. */
  readonly dir: string
  /** Whose it is: a store of another node or mesh is refused. */
  readonly node: string
  readonly mesh: string
  /** Space kept for the day the disk is full; 0 for none. Default 32 MiB. */
  readonly ballastBytes?: number
  /** Told when the disk is full, and with undefined when it takes writes again. */
  readonly onTrouble?: (trouble: string | undefined) => void
}

export interface Opened {
  readonly database: Database
  readonly inventory: Inventory
  readonly sequence: number
  readonly salvaged: number
}

export function metaRecord(
  options: LevelStoreOptions,
  inventory: Inventory,
  sequence: number
): Uint8Array {
  const { node, mesh } = options
  const { count, digest } = inventory
  const meta = encodeMeta({ schema: files.SCHEMA, node, mesh, sequence, count, digest })
  return wrap(META_KEY, meta).bytes
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}

/** A store of another node, another mesh or a newer program is left untouched. */
export function refuseOthers(options: LevelStoreOptions, found: files.Marker): void {
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
export async function create(
  options: LevelStoreOptions,
  salvaged: readonly StoredRecord[],
  amnesia?: string
): Promise<Opened> {
  const path = join(options.dir, files.DATABASE)
  makeDirectory(path, 0o700)
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

export function openError(dir: string, fault: OpenFault): Error {
  switch (fault.kind) {
    case 'locked':
      return files.storeError(
        'another shoald uses this store',
        dir,
        'stop it first, or give this one its own --data-dir'
      )
    case 'full':
      return files.storeError('no space left on the disk', dir, 'free some space')
    case 'disk':
    case 'damaged':
      return files.storeError(`cannot open the store: ${fault.reason}`, dir)
  }
}

/** Opens it again in this process, with every check. Throws where it is not what it was. */
export async function openAgain(options: LevelStoreOptions): Promise<Opened> {
  const { dir } = options
  const database = await openDatabase(join(dir, files.DATABASE), false)
  if (!(database instanceof Level)) throw openError(dir, database)
  const found = await inspect(database)
  const { inventory, meta } = found
  const reason = found.damage ?? lossOf(dir, await files.readMarker(dir), found)
  if (reason === undefined)
    return { database, inventory, sequence: meta?.sequence ?? 0, salvaged: 0 }
  await database.close()
  // The next start sets it aside and takes over what is sound.
  throw files.storeError(`the store lost something: ${reason}`, dir)
}

/** Opens what was made before and checks all of it; sets it aside when something is lost. */
export async function reopen(
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
export function lossOf(
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
