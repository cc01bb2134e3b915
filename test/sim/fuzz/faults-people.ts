/** What people do at the worst of times. */
import type { SimHost } from '../world/host.ts'
import type { Fault, FaultContext } from './context.ts'
import { cutBetween } from './faults-network.ts'

const LEAVE_MS = 30_000

/** A workload that runs on the host, by its name. */
function workloadOn(context: FaultContext, host: SimHost): string | undefined {
  const names = [...host.engine.entries.values()]
    .filter(entry => entry.state === 'running')
    .map(entry => entry.mark.workload)
  return names[context.random.int(Math.max(1, names.length))]
}

/** A host leaves; `killAfterMs`: its daemon is killed in the middle of it. */
function leave(context: FaultContext, killAfterMs: number | undefined): boolean {
  const { atlas } = context.faults
  const host = context.pickUp()
  if (host === undefined || host.isClone || !atlas.mayForget(host)) return false
  const others = context.hosts.filter(other => other.isUp && !atlas.lost.has(other.id))
  if (others.length < 3) return false
  const left = (): void => {
    if (host.isGone) atlas.lost.add(host.id)
  }
  void host.leave().then(left)
  if (killAfterMs !== undefined) {
    context.later(killAfterMs, () => {
      if (host.isUp && host.isOn) host.kill(false)
    })
  }
  context.during(killAfterMs === undefined ? LEAVE_MS : context.durationMs, [host], () => {
    host.start()
  })
  return true
}

export const PEOPLE_FAULTS: readonly Fault[] = [
  {
    ids: ['F60'],
    name: 'a removal while an owner is away',
    begin: context => {
      const host = context.pickUp()
      const name = host === undefined ? undefined : workloadOn(context, host)
      const others = context.hosts.filter(other => other !== host && other.isUp)
      if (host === undefined || name === undefined || others.length === 0) return false
      host.kill(true)
      context.faults.client.remove(name, others, context.random)
      context.during(4 * context.durationMs, [host], () => host.start())
      return true
    }
  },
  {
    ids: ['F61'],
    name: 'two edits on two sides',
    begin: context => {
      const [left, right] = context.halves() ?? []
      if (left === undefined || right === undefined) return false
      if (!cutBetween(context, left, right)) return false
      context.later(context.random.int(context.durationMs), () => {
        context.faults.client.askBoth(left, right, context.random)
      })
      return true
    }
  },
  { ids: ['F62'], name: 'a host leaves', begin: context => leave(context, undefined) },
  {
    ids: ['F62'],
    name: 'killed while it leaves',
    begin: context => leave(context, context.random.int(4_000))
  }
]
