/** Engines that are down, silent or lying, and people who meddle with what runs there. */
import { RuntimeFailure } from '../../../node/runtime/runtime.ts'
import { SIM_MESH } from '../world/process.ts'
import type { Fault, FaultContext } from './context.ts'

const STRANGER = '0bad'.repeat(8)

function engineFor(
  context: FaultContext,
  what: string,
  change: (faults: { slowMs: number; hangs: boolean; liesOneIn: number }) => void
): boolean {
  const host = context.pickUp()
  if (host === undefined) return false
  context.world.trace(`${host.id} engine ${what}`)
  change(host.engineFaults)
  context.during(context.durationMs, [host], () => {
    context.world.trace(`${host.id} engine is well`)
    Object.assign(host.engineFaults, { slowMs: 0, hangs: false, liesOneIn: 0 })
    for (const told of host.engineFaults.hung.splice(0)) told()
  })
  return true
}

/** For a while starts on one host, or of one workload, fail in one way. */
function startsFail(
  context: FaultContext,
  behaviour: 'missing image' | 'crash loop' | 'port taken'
): boolean {
  const { world } = context
  const host = context.pickUp()
  if (host === undefined || world.broken.has(host.id)) return false
  const name = `w${context.random.int(4)}`
  world.trace(`${host.id} ${name}: ${behaviour}`)
  world.broken.set(host.id, {
    workload: name,
    behaviour:
      behaviour === 'crash loop'
        ? { startLatencyMs: 100, exit: { afterMs: 300, code: 1 } }
        : { startLatencyMs: 100, failure: new RuntimeFailure('permanent', behaviour) }
  })
  context.during(context.durationMs, [host], () => {
    world.broken.delete(host.id)
  })
  return true
}

export const ENGINE_FAULTS: readonly Fault[] = [
  {
    ids: ['F43'],
    name: 'engine down',
    begin: context => {
      const host = context.pick(one => one.isOn && one.engine.isUp)
      if (host === undefined) return false
      context.world.trace(`${host.id} engine down`)
      host.engine.setUp(false)
      context.during(context.durationMs, [host], () => {
        context.world.trace(`${host.id} engine up`)
        host.engine.setUp(true)
      })
      return true
    }
  },
  {
    ids: ['F44'],
    name: 'engine hangs',
    begin: context =>
      engineFor(context, 'hangs', faults => {
        faults.hangs = true
      })
  },
  {
    ids: ['F45'],
    name: 'engine lies',
    begin: context =>
      engineFor(context, 'lies', faults => {
        faults.liesOneIn = 2 + context.random.int(4)
      })
  },
  {
    ids: ['F45'],
    name: 'slow engine',
    begin: context =>
      engineFor(context, 'is slow', faults => {
        faults.slowMs = 100 + context.random.int(5_000)
      })
  },
  {
    ids: ['F46'],
    name: 'a container ends, or somebody removes it',
    weight: 2,
    begin: context => {
      const host = context.pick(one => one.isOn && one.engine.entries.size > 0)
      const entries = [...(host?.engine.entries.values() ?? [])].filter(
        entry => entry.owner.mesh === SIM_MESH && entry.state === 'running'
      )
      const entry = entries[context.random.int(Math.max(1, entries.length))]
      if (host === undefined || entry === undefined) return false
      const removes = context.random.int(2) === 0
      context.world.trace(`${host.id} ${entry.id} ${removes ? 'removed by hand' : 'ended'}`)
      host.engine.end(entry.id, 137)
      if (removes) host.engine.entries.delete(entry.id)
      host.engine.notify()
      context.during(2_000, [host], () => undefined)
      return true
    }
  },
  {
    ids: ['F47'],
    name: 'a stranger with our labels',
    begin: context => {
      const host = context.pickUp()
      if (host === undefined) return false
      const isOurs = context.random.int(2) === 0
      const owner = { mesh: isOurs ? SIM_MESH : STRANGER, node: host.identity }
      const mark = {
        mesh: owner.mesh,
        uid: context.random.hex(32),
        slot: 0,
        generation: '1.x',
        project: 'demo',
        workload: isOurs ? 'nobody' : 'decoy',
        claim: context.random.hex(16)
      }
      const [known] = [...host.engine.entries.values()]
      if (known === undefined) return false
      // Under a name of its own: what makes ours fail is not to make it fail.
      const spec = { ...known.spec, name: mark.workload }
      host.engine.run(host.engine.create(owner, spec, mark)).catch(() => undefined)
      context.world.trace(`${host.id} ${mark.workload} appears`)
      return true
    }
  },
  {
    ids: ['F48'],
    name: 'image missing',
    begin: context => startsFail(context, 'missing image')
  },
  { ids: ['F49'], name: 'crash loop', begin: context => startsFail(context, 'crash loop') },
  { ids: ['F51'], name: 'port taken', begin: context => startsFail(context, 'port taken') }
]
