/** What every daemon believes, in lines: for the one who looks into a violation. */
import type { World } from '../world/world.ts'

export function dump(world: World): string[] {
  const lines: string[] = []
  for (const host of world.hosts.values()) {
    const { agent, disk, identity } = host
    const state = host.isOn ? (host.isUp ? 'up' : 'down') : 'off'
    lines.push(`${host.id} (${identity}) ${state} ${disk.isFull ? 'full ' : ''}${host.address}`)
    for (const { id, mark, owner, state: runs, run } of host.engine.entries.values()) {
      const own = owner.node === identity ? '' : ` of ${owner.node}`
      lines.push(`  engine ${mark.workload}/${mark.slot} ${runs} run ${run} ${id}${own}`)
    }
    if (agent === undefined) continue
    const { view, placing } = agent
    const members = [...view.members.values()]
      .map(member => `${member.id}:${member.state}${member.phase === 'steady' ? '' : member.phase}`)
      .sort()
    const links = host.transport?.peers().map(peer => peer.host.id)
    lines.push(`  ready ${agent.ready} amnesiac ${agent.amnesiac} ${members.join(' ')}`)
    lines.push(`  links ${links?.join()} view ${placing.viewHash} digest ${placing.digest}`)
    for (const workload of view.workloads.values()) {
      const { seats, pending } = placing.seats(workload.item)
      const targets = [...placing.targets(workload)].map(([slot, node]) => `${slot}@${node}`)
      lines.push(
        `  ${workload.key} ${workload.uid.slice(0, 6)} ${workload.generation} seats ` +
          `${JSON.stringify(seats)} pending ${JSON.stringify(pending)} targets ${targets.join(' ')}`
      )
      for (const { node, slot, record } of view.claims(workload.uid)) {
        const { state: at, reason, paced, pinned, replaces, sequence } = record
        const flags = `${paced ? ' paced' : ''}${pinned ? ' pinned' : ''}`
        lines.push(
          `    claim ${slot}@${node} ${at} ${reason}${flags} #${sequence} ` +
            `${record.claim.slice(0, 6)} replaces ${replaces.map(one => one.slice(0, 6)).join()}`
        )
      }
      for (const [node, failed] of view.failed(workload.uid)) {
        lines.push(`    failed ${node} ${failed.generation} ${failed.reason} ${failed.tries}`)
      }
      for (const one of view.noClaims(workload.uid))
        lines.push(`    noClaim ${JSON.stringify(one)}`)
    }
  }
  return lines
}
