/**
 * The options of `shoal up` and `shoal join` outlive the daemon: those that were given are kept in
 * `options.json` in the data directory, so that a resume needs none and is the same node again.
 * Given ones replace kept ones, each said in a line. What comes from the environment is not kept.
 */
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ShoalError } from '../errors.ts'
import { DAEMON_FLAGS, type DaemonFlag, daemonOptions, type FlagValues } from './daemon-flags.ts'
import { SMALL_FILE_BYTES_MAX } from './files.ts'

export const OPTIONS_FILE = 'options.json'
export const OPTIONS_VERSION = 1

/** Where to look and what to do now: true of one start only. */
const NOT_KEPT: ReadonlySet<string> = new Set(['data-dir', 'socket', 'join', 'token-file'])

/** The part of what was given that is kept. */
export function keepable(values: FlagValues): FlagValues {
  const kept = Object.entries(values).filter(([flag]) => !NOT_KEPT.has(flag))
  return Object.fromEntries(kept) as FlagValues
}

function damaged(where: string, message: string, cause?: unknown): ShoalError {
  return new ShoalError('STORE', `the kept options of this node: ${message}`, {
    where,
    hint: 'remove this file and give the options of this node again',
    ...(cause === undefined ? {} : { cause })
  })
}

/** The kept options; none when there is no file. Throws `STORE` in one line for a damaged one. */
export function readKeptOptions(dataDir: string): FlagValues {
  const path = join(dataDir, OPTIONS_FILE)
  let text: string
  try {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) return {}
    if (!found.isFile()) throw damaged(path, 'is no regular file')
    if (found.size > SMALL_FILE_BYTES_MAX) throw damaged(path, 'is too large')
    if ((found.mode & 0o022) !== 0) throw damaged(path, 'others may write to it')
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof ShoalError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR') return {}
    throw new ShoalError('STORE', `this node's options cannot be read: ${code}`, {
      where: path,
      cause: error
    })
  }
  const values = parse(path, text)
  try {
    daemonOptions({ ...values, 'data-dir': dataDir, socket: '/s' }, { env: {}, uid: 0 })
  } catch (error) {
    throw damaged(path, `are damaged: ${(error as Error).message}`, error)
  }
  return values
}

function parse(path: string, text: string): FlagValues {
  let file: { version?: unknown; options?: unknown } | null
  try {
    file = JSON.parse(text) as typeof file
  } catch (error) {
    throw damaged(path, 'is no JSON', error)
  }
  if (typeof file?.version === 'number' && file.version > OPTIONS_VERSION)
    throw new ShoalError('STORE', `a newer program kept this node's options: ${file.version}`, {
      where: path,
      hint: 'install the newer shoal that wrote it'
    })
  const { options } = file ?? {}
  if (file?.version !== OPTIONS_VERSION || typeof options !== 'object' || options === null)
    throw damaged(path, 'holds no options')
  const values: FlagValues = {}
  for (const [name, value] of Object.entries(options)) {
    const row = DAEMON_FLAGS[name as DaemonFlag] as { type: string } | undefined
    const isList = Array.isArray(value) && value.every(one => typeof one === 'string')
    const isRight = row?.type === 'list' ? isList : typeof value === 'string'
    if (!Object.hasOwn(DAEMON_FLAGS, name) || NOT_KEPT.has(name) || !isRight)
      throw damaged(path, `is damaged: "${name.slice(0, 40)}" is no option of a node`)
    values[name as DaemonFlag] = value as string | readonly string[]
  }
  return values
}

export function encodeKeptOptions(values: FlagValues): string {
  const file = { version: OPTIONS_VERSION, options: keepable(values) }
  return `${JSON.stringify(file, undefined, 2)}\n`
}

/** Kept options below given ones, and a line for each that changes. */
export function mergeOptions(
  kept: FlagValues,
  given: FlagValues
): { readonly values: FlagValues; readonly notes: readonly string[] } {
  const notes: string[] = []
  for (const flag of Object.keys(DAEMON_FLAGS) as DaemonFlag[]) {
    const [before, now] = [kept[flag], given[flag]]
    if (before === undefined || now === undefined || textOf(before) === textOf(now)) continue
    notes.push(`--${flag} now ${textOf(now)}; was ${textOf(before)}`)
  }
  return { values: { ...kept, ...given }, notes }
}

function textOf(value: string | readonly string[]): string {
  return typeof value === 'string' ? value : [...value].join(', ')
}
