/** Cuts of all shapes, slow and lossy paths, resets, moves to another address. */
import type { SimHost } from '../world/host.ts'
import { CALM_PATHS, type PathFaults } from '../world/paths.ts'
import type { Fault, FaultContext } from './context.ts'
import { stayInReach } from './reach.ts'

const SLOW_DISK_MS = 100

type Cut = readonly [string, string]

const namesOf = (hosts: readonly SimHost[]): string => hosts.map(host => host.id).join()

/** Both ways between every pair of the two groups. */
function between(left: readonly SimHost[], right: readonly SimHost[]): Cut[] {
  return left.flatMap(a =>
    right.flatMap((b): Cut[] => [
      [a.id, b.id],
      [b.id, a.id]
    ])
  )
}

/** Cuts paths, and mends those of them that nobody else has cut again. */
function cutFor(
  context: FaultContext,
  what: string,
  cuts: readonly Cut[],
  ms = context.durationMs
): boolean {
  const { paths } = context.world.network
  const fresh = cuts.filter(([from, to]) => paths.isOpen(from, to))
  if (fresh.length === 0) return false
  context.world.trace(what)
  for (const [from, to] of fresh) paths.cut(from, to)
  const touched = new Set(fresh.flat())
  const hosts = context.hosts.filter(host => touched.has(host.id))
  context.during(ms, hosts, () => {
    context.world.trace(`mended: ${what}`)
    for (const [from, to] of fresh) paths.mend(from, to)
  })
  return true
}

/** A cut for as long as the fault takes. */
export function cutBetween(
  context: FaultContext,
  left: readonly SimHost[],
  right: readonly SimHost[]
): boolean {
  return cutFor(context, `cut ${namesOf(left)} | ${namesOf(right)}`, between(left, right))
}

function split(context: FaultContext, parts: number): SimHost[][] {
  const groups: SimHost[][] = Array.from({ length: parts }, () => [])
  const hosts = context.some(context.hosts.length)
  for (const [index, host] of hosts.entries()) {
    const group = index < parts ? index : context.random.int(parts)
    groups[group]?.push(host)
  }
  return groups.filter(group => group.length > 0)
}

function partition(context: FaultContext, parts: number, ms?: number): boolean {
  const groups = split(context, parts)
  if (groups.length < 2) return false
  const cuts = groups.flatMap((group, index) => between(group, groups.slice(index + 1).flat()))
  return cutFor(context, `cut ${groups.map(namesOf).join(' | ')}`, cuts, ms)
}

/** Every path of the mesh, for a while. */
function allPaths(context: FaultContext, what: string, faults: Partial<PathFaults>): boolean {
  const { paths } = context.world.network
  if (paths.faults !== CALM_PATHS) return false
  context.world.trace(what)
  paths.faults = { ...CALM_PATHS, ...faults }
  context.during(context.durationMs, context.hosts, () => {
    context.world.trace(`over: ${what}`)
    paths.faults = CALM_PATHS
  })
  return true
}

/** Stops the links of some hosts one by one and lets them go in another order (FoundationDB). */
function swizzle(context: FaultContext): boolean {
  const hosts = context.some(1 + context.random.int(context.hosts.length))
  const rest = context.hosts
  for (const [index, host] of hosts.entries()) {
    const others = rest.filter(other => other !== host)
    context.later(index * 500, () => {
      const ms = context.durationMs + context.random.int(10_000)
      cutFor(context, `clog ${host.id}`, between([host], others), ms)
    })
  }
  return hosts.length > 0
}

function resets(context: FaultContext): boolean {
  const { network } = context.world
  let broken = 0
  for (const host of context.hosts) {
    for (const peer of host.transport?.peers() ?? []) {
      const link = host.transport?.linked(peer.self)
      if (link === undefined || !link.isOpen || context.random.int(2) === 0) continue
      network.break(link, [host.transport as NonNullable<typeof host.transport>, peer])
      broken += 1
    }
  }
  if (broken === 0) return false
  context.world.trace(`${broken} links reset`)
  context.during(2_000, context.hosts, () => undefined)
  return true
}

export const NETWORK_FAULTS: readonly Fault[] = [
  { ids: ['F12'], name: 'two halves', weight: 3, begin: context => partition(context, 2) },
  { ids: ['F14'], name: 'three parts', begin: context => partition(context, 3) },
  {
    ids: ['F13', 'F24'],
    name: 'one isolated',
    weight: 2,
    begin: context => {
      const [host, ...others] = context.some(context.hosts.length)
      if (host === undefined || others.length === 0) return false
      return cutFor(context, `cut ${host.id} off`, between([host], others))
    }
  },
  {
    ids: ['F15'],
    name: 'one way',
    weight: 2,
    begin: context => {
      const [left = [], right = []] = split(context, 2)
      const cuts = left.flatMap(a => right.map((b): Cut => [a.id, b.id]))
      return cutFor(context, `one way cut ${namesOf(left)} > ${namesOf(right)}`, cuts)
    }
  },
  {
    ids: ['F16'],
    name: 'bridge',
    begin: context => {
      const [bridge, ...others] = context.some(context.hosts.length)
      if (bridge === undefined || others.length < 2) return false
      const at = 1 + context.random.int(others.length - 1)
      const cuts = between(others.slice(0, at), others.slice(at))
      return cutFor(context, `bridge ${bridge.id}`, cuts)
    }
  },
  {
    ids: ['F17'],
    name: 'cut and heal again and again',
    begin: context => {
      const groups = split(context, 2)
      const [left = [], right = []] = groups
      for (let round = 0; round < 4; round += 1) {
        const ms = 400 * 2 ** context.random.int(7)
        context.later(round * 8_000, () => {
          cutFor(context, `cut ${namesOf(left)} | ${namesOf(right)}`, between(left, right), ms)
        })
      }
      return groups.length === 2
    }
  },
  { ids: ['F18'], name: 'swizzle-clog', begin: swizzle },
  {
    ids: ['F19'],
    name: 'loss',
    begin: context => {
      const lossPerMille = 10 + context.random.int(290)
      return allPaths(context, `loss ${lossPerMille / 10} %`, { lossPerMille })
    }
  },
  {
    ids: ['F20', 'F21'],
    name: 'late, repeated and reordered gossip',
    begin: context => {
      const { network } = context.world
      const before = network.pubsub
      network.pubsub = {
        lossPerMille: context.random.int(300),
        repeatPerMille: context.random.int(500),
        replayPerMille: context.random.int(300),
        replayMs: 180_000
      }
      context.during(context.durationMs, [], () => {
        network.pubsub = before
      })
      return true
    }
  },
  {
    ids: ['F21'],
    name: 'heavy tail',
    begin: context =>
      allPaths(context, 'heavy tail', {
        delaySpreadMs: 5 + context.random.int(200),
        tailPerMille: 5 + context.random.int(50),
        tailMs: 1_000 * 2 ** context.random.int(5)
      })
  },
  {
    ids: ['F22'],
    name: 'slow link',
    needsBytes: true,
    begin: context => {
      const [a, b] = context.some(2)
      if (a === undefined || b === undefined) return false
      const { paths } = context.world.network
      const slow = { ...CALM_PATHS, bytesPerSecond: 8_000, delaySpreadMs: 100 }
      for (const [from, to] of [
        [a, b],
        [b, a]
      ] as const) {
        paths.set(from.id, to.id, slow)
      }
      context.during(context.durationMs, [a, b], () => {
        paths.set(a.id, b.id, undefined)
        paths.set(b.id, a.id, undefined)
      })
      return true
    }
  },
  { ids: ['F23'], name: 'resets', begin: resets },
  {
    ids: ['F26'],
    name: 'another address',
    begin: context => {
      // One host of a mesh: when all move at once nobody finds anybody without a beacon.
      const moved = context.hosts.find(one => one.hasMoved)
      const host = moved ?? context.pickUp()
      if (host === undefined || !host.isUp || !host.isOn || context.world.hadClone) return false
      if (host.agent?.ready !== true) return false
      // It must know the others when nobody knows it any more.
      if (host.disk.isFull || host.disk.latencyMs >= SLOW_DISK_MS) return false
      if (!stayInReach(context.hosts, host)) return false
      const [, number = ''] = /10\.\d+\.\d+\.(\d+)/.exec(host.address) ?? []
      const net = 1 + context.random.int(250)
      // A daemon whose address is gone starts again: its listening socket was on it.
      host.kill(false)
      host.moveTo(`/ip4/10.0.${net}.${number}/tcp/7970`)
      context.world.trace(`${host.id} is now at ${host.address}`)
      context.during(1_000, [host], () => host.start())
      return true
    }
  }
]
