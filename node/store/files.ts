/** The store's own files beside the database: its directory, the marker, the ballast. */
import { randomBytes } from 'node:crypto'
import { constants, existsSync, statfsSync } from 'node:fs'
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory, reasonOfPath } from '../../src/api/files.ts'
import { ShoalError } from '../../src/errors.ts'

export const DATABASE = 'db'
export const MARKER = 'store.json'
export const ANCHOR = 'anchor'
export const BALLAST = 'ballast'
export const QUARANTINE = 'quarantine'

/** Of the records' layout; a newer one is refused untouched. */
export const SCHEMA = 1

export const DEFAULT_BALLAST_BYTES = 32 * 1024 * 1024
/** Below so much free space an opening may fail: LevelDB writes its log out as a table first. */
const FREE_BYTES_MIN = 8 * 1024 * 1024
/** The ballast is laid in only where it is no burden. */
const BALLAST_SHARE = 4

/** Written once, after the database was made: from then on a missing database is a loss. */
export interface Marker {
  readonly schema: number
  readonly node: string
  readonly mesh: string
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? ''
}

export function storeError(message: string, where: string, hint = '', cause?: unknown): ShoalError {
  return new ShoalError('STORE', message, { where, ...(hint === '' ? {} : { hint }), cause })
}

const CAUSES_MAX = 4

/** True when the disk had no room for it: that passes, unlike every other fault of a disk. */
export function isNoSpace(error: unknown): boolean {
  let at = error
  for (let depth = 0; depth < CAUSES_MAX && at instanceof Error; depth += 1) {
    const code = codeOf(at)
    if (code === 'ENOSPC' || code === 'EDQUOT') return true
    if (/No space left|quota exceeded/i.test(at.message)) return true
    at = at.cause
  }
  return false
}

/** What people are told while the disk is full. */
export function noSpaceText(dir: string): string {
  const free = freeBytes(dir)
  const left = free === undefined ? '' : ` (${Math.floor(free / 1024)} KiB free)`
  return `no space left on the disk of ${dir}${left}; free some, it goes on by itself`
}

/** Makes the directory, or refuses one that others may read: secrets are in it. */
export async function prepareDirectory(dir: string): Promise<void> {
  try {
    if (makeDirectory(dir, 0o700) !== undefined) await chmod(dir, 0o700)
    const found = await stat(dir)
    const self = process.getuid?.()
    if (self !== undefined && found.uid !== self) {
      throw storeError(
        `the store belongs to user ${found.uid}, not to ${self}`,
        dir,
        `run shoald as that user, or: chown -R ${self} ${dir}`
      )
    }
    if ((found.mode & 0o077) !== 0) {
      throw storeError('others may read the store', dir, `run: chmod 700 ${dir}`)
    }
  } catch (error) {
    if (error instanceof ShoalError) throw error
    throw storeError(`cannot use the store's directory: ${reasonOfPath(error)}`, dir, '', error)
  }
}

/** The marker; `missing`, or `damaged` when it is not what we write. */
export async function readMarker(dir: string): Promise<Marker | 'missing' | 'damaged'> {
  let content: string
  try {
    content = await readFile(join(dir, MARKER), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'missing'
    throw storeError(`cannot read the store: ${codeOf(error)}`, join(dir, MARKER), '', error)
  }
  try {
    const value = JSON.parse(content) as Partial<Record<keyof Marker, unknown>>
    const { schema, node, mesh } = value
    if (Number.isSafeInteger(schema) && typeof node === 'string' && typeof mesh === 'string') {
      return { schema: schema as number, node, mesh }
    }
  } catch {
    // Not JSON: damaged.
  }
  return 'damaged'
}

/** Writes the marker whole and on disk. */
export async function writeMarker(dir: string, marker: Marker): Promise<void> {
  const path = join(dir, MARKER)
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(marker)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncDirectory(dir)
}

export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export function freeBytes(dir: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dir)
    return bavail * bsize
  } catch {
    return undefined
  }
}

/** True when the disk has no room left to open a database. */
export function isFull(dir: string): boolean {
  const free = freeBytes(dir)
  return free !== undefined && free < FREE_BYTES_MIN
}

/** Gives the ballast back to the disk; true when there was one. */
export async function dropBallast(dir: string): Promise<boolean> {
  const path = join(dir, BALLAST)
  if (!existsSync(path)) return false
  await rm(path, { force: true })
  return true
}

/** Lays in the ballast when there is room for it. Failing to is no fault. */
export async function layBallast(dir: string, bytes: number): Promise<void> {
  const path = join(dir, BALLAST)
  const free = freeBytes(dir)
  if (bytes === 0 || existsSync(path)) return
  if (free === undefined || free < bytes * BALLAST_SHARE) return
  // Not zeros: some file systems store none of them.
  const block = randomBytes(Math.min(bytes, 1024 * 1024))
  try {
    const file = await open(`${path}.tmp`, 'w', 0o600)
    try {
      for (let left = bytes; left > 0; left -= block.byteLength) {
        await file.write(block, 0, Math.min(left, block.byteLength))
      }
    } finally {
      await file.close()
    }
    await rename(`${path}.tmp`, path)
  } catch {
    await rm(`${path}.tmp`, { force: true })
  }
}

/** Moves a damaged database aside; never deletes it. Gives where it is now. */
export async function quarantine(dir: string): Promise<string> {
  const room = join(dir, QUARANTINE)
  makeDirectory(room, 0o700)
  const target = join(room, String((await countQuarantined(dir)) + 1))
  await mkdir(target, { mode: 0o700 })
  for (const name of [DATABASE, ANCHOR]) {
    if (existsSync(join(dir, name))) await rename(join(dir, name), join(target, name))
  }
  await syncDirectory(dir)
  return target
}

export async function countQuarantined(dir: string): Promise<number> {
  try {
    return (await readdir(join(dir, QUARANTINE))).length
  } catch {
    return 0
  }
}
