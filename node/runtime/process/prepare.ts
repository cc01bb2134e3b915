/**
 * A spec as what a plain program needs: words, environment, directories. Everything that cannot be
 * had is refused here, before anything exists; what a plain program cannot be held to is named.
 */
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import type { WorkloadSpec } from '../../../src/spec/workload.ts'
import { markEnv, type Owner } from '../labels.ts'
import { type InstanceMark, RuntimeFailure } from '../runtime.ts'
import { type Account, findAccount, switchUser } from './user.ts'
import { checkVolume, ensureVolume } from './volume.ts'

export interface PrepareInput {
  readonly spec: WorkloadSpec
  readonly mark: InstanceMark
  readonly owner: Owner
  /** The record's directory. */
  readonly directory: string
  /** `<data-dir>/volumes`. */
  readonly volumeRoot: string
}

export interface Prepared {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string
  /** How to become the user; empty when there is none to become. */
  readonly prefix: readonly string[]
  readonly account: Account | undefined
  /** Directories to make empty before each start. */
  readonly tmpfs: readonly string[]
}

/** What a workload inherits from the daemon. Nothing else: its environment may hold secrets. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ'] as const
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const ENV_NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_]*$/

function refuse(spec: WorkloadSpec, why: string): never {
  throw new RuntimeFailure('permanent', `${spec.project}/${spec.name}: ${why}`)
}

/** The environment of the shim and the base of the workload's. */
export function baseEnv(): Record<string, string> {
  const env: Record<string, string> = { PATH: DEFAULT_PATH }
  for (const key of INHERITED) {
    const value = process.env[key]
    if (value !== undefined && value !== '') env[key] = value
  }
  return env
}

/** Fields of a spec that this runtime does not enforce, for `inspect` and the log. */
export function unenforced(spec: WorkloadSpec): readonly string[] {
  const { resources } = spec
  return [
    ...(resources.memoryLimitMiB > 0 ? ['resources.memoryLimitMiB'] : []),
    ...(resources.cpuLimitMillis > 0 ? ['resources.cpuLimitMillis'] : []),
    ...spec.volumes.flatMap(volume => {
      if (volume.kind === 'tmpfs')
        return volume.sizeBytes === undefined ? [] : [`volumes ${volume.target} sizeBytes`]
      return volume.readOnly ? [`volumes ${volume.target} readOnly`] : []
    })
  ]
}

/** Throws a permanent `RuntimeFailure` that says what is wrong. Makes volumes that are missing. */
export async function prepare(input: PrepareInput): Promise<Prepared> {
  const { spec, mark, owner, directory } = input
  const argv = [...(spec.entrypoint ?? []), ...(spec.command ?? [])]
  if (argv.length === 0 || argv[0] === '') refuse(spec, 'the process runtime needs a command')
  if (argv.some(word => word.includes('\0'))) refuse(spec, 'a NUL byte in the command')
  const account = await findAccount(spec.user)
  const workingDir = spec.workingDir ?? join(directory, 'work')
  if (!isAbsolute(workingDir)) refuse(spec, `working dir ${workingDir} is not absolute`)
  if (spec.workingDir !== undefined && !(await isDirectory(workingDir)))
    refuse(spec, `working dir ${workingDir} is not a directory on this node`)
  const path = spec.env['PATH'] ?? baseEnv()['PATH'] ?? DEFAULT_PATH
  if (!(await isProgram(argv[0] as string, path, workingDir)))
    refuse(spec, `command ${argv[0]} is not a program on this node`)
  const prefix = await switchUser(account)
  await checkVolumes(spec)
  const mounts = await prepareVolumes(input, account)
  const home = account?.home === undefined ? {} : { HOME: account.home }
  const env: Record<string, string> = {
    ...baseEnv(),
    ...home,
    ...mounts.env,
    ...spec.env,
    ...markEnv(mark, owner)
  }
  for (const [key, value] of Object.entries(env)) {
    if (!ENV_NAME_PATTERN.test(key)) refuse(spec, `environment name ${key} is not usable here`)
    if (value.includes('\0')) refuse(spec, `a NUL byte in the environment variable ${key}`)
  }
  return {
    argv,
    env,
    workingDir,
    prefix,
    account,
    tmpfs: mounts.tmpfs
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false
}

async function isProgram(word: string, path: string, workingDir: string): Promise<boolean> {
  const places = word.includes('/')
    ? [resolve(workingDir, word)]
    : path.split(delimiter).map(place => join(place === '' ? workingDir : place, word))
  for (const place of places) {
    try {
      await access(place, constants.X_OK)
      if ((await stat(place)).isFile()) return true
    } catch {
      // The next place.
    }
  }
  return false
}

/** `/etc/app.d` as `ETC_APP_D`. */
function envSuffix(text: string): string {
  return text
    .replaceAll(/[^a-zA-Z0-9]+/g, '_')
    .replaceAll(/^_|_$/g, '')
    .toUpperCase()
}

interface Mounts {
  readonly env: Readonly<Record<string, string>>
  readonly tmpfs: readonly string[]
}

/** Refuses before anything is made. */
async function checkVolumes(spec: WorkloadSpec): Promise<void> {
  for (const volume of spec.volumes) {
    if (volume.kind === 'volume') checkVolume({ project: spec.project, volume })
    if (volume.kind !== 'bind') continue
    if ((await stat(volume.source).catch(() => undefined)) === undefined)
      refuse(spec, `bind source ${volume.source} does not exist on this node`)
  }
}

async function prepareVolumes(input: PrepareInput, account: Account | undefined): Promise<Mounts> {
  const env: Record<string, string> = {}
  const tmpfs: string[] = []
  for (const volume of input.spec.volumes) {
    switch (volume.kind) {
      case 'volume':
        env[`SHOAL_VOLUME_${envSuffix(volume.name)}`] = await ensureVolume({
          root: input.volumeRoot,
          owner: input.owner,
          project: input.spec.project,
          volume,
          account
        })
        break
      case 'bind':
        env[`SHOAL_BIND_${envSuffix(volume.target)}`] = volume.source
        break
      case 'tmpfs': {
        const path = join(input.directory, `tmp-${tmpfs.length}`)
        tmpfs.push(path)
        env[`SHOAL_TMPFS_${envSuffix(volume.target)}`] = path
        break
      }
      default: {
        const unknown: never = volume
        refuse(input.spec, `unknown volume ${JSON.stringify(unknown)}`)
      }
    }
  }
  return { env, tmpfs }
}
