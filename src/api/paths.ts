/** Where the socket and the data are: flag, then environment, then the default of this user. */
import { join } from 'node:path'
import { ShoalError } from '../errors.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface PathInput {
  readonly flag?: string | undefined
  readonly env: Env
  /** `process.getuid()`; 0 is root. */
  readonly uid: number
}

/** Linux: `sun_path` has 108 bytes, the last one is NUL. */
const SOCKET_PATH_BYTES_MAX = 107

/** `--socket`, `SHOAL_SOCKET`, then `/run/shoal/shoal.sock` for root or XDG_RUNTIME_DIR. */
export function socketPath(input: PathInput): string {
  const path = input.flag ?? nonEmpty(input.env['SHOAL_SOCKET']) ?? defaultSocket(input)
  if (path === '') throw new ShoalError('USAGE', 'the socket path is empty', { where: '--socket' })
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX)
    throw new ShoalError('USAGE', `socket path longer than ${SOCKET_PATH_BYTES_MAX} bytes`, {
      where: path,
      hint: 'choose a shorter one with --socket or SHOAL_SOCKET'
    })
  return path
}

function defaultSocket({ env, uid }: PathInput): string {
  if (uid === 0) return '/run/shoal/shoal.sock'
  // Never under /tmp: another user could be there first.
  return join(nonEmpty(env['XDG_RUNTIME_DIR']) ?? stateHome(env), 'shoal/shoal.sock')
}

/** `--data-dir`, `SHOAL_DATA_DIR`, then `/var/lib/shoal` for root or XDG_STATE_HOME. */
export function dataDir(input: PathInput): string {
  const { flag, env, uid } = input
  const path = flag ?? nonEmpty(env['SHOAL_DATA_DIR'])
  if (path === '') throw new ShoalError('USAGE', 'the data directory is empty')
  if (path !== undefined) return path
  if (uid === 0) return '/var/lib/shoal'
  return join(stateHome(env), 'shoal')
}

function stateHome(env: Env): string {
  const state = nonEmpty(env['XDG_STATE_HOME'])
  if (state !== undefined) return state
  const home = nonEmpty(env['HOME'])
  if (home === undefined)
    throw new ShoalError('USAGE', 'neither XDG_STATE_HOME nor HOME is set', {
      hint: 'give --data-dir and --socket'
    })
  return join(home, '.local/state')
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}
