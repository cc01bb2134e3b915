/**
 * Reading people's files on their own machine: plain causes, no hang on a FIFO, no file larger
 * than the cap, and what a Compose file names stays below its project, symbolic links included.
 */
import { constants, type Stats } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { relative } from 'node:path'
import { ShoalError } from '../errors.ts'
import type { ReadFile } from './compose/context.ts'
import { printable } from './problem.ts'
import { decodeText, FILE_BYTES_MAX } from './text.ts'

const CAUSES: Readonly<Record<string, string>> = {
  EACCES: 'no permission to read it',
  EISDIR: 'it is a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'its name is too long',
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of its path is not a directory',
  EPERM: 'no permission to read it'
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function kindOf(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined
  if (stats.isDirectory()) return 'it is a directory'
  return stats.isFIFO() ? 'it is a FIFO' : 'it is not a regular file'
}

/** Why a file cannot be read, in plain words. */
class FileFault extends Error {
  override readonly name = 'FileFault'
  readonly isMissing: boolean
  constructor(message: string, isMissing = false) {
    super(message)
    this.isMissing = isMissing
  }
}

/** Whole file as bytes. Throws a `FileFault` with a plain cause. */
async function readBytes(path: string): Promise<Uint8Array> {
  try {
    // O_NONBLOCK: opening a FIFO without a writer must not wait for one.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stats = await handle.stat()
      const kind = kindOf(stats)
      if (kind !== undefined) throw new FileFault(kind)
      if (stats.size > FILE_BYTES_MAX)
        throw new FileFault(`it has ${stats.size} bytes, at most ${FILE_BYTES_MAX} are read`)
      return await handle.readFile()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof FileFault) throw error
    const code = codeOf(error)
    throw new FileFault(CAUSES[code] ?? `it cannot be read (${code})`, code === 'ENOENT')
  }
}

/** The bytes of the file that `-f` names. Throws INVALID with a plain cause. */
export async function readSpecFile(path: string): Promise<Uint8Array> {
  try {
    return await readBytes(path)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ShoalError('INVALID', `cannot read ${printable(path)}: ${reason}`, {
      hint: 'use -f FILE',
      cause: error
    })
  }
}

/**
 * What `readCompose` takes as `readFile`: files below `directory` only (also after symbolic
 * links), as text. Undefined when there is none; throws with a plain cause otherwise.
 */
export function projectReader(directory: string): ReadFile {
  return async path => {
    let bytes: Uint8Array
    try {
      bytes = await readBytes(path)
    } catch (error) {
      if (error instanceof FileFault && error.isMissing) return undefined
      throw error
    }
    const inside = relative(await realpath(directory), await realpath(path))
    if (inside === '' || inside.startsWith('..')) throw new FileFault('it is not below the project')
    const decoded = decodeText(bytes)
    if (!decoded.ok) throw new FileFault(decoded.message)
    return decoded.text
  }
}
