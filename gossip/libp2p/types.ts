/** What the host takes and gives. Nothing here names libp2p: the rest of the house does not. */
import type { Channel } from '../core/effect.ts'
import type { BootId, NodeId } from '../core/types.ts'

/** One line an event; pino's loggers fit. */
export interface HostLog {
  debug(line: string): void
  info(line: string): void
  warn(line: string): void
}

/** Why a dial came to nothing. `REFUSED`: every address answered ECONNREFUSED. */
export type LinkFailure =
  | 'REFUSED'
  | 'TIMEOUT'
  | 'UNREACHABLE'
  /** The other side holds another mesh's key (pnet). */
  | 'WRONG_KEY'
  /** The key fits, the mesh id does not. */
  | 'WRONG_MESH'
  /** No common protocol version. */
  | 'VERSION'
  /** Another node answered at the address. */
  | 'WRONG_PEER'
  /** The address is our own. */
  | 'SELF'
  /** No address that could be dialled was given. */
  | 'ADDRESS'
  /** Closed, or unreadable, during the handshake or the hello. */
  | 'CLOSED'
  /** The host is stopping, or the caller's signal fired. */
  | 'ABORTED'

/** What a peer said of itself in its hello, checked in shape and size. */
export interface PeerHello {
  readonly boot: BootId
  readonly incarnation: number
  readonly name: string
  /** Multiaddrs without `/p2p/`, best first. */
  readonly addresses: readonly string[]
  readonly placementVersion: number
  /** The highest protocol version both speak. */
  readonly version: number
}

export type LinkEvent =
  /** A good hello was exchanged. `connect` to a peer that is linked already gives it again. */
  | ({ readonly peer: NodeId; readonly state: 'open' } & PeerHello)
  /** The last connection is gone, or was given up. */
  | { readonly peer: NodeId; readonly state: 'closed'; readonly reason: string }
  /** A `connect` came to nothing. `peer` is undefined where only addresses were known. */
  | {
      readonly peer: NodeId | undefined
      readonly state: 'refused' | 'failed'
      readonly addresses: readonly string[]
      readonly failure: LinkFailure
      /** One line that names the address, for people. */
      readonly message: string
    }

export type ConnectOutcome =
  | { readonly linked: true; readonly peer: NodeId }
  | { readonly linked: false; readonly failure: LinkFailure; readonly message: string }

export type KnockOutcome = 'refused' | 'accepted' | 'nothing'

export type LinkListener = (event: LinkEvent) => void
export type FrameListener = (peer: NodeId, channel: Channel, message: unknown) => void
/** `via` is who handed the message on, not who wrote it. */
export type PublishedListener = (message: unknown, via: NodeId) => void

/** A stream of bytes in both directions, in the shape that it-pipe takes. */
export interface BulkStream {
  readonly peer: NodeId
  readonly protocol: string
  /** Holds the sender back while it is not read. Throws when the stream breaks. */
  readonly source: AsyncIterable<Uint8Array>
  /** Writes all of `source`, at the reader's pace, then closes the writing half. */
  sink(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>
  /** Breaks both halves at once; the other side sees an error. */
  abort(reason: Error): void
}

export type BulkHandler = (stream: BulkStream) => void | Promise<void>
