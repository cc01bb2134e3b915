/**
 * What the membership machine takes and gives (`protocols.md` 2). The messages between members
 * are its own business (`message.ts`).
 */
import type { Effect } from '../effect.ts'
import type { Signed } from '../signed.ts'
import type { BootId, MemberState, NodeId, Phase } from '../types.ts'
import type { MembershipMessage } from './message.ts'
import type { MembershipTimer } from './timer.ts'

/** A member's signed word about itself. Only its owner raises `incarnation`. */
export interface AliveBody {
  readonly kind: 'alive'
  readonly node: NodeId
  readonly incarnation: number
  readonly boot: BootId
  readonly name: string
  /** Multiaddrs without `/p2p/`, best first. */
  readonly addresses: readonly string[]
  readonly phase: Phase
  /** With phase `restarting`: how long it means to be away. */
  readonly restartMs?: number
}

/** One row of the view. */
export interface Member {
  readonly id: NodeId
  readonly name: string
  readonly state: MemberState
  readonly phase: Phase
  readonly incarnation: number
  readonly boot: BootId
  readonly addresses: readonly string[]
  /** When the state last changed, on the awake clock's origin (`nowMs` of the inputs). */
  readonly sinceMs: number
  /** False: vetoed from death by another's relayed answer (`alive, no direct path`). */
  readonly directPath: boolean
  /** A suspect or dead member whose knock was refused: the host is there, its daemon is not. */
  readonly daemonGone: boolean
  readonly alive: Signed<AliveBody>
}

export type MemberEvent =
  /** A member appeared or changed in any field. */
  | { readonly kind: 'member'; readonly member: Member; readonly previous: Member | undefined }
  /** A member was removed by `forget`. */
  | { readonly kind: 'forgotten'; readonly node: NodeId }
  /** Our own incarnation is settled (after a peer returned our newest record, or `aloneMs`). */
  | { readonly kind: 'incarnation'; readonly incarnation: number }
  /** The first peer's roster is in: `members()` is worth acting on. Fires once a start. */
  | { readonly kind: 'joined' }
  /** Our key is live under another boot id: this daemon must stop. `other` is the address known. */
  | {
      readonly kind: 'clone'
      readonly boot: BootId
      readonly addresses: readonly string[]
      readonly yield: boolean
    }
  /** We were not scheduled for `pausedMs`: re-hello happens before we judge or claim. */
  | { readonly kind: 'paused'; readonly pausedMs: number }

export type MembershipCommand =
  | { readonly kind: 'join'; readonly addresses: readonly string[] }
  /** Announce `left` and stop taking part. */
  | { readonly kind: 'leave' }
  /** Announce `restarting`, before a planned stop of the daemon. */
  | { readonly kind: 'restarting'; readonly restartMs: number }
  | { readonly kind: 'phase'; readonly phase: Phase }
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  /** Operator's act: drop a dead member from the roster. */
  | { readonly kind: 'forget'; readonly node: NodeId }

export type MembershipInput =
  /** First input of all. `persisted` are the `member/` records of the store; `amnesiac`: perhaps
   * not all that it had. */
  | {
      readonly kind: 'start'
      readonly persisted: readonly { readonly key: string; readonly value: Uint8Array }[]
      readonly amnesiac?: boolean
    }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: MembershipMessage }
  | { readonly kind: 'timer'; readonly timer: MembershipTimer }
  /** `open` only after a good hello, with what it said. `refused`: a dial met ECONNREFUSED. */
  | {
      readonly kind: 'link'
      readonly peer: NodeId
      readonly state: 'open'
      readonly boot: BootId
      readonly incarnation: number
      readonly name: string
      readonly addresses: readonly string[]
    }
  | {
      readonly kind: 'link'
      readonly peer: NodeId
      readonly state: 'closed' | 'refused' | 'failed'
    }
  | {
      readonly kind: 'knocked'
      readonly peer: NodeId
      readonly token: number
      readonly outcome: 'refused' | 'accepted' | 'nothing'
    }
  | { readonly kind: 'command'; readonly command: MembershipCommand }

export type MembershipEffect = Effect<MembershipMessage, MembershipTimer, MemberEvent>
