/** Every bound of the host, in one place (`protocols.md` 6). */
import { FRAME_BYTES_MAX, MEMBERS_MAX } from '../core/types.ts'

export interface HostLimits {
  /** One dial, from the first SYN to a good hello. Heal dials pass 1000. */
  readonly dialTimeoutMs: number
  /** Until the next address of a peer is tried beside the ones before (RFC 8305 names 250). */
  readonly dialStaggerMs: number
  /** From an accepted socket or an open connection to a good hello. */
  readonly helloTimeoutMs: number
  /** Sockets and connections that have not said hello yet. The oldest gives way. */
  readonly strangersMax: number
  /** Connections in all: every member, twice for a moment, and strangers. */
  readonly connectionsMax: number
  /** Outgoing frames that wait for a slow peer, on one channel. */
  readonly queueFramesMax: number
  readonly queueBytesMax: number
  /** A peer that takes nothing for so long is cut off. */
  readonly stallMs: number
  /** What a peer may send us, in the long run and at once. Above it we stop reading. */
  readonly inBytesPerSecond: number
  readonly inBytesBurst: number
  readonly inFramesPerSecond: number
  readonly inFramesBurst: number
  /** Unreadable frames of a peer within a minute, until it is cut off. */
  readonly badFramesMax: number
  /** Bulk streams that one peer may hold open at us, by protocol. */
  readonly bulkStreamsMax: number
}

export const DEFAULT_LIMITS: HostLimits = {
  dialTimeoutMs: 5_000,
  dialStaggerMs: 200,
  helloTimeoutMs: 5_000,
  strangersMax: 512,
  connectionsMax: 2 * MEMBERS_MAX,
  queueFramesMax: 1_024,
  queueBytesMax: 16 * FRAME_BYTES_MAX,
  stallMs: 15_000,
  inBytesPerSecond: 16 * 1024 * 1024,
  inBytesBurst: 32 * 1024 * 1024,
  inFramesPerSecond: 5_000,
  inFramesBurst: 20_000,
  badFramesMax: 8,
  bulkStreamsMax: 64
}

/** A hello is a few hundred bytes. */
export const HELLO_BYTES_MAX = 8 * 1024
export const ADDRESSES_MAX = 16
export const ADDRESS_LENGTH_MAX = 256
export const NAME_LENGTH_MAX = 128
/** Connections to one peer at a time; more than two are a fault of the peer. */
export const CONNECTIONS_PER_PEER_MAX = 4
/** Two connections admitted within this time crossed on the wire; later, the old one is stale. */
export const CROSSING_MS = 3_000
/** How long the loser of a crossing stays open for what is under way on it. */
export const RETIRE_MS = 1_000
/** Closing politely, before a connection is reset. */
export const CLOSE_TIMEOUT_MS = 500
/** Frames of one published message. Leaves room for the RPC around it. */
export const PUBLISH_BYTES_MAX = FRAME_BYTES_MAX - 8 * 1024
/** What gossipsub may hold for one slow peer. */
export const PUBSUB_QUEUE_BYTES_MAX = 4 * 1024 * 1024
/** Half of what a reader of a bulk stream may leave unread before the sender is held back. */
export const BULK_READ_BYTES = 256 * 1024
/** yamux may let a sender run so far ahead on one stream. */
export const STREAM_WINDOW_BYTES_MAX = 1024 * 1024
