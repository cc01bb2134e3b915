/** What `claims.ts` decides from, and what it decides. */
import type { NodeId, Random } from '../../gossip/core/types.ts'
import type { Instance } from '../reconcile/instance.ts'
import type { AgentConfig } from './config.ts'
import type { DuelWords } from './duel.ts'
import type { View, WorkloadView } from './view.ts'

/** What outlives one evaluation of a slot. Times are of the agent's clock. */
export interface SlotMemory {
  /** Since when the slot has been ours without interruption. */
  targetSinceMs?: number
  /** Since when a successor has waited for room that our copy takes. */
  roomSinceMs?: number
  readonly words: DuelWords
  pinnedSinceMs?: number
  orphanSinceMs?: number
}

export interface DecideInput {
  readonly self: NodeId
  readonly nowMs: number
  readonly config: AgentConfig
  readonly random: Random
  readonly view: View
  readonly uid: string
  /** Undefined when the workload is unknown or was removed. */
  readonly workload: WorkloadView | undefined
  /** Its uid was removed for good. */
  readonly removed: boolean
  /** Slot -> node, as placement and the claims of the view give it. */
  readonly targets: ReadonlyMap<number, NodeId>
  readonly memory: Map<number, SlotMemory>
  /** Takeover order of the workload, best first. */
  rank(): readonly NodeId[]
  /** The instance seen for a slot, running or not. */
  instance(slot: number): Instance | undefined
  /** True when a copy of this slot fits beside everything else that is on this node now. */
  fits(slot: number): boolean
  /** 0: may start now (and counts it); else how long to wait. */
  takeoverWaitMs(): number
  moveWaitMs(): number
}

export interface Decision {
  /** Owner record key -> new value; `null` deletes. */
  readonly publish: Map<string, unknown>
  /** Look again after so long even if nothing changes; Infinity when only an event matters. */
  dueMs: number
}
