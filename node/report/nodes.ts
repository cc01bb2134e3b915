/** `shoal nodes`. */
import type { NodeView } from '../../src/api/types.ts'
import { wallOf } from '../clock.ts'
import { nodeName, type ReportContext } from './context.ts'

export function reportNodes(context: ReportContext): readonly NodeView[] {
  const { agent, clock } = context
  const { view } = agent
  return [...view.members.values()]
    .map((member): NodeView => {
      const info = view.infos.get(member.id)
      return {
        name: nodeName(context, member.id),
        id: member.id,
        state: member.state,
        phase: info?.draining === true ? 'draining' : member.phase,
        self: member.id === agent.self,
        addresses: member.addresses,
        labels: info?.labels ?? {},
        zone: info?.zone ?? '',
        capacity: { cpuMillis: info?.cpuMillis ?? 0, memoryMiB: info?.memoryMiB ?? 0 },
        platform: { os: info?.os ?? '', arch: info?.arch ?? '' },
        runtimes: info?.runtimes ?? [],
        daemonGone: member.daemonGone,
        directPath: member.directPath,
        since: wallOf(clock, member.sinceMs),
        version: info?.version ?? ''
      }
    })
    .sort((a, b) => (a.name === b.name ? (a.id < b.id ? -1 : 1) : a.name < b.name ? -1 : 1))
}
