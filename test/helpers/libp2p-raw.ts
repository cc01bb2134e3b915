/** A peer that holds the mesh key and obeys nothing else: what a hostile member could be. */
import '../../gossip/libp2p/polyfill.ts'
import type { Connection, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { encode } from '../../gossip/index.ts'
import { prefixFrames } from '../../gossip/libp2p/frames.ts'
import type { Mesh, TestHost } from './libp2p.ts'
import type { TestContext } from './suite.ts'

export interface RawPeer {
  readonly node: Libp2p
  readonly connection: Connection
  readonly id: string
  open(protocol: string): Promise<Stream>
}

/** Connects to a host, with a good hello unless `silent`. */
export async function rawPeer(
  context: Pick<TestContext, 'cleanup'>,
  mesh: Mesh,
  target: TestHost,
  init: { readonly silent?: boolean; readonly boot?: string } = {}
): Promise<RawPeer> {
  const key = Buffer.from(mesh.meshKey).toString('hex')
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionProtector: preSharedKey({
      psk: new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${key}`)
    })
  })
  context.cleanup(() => node.stop())
  const connection = await node.dial(multiaddr(target.host.addresses()[0] as string))
  const peer: RawPeer = {
    node,
    connection,
    id: node.peerId.toString(),
    open: protocol => connection.newStream(protocol)
  }
  if (init.silent !== true) {
    const stream = await peer.open('/shoal/hello/1')
    stream.addEventListener('message', () => {})
    stream.send(prefixFrames([encode(goodHello(mesh, init.boot))]))
    await stream.close()
  }
  return peer
}

export function goodHello(mesh: Mesh, boot = 'ab'.repeat(16)): Record<string, unknown> {
  return {
    mesh: mesh.meshId,
    versions: [1, 2],
    placementVersion: 1,
    boot,
    incarnation: 1,
    name: 'raw',
    addresses: []
  }
}

/** Resolves when the stream is over, however it ends. */
export function ended(stream: Stream): Promise<void> {
  return new Promise(resolve => {
    if (stream.status !== 'open') return resolve()
    stream.addEventListener('close', () => resolve())
  })
}
