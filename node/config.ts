/** What this daemon runs with: flags, what the data directory says, and what the machine has. */
import { stat } from 'node:fs/promises'
import { availableParallelism, hostname, totalmem } from 'node:os'
import { join } from 'node:path'
import type { DaemonOptions } from '../src/api/daemon-flags.ts'
import { limitedFile, limitedText, SMALL_FILE_BYTES_MAX, tokenTooLong } from '../src/api/files.ts'
import { decodeToken, type JoinToken } from '../src/api/token.ts'
import { ShoalError } from '../src/errors.ts'
import type { RuntimeName } from '../src/spec/workload.ts'
import type { NodeInfo } from './agent/records.ts'
import {
  createIdentity,
  createMesh,
  IDENTITY_FILE,
  type Identity,
  loadIdentity,
  loadMesh,
  MESH_FILE,
  type MeshIdentity,
  STORE_DIR
} from './identity.ts'
import type { Traces } from './traces.ts'

export interface Membership {
  readonly identity: Identity
  readonly mesh: MeshIdentity
  /** Addresses to join by; empty when this node made the mesh or resumes it. */
  readonly join: readonly string[]
  /** Where it was joined once: asked again by a member that knows nobody. */
  readonly joined: readonly string[]
  /** The mesh is not written down yet: it is once a peer has accepted us. */
  readonly fresh: boolean
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false
  )
}

async function readToken(file: string): Promise<JoinToken> {
  let text: string | undefined
  try {
    text =
      file === '-'
        ? await limitedText(process.stdin, SMALL_FILE_BYTES_MAX)
        : await limitedFile(file, SMALL_FILE_BYTES_MAX)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ShoalError('USAGE', `cannot read the token file: ${code ?? String(error)}`, {
      where: file,
      cause: error
    })
  }
  if (text === undefined) throw tokenTooLong(file)
  return decodeToken(text)
}

/** Who we are and which mesh we belong to: made, resumed or joined, as the flags say. */
export async function settleMembership(
  options: DaemonOptions,
  traces: Traces
): Promise<Membership> {
  const { dataDir } = options
  const hasIdentity = await exists(join(dataDir, IDENTITY_FILE))
  const hasMesh = await exists(join(dataDir, MESH_FILE))
  if (!hasIdentity && hasMesh) {
    throw new ShoalError('STORE', 'the identity key of this node is missing', {
      where: join(dataDir, IDENTITY_FILE),
      hint: 'restore it, or remove the data directory to start as a new node'
    })
  }
  const token = options.tokenFile === undefined ? undefined : await readToken(options.tokenFile)
  if (token === undefined && !hasMesh && (await exists(join(dataDir, STORE_DIR)))) {
    // A join that nobody accepted yet, or a lost file: another mesh must not take its place.
    throw new ShoalError(
      'STORE',
      'this node was about to join a mesh, or its mesh.json is missing',
      {
        where: dataDir,
        hint: 'join again with a token; or, to start anew, remove the data directory'
      }
    )
  }
  const identity = hasIdentity ? await loadIdentity(dataDir) : await createIdentity(dataDir)
  if (!hasIdentity) traces.made(IDENTITY_FILE)
  if (token === undefined) {
    const mesh = hasMesh ? await loadMesh(dataDir) : await createMesh(dataDir)
    if (!hasMesh) traces.made(MESH_FILE)
    return { identity, mesh, join: options.join, joined: mesh.join ?? [], fresh: false }
  }
  const addresses = options.join.length > 0 ? options.join : token.addresses
  const mesh = { meshId: token.mesh, key: Buffer.from(token.key).toString('hex'), join: addresses }
  if (hasMesh) {
    const own = await loadMesh(dataDir)
    if (own.meshId !== mesh.meshId) {
      throw new ShoalError('REFUSED', `this node belongs to mesh ${own.meshId} already`, {
        where: join(dataDir, MESH_FILE),
        hint:
          'give another --data-dir; or end that membership first: ' +
          `shoal up --data-dir ${dataDir}, then shoal leave`
      })
    }
  }
  return { identity, mesh, join: addresses, joined: [], fresh: !hasMesh }
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm: 'arm' }

/** What this node says of itself. */
export function nodeInfo(
  options: DaemonOptions,
  init: { readonly runtimes: readonly RuntimeName[]; readonly version: string }
): NodeInfo {
  return {
    name: options.name ?? hostname(),
    labels: options.labels,
    zone: options.zone,
    cpuMillis: options.cpuMillis ?? availableParallelism() * 1_000,
    memoryMiB: options.memoryMiB ?? Math.floor(totalmem() / 1024 / 1024),
    os: process.platform,
    arch: ARCHITECTURES[process.arch] ?? process.arch,
    runtimes: init.runtimes,
    draining: false,
    version: init.version
  }
}
