/** Four hosts with 8 replicas of one service, 2 on each: the scene of the takeover figures. */
import { EngineEvents } from '../../test/helpers/engine-events.ts'
import { type Host, type Replica, Testbed } from '../../test/helpers/testbed.ts'
import { monotonicMs, sleep } from '../../test/helpers/testbed-run.ts'
import { composeFile, webService } from '../../test/helpers/testbed-shared.ts'
import { apiGet } from './api.ts'

export const REPLICAS = 8
export const HOSTS = 4
export const WEB = ['shop', 'web'] as const
const API_TIMEOUT_MS = 1_000
const API_PAUSE_MS = 100

export interface Scene {
  readonly bed: Testbed
  readonly events: EngineEvents
}

/** Opens the hosts and joins them; `close` with `closeScene`. */
export async function openScene(flags: readonly string[] = []): Promise<Scene> {
  const bed = await Testbed.open({ hosts: HOSTS, flags })
  try {
    await bed.mesh()
    const sockets = Object.fromEntries(bed.hosts.map(host => [host.name, host.engine.socket]))
    return { bed, events: await EngineEvents.open(sockets) }
  } catch (error) {
    await bed.close()
    throw error
  }
}

export async function closeScene({ bed, events }: Scene): Promise<void> {
  events.close()
  await bed.close()
}

/** Removes the service if it is there and deploys it anew, until 2 replicas run on each host. */
export async function deployEvenly({ bed }: Scene): Promise<Replica[]> {
  const { client } = bed.host(1).daemon
  if ((await bed.replicas(...WEB)).length > 0) {
    await client.must(['rm', 'shop', '-y'])
    await bed.settled(WEB, 0, { timeoutMs: 30_000 })
  }
  const file = composeFile(bed, 'shop', webService(REPLICAS))
  await client.must(['deploy', '-f', file, '-p', 'shop'], { timeoutMs: 60_000 })
  await client.converges(30_000)
  const replicas = await bed.settled(WEB, REPLICAS)
  const counts = bed.hosts.map(host => replicas.filter(one => one.host === host).length)
  if (counts.some(count => count !== REPLICAS / HOSTS))
    throw new Error(`not 2 on each host: ${counts.join(' ')}`)
  return replicas
}

/** Seconds from `atMs` until as many replicas have started off `victim` as it ran. */
export async function replacedS(
  { events }: Scene,
  victim: Host,
  lost: number,
  atMs: number,
  timeoutMs: number
): Promise<number> {
  const tookMs = await events.nth(
    lost,
    atMs,
    event =>
      event.action === 'start' &&
      event.host !== victim.name &&
      event.attributes['shoal.workload'] === 'web',
    timeoutMs
  )
  return tookMs / 1000
}

/** Seconds from `atMs` until the last surplus copy died; call it once the count is right. */
export function surplusGoneS({ events }: Scene, atMs: number): number {
  const deaths = events
    .since(atMs, 'die')
    .filter(event => event.attributes['shoal.workload'] === 'web')
  return ((deaths.at(-1)?.atMs ?? atMs) - atMs) / 1000
}

export interface ApiWatch {
  /** Answers and failures so far; the longest answer in milliseconds. */
  stop(): Promise<{
    readonly answers: number
    readonly failures: number
    readonly slowestMs: number
  }>
}

/** Asks the API of each of these hosts over and over until stopped. */
export function watchApi(hosts: readonly Host[]): ApiWatch {
  const tally = { answers: 0, failures: 0, slowestMs: 0 }
  let over = false
  const ask = async (host: Host): Promise<void> => {
    while (!over) {
      const startMs = monotonicMs()
      const answer = await apiGet(host.daemon.client.socket, '/v1/status', API_TIMEOUT_MS).catch(
        () => undefined
      )
      if (answer === undefined) tally.failures += 1
      else tally.answers += 1
      tally.slowestMs = Math.max(tally.slowestMs, monotonicMs() - startMs)
      await sleep(API_PAUSE_MS)
    }
  }
  const loops = hosts.map(ask)
  return {
    stop: async () => {
      over = true
      await Promise.all(loops)
      return tally
    }
  }
}

/** Brings a killed host back and waits until every host lists all as alive. */
export async function bringBack({ bed, events }: Scene, host: Host): Promise<void> {
  await host.startEngine()
  await events.connected([host.name])
  await host.daemon.up()
  const names = bed.hosts.map(one => one.name)
  await Promise.all(bed.hosts.map(one => one.daemon.client.sees(names, 15_000)))
}
