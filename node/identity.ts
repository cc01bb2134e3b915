/**
 * Who this node is: `identity.key`, its Ed25519 key as libp2p writes it, and which mesh it belongs
 * to: `mesh.json`. Both live in the data directory, mode 0600 in a directory of mode 0700. Neither
 * is ever replaced silently: a node whose key changed would be a stranger with a stranger's
 * claims, so everything that looks wrong is refused by name (`protocols.md` 1).
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, link, lstat, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { makeDirectory, reasonOfPath } from '../src/api/files.ts'
import { ShoalError } from '../src/errors.ts'

export const IDENTITY_FILE = 'identity.key'
export const MESH_FILE = 'mesh.json'
export const STORE_DIR = 'state'
export const MESH_FILE_VERSION = 1

const FILE_BYTES_MAX = 4_096
const JOIN_MAX = 16
const OTHERS = 0o077
const OTHERS_WRITE = 0o022

export interface Identity {
  readonly nodeId: string
  readonly privateKey: Ed25519PrivateKey
}

export interface MeshIdentity {
  /** 32 hex digits. */
  readonly meshId: string
  /** The 32-byte key of the mesh (pnet) as 64 hex digits. Whoever holds it may speak. */
  readonly key: string
  /** Where we once joined it. A crash may leave a member that knows nobody: it asks there again. */
  readonly join?: readonly string[]
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}

function storeError(message: string, where: string, hint?: string, cause?: unknown): ShoalError {
  return new ShoalError('STORE', message, {
    where,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause })
  })
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The data directory, made where it is missing. Throws `STORE` that says why it cannot be used. */
export async function ensureDirectory(dir: string): Promise<void> {
  try {
    // The process umask may have taken bits of 0700 away, never added any.
    if (makeDirectory(dir, 0o700) !== undefined) await chmod(dir, 0o700)
  } catch (error) {
    throw storeError(
      `cannot make the data directory: ${reasonOfPath(error)}`,
      dir,
      'choose another one with --data-dir',
      error
    )
  }
  await checkDirectory(dir)
}

async function checkDirectory(dir: string): Promise<void> {
  const found = await stat(dir).catch((error: unknown) => {
    throw storeError(`cannot read the data directory: ${codeOf(error)}`, dir, undefined, error)
  })
  if ((found.mode & OTHERS_WRITE) !== 0)
    throw storeError('others may write to the data directory', dir, `run: chmod 700 ${dir}`)
}

/** Writes a file whole, on disk, with mode 0600. `replace` false: an existing file is an error. */
export async function writePrivate(
  path: string,
  content: Uint8Array,
  replace: boolean
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.chmod(0o600)
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    // A hard link fails where the name exists; a rename would replace it.
    await (replace ? rename(temporary, path) : link(temporary, path))
    await syncDirectory(join(path, '..'))
  } catch (error) {
    if (codeOf(error) === 'EEXIST')
      throw storeError('exists already and is never replaced', path, undefined, error)
    throw storeError(`cannot write: ${reasonOfPath(error)}`, path, undefined, error)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Reads a file that only we may read. Throws `STORE` by name for anything else. */
async function readPrivate(path: string, missingHint: string): Promise<Buffer> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') throw storeError('is missing', path, missingHint, error)
    throw storeError(`cannot be read: ${codeOf(error)}`, path, undefined, error)
  })
  if (!found.isFile()) throw storeError('is no regular file', path)
  const uid = process.getuid?.()
  if (uid !== undefined && found.uid !== uid)
    throw storeError(
      `belongs to user ${found.uid}, and this is user ${uid}`,
      path,
      'run shoald as the owner of its data directory'
    )
  if ((found.mode & OTHERS) !== 0)
    throw storeError(
      `others may read it (mode ${(found.mode & 0o777).toString(8)})`,
      path,
      `run: chmod 600 ${path}, and consider the key leaked`
    )
  if (found.size === 0)
    throw storeError(
      'is empty',
      path,
      'restore it from a backup, or join with a new data directory'
    )
  if (found.size > FILE_BYTES_MAX) throw storeError('is too large', path)
  return readFile(path)
}

/** Draws a new identity and stores it. Throws `STORE` where one exists. */
export async function createIdentity(dir: string): Promise<Identity> {
  await ensureDirectory(dir)
  const privateKey = await generateKeyPair('Ed25519')
  await writePrivate(join(dir, IDENTITY_FILE), privateKeyToProtobuf(privateKey), false)
  return { nodeId: peerIdFromPrivateKey(privateKey).toString(), privateKey }
}

/** Loads the identity. Throws `STORE`: missing, empty, readable by others, not ours, no key. */
export async function loadIdentity(dir: string): Promise<Identity> {
  const path = join(dir, IDENTITY_FILE)
  const bytes = await readPrivate(path, 'run shoal up or shoal join to make one')
  await checkDirectory(dir)
  let privateKey: ReturnType<typeof privateKeyFromProtobuf>
  try {
    privateKey = privateKeyFromProtobuf(bytes)
  } catch (error) {
    throw storeError('holds no key', path, 'restore it from a backup', error)
  }
  if (privateKey.type !== 'Ed25519')
    throw storeError(`holds a key of type ${privateKey.type}`, path)
  return { nodeId: peerIdFromPrivateKey(privateKey).toString(), privateKey }
}

function encodeMesh(mesh: MeshIdentity): Uint8Array {
  return Buffer.from(`${JSON.stringify({ ...mesh, version: MESH_FILE_VERSION }, undefined, 2)}\n`)
}

function isAddresses(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) && value.length <= JOIN_MAX && value.every(one => typeof one === 'string')
  )
}

function isHex(value: unknown, length: number): value is string {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]*$/.test(value)
}

/** Draws a new mesh and stores it. Throws `STORE` where the directory belongs to one already. */
export async function createMesh(dir: string): Promise<MeshIdentity> {
  const mesh = { meshId: randomBytes(16).toString('hex'), key: randomBytes(32).toString('hex') }
  await ensureDirectory(dir)
  await writePrivate(join(dir, MESH_FILE), encodeMesh(mesh), false)
  return mesh
}

/**
 * Stores the mesh of a join token. The same mesh again is fine, its key may have changed; throws
 * `CONFLICT` where the directory belongs to another mesh.
 */
export async function saveMesh(dir: string, mesh: MeshIdentity): Promise<void> {
  await ensureDirectory(dir)
  const path = join(dir, MESH_FILE)
  const exists = await lstat(path).then(
    () => true,
    () => false
  )
  if (!exists) return writePrivate(path, encodeMesh(mesh), false)
  const old = await loadMesh(dir)
  if (old.meshId !== mesh.meshId)
    throw new ShoalError('CONFLICT', `this node belongs to mesh ${old.meshId} already`, {
      where: path,
      hint: 'run shoal leave first, or use another --data-dir'
    })
  const sameJoin = mesh.join === undefined || mesh.join.join() === old.join?.join()
  if (old.key !== mesh.key || !sameJoin) await writePrivate(path, encodeMesh(mesh), true)
}

/** Loads the mesh this directory belongs to. Throws `STORE` by name for anything unusable. */
export async function loadMesh(dir: string): Promise<MeshIdentity> {
  const path = join(dir, MESH_FILE)
  const bytes = await readPrivate(path, 'run shoal up or shoal join to belong to a mesh')
  let value: Partial<Record<keyof MeshIdentity | 'version', unknown>> | null
  try {
    value = JSON.parse(bytes.toString('utf8')) as typeof value
  } catch (error) {
    throw storeError('is no JSON', path, 'restore it from a backup, or join again', error)
  }
  if (typeof value?.version === 'number' && value.version > MESH_FILE_VERSION)
    throw storeError(`is of version ${value.version}, newer than this program`, path)
  if (value?.version !== MESH_FILE_VERSION || !isHex(value.meshId, 32) || !isHex(value.key, 64))
    throw storeError('lacks a mesh id, a key or a version', path, 'join again')
  const { meshId, key, join: addresses } = value
  return isAddresses(addresses) ? { meshId, key, join: addresses } : { meshId, key }
}
