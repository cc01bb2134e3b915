/** Hosts and daemons that die in a mesh that is otherwise well. */
import { violate } from '../checks/check.ts'
import type { SimHost } from '../world/host.ts'
import { type Drill, type Running, type Stage, stateOf, whoDiffers } from './drill.ts'

/** `protocols.md` 2 [sim] and issue bars: on all others, whatever N. */
const SILENT_DEAD_MS = { lan: 4_500, fast: 2_500, wan: 17_000 } as const
const SUSPECT_MS = 200
/** L3. */
const FAILOVER_MS = 10_000
/** L5, from the start of the daemon. */
const ADOPT_MS = 5_000
/** Daemons that were up for so long start again at once in this drill. */
const DOWN_MS = 300
const LOOK_AFTER_MS = 8_000
/** From the decision to the running copy, by an engine that is well. */
const ENGINE_MS = 200
/** A minute after it came on the brake is lifted. */
const BRAKED_MS = 20_000
const VIEW_CHANGES_MAX = 2

function pickOne(stage: Stage, random: { int(below: number): number }): SimHost {
  return stage.core[random.int(stage.core.length)] as SimHost
}

function others(stage: Stage, gone: readonly SimHost[]): SimHost[] {
  return stage.core.filter(host => !gone.includes(host))
}

/** Instants at which a host saw deaths: changes of its view. */
function watchDeaths(stage: Stage): { readonly times: Map<string, Set<number>>; end(): void } {
  const times = new Map<string, Set<number>>()
  const end = stage.watch(observation => {
    if (observation.kind !== 'event' || observation.event.kind !== 'member') return
    const { event } = observation.event
    if (event.kind !== 'member' || event.member.state !== 'dead') return
    if (event.previous?.state === 'dead') return
    const at = times.get(observation.host.id) ?? new Set<number>()
    times.set(observation.host.id, at.add(stage.nowMs))
  })
  return { times, end }
}

/** As much as ran in all runs on the rest; numbers above the count are given up. */
async function takenOver(
  stage: Stage,
  rest: readonly SimHost[],
  before: ReadonlyMap<string, number>,
  sinceMs: number
): Promise<void> {
  // Those outside the core vanished too, up to a minute ago: with them it may be most (L8).
  if (!stage.engineWasWell || rest.some(isBraking)) return
  const limit = { check: 'L3', what: 'failover', limitMs: FAILOVER_MS, sinceMs }
  await stage.within(limit, () => {
    const now = stage.counts(rest)
    const short = [...before].find(([uid, count]) => (now.get(uid) ?? 0) < count)
    return short === undefined ? undefined : `${short[0]}: ${now.get(short[0]) ?? 0} of ${short[1]}`
  })
}

/**
 * What ran before runs on, or was handed over to another host that runs it: under its number (it
 * may have run there before, when that had begun), or under one below the count when its own was
 * above that.
 */
function untouched(check: string, stage: Stage, before: readonly Running[]): void {
  const now = stage.running(stage.core)
  const spare = now.filter(
    one => !before.some(({ host, id }) => host === one.host && id === one.id)
  )
  for (const { host, id, run, uid, slot } of before) {
    if (now.some(one => one.host === host && one.id === id && one.run === run)) continue
    if (now.some(one => one.uid === uid && one.slot === slot && one.host !== host)) continue
    const other = spare.find(one => one.uid === uid && one.slot < slot && one.host !== host)
    if (other === undefined) violate(check, `${host.id} ended ${id}`)
    spare.splice(spare.indexOf(other), 1)
  }
}

/** A daemon is killed and comes back: its containers never noticed (L5). */
export const daemonRestarts: Drill = {
  name: 'daemon restarts',
  hostsMin: 1,
  run: async (stage, random) => {
    const host = pickOne(stage, random)
    // A roll that has stopped is tried once more by a daemon that starts, and may go on.
    const before = stage.running([host]).filter(({ uid }) => !stage.rolls(uid))
    host.kill(false)
    const rest = others(stage, [host])
    if (rest.length > 0) {
      const limit = { check: 'membership', what: 'process death suspected', limitMs: SUSPECT_MS }
      await stage.within(limit, () => {
        const blind = rest.find(by => stateOf(by, host.identity) === 'alive')
        return blind === undefined ? undefined : `${blind.id} sees it alive`
      })
    }
    await stage.pass(DOWN_MS)
    host.start()
    const limit = { check: 'L5', what: 'ready again', limitMs: ADOPT_MS }
    await stage.within(limit, () => (host.agent?.ready === true ? undefined : 'not ready'))
    await stage.pass(LOOK_AFTER_MS)
    untouched('L5', stage, before)
  }
}

/** A host falls silent at once: dead on all others in time, its slots run elsewhere (L3). */
export const hostDies: Drill = {
  name: 'host dies',
  hostsMin: 2,
  run: async (stage, random) => {
    const host = pickOne(stage, random)
    const rest = others(stage, [host])
    const before = stage.counts(stage.core)
    const sinceMs = stage.nowMs
    host.kill(true)
    await seenDead(stage, rest, [host])
    await takenOver(stage, rest, before, sinceMs)
    host.start()
  }
}

/** Just less than half die at once: one or two changes of view, and the brake stays off. */
export const rackDies: Drill = {
  name: 'rack dies',
  hostsMin: 5,
  run: async (stage, random) => {
    const count = Math.floor((stage.core.length - 1) / 2)
    const rack = stage.core.slice(random.int(stage.core.length - count)).slice(0, count)
    const rest = others(stage, rack)
    const before = stage.counts(stage.core)
    const deaths = watchDeaths(stage)
    const sinceMs = stage.nowMs
    for (const host of rack) host.kill(true)
    await seenDead(stage, rest, rack)
    await stage.pass(DOWN_MS)
    deaths.end()
    for (const { id } of rest) {
      const changes = deaths.times.get(id)?.size ?? 0
      stage.figure('view changes of a dying rack', changes)
      if (changes > VIEW_CHANGES_MAX) violate('membership', `${id}: ${changes} view changes`)
    }
    await takenOver(stage, rest, before, sinceMs)
    for (const host of rack) host.start()
  }
}

/** More than half vanish: what runs goes on, takeovers are paced, and it is said (L8). */
export const mostDie: Drill = {
  name: 'most die',
  hostsMin: 3,
  run: async (stage, random) => {
    const keep = Math.ceil(stage.core.length / 2) - 1
    const first = random.int(stage.core.length - keep + 1)
    const rest = stage.core.slice(first, first + keep)
    const gone = others(stage, rest)
    const before = stage.running(rest)
    const starts = new Map<string, number[]>()
    const known = new Set(before.map(one => `${one.id} ${one.run}`))
    // Half of them may be dead a moment before it is more: what starts then is not paced yet.
    const braked = new Map<string, number>()
    for (const host of rest) if (isBraking(host)) braked.set(host.id, stage.nowMs)
    const end = stage.watch(observation => {
      const { host } = observation
      if (observation.kind === 'event' && observation.event.kind === 'brake') {
        if (observation.event.on && !braked.has(host.id)) braked.set(host.id, stage.nowMs)
      }
      if (observation.kind !== 'engine' || !rest.includes(observation.host)) return
      for (const one of stage.running([observation.host])) {
        const key = `${one.id} ${one.run}`
        if (known.has(key)) continue
        known.add(key)
        starts.set(one.host.id, [...(starts.get(one.host.id) ?? []), stage.nowMs])
      }
    })
    for (const host of gone) host.kill(true)
    await seenDead(stage, rest, gone)
    await stage.pass(BRAKED_MS)
    end()
    untouched('L8', stage, before)
    for (const host of rest) paced(stage, host, starts.get(host.id) ?? [], braked)
    for (const host of gone) host.start()
  }
}

function isBraking(host: SimHost): boolean {
  return host.agent?.pacing.brake(host.clock.nowMs()) !== undefined
}

/** At most one takeover a second, give or take what the engine needs for it. */
function paced(
  stage: Stage,
  { id }: SimHost,
  starts: readonly number[],
  braked: ReadonlyMap<string, number>
) {
  const sinceMs = braked.get(id)
  if (sinceMs === undefined) violate('L8', `${id} does not say that it brakes`)
  for (const atMs of starts) {
    // An engine may still be at what began before.
    if (atMs < sinceMs + ENGINE_MS) continue
    const second = starts.filter(other => other >= atMs && other < atMs + 1_000).length
    stage.figure('braked starts in a second', second)
    // One is decided at its end and at the next one's beginning.
    if (second > 2) violate('L8', `${id} starts ${second} in a second`)
  }
}

async function seenDead(stage: Stage, rest: readonly SimHost[], gone: readonly SimHost[]) {
  const { preset } = stage.subject.world
  const ids = gone.map(host => host.identity)
  const limitMs = SILENT_DEAD_MS[preset] + stage.core.length * 2
  const limit = { check: 'membership', what: `silent host dead (${preset})`, limitMs }
  await stage.within(limit, () => whoDiffers(rest, ids, 'dead'))
}
