/**
 * Opens the runtimes of this node.
 */
import type { RuntimeName } from '../../src/spec/workload.ts'
import type { Runtime } from './runtime.ts'

export interface OpenRuntimesInit {
  readonly dataDir: string
  readonly mesh: string
  readonly node: string
  /** `auto`: process always, docker when an engine answers now. */
  readonly wanted: 'docker' | 'process' | 'auto'
  readonly dockerHost?: string | undefined
  readonly log: (message: string) => void
  /** Default: the process's. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/**
 * The runtimes that are there, opened. A runtime that was asked for by name is in the map even when
 * it is down: its `status` says why, and it is used when it comes. Never throws for an engine.
 */
export async function openRuntimes(
  init: OpenRuntimesInit,
  signal: AbortSignal
): Promise<ReadonlyMap<RuntimeName, Runtime>> {
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
    runtimes.set('docker', new DockerRuntime({ mesh, node, dockerHost: init.dockerHost, env }))
  }
  for (const [name, runtime] of [...runtimes]) {
    await runtime.open(signal)
    const { available, detail } = await runtime.status(signal)
    log(available ? `runtime ${detail}` : `runtime ${name} is not available: ${detail}`)
    if (available || wanted !== 'auto') continue
    runtimes.delete(name)
    await runtime.close()
  }
  return runtimes
}
