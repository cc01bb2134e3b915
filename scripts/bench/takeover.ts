/** Hosts and daemons killed: how long until everything runs again, and until nothing runs twice. */
import {
  bringBack,
  closeScene,
  deployEvenly,
  openScene,
  REPLICAS,
  replacedS,
  surplusGoneS,
  WEB,
  watchApi
} from './bed.ts'
import type { Bench, Figure } from './report.ts'

const KILLS = 10
const LATE_KILLS = 5
const LAST_KILLS = 3
const TIMEOUT_MS = 30_000
const OUTCOME_S_MAX = 10

export const takeover: Bench = {
  about: 'a host of four is killed (daemon and engine at once); 8/8 run elsewhere',
  run: async ({ count = KILLS }) => {
    const scene = await openScene()
    const { bed } = scene
    const [replaced, failures, slowest, twice]: number[][] = [[], [], [], []]
    try {
      for (let round = 0; round < count; round++) {
        const victim = bed.host((round % bed.hosts.length) + 1)
        const before = await deployEvenly(scene)
        const lost = before.filter(({ host }) => host === victim).length
        const survivors = bed.hosts.filter(host => host !== victim)
        const api = watchApi(survivors)
        const atMs = await victim.kill()
        replaced?.push(await replacedS(scene, victim, lost, atMs, TIMEOUT_MS))
        await bed.settled(WEB, REPLICAS, { on: survivors })
        const answered = await api.stop()
        failures?.push(answered.failures)
        slowest?.push(answered.slowestMs)
        await bringBack(scene, victim)
        const after = await bed.settled(WEB, REPLICAS)
        twice?.push(after.length - new Set(after.map(({ slot }) => slot)).size)
        process.stdout.write(`  ${victim.name}: ${replaced?.at(-1)?.toFixed(2)} s\n`)
      }
    } finally {
      await closeScene(scene)
    }
    return [
      {
        name: 'host killed, 8/8 elsewhere',
        unit: 's',
        samples: replaced ?? [],
        bar: { medianMax: 3, max: 4.5 }
      },
      {
        name: 'API questions unanswered by survivors',
        unit: '',
        samples: failures ?? [],
        bar: { max: 0 }
      },
      { name: 'slowest API answer of a survivor', unit: 'ms', samples: slowest ?? [] },
      { name: 'slots run twice after the return', unit: '', samples: twice ?? [], bar: { max: 0 } }
    ]
  }
}

export const late: Bench = {
  about: 'a daemon alone is killed and back late: the surplus goes, the original stays',
  run: async ({ count = LATE_KILLS }) => {
    const scene = await openScene()
    const { bed } = scene
    const [gone, lostOriginals]: number[][] = [[], []]
    try {
      for (let round = 0; round < count; round++) {
        const victim = bed.host((round % bed.hosts.length) + 1)
        const before = await deployEvenly(scene)
        const lost = before.filter(({ host }) => host === victim).length
        await victim.daemon.kill()
        await bed.settled(WEB, REPLICAS + lost, { timeoutMs: TIMEOUT_MS })
        const atMs = Number(process.hrtime.bigint()) / 1e6
        await victim.daemon.up()
        const after = await bed.settled(WEB, REPLICAS, { timeoutMs: TIMEOUT_MS })
        gone?.push(surplusGoneS(scene, atMs))
        const ids = new Set(after.map(({ id }) => id))
        lostOriginals?.push(before.filter(({ id }) => !ids.has(id)).length)
      }
    } finally {
      await closeScene(scene)
    }
    return [
      {
        name: 'daemon back late, surplus gone',
        unit: 's',
        samples: gone ?? [],
        bar: { max: OUTCOME_S_MAX }
      },
      {
        name: 'originals that were stopped',
        unit: '',
        samples: lostOriginals ?? [],
        bar: { max: 0 }
      }
    ]
  }
}

export const last: Bench = {
  about: 'three of four hosts are killed in one second; the last runs everything',
  run: async ({ count = LAST_KILLS }) => {
    const samples: number[] = []
    for (let round = 0; round < count; round++) {
      const scene = await openScene()
      try {
        const { bed, events } = scene
        const survivor = bed.host(1)
        const before = await deployEvenly(scene)
        const lost = before.filter(({ host }) => host !== survivor).length
        const times = await Promise.all(
          bed.hosts.filter(host => host !== survivor).map(host => host.kill())
        )
        const tookMs = await events.nth(
          lost,
          Math.min(...times),
          event => event.action === 'start' && event.host === survivor.name,
          TIMEOUT_MS
        )
        samples.push(tookMs / 1000)
      } finally {
        await closeScene(scene)
      }
    }
    const figure: Figure = { name: 'three of four killed, 8/8 on the last', unit: 's', samples }
    return [figure]
  }
}
