/**
 * Named volumes of processes: directories `<data-dir>/volumes/<project>/<name>`, each with a mark
 * beside it. A directory without a mark is somebody's; a mark without a directory is lost data, and
 * nothing starts on empty data in its place.
 */
import { chown, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '../../../src/api/files.ts'
import type { VolumeSpec } from '../../../src/spec/workload.ts'
import type { Owner } from '../labels.ts'
import { RuntimeFailure } from '../runtime.ts'
import { writeWhole } from './record.ts'
import type { Account } from './user.ts'

const VOLUME_NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

interface VolumeMark extends Owner {
  readonly project: string
  readonly name: string
}

export interface VolumeInput {
  readonly root: string
  readonly owner: Owner
  readonly project: string
  readonly volume: Extract<VolumeSpec, { kind: 'volume' }>
  readonly account: Account | undefined
}

function refuse(why: string): never {
  throw new RuntimeFailure('permanent', why)
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false
}

/** Throws a permanent `RuntimeFailure` for what only an engine can give. Makes nothing. */
export function checkVolume(input: Pick<VolumeInput, 'project' | 'volume'>): void {
  const { project, volume } = input
  if (volume.driver !== undefined && volume.driver !== 'local')
    refuse(`volume ${volume.name}: driver ${volume.driver} needs the docker runtime`)
  if (Object.keys(volume.driverOptions ?? {}).length > 0)
    refuse(`volume ${volume.name}: driver options need the docker runtime`)
  for (const part of [project, volume.name]) {
    if (!VOLUME_NAME_PATTERN.test(part)) refuse(`volume name ${part} is not usable`)
  }
}

/** Volumes being made: two slots of one volume that start together wait for one making. */
const making = new Map<string, Promise<string>>()

/** The volume's directory, made when it is new. Throws a permanent `RuntimeFailure`. */
export function ensureVolume(input: VolumeInput): Promise<string> {
  const path = join(input.root, input.project, input.volume.name)
  const before = making.get(path) ?? makeVolume(input)
  making.set(path, before)
  return before.finally(() => making.delete(path))
}

async function makeVolume(input: VolumeInput): Promise<string> {
  const { root, owner, project, volume, account } = input
  const { name } = volume
  const path = join(root, project, name)
  const markPath = join(root, project, `.${name}.json`)
  const halfMade = join(root, project, `.${name}.new`)
  const mark = await readMark(markPath)
  if (mark !== undefined && (mark.mesh !== owner.mesh || mark.node !== owner.node))
    refuse(`volume ${path} belongs to another node or mesh`)
  if (await isDirectory(path)) {
    if (mark === undefined) refuse(`volume ${path} exists and was not made by shoal`)
    return path
  }
  if (mark === undefined) {
    await rm(halfMade, { recursive: true, force: true })
    makeDirectory(join(root, project), 0o711)
    await mkdir(halfMade, { mode: 0o755 })
    if (account !== undefined) await chown(halfMade, account.uid, account.gid)
    const written: VolumeMark = { mesh: owner.mesh, node: owner.node, project, name }
    await writeWhole(markPath, JSON.stringify(written))
  } else if (!(await isDirectory(halfMade))) {
    refuse(`the data of volume ${path} is gone; remove ${markPath} to begin with none`)
  }
  // Last: a crash before this leaves what is finished here the next time.
  await rename(halfMade, path)
  return path
}

/** Undefined when there is none or it cannot be read as one. */
async function readMark(path: string): Promise<VolumeMark | undefined> {
  try {
    const mark = JSON.parse(await readFile(path, 'utf8')) as VolumeMark
    return typeof mark.mesh === 'string' && typeof mark.name === 'string' ? mark : undefined
  } catch {
    return undefined
  }
}

/** Volumes under `root` that carry our mark, by project and name. */
export async function ownVolumes(
  root: string,
  owner: Owner
): Promise<readonly { readonly name: string; readonly project: string }[]> {
  const found: { name: string; project: string }[] = []
  for (const project of (await readdir(root).catch(() => [])).sort()) {
    const files = await readdir(join(root, project)).catch(() => [])
    for (const file of files.sort()) {
      if (!file.startsWith('.') || !file.endsWith('.json')) continue
      const mark = await readMark(join(root, project, file))
      if (mark?.mesh === owner.mesh && mark.node === owner.node)
        found.push({ name: mark.name, project: mark.project })
    }
  }
  return found
}
