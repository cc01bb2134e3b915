/**
 * A due owner that does not claim although it agrees on the view (`protocols.md` 4): the next in
 * rank says so, and placement goes on to another node. Void when the owner claims, restarts, or
 * the writer dies.
 */
import type { NodeId } from '../../gossip/core/types.ts'
import type { AgentConfig } from './config.ts'
import type { Publish } from './evaluation.ts'
import type { Placing } from './placing.ts'
import type { View, WorkloadView } from './view.ts'

export interface NoClaimsComponents {
  readonly self: NodeId
  readonly config: AgentConfig
  readonly view: View
  readonly placing: Placing
}

interface Due {
  readonly node: NodeId
  readonly viewHash: string
  readonly sinceMs: number
}

export class NoClaims {
  readonly #c: NoClaimsComponents
  /** Workload -> slot -> since when its owner is due under the present view. */
  readonly #dueSince = new Map<string, Map<number, Due>>()

  constructor(components: NoClaimsComponents) {
    this.#c = components
  }

  /** Looks at every slot that another node should hold; returns when to look again. */
  check(
    workload: WorkloadView,
    targets: ReadonlyMap<number, NodeId>,
    nowMs: number,
    publish: Publish
  ): number {
    const { self, config, view, placing } = this.#c
    const { uid } = workload
    const { viewHash } = placing
    this.#withdraw(workload, publish)
    const before = this.#dueSince.get(uid)
    const due = new Map<number, Due>()
    let dueMs = Number.POSITIVE_INFINITY
    for (const [slot, node] of targets) {
      if (node === self || view.claim(uid, slot, node) !== undefined) continue
      if (view.views.get(node)?.viewHash !== viewHash) continue
      const known = before?.get(slot)
      const goesOn = known?.node === node && known.viewHash === viewHash
      const sinceMs = goesOn ? known.sinceMs : nowMs
      due.set(slot, { node, viewHash, sinceMs })
      const leftMs = sinceMs + config.claimTimeoutMs - nowMs
      if (leftMs > 0) {
        dueMs = Math.min(dueMs, leftMs)
        continue
      }
      if (this.#next(workload, node) !== self) continue
      const boot = view.members.get(node)?.boot ?? ''
      publish(`noclaim/${uid}/${slot}`, { node, boot, viewHash })
      due.delete(slot)
    }
    if (due.size > 0) this.#dueSince.set(uid, due)
    else this.#dueSince.delete(uid)
    return dueMs
  }

  /** The workload is gone. */
  forget(uid: string, publish: Publish): void {
    this.#dueSince.delete(uid)
    for (const record of this.#c.view.noClaims(uid)) {
      if (record.writer === this.#c.self) publish(`noclaim/${uid}/${record.slot}`, null)
    }
  }

  #next(workload: WorkloadView, due: NodeId): NodeId | undefined {
    const avoid = new Set(this.#c.placing.item(workload.item)?.avoid ?? [])
    return this.#c.placing
      .rank(workload.item)
      .find(node => node !== due && this.#c.view.living(node) && !avoid.has(node))
  }

  #withdraw(workload: WorkloadView, publish: Publish): void {
    const { self, view } = this.#c
    for (const record of view.noClaims(workload.uid)) {
      if (record.writer !== self) continue
      const sameBoot = view.members.get(record.node)?.boot === record.boot
      const claimed = view.claim(workload.uid, record.slot, record.node) !== undefined
      if (!sameBoot || claimed) publish(`noclaim/${workload.uid}/${record.slot}`, null)
    }
  }
}
