/**
 * The fast path: gossipsub on `shoal/<mesh>/state`. Messages carry their authors' signatures in
 * their bodies, so gossipsub adds none (`StrictNoSign`) and names a message by the hash of its
 * bytes. A message is decoded, verified and validated before it is handed on.
 *
 * libp2p's identify would tell gossipsub who speaks its protocol; here the hello does: a linked
 * peer does, anyone else is not served. That saves a round of messages and 26 ms a dial.
 */
import { createHash } from 'node:crypto'
import {
  type GossipSub,
  type GossipSubComponents,
  gossipsub,
  StrictNoSign,
  TopicValidatorResult
} from '@chainsafe/libp2p-gossipsub'
import type { Connection, PeerId, Topology } from '@libp2p/interface'
import { serviceDependencies } from '@libp2p/interface'
import { decodeVerified, FrameError, type Verify } from '../codec.ts'
import type { NodeId } from '../core/types.ts'
import { FRAME_BYTES_MAX } from '../core/types.ts'
import { PUBLISH_BYTES_MAX, PUBSUB_QUEUE_BYTES_MAX } from './limits.ts'
import type { Links } from './links.ts'
import { RateGate, type RateInit } from './rate.ts'
import { drop, type HostStats } from './stats.ts'

/** An id is seen by every peer several times within a second; later copies are old news. */
const SEEN_MS = 30_000
const ID_BYTES = 16
/** Linked peers that gossipsub has lost (its streams break on their own) are given back to it. */
const UPKEEP_MS = 4_000
/** gossipsub loses a peer whose stream moves: wait a moment for a crossing dial to show up. */
const CROSSING_SETTLE_MS = 250
const RATE: RateInit = {
  bytesPerSecond: 8 * 1024 * 1024,
  bytesBurst: 16 * 1024 * 1024,
  framesPerSecond: 2_000,
  framesBurst: 8_000
}

export interface PubsubInit {
  readonly topic: string
}

export interface PubsubComponents {
  readonly links: Links
  readonly stats: HostStats
  readonly verify: Verify
  /** Says whether a message may be handed on. */
  readonly validate: (message: unknown) => boolean
  readonly onMessage: (message: unknown, via: NodeId) => void
}

/** Streams of gossipsub that are not in its public type. */
interface Internals {
  readonly streamsOutbound: ReadonlyMap<string, unknown>
}

function messageId(data: Uint8Array): Uint8Array {
  return createHash('sha256').update(data).digest().subarray(0, ID_BYTES)
}

export class Pubsub {
  readonly #components: PubsubComponents
  readonly #init: PubsubInit
  readonly #gates = new Map<NodeId, RateGate>()
  #gossipsub: (GossipSub & Internals) | undefined
  #topology: Topology | undefined
  #upkeep: NodeJS.Timeout | undefined

  constructor(components: PubsubComponents, init: PubsubInit) {
    this.#components = components
    this.#init = init
  }

  /** Makes the libp2p service. */
  create(libp2p: GossipSubComponents): GossipSub {
    const create = gossipsub({
      globalSignaturePolicy: StrictNoSign,
      msgIdFn: message => messageId(message.data),
      // Found before anything is decoded. A string of bytes is the cheapest key.
      fastMsgIdFn: message =>
        Buffer.from(messageId(message.data ?? new Uint8Array())).toString('latin1'),
      msgIdToStrFn: id => Buffer.from(id).toString('latin1'),
      seenTTL: SEEN_MS,
      allowedTopics: [this.#init.topic],
      maxInboundDataLength: FRAME_BYTES_MAX,
      maxOutboundBufferSize: PUBSUB_QUEUE_BYTES_MAX,
      // Ids of 16 bytes: what fits in one RPC is bounded by its size already.
      decodeRpcLimits: {
        maxSubscriptions: 8,
        maxMessages: 256,
        maxIhaveMessageIDs: 5_000,
        maxIwantMessageIDs: 5_000,
        maxIdontwantMessageIDs: 512,
        maxControlMessages: 64,
        maxPeerInfos: 16
      },
      // One hop to everyone we are linked to; the mesh below is for those we are not.
      floodPublish: true,
      // Each copy more than one costs every node some 500 bytes a message.
      D: 3,
      Dlo: 2,
      Dhi: 4,
      Dout: 1,
      Dscore: 1,
      // Repair is anti-entropy's work; a little lazy gossip mends a mesh that has a hole.
      Dlazy: 1,
      gossipFactor: 0,
      mcacheGossip: 1,
      mcacheLength: 3,
      pruneBackoff: 10_000,
      scoreParams: {
        decayInterval: SEEN_MS,
        // A mesh behind one address is the normal case (`promises.md` finding 9).
        IPColocationFactorWeight: 0,
        // A starved peer is slow, not hostile.
        behaviourPenaltyWeight: 0
      },
      fallbackToFloodsub: false,
      tagMeshPeers: false,
      doPX: false,
      emitSelf: false,
      ignoreDuplicatePublishError: true,
      allowPublishToZeroTopicPeers: true
    })
    const service = create({
      privateKey: libp2p.privateKey,
      peerId: libp2p.peerId,
      peerStore: libp2p.peerStore,
      connectionManager: libp2p.connectionManager,
      logger: libp2p.logger,
      registrar: this.#registrar(libp2p.registrar)
    })
    Object.defineProperty(service, serviceDependencies, { value: [] })
    service.topicValidators.set(this.#init.topic, (via, message) =>
      this.#receive(via, message.data)
    )
    this.#gossipsub = service as GossipSub & Internals
    return service
  }

  start(): void {
    this.#gossipsub?.subscribe(this.#init.topic)
    this.#upkeep = setInterval(() => this.#attachMissing(), UPKEEP_MS)
    this.#upkeep.unref()
  }

  stop(): void {
    clearInterval(this.#upkeep)
  }

  /** Sends a frame to everybody. False when it is too large to be handed on. */
  publish(frame: Uint8Array): boolean {
    const { stats } = this.#components
    if (this.#gossipsub === undefined || frame.byteLength > PUBLISH_BYTES_MAX) {
      drop(stats, 'publish-size')
      return false
    }
    stats.publishedOut += 1
    this.#gossipsub.publish(this.#init.topic, frame).catch(() => drop(stats, 'publish-failed'))
    return true
  }

  /** Peers that take our topic, for status. */
  subscribers(): number {
    return this.#gossipsub?.getSubscribers(this.#init.topic).length ?? 0
  }

  /** A link opened, changed its connection, or closed. */
  onRoute(peer: NodeId, connection: Connection | undefined, id: PeerId): void {
    if (connection !== undefined) {
      if (this.#components.links.isPreferred(connection)) this.#attach(connection)
      else setTimeout(() => this.#attachBest(peer), CROSSING_SETTLE_MS).unref()
    } else {
      this.#gates.delete(peer)
      void this.#topology?.onDisconnect?.(id)
    }
  }

  #attach(connection: Connection): void {
    void this.#topology?.onConnect?.(connection.remotePeer, connection)
  }

  #attachBest(peer: NodeId): void {
    const best = this.#components.links.best(peer)
    if (best !== undefined && this.#gossipsub?.streamsOutbound.has(peer) === false)
      this.#attach(best)
  }

  #attachMissing(): void {
    for (const peer of this.#components.links.peers()) this.#attachBest(peer)
  }

  /** Hears from gossipsub whom it wants to know of, and lets only linked peers in. */
  #registrar(real: GossipSubComponents['registrar']): GossipSubComponents['registrar'] {
    const { links } = this.#components
    return new Proxy(real, {
      get: (target, property) => {
        if (property === 'register')
          return async (_protocol: string, topology: Topology) => {
            this.#topology = topology
            return 'shoal'
          }
        if (property === 'unregister') return () => {}
        if (property === 'handle')
          return (...[protocol, handler, options]: Parameters<typeof real.handle>) =>
            target.handle(
              protocol,
              async (stream, connection) => {
                if (await links.admitted(connection)) await handler(stream, connection)
                else stream.abort(new Error('no hello'))
              },
              options
            )
        const value: unknown = Reflect.get(target, property)
        return typeof value === 'function' ? value.bind(target) : value
      }
    })
  }

  #receive(via: PeerId, data: Uint8Array): TopicValidatorResult {
    const { onMessage, stats, validate, verify } = this.#components
    const peer = via.toString()
    if (!this.#hasRoom(peer, data.byteLength)) {
      drop(stats, 'published-rate')
      return TopicValidatorResult.Ignore
    }
    try {
      const message = decodeVerified(data, verify)
      if (!validate(message)) {
        stats.publishedRejected += 1
        drop(stats, 'published-invalid')
        return TopicValidatorResult.Reject
      }
      stats.publishedIn += 1
      onMessage(message, peer)
      return TopicValidatorResult.Accept
    } catch (error) {
      if (!(error instanceof FrameError)) {
        // A bug of ours: gossipsub would swallow it.
        queueMicrotask(() => {
          throw error
        })
        return TopicValidatorResult.Ignore
      }
      stats.publishedRejected += 1
      drop(stats, `published-${error.reason}`)
      return TopicValidatorResult.Reject
    }
  }

  #hasRoom(peer: NodeId, bytes: number): boolean {
    const nowMs = performance.now()
    let gate = this.#gates.get(peer)
    if (gate === undefined) {
      gate = new RateGate(RATE, nowMs)
      if (this.#components.links.get(peer) !== undefined) this.#gates.set(peer, gate)
    }
    return gate.take(bytes, nowMs) === 0
  }
}
