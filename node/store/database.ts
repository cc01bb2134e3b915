/**
 * LevelDB as we use it: opening it with its errors told apart, reading it through with every
 * checksum, and getting out of a damaged one what is sound.
 */
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { Inventory, unwrap } from './checksum.ts'
import { SCHEMA } from './files.ts'
import type { StoredRecord } from './store.ts'

export type Database = Level<string, Uint8Array>

/** The store's own record; written with every batch. */
export const META_KEY = '!meta'

export interface Meta {
  readonly schema: number
  readonly node: string
  readonly mesh: string
  /** Of this batch. */
  readonly sequence: number
  /** Records after this batch, without this one. */
  readonly count: number
  readonly digest: string
}

export function encodeMeta(meta: Meta): Uint8Array {
  return Buffer.from(JSON.stringify(meta))
}

export function decodeMeta(bytes: Uint8Array): Meta | undefined {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString()) as Partial<Record<keyof Meta, unknown>>
    const { schema, node, mesh, sequence, count, digest } = value
    const numbers = [schema, sequence, count].every(Number.isSafeInteger)
    const texts = [node, mesh, digest].every(text => typeof text === 'string')
    return numbers && texts ? (value as Meta) : undefined
  } catch {
    return undefined
  }
}

export type OpenFault =
  /** Its files are damaged or gone: what was in it is lost or in doubt. */
  | { readonly kind: 'damaged'; readonly reason: string }
  | { readonly kind: 'locked' }
  | { readonly kind: 'full' }
  /** The disk or its permissions: the files themselves may be sound. */
  | { readonly kind: 'disk'; readonly reason: string }

function faultOf(error: unknown): OpenFault {
  const { code, message } = (
    error instanceof Error && error.cause instanceof Error ? error.cause : error
  ) as { code?: string; message?: string }
  const reason = message ?? String(error)
  if (code === 'LEVEL_LOCKED') return { kind: 'locked' }
  if (/No space left|quota exceeded/i.test(reason)) return { kind: 'full' }
  if (/Permission denied|Read-only|Input\/output|Too many open|Operation not/i.test(reason)) {
    return { kind: 'disk', reason }
  }
  return { kind: 'damaged', reason }
}

/** Opens; gives the fault instead of throwing it. */
export async function openDatabase(path: string, create: boolean): Promise<Database | OpenFault> {
  const database: Database = new Level(path, {
    ...{ keyEncoding: 'utf8', valueEncoding: 'view' },
    ...{ createIfMissing: create, errorIfExists: create }
  })
  try {
    await database.open()
    return database
  } catch (error) {
    return faultOf(error)
  }
}

export interface Inspection {
  readonly records: readonly StoredRecord[]
  readonly inventory: Inventory
  readonly meta: Meta | undefined
  /** What is wrong; undefined when every record and their sum are as they were written. */
  readonly damage: string | undefined
}

/** Reads everything and checks it. */
export async function inspect(database: Database): Promise<Inspection> {
  const sound = new Map<string, Uint8Array>()
  const inventory = new Inventory()
  let meta: Meta | undefined
  let bad = 0
  let stopped = ''
  const take = (key: string, stored: Uint8Array): void => {
    const record = unwrap(key, stored)
    if (record === undefined) bad += 1
    else if (key === META_KEY) meta = decodeMeta(record.value)
    else {
      sound.set(key, record.value)
      inventory.set(key, record.hash, record.value.byteLength)
    }
  }
  try {
    for await (const [key, stored] of database.iterator()) take(key, stored)
  } catch (error) {
    stopped = error instanceof Error ? error.message : String(error)
    // What lies behind the damage is read from the other end.
    try {
      for await (const [key, stored] of database.iterator({ reverse: true })) {
        if (sound.has(key)) break
        take(key, stored)
      }
    } catch {
      // Both ends are read now.
    }
  }
  const records = [...sound].map(([key, value]) => ({ key, value }))
  const damage = damageOf({ stopped, bad, meta, inventory })
  return { records, inventory, meta, damage }
}

function damageOf(found: {
  readonly stopped: string
  readonly bad: number
  readonly meta: Meta | undefined
  readonly inventory: Inventory
}): string | undefined {
  const { meta, inventory } = found
  if (found.stopped !== '') return `the database cannot be read through: ${found.stopped}`
  if (found.bad > 0) return `${found.bad} records fail their checksum`
  if (meta === undefined) return 'its own record is gone'
  if (meta.schema > SCHEMA) return undefined
  if (meta.count !== inventory.count) {
    return `it holds ${inventory.count} records and should hold ${meta.count}`
  }
  return meta.digest === inventory.digest ? undefined : 'its records are not those last written'
}

/**
 * What LevelDB's own repair finds in a database that does not open, done on a copy: the damaged
 * files stay as they are. Nothing when that fails too.
 */
export async function salvage(damaged: string, scratch: string): Promise<readonly StoredRecord[]> {
  try {
    await rm(scratch, { recursive: true, force: true })
    await cp(damaged, scratch, { recursive: true })
    await (Level as unknown as { repair(location: string): Promise<void> }).repair(scratch)
    const database = await openDatabase(scratch, false)
    if (!(database instanceof Level)) return []
    try {
      return (await inspect(database)).records
    } finally {
      await database.close()
    }
  } catch {
    return []
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

export function scratchOf(dir: string): string {
  return join(dir, 'salvage')
}
