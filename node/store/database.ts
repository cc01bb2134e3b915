/** LevelDB: opened with its errors told apart; what is sound of a damaged one. */
import { cp, rm } from 'node:fs/promises'
import { Level } from 'level'
import { inspect } from './inspect.ts'
import { type Database, isFault, type OpenFault } from './medium.ts'
import type { StoredRecord } from './store.ts'

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
  const database = new Level<string, Uint8Array>(path, {
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
    if (isFault(database)) return []
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
