/**
 * Opens the runtimes of this node.
 */
import { existsSync } from 'node:fs'
import { ShoalError } from '../../src/errors.ts'
import type { RuntimeName } from '../../src/spec/workload.ts'
import { type AddressInput, candidateHosts } from './docker/address.ts'
import type { Runtime } from './runtime.ts'

export interface OpenRuntimesInit {
  readonly dataDir: string
  readonly mesh: string
  readonly node: string
  /** `auto`: process always, docker as soon as an engine answers. */
  readonly wanted: 'docker' | 'process' | 'auto'
  readonly dockerHost?: string | undefined
  /** The first start of this node, with a person who waits: nothing ran here before. */
  readonly isFirst?: boolean
  readonly log: (message: string) => void
  /** Default: the process's. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface OpenedRuntimes {
  readonly runtimes: ReadonlyMap<RuntimeName, Runtime>
  /** Asked for by nobody and not there now: no trouble, and used when it comes. */
  readonly absent: ReadonlySet<RuntimeName>
}

/**
 * Opens the runtimes, also those that are down: `status` says why, and they are used when they come
 * (at boot the engine may start after us). Throws `RUNTIME` for an engine only at the first start,
 * when it was asked for by name and there is not even a socket of one.
 */
export async function openRuntimes(
  init: OpenRuntimesInit,
  signal: AbortSignal
): Promise<OpenedRuntimes> {
  const { dataDir, mesh, node, wanted, log } = init
  const runtimes = new Map<RuntimeName, Runtime>()
  if (wanted !== 'docker') {
    const { ProcessRuntime } = await import('./process.ts')
    runtimes.set('process', new ProcessRuntime({ log }, { dataDir, mesh, node }))
  }
  if (wanted !== 'process') {
    // Loaded only here: dockerode brings grpc and ssh along.
    const { DockerRuntime } = await import('./docker.ts')
    const env = init.env ?? process.env
    if (wanted === 'docker' && init.isFirst === true)
      refuseWithoutSocket({ dockerHost: init.dockerHost, env })
    runtimes.set('docker', new DockerRuntime({ mesh, node, dockerHost: init.dockerHost, env }))
  }
  const absent = new Set<RuntimeName>()
  for (const [name, runtime] of runtimes) {
    await runtime.open(signal)
    const { available, detail } = await runtime.status(signal)
    log(available ? `runtime ${detail}` : `runtime ${name} is not available: ${detail}`)
    if (!available && wanted === 'auto') absent.add(name)
  }
  return { runtimes, absent }
}

const UNIX = 'unix://'

function refuseWithoutSocket(address: AddressInput): void {
  const hosts = candidateHosts(address)
  const isMissing = (host: string): boolean =>
    host.startsWith(UNIX) && !existsSync(host.slice(UNIX.length))
  if (!hosts.every(isMissing)) return
  throw new ShoalError('RUNTIME', 'there is no container engine', {
    where: hosts.map(host => host.slice(UNIX.length)).join(', '),
    hint: 'start Docker or Podman, name its socket with --docker-host, or give --runtime auto'
  })
}
