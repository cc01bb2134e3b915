/**
 * Every claim that is known, of dead nodes too, found by workload, by slot and by node. A workload
 * may have thousands, and each evaluation reads them: lists are made once per change.
 */
import type { NodeId } from '../../gossip/core/types.ts'
import type { AllocationRecord } from './records.ts'

/** One claim as the view knows it. */
export interface Claim {
  readonly node: NodeId
  readonly slot: number
  readonly record: AllocationRecord
}

const NONE: readonly Claim[] = []

export class ClaimBook {
  /** Workload -> slot -> node. */
  readonly #claims = new Map<string, Map<number, Map<NodeId, Claim>>>()
  /** Node -> workload -> how many claims it has there. */
  readonly #counts = new Map<NodeId, Map<string, number>>()
  readonly #lists = new Map<string, readonly Claim[]>()

  set(uid: string, claim: Claim): void {
    const slots = this.#claims.get(uid) ?? new Map<number, Map<NodeId, Claim>>()
    this.#claims.set(uid, slots)
    const nodes = slots.get(claim.slot) ?? new Map<NodeId, Claim>()
    slots.set(claim.slot, nodes)
    if (!nodes.has(claim.node)) this.#count(uid, claim.node, 1)
    nodes.set(claim.node, claim)
    this.#lists.delete(uid)
  }

  delete(uid: string, slot: number, node: NodeId): void {
    const slots = this.#claims.get(uid)
    const nodes = slots?.get(slot)
    if (slots === undefined || nodes === undefined || !nodes.delete(node)) return
    if (nodes.size === 0) slots.delete(slot)
    if (slots.size === 0) this.#claims.delete(uid)
    this.#count(uid, node, -1)
    this.#lists.delete(uid)
  }

  get(uid: string, slot: number, node: NodeId): AllocationRecord | undefined {
    return this.#claims.get(uid)?.get(slot)?.get(node)?.record
  }

  /** All claims of a workload, by slot, then node. */
  of(uid: string): readonly Claim[] {
    const slots = this.#claims.get(uid)
    if (slots === undefined) return NONE
    let list = this.#lists.get(uid)
    if (list === undefined) {
      list = [...slots.values()]
        .flatMap(nodes => [...nodes.values()])
        .sort((a, b) => a.slot - b.slot || (a.node < b.node ? -1 : 1))
      this.#lists.set(uid, list)
    }
    return list
  }

  /** The claims of one slot. */
  at(uid: string, slot: number): readonly Claim[] {
    const nodes = this.#claims.get(uid)?.get(slot)
    return nodes === undefined ? NONE : [...nodes.values()]
  }

  /** Every workload that has a claim. */
  uids(): Iterable<string> {
    return this.#claims.keys()
  }

  /** Workloads of which a node has a claim. */
  uidsOf(node: NodeId): Iterable<string> {
    return this.#counts.get(node)?.keys() ?? []
  }

  #count(uid: string, node: NodeId, by: number): void {
    const counts = this.#counts.get(node) ?? new Map<string, number>()
    this.#counts.set(node, counts)
    const count = (counts.get(uid) ?? 0) + by
    if (count > 0) counts.set(uid, count)
    else counts.delete(uid)
    if (counts.size === 0) this.#counts.delete(node)
  }
}
