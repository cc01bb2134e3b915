/** Paths and files that people name: made and read so that no choice of theirs can hang us. */
import { mkdirSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ShoalError } from '../errors.ts'

/** No token, and no options file, is longer. */
export const SMALL_FILE_BYTES_MAX = 16 * 1024

const READ_BYTES = 4 * 1024

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}

/**
 * Makes a directory and its parents; gives the first one that it made, undefined when all were
 * there. Throws the error of the system. Not `recursive: true`: below a file system that makes no
 * directories (`/proc`) Node 20 never comes back from that.
 */
export function makeDirectory(path: string, mode: number): string | undefined {
  const missing: string[] = []
  let parent = resolve(path)
  for (;;) {
    const found = statSync(parent, { throwIfNoEntry: false })
    if (found?.isDirectory() === true) break
    if (found !== undefined)
      throw Object.assign(new Error(`ENOTDIR: ${parent} is no directory`), { code: 'ENOTDIR' })
    missing.unshift(parent)
    if (dirname(parent) === parent) break
    parent = dirname(parent)
  }
  for (const one of missing) {
    try {
      mkdirSync(one, { mode })
    } catch (error) {
      // Another process was faster.
      if (codeOf(error) !== 'EEXIST' || !statSync(one).isDirectory()) throw error
    }
  }
  return missing[0]
}

/** Why a directory or file cannot be made, as a person would say it. */
export function reasonOfPath(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return 'nothing can be made here'
    case 'ENOTDIR':
      return 'a part of the path is no directory'
    case 'EACCES':
    case 'EPERM':
      return 'permission denied'
    case 'EROFS':
      return 'the file system is read-only'
    case 'ENOSPC':
    case 'EDQUOT':
      return 'no space left on the disk'
    default:
      return error instanceof Error ? error.message : String(error)
  }
}

/** Text of a stream; undefined once it is longer than `bytesMax`. */
export async function limitedText(
  source: AsyncIterable<unknown>,
  bytesMax: number
): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk as Uint8Array)
    length += bytes.length
    if (length > bytesMax) return undefined
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Text of a file, also of a pipe; undefined when it is longer. Throws the system's error. */
export async function limitedFile(path: string, bytesMax: number): Promise<string | undefined> {
  const file = await open(path, 'r')
  try {
    const bytes = Buffer.alloc(bytesMax + 1)
    let length = 0
    while (length <= bytesMax) {
      const wanted = Math.min(READ_BYTES, bytes.length - length)
      const { bytesRead } = await file.read(bytes, length, wanted, null)
      if (bytesRead === 0) return bytes.subarray(0, length).toString('utf8')
      length += bytesRead
    }
    return undefined
  } finally {
    await file.close()
  }
}

/** For a token that is longer than any. Throws `TOKEN`; says nothing of what is in it. */
export function tokenTooLong(where?: string): ShoalError {
  const kib = SMALL_FILE_BYTES_MAX / 1024
  return new ShoalError('TOKEN', `this is longer than ${kib} KiB, and no token is`, {
    ...(where === undefined ? {} : { where }),
    hint: 'give the file that shoal token create --out FILE wrote'
  })
}
