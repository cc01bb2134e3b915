/**
 * A due owner that does not claim (`protocols.md` 4): the next in rank says so, and placement goes
 * on to another node. Void when the owner claims, restarts, or the writer dies. One that lives but
 * does not agree on the view for long (its disk is full: it can say nothing) is passed over too,
 * until it agrees.
 */
import type { NodeId } from '../../gossip/core/types.ts'
import type { AgentConfig } from './config.ts'
import type { Publish } from './evaluation.ts'
import type { Placing } from './placing.ts'
import type { View, WorkloadView } from './view.ts'

/** So many in rank may say it. */
const HEIRS_MAX = 3

export interface NoClaimsComponents {
  readonly self: NodeId
  readonly config: AgentConfig
  readonly view: View
  readonly placing: Placing
}

interface Due {
  readonly node: NodeId
  readonly viewHash: string
  /** It does not say that it sees this view. */
  readonly silent: boolean
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
    const open = this.#withdraw(workload, publish)
    const before = this.#dueSince.get(uid)
    const due = new Map<number, Due>()
    let dueMs = open ? config.claimTimeoutMs : Number.POSITIVE_INFINITY
    for (const [slot, node] of targets) {
      if (node === self || view.claim(uid, slot, node) !== undefined) continue
      const silent = !placing.agrees(node)
      // Words of others about the view wake nobody up.
      dueMs = Math.min(dueMs, config.claimTimeoutMs)
      // It may have claimed, and have data by now, unheard.
      if (silent && workload.sticky) continue
      const known = before?.get(slot)
      const goesOn = known?.node === node && known.viewHash === viewHash && known.silent === silent
      const sinceMs = goesOn ? known.sinceMs : nowMs
      due.set(slot, { node, viewHash, silent, sinceMs })
      const waitMs = this.#waitMs(workload, node, silent)
      if (waitMs === undefined) continue
      const leftMs = sinceMs + waitMs - nowMs
      if (leftMs > 0) {
        dueMs = Math.min(dueMs, leftMs)
        continue
      }
      const boot = view.members.get(node)?.boot ?? ''
      publish(`noclaim/${uid}/${slot}`, { node, boot, viewHash, ...(silent && { silent }) })
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

  /** The next in rank waits once, the one after it twice, for that one may be as silent. */
  #waitMs(workload: WorkloadView, due: NodeId, silent: boolean): number | undefined {
    const { config, placing, view, self } = this.#c
    const avoid = new Set(placing.item(workload.item)?.avoid ?? [])
    const heirs = placing
      .rank(workload.item)
      .filter(node => node !== due && view.living(node) && !avoid.has(node))
    const place = heirs.indexOf(self)
    // What has data is claimed later on purpose.
    const claimMs = config.claimTimeoutMs + (workload.sticky ? config.dataWaitMs : 0)
    const onceMs = silent ? config.ownerSilentMs : claimMs
    return place < 0 || place >= HEIRS_MAX ? undefined : onceMs * (place + 1)
  }

  /** True when the silence of somebody still stands. */
  #withdraw(workload: WorkloadView, publish: Publish): boolean {
    const { self, view, placing } = this.#c
    let open = false
    for (const record of view.noClaims(workload.uid)) {
      if (record.writer !== self) continue
      const sameBoot = view.members.get(record.node)?.boot === record.boot
      const claimed = view.claim(workload.uid, record.slot, record.node) !== undefined
      const speaks = record.silent === true && placing.agrees(record.node)
      if (!sameBoot || claimed || speaks) publish(`noclaim/${workload.uid}/${record.slot}`, null)
      else open ||= record.silent === true
    }
    return open
  }
}
