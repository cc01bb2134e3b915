/**
 * What the agent takes and gives. The agent is the whole of a node that decides: membership,
 * replication, placement, claims and reconcile planning put together, without a socket, a timer, a
 * disk or an engine. `node/driver.ts` executes it in production, `test/sim/world.ts` in the
 * simulator.
 */
import type { Channel, Codec, PersistedRecord } from '../../gossip/core/effect.ts'
import type {
  MemberEvent,
  MembershipCommand,
  MembershipInput
} from '../../gossip/core/membership/api.ts'
import type { MembershipConfig } from '../../gossip/core/membership/config.ts'
import type { MembershipMessage } from '../../gossip/core/membership/message.ts'
import type { MembershipTimer } from '../../gossip/core/membership/timer.ts'
import type { ReplicationEvent } from '../../gossip/core/replication/api.ts'
import type { ReplicationMessage } from '../../gossip/core/replication/message.ts'
import type { ReplicationTimer } from '../../gossip/core/replication/timer.ts'
import type { Sealer } from '../../gossip/core/signed.ts'
import type { NodeId, Random } from '../../gossip/core/types.ts'
import type { RuntimeName, WorkloadSpec } from '../../src/spec/workload.ts'
import type { Action } from '../reconcile/action.ts'
import type { Instance } from '../reconcile/instance.ts'
import type { AgentConfig } from './config.ts'
import type { NodeInfo } from './records.ts'
import type { Outcome } from './slots.ts'

export interface AgentComponents {
  readonly random: Random
  readonly sealer: Sealer
  readonly codec: Codec
  /** Checks a spec that a peer or a client wrote; undefined when it is not one. */
  readonly readSpec: (value: unknown) => WorkloadSpec | undefined
}

export interface AgentInit {
  readonly mesh: string
  readonly membership: MembershipConfig
  readonly agent: AgentConfig
}

export type AgentTimer =
  | { readonly core: 'membership'; readonly timer: MembershipTimer }
  | { readonly core: 'replication'; readonly timer: ReplicationTimer }
  /** Evaluate what is dirty or due. Stale tokens fall through. */
  | { readonly core: 'agent'; readonly token: number }

/** What a person asks the mesh to want. */
export type Submission =
  | {
      readonly kind: 'apply'
      readonly project: string
      readonly workloads: readonly WorkloadSpec[]
      /** Also remove the project's workloads that are not in the list. */
      readonly prune: boolean
    }
  | {
      readonly kind: 'scale'
      readonly project: string
      readonly name: string
      readonly replicas: number
    }
  /** Without a name: the whole project. */
  | { readonly kind: 'remove'; readonly project: string; readonly name: string | undefined }
  /** Release the slots that wait for a volume on a dead node. */
  | {
      readonly kind: 'abandon'
      readonly volume: string
      readonly project: string | undefined
      /** Undefined: every slot of it whose node is dead. */
      readonly slot: number | undefined
    }

export interface SubmittedChange {
  readonly project: string
  readonly name: string
  readonly uid: string
  /** `repeated`: this operation was done before; it is only made sure that enough disks have it. */
  readonly change: 'created' | 'changed' | 'unchanged' | 'removed' | 'abandoned' | 'repeated'
  /** `<generation>.<template hash>` as it is after the write. */
  readonly generation: string
  readonly replicas: number
  /** Spec fields that differ, for `changed`. */
  readonly fields: readonly string[]
  /** For `abandoned`: the slot, and the dead node that held it. */
  readonly slot: number | undefined
  readonly node: NodeId | undefined
}

/** A write of a shared register, not yet encoded. */
export interface PreparedWrite {
  readonly key: string
  readonly uid: string
  readonly remove: boolean
  readonly value: unknown
}

export interface Prepared {
  readonly changes: readonly SubmittedChange[]
  readonly writes: readonly PreparedWrite[]
  /** Keys that this operation has written before. */
  readonly confirms: readonly string[]
  /** Registers that the whole operation writes, then and now. */
  readonly parts: number
  /** A hash of the submission. */
  readonly request: string
}

export type Refusal = Extract<SubmitAnswer, { ok: false }>

export type SubmitAnswer =
  | {
      readonly ok: true
      readonly changes: readonly SubmittedChange[]
      /** Least number of disks that any of the writes has reached, and how many were wanted. */
      readonly disks: number
      readonly wanted: number
    }
  | {
      readonly ok: false
      readonly code:
        | 'NOT_FOUND'
        | 'CONFLICT'
        | 'LIMIT'
        | 'UNAVAILABLE'
        | 'INVALID'
        | 'UNKNOWN_OUTCOME'
      readonly message: string
      readonly hint?: string
    }

export type AgentInput =
  | {
      readonly kind: 'start'
      readonly persisted: readonly { readonly key: string; readonly value: Uint8Array }[]
      readonly amnesiac: boolean
    }
  | {
      readonly kind: 'frame'
      readonly from: NodeId
      readonly channel: Channel
      readonly message: unknown
    }
  /** From the fast path; the sender is whoever signed what is inside. */
  | { readonly kind: 'published'; readonly message: unknown }
  | { readonly kind: 'timer'; readonly timer: AgentTimer }
  | Extract<MembershipInput, { kind: 'link' | 'knocked' }>
  | { readonly kind: 'membership'; readonly command: MembershipCommand }
  /** A full listing of these runtimes, begun at `beganMs`. Of others nothing is known. */
  | {
      readonly kind: 'observed'
      readonly runtimes: readonly RuntimeName[]
      readonly instances: readonly Instance[]
      readonly beganMs: number
    }
  | { readonly kind: 'done'; readonly action: Action; readonly outcome: Outcome }
  /** What this node says of itself: at start, and at each change. */
  | { readonly kind: 'info'; readonly info: NodeInfo; readonly eighths: number }
  /** Whether this node is about to leave: a write that it takes now might go with its disk. */
  | { readonly kind: 'leaving'; readonly leaving: boolean }
  | {
      readonly kind: 'submit'
      readonly operation: string
      readonly submission: Submission
      readonly waitMs: number
      readonly wallMs: number
    }

export type AgentEffect =
  | {
      readonly kind: 'send'
      readonly to: NodeId
      readonly channel: Channel
      readonly message: MembershipMessage | ReplicationMessage
    }
  | { readonly kind: 'publish'; readonly message: ReplicationMessage }
  | { readonly kind: 'schedule'; readonly afterMs: number; readonly timer: AgentTimer }
  | {
      readonly kind: 'persist'
      readonly records: readonly PersistedRecord[]
      readonly sync: boolean
    }
  | {
      readonly kind: 'knock'
      readonly peer: NodeId
      readonly addresses: readonly string[]
      readonly token: number
    }
  | { readonly kind: 'connect'; readonly peer?: NodeId; readonly addresses: readonly string[] }
  | { readonly kind: 'disconnect'; readonly peer: NodeId }
  | { readonly kind: 'run'; readonly action: Action }
  | { readonly kind: 'reply'; readonly operation: string; readonly answer: SubmitAnswer }
  | { readonly kind: 'event'; readonly event: AgentEvent }

/** For people: logs, `shoal events`, waiting clients. */
export type AgentEvent =
  | { readonly kind: 'member'; readonly event: MemberEvent }
  | { readonly kind: 'alarm'; readonly event: Extract<ReplicationEvent, { kind: 'alarm' }> }
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'allocation'
      readonly project: string
      readonly workload: string
      readonly slot: number
      readonly state: string
      readonly reason: string
    }
  | { readonly kind: 'action'; readonly text: string; readonly failure: string | undefined }
  | { readonly kind: 'view'; readonly viewHash: string }
  | { readonly kind: 'brake'; readonly on: boolean }
