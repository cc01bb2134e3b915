/** Daemons that are killed, stopped, starved and started again. */
import { POINTS } from '../../../node/points.ts'
import type { SimHost } from '../world/host.ts'
import type { Fault, FaultContext } from './context.ts'

function startAgain(context: FaultContext, hosts: readonly SimHost[]): void {
  context.during(context.durationMs, hosts, () => {
    for (const host of hosts) host.start()
  })
}

function killOne(context: FaultContext, withHost: boolean): boolean {
  const host = context.pickUp()
  if (host === undefined) return false
  host.kill(withHost)
  startAgain(context, [host])
  return true
}

function killAll(context: FaultContext, withHost: boolean): boolean {
  const hosts = context.hosts.filter(host => host.isUp && host.isOn)
  if (hosts.length === 0) return false
  for (const host of hosts) host.kill(withHost)
  startAgain(context, hosts)
  return true
}

function pauseOne(context: FaultContext, ms: number): boolean {
  const host = context.pickUp()
  if (host === undefined) return false
  host.pause()
  context.during(ms, [host], () => host.resume())
  return true
}

export const PROCESS_FAULTS: readonly Fault[] = [
  { ids: ['F1'], name: 'kill', weight: 3, begin: context => killOne(context, false) },
  {
    ids: ['F2'],
    name: 'crash at a point',
    weight: 3,
    begin: context => {
      const host = context.pickUp()
      const { process } = host ?? {}
      if (host === undefined || process === undefined) return false
      const point = POINTS[context.random.int(POINTS.length)] ?? 'write.after'
      process.crashAt = { point, left: 1 + context.random.int(4) }
      context.during(context.durationMs, [host], () => {
        process.crashAt = undefined
      })
      return true
    }
  },
  { ids: ['F3', 'F34'], name: 'host dies', weight: 3, begin: context => killOne(context, true) },
  { ids: ['F4'], name: 'all are killed', begin: context => killAll(context, false) },
  { ids: ['F4', 'F34'], name: 'power cut for all', begin: context => killAll(context, true) },
  {
    ids: ['F5'],
    name: 'rolling kill',
    begin: context => {
      const hosts = context.some(context.hosts.length)
      for (const [index, host] of hosts.entries()) {
        context.later(index * 1_500, () => {
          if (!host.isUp || !host.isOn) return
          host.kill(false)
          context.during(1_000 + context.random.int(6_000), [host], () => host.start())
        })
      }
      return true
    }
  },
  {
    ids: ['F6', 'F57'],
    name: 'SIGSTOP',
    weight: 2,
    begin: context => pauseOne(context, 1_000 + context.random.int(60_000))
  },
  { ids: ['F9'], name: 'blocked loop', begin: context => pauseOne(context, 5_000) },
  {
    ids: ['F10'],
    name: 'starved',
    begin: context => {
      const host = context.pickUp()
      const { process } = host ?? {}
      if (host === undefined || process === undefined) return false
      context.world.trace(`${host.id} starved`)
      process.starve(200 + context.random.int(2_000))
      context.during(context.durationMs, [host], () => process.starve(0))
      return true
    }
  },
  {
    ids: ['F11'],
    name: 'OOM kill',
    begin: context => {
      const host = context.pickUp()
      if (host === undefined) return false
      host.crashed('by the OOM killer')
      context.during(5_000, [host], () => undefined)
      return true
    }
  },
  {
    ids: ['F31'],
    name: 'suspend',
    begin: context => {
      const host = context.pickUp()
      if (host === undefined) return false
      host.suspend()
      const ms = context.random.int(4) === 0 ? 600_000 : context.durationMs
      context.during(ms, [host], () => host.wake())
      return true
    }
  }
]
