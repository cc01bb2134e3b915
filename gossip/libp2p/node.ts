/** The libp2p node below the host: what it is made of, and which of its defaults would hurt. */
import './polyfill.ts'
import type { GossipSubComponents } from '@chainsafe/libp2p-gossipsub'
import type { Ed25519PrivateKey, Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { Transports } from './dial.ts'
import { type KeyCheckInit, keyCheck } from './key-check.ts'
import { lazyWindow } from './lazy-window.ts'
import { type HostLimits, STREAM_WINDOW_BYTES_MAX } from './limits.ts'
import { silentLogger } from './log.ts'
import { noiseCrypto } from './noise-crypto.ts'
import type { Pubsub } from './pubsub.ts'
import { quietTcp } from './quiet-tcp.ts'
import type { HostStats } from './stats.ts'

/** One keep-alive ping tells the round trip; the next is so far away that it costs nothing. */
const PING_INTERVAL_MS = 24 * 60 * 60 * 1_000
/** Streams of all protocols that one connection may carry. */
const STREAMS_MAX = 512

export interface NodeInit {
  readonly privateKey: Ed25519PrivateKey
  readonly listen: readonly string[]
  readonly limits: HostLimits
  readonly stats: HostStats
  readonly key: KeyCheckInit
  readonly pubsub: Pubsub
}

export interface Node {
  readonly libp2p: Libp2p
  readonly transports: Transports
}

/** What a service is given that libp2p does not show outside. */
type Components = GossipSubComponents & { readonly transportManager: Transports }

/** Makes a node that listens nowhere yet; `libp2p.start()` does. */
export async function createNode(init: NodeInit): Promise<Node> {
  const { limits } = init
  let transports: Transports | undefined
  const libp2p = await createLibp2p({
    privateKey: init.privateKey,
    logger: silentLogger,
    start: false,
    addresses: { listen: [...init.listen] },
    transports: [
      quietTcp({
        stats: init.stats,
        silentMs: limits.helloTimeoutMs,
        silentMax: limits.strangersMax
      })
    ],
    connectionProtector: keyCheck(init.key),
    connectionEncrypters: [noise({ crypto: noiseCrypto })],
    streamMuxers: [
      lazyWindow(
        yamux({
          keepAliveInterval: PING_INTERVAL_MS,
          maxInboundStreams: STREAMS_MAX,
          maxOutboundStreams: STREAMS_MAX,
          streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES_MAX }
        })
      )
    ],
    connectionManager: {
      maxConnections: limits.connectionsMax,
      // A mesh behind one address restarts as one; floods are held at the door (`quiet-tcp.ts`).
      inboundConnectionThreshold: Number.POSITIVE_INFINITY,
      maxIncomingPendingConnections: limits.strangersMax,
      inboundUpgradeTimeout: limits.helloTimeoutMs,
      // Dials are ours (`dial.ts`), and so is the decision to dial again.
      reconnectRetries: 0
    },
    // It aborts connections of hosts that are merely busy; our failure detector decides.
    connectionMonitor: { enabled: false },
    services: {
      shoal: (components: Components) => {
        transports = components.transportManager
        return {}
      },
      pubsub: (components: Components) => init.pubsub.create(components)
    }
  })
  if (transports === undefined) throw new Error('libp2p made no transport manager')
  return { libp2p, transports }
}
