/** A host's cable is pulled and plugged in again. */
import { sleep } from '../../test/helpers/testbed-run.ts'
import {
  closeScene,
  deployEvenly,
  openScene,
  REPLICAS,
  replacedS,
  surplusGoneS,
  WEB,
  watchApi
} from './bed.ts'
import type { Bar, Bench, Figure } from './report.ts'

const CUTS = 10
const TIMEOUT_MS = 30_000

async function cutRounds(
  count: number,
  flags: readonly string[],
  bar: Bar
): Promise<readonly Figure[]> {
  const scene = await openScene(flags)
  const { bed } = scene
  const [replaced, gone, failures]: number[][] = [[], [], []]
  try {
    for (let round = 0; round < count; round++) {
      const victim = bed.host((round % bed.hosts.length) + 1)
      const before = await deployEvenly(scene)
      const lost = before.filter(({ host }) => host === victim).length
      const others = bed.hosts.filter(host => host !== victim)
      const api = watchApi(others)
      const cutMs = await victim.cut()
      replaced?.push(await replacedS(scene, victim, lost, cutMs, TIMEOUT_MS))
      await bed.settled(WEB, REPLICAS, { on: others })
      failures?.push((await api.stop()).failures)
      // Lets the other side finish its own takeover, so that the heal meets two full counts.
      await sleep(3_000)
      const plugMs = await victim.plug()
      await bed.settled(WEB, REPLICAS, { timeoutMs: TIMEOUT_MS })
      gone?.push(surplusGoneS(scene, plugMs))
      const names = bed.hosts.map(host => host.name)
      await Promise.all(bed.hosts.map(host => host.daemon.client.sees(names, TIMEOUT_MS)))
      const [cutS, healS] = [replaced?.at(-1)?.toFixed(2), gone?.at(-1)?.toFixed(2)]
      process.stdout.write(`  ${victim.name}: ${cutS} s, healed ${healS} s\n`)
    }
  } finally {
    await closeScene(scene)
  }
  const preset = flags.length === 0 ? 'defaults' : flags.join(' ')
  return [
    { name: `link cut (${preset}), 8/8 elsewhere`, unit: 's', samples: replaced ?? [], bar },
    {
      name: `after the heal (${preset}), surplus gone`,
      unit: 's',
      samples: gone ?? [],
      bar: { medianMax: 3, max: 10 }
    },
    { name: 'API questions unanswered', unit: '', samples: failures ?? [], bar: { max: 0 } }
  ]
}

export const cutDefaults: Bench = {
  about: 'the cable of a host of four is pulled and plugged in again, defaults',
  run: ({ count = CUTS }) => cutRounds(count, [], { medianMax: 5, max: 6.5 })
}

export const cutFast: Bench = {
  about: 'the same with --preset fast',
  run: ({ count = CUTS }) => cutRounds(count, ['--preset', 'fast'], { medianMax: 3, max: 4 })
}
