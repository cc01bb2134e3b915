/**
 * A spec as what a plain program needs: words, environment, directories. Everything that cannot be
 * had is refused here, before anything exists; what a plain program cannot be held to is named.
 */
import { constants } from 'node:fs'
import { access, chown, mkdir, readFile, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import type { VolumeSpec, WorkloadSpec } from '../../../src/spec/workload.ts'
import { markEnv, type Owner } from '../labels.ts'
import { type InstanceMark, RuntimeFailure } from '../runtime.ts'
import { writeWhole } from './record.ts'
import { type Account, findAccount, switchUser } from './user.ts'

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
const VOLUME_NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

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
  if (!(await isProgram(argv[0] as string, env['PATH'] ?? DEFAULT_PATH, workingDir)))
    refuse(spec, `command ${argv[0]} is not a program on this node`)
  return {
    argv,
    env,
    workingDir,
    prefix: await switchUser(account),
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

async function prepareVolumes(input: PrepareInput, account: Account | undefined): Promise<Mounts> {
  const env: Record<string, string> = {}
  const tmpfs: string[] = []
  for (const volume of input.spec.volumes) {
    switch (volume.kind) {
      case 'volume':
        env[`SHOAL_VOLUME_${envSuffix(volume.name)}`] = await namedVolume(input, volume, account)
        break
      case 'bind':
        if ((await stat(volume.source).catch(() => undefined)) === undefined)
          refuse(input.spec, `bind source ${volume.source} does not exist on this node`)
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

export interface VolumeMark extends Owner {
  readonly project: string
  readonly name: string
}

/** The volume's mark lies beside it; volume names begin with no dot. */
export function volumeMarkPath(root: string, project: string, name: string): string {
  return join(root, project, `.${name}.json`)
}

async function namedVolume(
  input: PrepareInput,
  volume: Extract<VolumeSpec, { kind: 'volume' }>,
  account: Account | undefined
): Promise<string> {
  const { spec, owner, volumeRoot } = input
  if (volume.driver !== undefined && volume.driver !== 'local')
    refuse(spec, `volume ${volume.name}: driver ${volume.driver} needs the docker runtime`)
  if (Object.keys(volume.driverOptions ?? {}).length > 0)
    refuse(spec, `volume ${volume.name}: driver options need the docker runtime`)
  for (const part of [spec.project, volume.name]) {
    if (!VOLUME_NAME_PATTERN.test(part)) refuse(spec, `volume name ${part} is not usable`)
  }
  const path = join(volumeRoot, spec.project, volume.name)
  const markPath = volumeMarkPath(volumeRoot, spec.project, volume.name)
  const mark = await readVolumeMark(markPath)
  if (mark !== undefined && (mark.mesh !== owner.mesh || mark.node !== owner.node))
    refuse(spec, `volume ${path} belongs to another node or mesh`)
  if (await isDirectory(path)) {
    if (mark === undefined) refuse(spec, `volume ${path} exists and was not made by shoal`)
    return path
  }
  if (mark !== undefined)
    refuse(spec, `the data of volume ${path} is gone; remove ${markPath} to begin with none`)
  await mkdir(join(volumeRoot, spec.project), { recursive: true, mode: 0o711 })
  await mkdir(path, { mode: 0o755 })
  if (account !== undefined && process.getuid?.() === 0) await chown(path, account.uid, account.gid)
  const written: VolumeMark = { ...owner, project: spec.project, name: volume.name }
  await writeWhole(markPath, JSON.stringify(written))
  return path
}

/** Undefined when there is none or it cannot be read as one. */
export async function readVolumeMark(path: string): Promise<VolumeMark | undefined> {
  try {
    const mark = JSON.parse(await readFile(path, 'utf8')) as VolumeMark
    return typeof mark.mesh === 'string' && typeof mark.name === 'string' ? mark : undefined
  } catch {
    return undefined
  }
}
