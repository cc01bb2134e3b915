/**
 * What a core asks its executor to do. The daemon's driver and the simulator's world are the only
 * two executors. Effects of one input run in order: a `persist` has reached the disk before a
 * later `send` leaves.
 */
import type { NodeId } from './types.ts'

/** `member` and `sync` are kept streams to one peer; each carries its own message union. */
export type Channel = 'member' | 'sync'

export type Effect<Message, Timer, Event> =
  | {
      readonly kind: 'send'
      readonly to: NodeId
      readonly channel: Channel
      readonly message: Message
    }
  /** Fast path to everybody (gossipsub): may be lost, repeated, reordered, or come minutes late. */
  | { readonly kind: 'publish'; readonly message: Message }
  | { readonly kind: 'schedule'; readonly afterMs: number; readonly timer: Timer }
  | {
      readonly kind: 'persist'
      readonly records: readonly PersistedRecord[]
      readonly sync: boolean
    }
  | { readonly kind: 'notify'; readonly event: Event }
  /** Open a raw TCP connection and close it at once; answered by a `knocked` input. */
  | {
      readonly kind: 'knock'
      readonly peer: NodeId
      readonly addresses: readonly string[]
      readonly token: number
    }
  /** Dial and say hello; answered by a `link` input. `peer` is absent when only an address is
   * known. */
  | { readonly kind: 'connect'; readonly peer?: NodeId; readonly addresses: readonly string[] }
  | { readonly kind: 'disconnect'; readonly peer: NodeId }

/** `value: null` deletes. Keys are core-prefixed text (`member/...`, `own/...`, `shared/...`). */
export interface PersistedRecord {
  readonly key: string
  readonly value: Uint8Array | null
}

/** Bytes <-> plain data, injected because the pure folders have no TextEncoder. */
export interface Codec {
  encode(value: unknown): Uint8Array
  /** Throws on bytes that are not the codec's. `Signed` values survive a round trip. */
  decode(bytes: Uint8Array): unknown
}
