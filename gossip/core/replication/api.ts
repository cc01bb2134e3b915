/**
 * What the replication machine takes and gives (`protocols.md` 3). Values are opaque bytes: this
 * core knows no workload. The messages between replicas are its own business (`message.ts`).
 */
import type { Effect } from '../effect.ts'
import type { Signed } from '../signed.ts'
import type { BootId, NodeId } from '../types.ts'
import type { ReplicationMessage } from './message.ts'
import type { ReplicationTimer } from './timer.ts'

/** One keyed record of its owner, under the owner's one (incarnation, counter). */
export interface OwnBody {
  readonly kind: 'own'
  readonly node: NodeId
  readonly incarnation: number
  readonly counter: number
  readonly key: string
  /** `null`: the owner deleted the key. */
  readonly value: Uint8Array | null
}

/** Names one write of a shared register, for ever. */
export interface Dot {
  readonly node: NodeId
  readonly boot: BootId
  readonly counter: number
}

/** Entries of a version vector: highest counter seen of each (node, boot). */
export type VersionVector = readonly {
  readonly node: NodeId
  readonly boot: BootId
  readonly counter: number
}[]

/** One write of a shared register. Wall time is for display only, never for order. */
export interface SharedBody {
  readonly kind: 'shared'
  /** `workload/<project>/<name>`, `setting/...`, `roster/<node>`, `abandon/...`. */
  readonly key: string
  /** Which life of the name this is; `remove` ends it for good. 32 hex digits. */
  readonly uid: string
  readonly dot: Dot
  readonly vector: VersionVector
  readonly remove: boolean
  readonly value: Uint8Array | null
  /** Operation id of the submitter: twice the same has the effect of once. */
  readonly operation: string
  /** Registers that the whole of the submitter's operation wrote, this one too. */
  readonly parts: number
  /** Names what was asked for, whoever is asked: one id is for one request. */
  readonly request: string
  readonly wroteAtMs: number
  /** Lamport counter within the register, from 1: ranks concurrent writes. */
  readonly order: number
  /** Every rostered node held all writes of this life up to this `order`: they are seen, though
   * not in `vector`. */
  readonly base: number
  /** Other lives of the name that its author saw in conflict: this write ends them for good. */
  readonly ends: readonly string[]
  /** Operations that led here, newest first: a retry is recognised wherever this write is. */
  readonly past: readonly PastOperation[]
}

export type PastOperation = Pick<SharedBody, 'operation' | 'dot' | 'parts' | 'request'>

/** What a register reads as. */
export interface SharedEntry {
  readonly key: string
  /** The winner; absent when the winning life was removed. */
  readonly current: Signed<SharedBody> | undefined
  /** Concurrent losers, readable until superseded. Sorted. */
  readonly conflicts: readonly Signed<SharedBody>[]
}

/** One write of an operation that was done before. */
export interface Repeated {
  readonly key: string
  /** The life that it wrote in, or one that has seen it. */
  readonly uid: string
  /** As in the write: how many there are, whether we know them or not. */
  readonly parts: number
  readonly request: string
}

export type ReplicationEvent =
  /** Key of an owner changed; `value: null` when gone. Own writes are notified too. */
  | {
      readonly kind: 'own'
      readonly node: NodeId
      readonly key: string
      readonly value: Uint8Array | null
    }
  | { readonly kind: 'shared'; readonly entry: SharedEntry }
  /** A write has reached `disks` of `wanted`. `final` when no more will be waited for. */
  | {
      readonly kind: 'ack'
      readonly operation: string
      readonly disks: number
      readonly wanted: number
      readonly dot: Dot
      readonly final: boolean
    }
  | {
      readonly kind: 'refused'
      readonly operation: string
      readonly reason: 'stale' | 'removed' | 'amnesiac' | 'limit' | 'body'
      readonly current: Dot | undefined
    }
  /** Equal version, other bytes: a clone or a bug. */
  | { readonly kind: 'alarm'; readonly node: NodeId; readonly key: string; readonly reason: string }
  /** Amnesia is over: a peer has filled our store again. */
  | { readonly kind: 'resynced' }

export type ReplicationCommand =
  /** Publish, change or delete (`null`) a record of our own. Coalesced for a few ms. */
  | { readonly kind: 'own'; readonly key: string; readonly value: Uint8Array | null }
  /** Write a shared register. `expect`: refuse with `stale` unless this dot is the winner. */
  | {
      readonly kind: 'write'
      readonly operation: string
      readonly key: string
      readonly uid: string
      readonly remove: boolean
      readonly value: Uint8Array | null
      readonly expect?: Dot
      /** See `SharedBody`. */
      readonly parts: number
      readonly request: string
      readonly wroteAtMs: number
      /** How long to wait for the second disk before a `final` ack with less. */
      readonly waitMs: number
    }
  /** The same operation again, whatever it wrote: another try for the disks it lacks. */
  | {
      readonly kind: 'confirm'
      readonly operation: string
      readonly key: string
      readonly waitMs: number
    }
  /** From membership, at each change: whom to gossip with, and how many disks are rostered. */
  | {
      readonly kind: 'members'
      readonly alive: readonly NodeId[]
      readonly rostered: readonly NodeId[]
    }
  /** From membership: our settled incarnation. Nothing of our own is published before. */
  | { readonly kind: 'incarnation'; readonly incarnation: number }
  /** Publishes what was said so far: what is done next must not come before it. */
  | { readonly kind: 'flush' }
  /** Every key we mean to hold was given as `own` since `start`: those of earlier lives that were
   * not are void from now on, everywhere. */
  | { readonly kind: 'complete' }

export type ReplicationInput =
  /** First input. `persisted` are the `own/`, `shared/` and `removed/` records of the store; each
   * value and register in them is notified, as if it had just changed;
   * `amnesiac` when the store found damage (no acks, no claims until resynced). */
  | {
      readonly kind: 'start'
      readonly persisted: readonly { readonly key: string; readonly value: Uint8Array }[]
      readonly amnesiac: boolean
    }
  /** `from` is undefined for the fast path (pubsub). */
  | {
      readonly kind: 'message'
      readonly from: NodeId | undefined
      readonly message: ReplicationMessage
    }
  | { readonly kind: 'timer'; readonly timer: ReplicationTimer }
  /** The sync channel to a peer is open: repair with it soon (join: at 1, 2 and 4 s). */
  | { readonly kind: 'link'; readonly peer: NodeId; readonly state: 'open' | 'closed' }
  | { readonly kind: 'command'; readonly command: ReplicationCommand }

export type ReplicationEffect = Effect<ReplicationMessage, ReplicationTimer, ReplicationEvent>
