/**
 * The kept streams of all peers: `/shoal/member/1` and `/shoal/sync/1`. Each side writes on its
 * own outbound streams and reads the other's. A frame that cannot be read ends its stream; a peer
 * that sends several is cut off.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { decodeVerified, FrameError, type Verify } from '../codec.ts'
import type { Channel } from '../core/effect.ts'
import type { NodeId } from '../core/types.ts'
import { FrameReader } from './frames.ts'
import { KeptStream } from './kept-stream.ts'
import type { HostLimits } from './limits.ts'
import type { Links } from './links.ts'
import { RateGate } from './rate.ts'
import { drop, type HostStats } from './stats.ts'
import type { FrameListener } from './types.ts'

export const CHANNEL_PROTOCOLS: Readonly<Record<Channel, string>> = {
  member: '/shoal/member/1',
  sync: '/shoal/sync/1'
}
/** The old and the new stream of a peer that changes connections, and one more. */
export const INBOUND_STREAMS_MAX = 3
const BAD_FRAMES_WINDOW_MS = 60_000
/** A frame with a signature in it is longer. */
const SMALL_BYTES = 32

interface Peer {
  readonly out: Readonly<Record<Channel, KeptStream>>
  readonly gate: RateGate
  badFrames: number
  badSinceMs: number
}

export interface KeptStreamsComponents {
  readonly links: Links
  readonly limits: HostLimits
  readonly stats: HostStats
  readonly verify: Verify
  readonly onFrame: FrameListener
  /** A peer sent too much that cannot be read. */
  readonly onHostile: (peer: NodeId, reason: string) => void
}

export class KeptStreams {
  readonly #components: KeptStreamsComponents
  /** Invariant: exactly the linked peers that something was sent to or heard from. */
  readonly #peers = new Map<NodeId, Peer>()

  #small: { readonly frame: Uint8Array; readonly message: unknown } | undefined

  constructor(components: KeptStreamsComponents) {
    this.#components = components
  }

  /** Queues a frame. False when it was dropped: no link, or no room. */
  send(peer: NodeId, channel: Channel, frame: Uint8Array): boolean {
    if (this.#components.links.get(peer) === undefined) {
      drop(this.#components.stats, 'no-link')
      return false
    }
    return this.#peer(peer).out[channel].send(frame)
  }

  /** Reads a stream that a peer opened. The connection has said a good hello. */
  accept(channel: Channel, stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString()
    const reader = new FrameReader(frame => this.#receive(peer, channel, frame, stream))
    stream.addEventListener('message', event => {
      if (stream.status === 'aborted') return
      try {
        reader.push(event.data.subarray())
      } catch (error) {
        if (!(error instanceof FrameError)) throw error
        this.#bad(peer, channel, error, stream)
      }
    })
    // We never write on it: this lets the sender close it without a reset.
    stream.close().catch(() => {})
  }

  onRoute(peer: NodeId, connection: Connection | undefined): void {
    const known = this.#peers.get(peer)
    if (known === undefined) return
    for (const out of Object.values(known.out))
      if (connection === undefined) out.close()
      else out.reroute()
    if (connection === undefined) this.#peers.delete(peer)
  }

  #peer(id: NodeId): Peer {
    const known = this.#peers.get(id)
    if (known !== undefined) return known
    const { limits, links, stats } = this.#components
    const components = {
      limits,
      stats,
      best: () => links.best(id),
      onStall: () => links.close(id, 'stalled')
    }
    const peer: Peer = {
      out: {
        member: new KeptStream(components, {
          protocol: CHANNEL_PROTOCOLS.member,
          whenFull: 'drop-oldest'
        }),
        sync: new KeptStream(components, { protocol: CHANNEL_PROTOCOLS.sync, whenFull: 'refuse' })
      },
      gate: new RateGate(
        {
          bytesPerSecond: limits.inBytesPerSecond,
          bytesBurst: limits.inBytesBurst,
          framesPerSecond: limits.inFramesPerSecond,
          framesBurst: limits.inFramesBurst
        },
        performance.now()
      ),
      badFrames: 0,
      badSinceMs: 0
    }
    this.#peers.set(id, peer)
    return peer
  }

  #receive(id: NodeId, channel: Channel, frame: Uint8Array, stream: Stream): void {
    const { links, onFrame, stats, verify } = this.#components
    // The link may have closed while frames of one chunk were being read.
    if (links.get(id) === undefined || stream.status === 'aborted') return
    const message = this.#decode(frame, verify)
    stats.framesIn += 1
    stats.bytesIn += frame.byteLength
    const waitMs = this.#peer(id).gate.take(frame.byteLength, performance.now())
    if (waitMs > 0) this.#hold(stream, waitMs)
    onFrame(id, channel, message)
  }

  /** Most frames are heartbeats, all alike: plain data that nobody changes is read once. */
  #decode(frame: Uint8Array, verify: Verify): unknown {
    if (frame.byteLength > SMALL_BYTES) return decodeVerified(frame, verify)
    const small = this.#small
    if (small !== undefined && Buffer.compare(small.frame, frame) === 0) return small.message
    const message = decodeVerified(frame, verify)
    this.#small = { frame: frame.slice(), message }
    return message
  }

  /** Stops reading for a while: the sender's window fills, and it has to wait. */
  #hold(stream: Stream, waitMs: number): void {
    if (stream.readStatus !== 'readable') return
    drop(this.#components.stats, 'held-back')
    stream.pause()
    const timer = setTimeout(() => {
      if (stream.readStatus === 'paused' && stream.status === 'open') stream.resume()
    }, waitMs)
    stream.addEventListener('close', () => clearTimeout(timer))
  }

  #bad(id: NodeId, channel: Channel, error: FrameError, stream: Stream): void {
    const { limits, onHostile, stats } = this.#components
    drop(stats, `frame-${error.reason}`)
    stream.abort(error)
    if (this.#components.links.get(id) === undefined) return
    const peer = this.#peer(id)
    const nowMs = performance.now()
    if (nowMs - peer.badSinceMs > BAD_FRAMES_WINDOW_MS) {
      peer.badSinceMs = nowMs
      peer.badFrames = 0
    }
    peer.badFrames += 1
    if (peer.badFrames >= limits.badFramesMax)
      onHostile(id, `${peer.badFrames} unreadable frames on ${channel}, last: ${error.message}`)
  }
}
