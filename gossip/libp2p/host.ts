/**
 * The host: this node among its peers. Links with a hello before anything else, kept streams for
 * the cores, the fast path, knocks, and bulk streams for whoever needs them. It decides nothing:
 * what it sees comes out as events, what it should do comes in as calls.
 */
import './polyfill.ts'
import { setMaxListeners } from 'node:events'
import type { Connection, Ed25519PrivateKey, Libp2p, Stream } from '@libp2p/interface'
import { encode, FrameError } from '../codec.ts'
import { assert } from '../core/assert.ts'
import type { Channel } from '../core/effect.ts'
import type { BootId, NodeId } from '../core/types.ts'
import { createVerifier, nodeIdOf, type Verifier } from '../signer.ts'
import {
  dialableAddresses,
  type Endpoint,
  endpointOf,
  isOwnEndpoint,
  listeningEndpoints
} from './addresses.ts'
import { bulkStream } from './bulk.ts'
import { Dialer, type Transports } from './dial.ts'
import { answerHello, HELLO_PROTOCOL, type Hello } from './hello.ts'
import { CHANNEL_PROTOCOLS, INBOUND_STREAMS_MAX, KeptStreams } from './kept-streams.ts'
import { fingerprint } from './key-check.ts'
import { knock } from './knock.ts'
import { DEFAULT_LIMITS, type HostLimits } from './limits.ts'
import { Links } from './links.ts'
import { createNode } from './node.ts'
import { Pubsub } from './pubsub.ts'
import { createStats, drop, type HostStats } from './stats.ts'
import type {
  BulkHandler,
  BulkStream,
  ConnectOutcome,
  FrameListener,
  HostLog,
  KnockOutcome,
  LinkEvent,
  LinkListener,
  PublishedListener
} from './types.ts'
import { Warnings } from './warnings.ts'

export interface MeshHostComponents {
  readonly privateKey: Ed25519PrivateKey
  readonly log: HostLog
  /** Shared with other edges of the daemon, or one of its own. */
  readonly verifier?: Verifier
}

export interface MeshHostInit {
  /** 32 hex digits. */
  readonly meshId: string
  /** 32 bytes (pnet). */
  readonly meshKey: Uint8Array
  readonly boot: BootId
  readonly name: string
  readonly protocolVersions: readonly number[]
  readonly placementVersion: number
  /** Read at each hello. */
  readonly incarnation: () => number
  /** Multiaddrs; port 0 takes any free one. */
  readonly listen: readonly string[]
  /** Told to peers instead of what is listened on: behind a NAT. */
  readonly announce?: readonly string[]
  /** Says whether a published message may be handed on. Default: all that are signed well. */
  readonly validate?: (message: unknown) => boolean
  readonly limits?: Partial<HostLimits>
}

/** The host cannot listen where it was told to. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

/** How long a stream of a protocol may take to be agreed on. */
const OPEN_TIMEOUT_MS = 5_000

export class MeshHost {
  readonly nodeId: NodeId
  readonly #components: MeshHostComponents
  readonly #init: MeshHostInit
  readonly #limits: HostLimits
  readonly #stats: HostStats = createStats()
  #encoded: { readonly message: unknown; readonly frame: Uint8Array | undefined } = {
    message: undefined,
    frame: undefined
  }
  readonly #verifier: Verifier
  readonly #warnings: Warnings
  readonly #links: Links
  readonly #streams: KeptStreams
  readonly #pubsub: Pubsub
  readonly #dialer: Dialer
  readonly #linkListeners = new Set<LinkListener>()
  readonly #frameListeners = new Set<FrameListener>()
  readonly #publishedListeners = new Set<PublishedListener>()
  readonly #handlers = new Map<string, BulkHandler>()
  readonly #stopping = new AbortController()
  #libp2p: Libp2p | undefined
  #transports: Transports | undefined

  constructor(components: MeshHostComponents, init: MeshHostInit) {
    // Every dial, knock and stream listens to it.
    setMaxListeners(0, this.#stopping.signal)
    assert(init.meshKey.byteLength === 32, 'a mesh key has 32 bytes')
    this.#components = components
    this.#init = init
    this.#limits = { ...DEFAULT_LIMITS, ...init.limits }
    this.#verifier = components.verifier ?? createVerifier()
    this.#warnings = new Warnings(components.log, this.#stats, fingerprint(init.meshKey))
    this.nodeId = nodeIdOf(components.privateKey)
    const stats = this.#stats
    const limits = this.#limits
    const verify = this.#verifier.verify
    const emit = (event: LinkEvent): void => this.#emit(event)
    this.#links = new Links(
      {
        self: this.nodeId,
        stats,
        emit,
        onRoute: (peer, connection, id) => {
          this.#streams.onRoute(peer, connection)
          this.#pubsub.onRoute(peer, connection, id)
        }
      },
      limits
    )
    const links = this.#links
    this.#streams = new KeptStreams({
      links,
      limits,
      stats,
      verify,
      onFrame: (peer, channel, message) => {
        for (const listener of this.#frameListeners) listener(peer, channel, message)
      },
      onHostile: (peer, reason) => {
        this.#warnings.hostile(peer, reason)
        links.close(peer, reason)
      }
    })
    this.#pubsub = new Pubsub(
      {
        links,
        stats,
        verify,
        validate: init.validate ?? (() => true),
        onMessage: (message, via) => {
          for (const listener of this.#publishedListeners) listener(message, via)
        }
      },
      { topic: `shoal/${init.meshId}/state` }
    )
    this.#dialer = new Dialer(
      {
        self: this.nodeId,
        transports: () => this.#transports as Transports,
        links,
        ownHello: () => this.#hello(),
        stats,
        emit,
        onWrongMesh: (address, message) => this.#warnings.wrongMesh(address, message)
      },
      limits
    )
  }

  /** Listens. Throws `ListenError` when an address is taken or is none. */
  async start(): Promise<void> {
    assert(this.#libp2p === undefined, 'a host starts once')
    const { libp2p, transports } = await createNode({
      privateKey: this.#components.privateKey,
      listen: this.#init.listen,
      limits: this.#limits,
      stats: this.#stats,
      key: {
        key: this.#init.meshKey,
        onWrongKey: (direction, address) => this.#warnings.wrongKey(direction, address)
      },
      pubsub: this.#pubsub
    })
    this.#libp2p = libp2p
    this.#transports = transports
    libp2p.addEventListener('connection:open', event => this.#links.met(event.detail))
    libp2p.addEventListener('connection:close', event => this.#links.gone(event.detail))
    await libp2p.handle(HELLO_PROTOCOL, (stream, connection) => this.#greeted(stream, connection), {
      maxInboundStreams: 1
    })
    for (const [channel, protocol] of Object.entries(CHANNEL_PROTOCOLS))
      await libp2p.handle(
        protocol,
        (stream, connection) =>
          this.#whenAdmitted(stream, connection, () =>
            this.#streams.accept(channel as Channel, stream, connection)
          ),
        { maxInboundStreams: INBOUND_STREAMS_MAX, maxOutboundStreams: INBOUND_STREAMS_MAX }
      )
    for (const protocol of this.#handlers.keys()) await this.#serve(protocol)
    try {
      await libp2p.start()
    } catch (error) {
      throw new ListenError(`cannot listen on ${this.#init.listen.join()}`, { cause: error })
    }
    this.#pubsub.start()
  }

  /** Closes every link (with events) and leaves nothing running. Safe to call twice. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#links.stop()
    this.#pubsub.stop()
    await this.#libp2p?.stop()
  }

  /** Dialable multiaddrs without `/p2p/`, best first. Empty before `start`. */
  addresses(): string[] {
    return dialableAddresses(this.#listening(), this.#init.announce ?? [])
  }

  /** Linked peers. */
  links(): NodeId[] {
    return this.#links.peers()
  }

  /**
   * Dials a peer and says hello. Never rejects; is answered by exactly one link event, also when
   * the peer was linked before. Dials to one peer at a time join.
   */
  connect(
    peer: NodeId | undefined,
    addresses: readonly string[],
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {}
  ): Promise<ConnectOutcome> {
    const timeoutMs = options.timeoutMs ?? this.#limits.dialTimeoutMs
    return this.#dialer.connect(peer, addresses, timeoutMs, this.#signal(options.signal))
  }

  /** Gives up the link to a peer, if there is one. Its `closed` event comes before this returns. */
  disconnect(peer: NodeId, reason = 'disconnected'): void {
    this.#links.close(peer, reason)
  }

  /** Queues a message on a kept stream. False when it was dropped: no link, no room, too large. */
  send(peer: NodeId, channel: Channel, message: unknown): boolean {
    const frame = this.#encode(message)
    return frame !== undefined && this.#streams.send(peer, channel, frame)
  }

  /** Sends a message to everybody by the fast path, never to ourselves. */
  publish(message: unknown): boolean {
    const frame = this.#encode(message)
    return frame !== undefined && this.#pubsub.publish(frame)
  }

  /** Asks the kernel of a host whether the port of a member is open (`protocols.md` 2.4). */
  async knock(
    addresses: readonly string[],
    timeoutMs: number,
    signal?: AbortSignal
  ): Promise<KnockOutcome> {
    this.#stats.knocksOut += 1
    const listening = this.#listening()
    const targets = addresses
      .map(address => endpointOf(address))
      .filter(target => target !== undefined)
      // Our own door answers for nobody else.
      .filter(target => !isOwnEndpoint(target, listening))
    return knock(targets, timeoutMs, this.#signal(signal))
  }

  /** Opens a bulk stream. Rejects without a link, or when the peer does not serve the protocol. */
  async openStream(peer: NodeId, protocol: string, signal?: AbortSignal): Promise<BulkStream> {
    const stream = await this.#links.connection(peer).newStream(protocol, {
      signal: AbortSignal.any([this.#signal(signal), AbortSignal.timeout(OPEN_TIMEOUT_MS)]),
      maxOutboundStreams: this.#limits.bulkStreamsMax
    })
    return bulkStream(stream, peer, signal)
  }

  /** Serves a protocol to linked peers. A handler that rejects breaks its stream. */
  async handle(protocol: string, handler: BulkHandler): Promise<void> {
    assert(!this.#handlers.has(protocol), `${protocol} has a handler`)
    this.#handlers.set(protocol, handler)
    if (this.#libp2p !== undefined) await this.#serve(protocol)
  }

  onLink(listener: LinkListener): () => void {
    this.#linkListeners.add(listener)
    return () => void this.#linkListeners.delete(listener)
  }

  /** Messages of kept streams: decoded, every signature in them verified. */
  onFrame(listener: FrameListener): () => void {
    this.#frameListeners.add(listener)
    return () => void this.#frameListeners.delete(listener)
  }

  /** Messages of the fast path: decoded, verified, and accepted by `validate`. */
  onPublished(listener: PublishedListener): () => void {
    this.#publishedListeners.add(listener)
    return () => void this.#publishedListeners.delete(listener)
  }

  stats(): Readonly<HostStats> & {
    readonly links: number
    readonly connections: number
    readonly subscribers: number
  } {
    return {
      ...this.#stats,
      drops: { ...this.#stats.drops },
      links: this.#links.size,
      connections: this.#libp2p?.getConnections().length ?? 0,
      subscribers: this.#pubsub.subscribers()
    }
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined
      ? this.#stopping.signal
      : AbortSignal.any([signal, this.#stopping.signal])
  }

  #emit(event: LinkEvent): void {
    for (const listener of this.#linkListeners) listener(event)
  }

  /** The same message to many, one after the other, is encoded once. */
  #encode(message: unknown): Uint8Array | undefined {
    if (message === this.#encoded.message) return this.#encoded.frame
    try {
      const frame = encode(message)
      this.#encoded = { message, frame }
      return frame
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      drop(this.#stats, 'send-size')
      return undefined
    }
  }

  #hello(): Hello {
    const { boot, incarnation, meshId, name, placementVersion, protocolVersions } = this.#init
    return {
      mesh: meshId,
      versions: protocolVersions,
      placementVersion,
      boot,
      incarnation: incarnation(),
      name,
      addresses: this.addresses()
    }
  }

  #listening(): Endpoint[] {
    const bound = this.#transports?.getAddrs() ?? []
    return listeningEndpoints(this.#init.listen, bound.map(String))
  }

  /** The listener's half of the hello. */
  async #greeted(stream: Stream, connection: Connection): Promise<void> {
    const signal = AbortSignal.timeout(this.#limits.helloTimeoutMs)
    try {
      const hello = await answerHello(stream, this.#hello(), signal)
      this.#links.admit(connection, hello)
    } catch (error) {
      this.#warnings.helloFailed(connection.remoteAddr.toString(), error)
      this.#links.dismiss(connection, 'no good hello')
    }
  }

  async #whenAdmitted(stream: Stream, connection: Connection, serve: () => void): Promise<void> {
    if (await this.#links.admitted(connection)) serve()
    else stream.abort(new Error('no hello'))
  }

  async #serve(protocol: string): Promise<void> {
    const handler = this.#handlers.get(protocol)
    if (handler === undefined || this.#libp2p === undefined) return
    await this.#libp2p.handle(
      protocol,
      (stream, connection) =>
        this.#whenAdmitted(stream, connection, () => {
          const bulk = bulkStream(stream, connection.remotePeer.toString(), this.#stopping.signal)
          Promise.resolve(handler(bulk)).catch((error: unknown) => {
            bulk.abort(error instanceof Error ? error : new Error(String(error)))
          })
        }),
      { maxInboundStreams: this.#limits.bulkStreamsMax }
    )
  }
}
