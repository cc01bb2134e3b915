/**
 * One seeded run: `node --import tsx test/sim/run.ts --seed N [--nodes N] [--log short]`.
 * Grows a mesh, deploys, then kills, cuts, heals and restarts as the seed says; ends with the
 * state of things and the hash of the trace.
 */
import { parseArgs } from 'node:util'
import { spec } from '../helpers/agent.ts'
import { World } from './world/world.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '4' },
    steps: { type: 'string', default: '12' },
    log: { type: 'string', default: 'none' }
  }
})

const world = new World({ seed: Number(values.seed) })
world.grow(Number(values.nodes))
await world.until('one view', 10_000, () => world.agree([...world.hosts.keys()]))
const workloads = [spec({ replicas: 6 }), spec({ name: 'api', replicas: 3 })]
await world.submit('n0', { kind: 'apply', project: 'demo', workloads, prune: false })

for (let step = 0; step < Number(values.steps); step++) {
  await world.run(1_000 + world.random.int(6_000))
  const ids = [...world.hosts.keys()]
  const node = world.host(ids[world.random.int(ids.length)] ?? 'n0')
  switch (world.random.int(4)) {
    case 0:
      if (node.isUp) node.kill(world.random.int(2) === 0)
      break
    case 1: {
      const at = 1 + world.random.int(ids.length - 1)
      world.partition(ids.slice(0, at), ids.slice(at))
      break
    }
    case 2:
      world.heal()
      break
    case 3:
      if (!node.isUp) node.start([])
  }
}
world.heal()
for (const node of world.hosts.values()) if (!node.isUp) node.start([])
await world.until('one view', 30_000, () => world.agree([...world.hosts.keys()]))
const whole = (name: string, replicas: number): boolean => {
  const running = world.running(name)
  return running.length === replicas && new Set(running.map(one => one.slot)).size === replicas
}
await world.until('each slot once', 60_000, () => whole('web', 6) && whole('api', 3))
if (values.log === 'short') process.stdout.write(`${world.lines.join('\n')}\n`)
process.stdout.write(`seed ${values.seed}: ${world.clock.nowMs()} ms, trace ${world.traceHash()}\n`)
