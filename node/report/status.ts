/** `shoal status`: is everything all right, and if not: what, since when, what to do. */
import type { StatusView, Trouble } from '../../src/api/types.ts'
import { volumeNames } from '../agent/prepare.ts'
import type { WorkloadView } from '../agent/view.ts'
import { wallOf } from '../clock.ts'
import { reportWorkload } from './allocations.ts'
import { amnesia } from './amnesia.ts'
import { nodeName, type ReportContext } from './context.ts'

export interface StatusExtra {
  readonly mesh: string
  readonly viewSinceMs: number
  readonly alarms: readonly string[]
  /** Runtimes that cannot be asked now, with the reason. */
  readonly unavailable: ReadonlyMap<string, { readonly reason: string; readonly sinceMs: number }>
}

interface Totals {
  desired: number
  running: number
  pending: number
  /** Seats that placement gives; what runs once converged. */
  feasible: number
  /** Claims beyond one a slot, or on their way out. */
  surplus: number
}

const RUNS: ReadonlySet<string> = new Set(['running', 'healthy'])

export function reportStatus(context: ReportContext, extra: StatusExtra): StatusView {
  const { agent, clock } = context
  const { view, placing } = agent
  const members = { alive: 0, suspect: 0, dead: 0 }
  for (const member of view.members.values()) {
    if (member.state !== 'left') members[member.state] += 1
  }
  const totals = total(context)
  const rostered = [...view.members.values()].filter(member => member.state !== 'left').length
  const wanted = Math.min(2, rostered)
  const brakeSinceMs = agent.pacing.brake(clock.nowMs())
  return {
    converged: converged(context, totals),
    viewHash: placing.viewHash,
    mesh: extra.mesh,
    self: { name: nodeName(context, agent.self), id: agent.self },
    version: context.version,
    members,
    workloads: {
      desired: totals.desired,
      running: totals.running,
      pending: totals.pending
    },
    durable: { disks: Math.min(wanted, members.alive), wanted },
    notOk: [...troubles(context, extra), ...surplus(context, totals)],
    viewAgeMs: clock.nowMs() - extra.viewSinceMs,
    brake:
      brakeSinceMs === undefined ? null : 'more than half of the mesh vanished within a minute',
    alarms: extra.alarms
  }
}

function total(context: ReportContext): Totals {
  const { view, placing } = context.agent
  const totals: Totals = { desired: 0, running: 0, pending: 0, feasible: 0, surplus: 0 }
  for (const workload of view.workloads.values()) {
    const replicas = workload.record.spec.replicas
    const rows = reportWorkload(context, workload)
    const slots = new Set(rows.filter(row => RUNS.has(row.state)).map(row => row.slot))
    totals.desired += replicas
    totals.running += Math.min(replicas, slots.size)
    totals.pending += rows.filter(row => row.state === 'pending').length
    totals.feasible += placing.targets(workload).size
    totals.surplus += rows.filter(row => row.state !== 'pending').length
  }
  totals.surplus -= totals.feasible
  for (const uid of view.claimed()) {
    if (view.workloads.has(uid)) continue
    totals.surplus += view.claims(uid).filter(claim => view.living(claim.node)).length
  }
  return totals
}

function converged(context: ReportContext, totals: Totals): boolean {
  const { agent } = context
  const { view, placing } = agent
  if (!agent.ready || totals.running !== totals.feasible || totals.surplus > 0) return false
  for (const member of view.members.values()) {
    if (member.state === 'suspect') return false
    if (member.state !== 'alive') continue
    const said = member.id === agent.self ? placing : view.views.get(member.id)
    if (said?.viewHash !== placing.viewHash || said.digest !== placing.digest) return false
  }
  return true
}

function troubles(context: ReportContext, extra: StatusExtra): readonly Trouble[] {
  const { agent } = context
  const found: Trouble[] = []
  if (agent.amnesiac) {
    const { what, do: acts } = amnesia(agent)
    found.push({ what: `this node: ${what}`, since: null, moved: 0, waits: [], do: acts })
  }
  for (const [runtime, { reason, sinceMs }] of extra.unavailable) {
    found.push({
      what: `runtime ${runtime} cannot be asked: ${reason}`,
      since: wallOf(context.clock, sinceMs),
      moved: 0,
      waits: [],
      do: [`start the engine of ${runtime} on this node`]
    })
  }
  found.push(...goneNodes(context), ...placeless(context), ...broken(context))
  return found
}

function goneNodes(context: ReportContext): readonly Trouble[] {
  const { agent, clock } = context
  const found: Trouble[] = []
  for (const member of [...agent.view.members.values()].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    if (member.state !== 'dead' && member.state !== 'suspect') continue
    const name = nodeName(context, member.id)
    const what = member.daemonGone ? 'does not answer, its host does' : 'unreachable'
    const last = member.addresses[0]?.split('/')[2] ?? 'no address'
    const { moved, waits, volumes } = left(context, member.id)
    const act = member.daemonGone ? `start shoal on ${name}` : `power ${name} on`
    found.push({
      what: `${name} ${what} (last ${last})`,
      since: wallOf(clock, member.sinceMs),
      moved,
      waits,
      do: [act, ...volumes.map(volume => `shoal volume abandon ${volume}`)]
    })
  }
  return found
}

/** What a gone node left: replicas that run elsewhere now, those on their way, those that wait. */
function left(
  context: ReportContext,
  node: string
): { moved: number; waits: readonly string[]; volumes: readonly string[] } {
  const { view, placing } = context.agent
  const waits: string[] = []
  const volumes = new Set<string>()
  let moved = 0
  for (const workload of view.workloads.values()) {
    for (const claim of view.claims(workload.uid)) {
      if (claim.node !== node) continue
      const { spec } = workload.record
      const name = `${spec.project}/${spec.name}/${claim.slot}`
      const runs = view
        .claims(workload.uid)
        .filter(other => other.slot === claim.slot && other.node !== node)
        .some(other => view.living(other.node) && RUNS.has(other.record.state))
      const target = placing.targets(workload).get(claim.slot)
      const pinned = placing.item(workload.item)?.pins.some(pin => pin.node === node) === true
      if (runs) moved += 1
      else if (target !== undefined && !view.living(node)) {
        waits.push(`${name} is being moved to ${nodeName(context, target)}`)
      } else if (workload.sticky && pinned) {
        waits.push(`${name} waits for its data`)
        for (const volume of volumeNames(spec)) volumes.add(volume)
      }
    }
  }
  return { moved, waits: waits.sort(), volumes: [...volumes].sort() }
}

/** Workloads with replicas that no living node can take, for another reason than a gone node. */
function placeless(context: ReportContext): readonly Trouble[] {
  const found: Trouble[] = []
  for (const workload of sorted(context)) {
    const { spec } = workload.record
    const seats = context.agent.placing.seats(workload.item)
    const waiting = seats.pending.filter(pending => pending.reason !== 'pinned node gone')
    if (waiting.length === 0) continue
    const rows = reportWorkload(context, workload).filter(row => row.state === 'pending')
    if (rows.length === 0) continue
    found.push({
      what: `${spec.project}/${spec.name}: ${rows.length} of ${spec.replicas} have no place`,
      since: null,
      moved: 0,
      waits: rows.map(row => `${row.project}/${row.workload}/${row.slot}: ${row.reason}`),
      do: [`shoal why ${spec.project}/${spec.name}`]
    })
  }
  return found
}

function broken(context: ReportContext): readonly Trouble[] {
  const found: Trouble[] = []
  for (const workload of sorted(context)) {
    const { spec } = workload.record
    const rows = reportWorkload(context, workload).filter(
      row => row.state === 'failed' || (row.state === 'starting' && row.reason !== '')
    )
    const first = rows[0]
    if (first === undefined) continue
    found.push({
      what: `${spec.project}/${spec.name}/${first.slot} on ${first.node}: ${first.reason}`,
      // What restarts began anew a moment ago; how long it does so is nowhere written.
      since: first.state === 'failed' ? first.startedAt : null,
      moved: 0,
      waits: rows.slice(1).map(row => `${spec.project}/${spec.name}/${row.slot}: ${row.reason}`),
      do: [`shoal logs ${spec.project}/${spec.name}`]
    })
  }
  return found
}

/** Copies without a seat, while they keep the mesh from converging: more run than should. */
function surplus(context: ReportContext, totals: Totals): readonly Trouble[] {
  // Without its memory this node does not know what is too much, and stops nothing.
  if (totals.surplus <= 0 || context.agent.amnesiac) return []
  const { view, placing } = context.agent
  const counts = new Map<string, number>()
  for (const uid of new Set([...view.workloads.keys(), ...view.claimed()])) {
    const workload = view.workloads.get(uid)
    const targets = workload === undefined ? undefined : placing.targets(workload)
    for (const { node, slot } of view.claims(uid)) {
      if (!view.living(node) || targets?.get(slot) === node) continue
      const name = nodeName(context, node)
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
  }
  const [first, ...others] = [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
  if (first === undefined) return []
  const [name, count] = first
  const copies = count === 1 ? '1 surplus copy stops' : `${count} surplus copies stop`
  const rest = others.map(([other, more]) => `, ${more} on ${other}`).join('')
  const what = `${copies} on ${name}${rest}`
  return [{ what, since: null, moved: 0, waits: [], do: ['wait, or see shoal ps'] }]
}

function sorted(context: ReportContext): readonly WorkloadView[] {
  return [...context.agent.view.workloads.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
}
