/** What reports and writes read of a node, over a view that a test made. */
import type { Agent } from '../../node/agent/agent.ts'
import { Placing } from '../../node/agent/placing.ts'
import { prepare } from '../../node/agent/prepare.ts'
import type { View } from '../../node/agent/view.ts'
import type { ReportContext } from '../../node/report/context.ts'
import type { StatusExtra } from '../../node/report/status.ts'

export const NOW_MS = 10_000

/** Placement is up to date with the view; `self` is its first member. */
export function reportOf(
  view: View,
  more: { readonly amnesiac?: boolean; readonly unread?: number } = {}
): ReportContext {
  const placing = new Placing({ view }, { salt: 'mesh' })
  for (const id of view.members.keys()) view.dirty.nodes.add(id)
  for (const item of view.items.keys()) view.dirty.items.add(item)
  placing.update()
  const [self = 'a'] = view.members.keys()
  for (const id of view.members.keys()) {
    view.setOwn(id, 'view', { viewHash: placing.viewHash, digest: placing.digest })
  }
  const agent: Partial<Agent> = {
    view,
    placing,
    self,
    ready: true,
    amnesiac: more.amnesiac ?? false,
    replica: { unread: more.unread ?? 0 } as Agent['replica'],
    pacing: { brake: () => undefined } as unknown as Agent['pacing'],
    preview: (submission, operation) => prepare(view, submission, operation)
  }
  return {
    agent: agent as Agent,
    clock: { nowMs: () => NOW_MS, wallMs: () => NOW_MS, schedule: () => () => undefined },
    version: '0'
  }
}

export const NO_EXTRA: StatusExtra = {
  mesh: 'mesh',
  viewSinceMs: 0,
  alarms: [],
  unavailable: new Map()
}
