/** `show ...`: the state of things at one moment, what many have in common on one line. */
import type { SimHost } from '../world/host.ts'
import type { World } from '../world/world.ts'
import { running } from './conditions.ts'
import { shortNames, sortNames } from './names.ts'
import { type Note, nameOf } from './notes.ts'

const SLOTS_MAX = 12

/** `notes`: of the part that is under way. */
export function show(world: World, what: string, notes: readonly Note[]): string[] {
  switch (what) {
    case 'members':
      return common(world, membersOf)
    case 'workloads':
      return common(world, workloadsOf)
    case 'replicas':
      return replicas(world)
    case 'changes':
      return changes(world, notes)
    default:
      throw new Error(`no such thing to show: ${what}`)
  }
}

/** What each daemon says, in lines; hosts that say the same are named once. */
function common(world: World, say: (host: SimHost) => string): string[] {
  const hosts = new Map<string, string[]>()
  for (const host of running(world)) {
    const said = say(host)
    hosts.set(said, [...(hosts.get(said) ?? []), nameOf(host)])
  }
  return [...hosts].map(([said, names]) => `${shortNames(names)}: ${said}`)
}

function membersOf({ agent }: SimHost): string {
  const states = new Map<string, string[]>()
  for (const { id, state } of agent?.view.members.values() ?? []) {
    states.set(state, [...(states.get(state) ?? []), id])
  }
  const texts = [...states].sort(([a], [b]) => (a < b ? -1 : 1))
  return texts.map(([state, ids]) => `${state} ${shortNames(ids)}`).join('; ') || 'none'
}

function workloadsOf({ agent }: SimHost): string {
  const texts: string[] = []
  for (const { current, conflicts, key } of agent?.replica.shared('workload/') ?? []) {
    if (current === undefined) continue
    const workload = [...(agent?.view.workloads.values() ?? [])].find(one => one.key === key)
    const wanted = workload?.record.spec
    const version = wanted?.env['VERSION']
    const form = version === undefined ? '' : ` version ${version}`
    const text = wanted === undefined ? 'removed' : `x${wanted.replicas}${form}`
    const losers = conflicts.length === 0 ? '' : `, and ${conflicts.length} that lost`
    texts.push(`${key.slice('workload/'.length)} ${text}${losers}`)
  }
  return texts.sort().join('; ') || 'none'
}

/** By the engines: `web  0@n3 1@n0,n2`, a line a workload and version. */
function replicas(world: World): string[] {
  const found = new Map<string, Map<number, Set<string>>>()
  for (const host of world.hosts.values()) {
    for (const { mark, spec, state, owner } of host.engine.entries.values()) {
      if (state !== 'running') continue
      const version = spec.env['VERSION']
      const own = owner.node === host.identity ? '' : ` of ${owner.node}`
      const form = `${mark.workload}${version === undefined ? '' : ` version ${version}`}${own}`
      const slots = found.get(form) ?? new Map<number, Set<string>>()
      found.set(form, slots.set(mark.slot, (slots.get(mark.slot) ?? new Set()).add(host.id)))
    }
  }
  const forms = [...found].sort(([a], [b]) => (a < b ? -1 : 1))
  return forms.length === 0 ? ['none'] : forms.map(([form, slots]) => `${form}:  ${where(slots)}`)
}

function where(slots: ReadonlyMap<number, ReadonlySet<string>>): string {
  const sorted = [...slots].sort(([a], [b]) => a - b)
  if (sorted.length <= SLOTS_MAX) {
    return sorted.map(([slot, hosts]) => `${slot}@${sortNames(hosts).join()}`).join(' ')
  }
  const hosts = sorted.flatMap(([, on]) => [...on])
  return `${sorted.length} slots, ${hosts.length} instances on ${new Set(hosts).size} hosts`
}

/** At how many instants each daemon found others dead: each is a change of its view. */
function changes(world: World, notes: readonly Note[]): string[] {
  const times = new Map<string, Set<number>>(running(world).map(host => [nameOf(host), new Set()]))
  for (const note of notes) {
    if (note.kind === 'member' && note.what === 'dead') times.get(note.by)?.add(note.atMs)
  }
  const byCount = new Map<number, number>()
  for (const { size } of times.values()) byCount.set(size, (byCount.get(size) ?? 0) + 1)
  return [...byCount]
    .sort(([a], [b]) => a - b)
    .map(
      ([count, hosts]) => `${count} changes of view by deaths on ${hosts} of ${times.size} hosts`
    )
}
