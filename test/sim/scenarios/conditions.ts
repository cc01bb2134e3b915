/** What a scenario waits for with `within MS: ...`, by the true state of hosts and daemons. */
import { stateOf } from '../drills/drill.ts'
import type { SimHost } from '../world/host.ts'
import type { World } from '../world/world.ts'
import { readNames } from './names.ts'

/** Undefined when it holds, else what is missing. */
export type Condition = () => string | undefined

const STATES = new Set(['alive', 'suspect', 'dead', 'left'])

/**
 * `n3 dead` (to all other daemons that run), `n3,n4 dead on n0..n2`, `all met`, `web runs 3`,
 * `web runs 3 on n0,n1`, `web runs`, `n3 gone`, `n3 ready`.
 */
export function readCondition(world: World, words: readonly string[]): Condition {
  const [subject = '', verb = '', ...rest] = words
  const at = rest.indexOf('on')
  const where = at < 0 ? undefined : readNames(rest[at + 1] ?? '')
  if (subject === 'all' && verb === 'met') return () => differ(running(world), 'alive')
  if (STATES.has(verb)) return () => seen(world, readNames(subject), verb, where)
  if (verb === 'runs') return () => runs(world, subject, Number(rest[0]), where)
  if (verb === 'gone') return () => (world.host(subject).isGone ? undefined : 'it is still there')
  if (verb === 'ready') {
    return () => readNames(subject).find(id => world.host(id).agent?.ready !== true)
  }
  throw new Error(`no such condition: ${words.join(' ')}`)
}

export function running(world: World): SimHost[] {
  return [...world.hosts.values()].filter(host => host.isUp && !host.isClone)
}

function differ(hosts: readonly SimHost[], state: string): string | undefined {
  for (const by of hosts) {
    const other = hosts.find(host => stateOf(by, host.identity) !== state)
    if (other !== undefined) return `${by.id} sees ${other.id} ${stateOf(by, other.identity)}`
  }
  return undefined
}

function seen(
  world: World,
  names: readonly string[],
  state: string,
  where: readonly string[] | undefined
): string | undefined {
  const by = where?.map(id => world.host(id)) ?? running(world)
  for (const host of by) {
    for (const name of names) {
      if (host.id === name) continue
      const found = stateOf(host, world.hosts.get(name)?.identity ?? name)
      const isSo = found === state || (state === 'suspect' && found === 'dead')
      if (!isSo) return `${host.id} sees ${name} ${found}`
    }
  }
  return undefined
}

/** So many slots, each once, and nowhere else. */
function runs(
  world: World,
  workload: string,
  count: number,
  where: readonly string[] | undefined
): string | undefined {
  const all = world.running(workload)
  const found = where === undefined ? all : all.filter(one => where.includes(one.node))
  const slots = new Set(found.map(one => one.slot))
  if (slots.size === count && found.length === count) return undefined
  return `${workload} runs ${found.map(one => `${one.slot}@${one.node}`).join(' ') || 'nowhere'}`
}
