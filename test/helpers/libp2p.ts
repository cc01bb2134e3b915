/** Hosts on loopback for contract tests. */
import { randomBytes } from 'node:crypto'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Sealer } from '../../gossip/core/signed.ts'
import { createSealer, type LinkEvent, MeshHost, type MeshHostInit } from '../../gossip/index.ts'
import type { TestContext } from './suite.ts'

export interface TestHost {
  readonly host: MeshHost
  readonly id: string
  readonly sealer: Sealer
  readonly lines: string[]
  readonly links: LinkEvent[]
  readonly frames: { peer: string; channel: string; message: unknown }[]
  readonly published: unknown[]
}

export interface Mesh {
  readonly meshId: string
  readonly meshKey: Uint8Array
}

export function createTestMesh(): Mesh {
  return { meshId: randomBytes(16).toString('hex'), meshKey: randomBytes(32) }
}

/** Starts a host that records everything. It stops with the test. */
export async function startHost(
  context: Pick<TestContext, 'cleanup'>,
  mesh: Mesh,
  init: Partial<MeshHostInit> & { readonly privateKey?: Awaited<ReturnType<typeof newKey>> } = {}
): Promise<TestHost> {
  const { privateKey = await newKey(), ...rest } = init
  const lines: string[] = []
  const keep = (line: string): void => void lines.push(line)
  const host = new MeshHost(
    { privateKey, log: { debug: keep, info: keep, warn: keep } },
    {
      ...mesh,
      boot: randomBytes(16).toString('hex'),
      name: 'test',
      protocolVersions: [1],
      placementVersion: 1,
      incarnation: () => 1,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      ...rest
    }
  )
  const test: TestHost = {
    host,
    id: host.nodeId,
    sealer: createSealer(privateKey),
    lines,
    links: [],
    frames: [],
    published: []
  }
  host.onLink(event => test.links.push(event))
  host.onFrame((peer, channel, message) => test.frames.push({ peer, channel, message }))
  host.onPublished(message => test.published.push(message))
  context.cleanup(() => host.stop())
  await host.start()
  return test
}

export function newKey() {
  return generateKeyPair('Ed25519')
}

export async function link(from: TestHost, to: TestHost): Promise<void> {
  const outcome = await from.host.connect(to.id, to.host.addresses())
  if (!outcome.linked) throw new Error(`${outcome.failure}: ${outcome.message}`)
}

/** Polls a condition on real sockets; the test's deadline ends it. */
export async function until(condition: () => boolean, signal: AbortSignal): Promise<void> {
  while (!condition()) {
    signal.throwIfAborted()
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

export async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}
