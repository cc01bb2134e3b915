/**
 * The unix socket: a folder that others may not write, mode 0660, group `shoal` where root runs
 * the daemon and that group exists. Whoever may open it may run anything on the mesh (T23).
 */
import { chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { makeDirectory, reasonOfPath } from '../../src/api/files.ts'
import { ShoalError } from '../../src/errors.ts'

const GROUP = 'shoal'
const PROBE_TIMEOUT_MS = 1_000

/** Throws CONFLICT when a daemon answers there, REFUSED for a place that is not safe. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  prepareFolder(path)
  await removeStale(path)
  // bind() happens inside listen(): the file never exists with another mode.
  const before = process.umask(0o117)
  try {
    const listening = new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    })
    process.umask(before)
    await listening
  } catch (error) {
    throw new ShoalError('UNAVAILABLE', `cannot listen: ${reasonOf(error)}`, {
      where: path,
      cause: error
    })
  } finally {
    process.umask(before)
  }
  giveToGroup(path)
}

function prepareFolder(path: string): void {
  const folder = dirname(path)
  const root = process.getuid?.() === 0
  try {
    makeDirectory(folder, root ? 0o755 : 0o700)
  } catch (error) {
    throw new ShoalError(
      'UNAVAILABLE',
      `cannot make the folder of the socket: ${reasonOfPath(error)}`,
      {
        where: folder,
        hint: 'choose another socket with --socket'
      }
    )
  }
  const { mode } = lstatSync(folder)
  // Sticky folders such as /tmp are writable by all, but nobody can replace another's file.
  if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0)
    throw new ShoalError('REFUSED', 'everybody may write into the folder of the socket', {
      where: folder,
      hint: `chmod o-w ${folder}`
    })
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket())
    throw new ShoalError('REFUSED', 'this file is no socket; it is left alone', { where: path })
  const probe = await answers(path)
  if (probe)
    throw new ShoalError('CONFLICT', 'another daemon answers on this socket', {
      where: path,
      hint: 'see shoal status, or choose another socket with --socket'
    })
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Only a refused connection proves that nobody is there. */
function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    const end = (alive: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(alive)
    }
    const timer = setTimeout(() => end(true), PROBE_TIMEOUT_MS)
    socket.once('connect', () => end(true))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      end(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
    })
  })
}

function giveToGroup(path: string): void {
  if (process.getuid?.() !== 0) return
  try {
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find(entry => entry.startsWith(`${GROUP}:`))
    const gid = Number(line?.split(':')[2])
    if (line !== undefined && Number.isSafeInteger(gid)) chownSync(path, 0, gid)
  } catch {
    // no groups here: root alone
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
