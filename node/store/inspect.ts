/** Reading a database through with every checksum. */
import { Inventory, unwrap } from './checksum.ts'
import { decodeMeta, META_KEY, type Meta, SCHEMA } from './format.ts'
import type { Database } from './medium.ts'
import type { StoredRecord } from './store.ts'

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
    for await (const [key, stored] of database.iterator({})) take(key, stored)
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
