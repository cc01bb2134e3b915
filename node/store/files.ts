/** A real disk: LevelDB, and the store's own files beside it. */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  statfsSync,
  writeSync
} from 'node:fs'
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory, reasonOfPath } from '../../src/api/files.ts'
import { ShoalError } from '../../src/errors.ts'
import { type Clock, systemClock } from '../clock.ts'
import { openDatabase, salvage } from './database.ts'
import { codeOf, storeError } from './faults.ts'
import type { Medium, SlotFile } from './medium.ts'

const DATABASE = 'db'
const MARKER = 'store.json'
const ANCHOR = 'anchor'
const BALLAST = 'ballast'
const QUARANTINE = 'quarantine'
/** Where a damaged database is copied to, to be repaired. */
const SCRATCH = 'salvage'

/** Below so much free space an opening may fail: LevelDB writes its log out as a table first. */
const FREE_BYTES_MIN = 8 * 1024 * 1024
/** The ballast is laid in only where it is no burden. */
const BALLAST_SHARE = 4

/** Makes the directory, or refuses one that others may read: secrets are in it. */
async function prepareDirectory(dir: string): Promise<void> {
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

/** The marker as it was written; undefined when there is none. */
async function readMarker(dir: string): Promise<string | undefined> {
  try {
    return await readFile(join(dir, MARKER), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw storeError(`cannot read the store: ${codeOf(error)}`, join(dir, MARKER), '', error)
  }
}

/** Writes the marker whole and on disk. */
async function writeMarker(dir: string, text: string): Promise<void> {
  const path = join(dir, MARKER)
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncDirectory(dir)
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function freeBytes(dir: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dir)
    return bavail * bsize
  } catch {
    return undefined
  }
}

/** True when the disk has no room left to open a database. */
function isFull(dir: string): boolean {
  const free = freeBytes(dir)
  return free !== undefined && free < FREE_BYTES_MIN
}

/** Gives the ballast back to the disk; true when there was one. */
async function dropBallast(dir: string): Promise<boolean> {
  const path = join(dir, BALLAST)
  if (!existsSync(path)) return false
  await rm(path, { force: true })
  return true
}

/** Lays in the ballast when there is room for it. Failing to is no fault. */
async function layBallast(dir: string, bytes: number): Promise<void> {
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

/**
 * Moves a damaged database aside; never deletes it. Gives its number. The anchor goes first: one
 * without its database would tell of a loss that there was not.
 */
async function quarantine(dir: string): Promise<number> {
  const room = join(dir, QUARANTINE)
  makeDirectory(room, 0o700)
  const number = (await countQuarantined(dir)) + 1
  const target = join(room, String(number))
  await mkdir(target, { mode: 0o700 })
  for (const name of [ANCHOR, DATABASE]) {
    if (existsSync(join(dir, name))) await rename(join(dir, name), join(target, name))
  }
  await syncDirectory(dir)
  return number
}

async function countQuarantined(dir: string): Promise<number> {
  try {
    return (await readdir(join(dir, QUARANTINE))).length
  } catch {
    return 0
  }
}

const HOST_BOOT_FILE = '/proc/sys/kernel/random/boot_id'

/** Which boot of this host it is; undefined where the kernel does not say. */
function readHostBoot(): string | undefined {
  try {
    const text = readFileSync(HOST_BOOT_FILE, 'utf8').replaceAll('-', '').trim()
    return /^[0-9a-f]{32}$/.test(text) ? text : undefined
  } catch {
    return undefined
  }
}

function openSlots(path: string, create: boolean): SlotFile {
  const file = openSync(path, create ? 'w' : 'r+', 0o600)
  return {
    write: (bytes, offset) => void writeSync(file, bytes, 0, bytes.byteLength, offset),
    sync: () => fsyncSync(file),
    close: () => closeSync(file)
  }
}

/** The store's own directory. */
function fileMedium(dir: string): Medium {
  const at = (name: string): string => join(dir, name)
  return {
    where: dir,
    prepare: () => prepareDirectory(dir),
    readMarker: () => readMarker(dir),
    writeMarker: text => writeMarker(dir, text),
    hasDatabase: () => existsSync(at(DATABASE)),
    openDatabase: async create => {
      if (create) makeDirectory(at(DATABASE), 0o700)
      return await openDatabase(at(DATABASE), create)
    },
    salvage: aside => salvage(join(dir, QUARANTINE, String(aside), DATABASE), at(SCRATCH)),
    hasAnchor: () => existsSync(at(ANCHOR)),
    readAnchor: () => readFileSync(at(ANCHOR)),
    openAnchor: create => openSlots(at(ANCHOR), create),
    hostBoot: readHostBoot,
    quarantine: () => quarantine(dir),
    countQuarantined: () => countQuarantined(dir),
    freeBytes: () => freeBytes(dir),
    isFull: () => isFull(dir),
    dropBallast: () => dropBallast(dir),
    layBallast: bytes => layBallast(dir, bytes)
  }
}

/** The usual surroundings of a store: a directory, and the system's time. */
export function onDisk(dir: string): { readonly medium: Medium; readonly clock: Clock } {
  return { medium: fileMedium(dir), clock: systemClock }
}
