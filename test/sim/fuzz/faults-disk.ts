/** Disks that fill, fail, lose and lie; clocks that are wrong. */
import { DAMAGES, type Damage } from '../world/disk.ts'
import { SimHost } from '../world/host.ts'
import type { Fault, FaultContext } from './context.ts'

/** So long a copy of a host is there. */
const CLONED_MS = 16_000

/** Damages the disk of a host whose daemon has just been killed, and starts it again. */
function damage(context: FaultContext, kinds: readonly Damage[]): boolean {
  const host = context.pickUp()
  // A host that nobody finds by its old address must know the others.
  if (host === undefined || host.hasMoved || host.hadClone) return false
  if (host.disk.isUnread || host.disk.isHarmed) return false
  if (!context.faults.atlas.mayForget(host)) return false
  const kind = kinds[context.random.int(kinds.length)] as Damage
  host.kill(false)
  context.world.observe({ kind: 'forgets', host })
  if (host.disk.damage(kind, context.random)) context.world.trace(`${host.id} disk ${kind}`)
  context.during(1_000, [host], () => host.start())
  return true
}

const isFile = (kind: Damage): boolean => /removed|gone/.test(kind)

export const DISK_FAULTS: readonly Fault[] = [
  {
    ids: ['F32'],
    name: 'disk full',
    begin: context => {
      const host = context.pick(one => one.isOn && !one.disk.isFull)
      if (host === undefined) return false
      context.world.trace(`${host.id} disk full`)
      host.disk.isFull = true
      context.during(context.durationMs, [host], () => {
        context.world.trace(`${host.id} disk has room`)
        host.disk.isFull = false
      })
      return true
    }
  },
  {
    ids: ['F33'],
    name: 'fsync error',
    begin: context => {
      const host = context.pickUp()
      if (host === undefined) return false
      host.disk.failsNext = true
      context.during(context.durationMs, [host], () => {
        host.disk.failsNext = false
      })
      return true
    }
  },
  {
    ids: ['F35', 'F36'],
    name: 'flipped or torn',
    begin: context =>
      damage(
        context,
        DAMAGES.filter(kind => !isFile(kind))
      )
  },
  {
    ids: ['F37'],
    name: 'files gone',
    begin: context => damage(context, DAMAGES.filter(isFile))
  },
  {
    ids: ['F38'],
    name: 'disk lost',
    begin: context => {
      const host = context.pick(one => one.isOn && one.isUp && !one.isClone)
      // A host that nobody finds by its old address must know the others.
      if (host === undefined || host.hasMoved || host.hadClone) return false
      if (!context.faults.atlas.mayForget(host)) return false
      const peer = context.pickMember(host)
      if (peer === undefined) return false
      host.kill(true)
      host.loseDisk()
      context.during(context.durationMs, [host], () => host.start([peer.address]))
      return true
    }
  },
  {
    ids: ['F39'],
    name: 'old backup restored',
    begin: context => {
      const host = context.pickUp()
      if (host === undefined) return false
      const backup = host.disk.image()
      const { identity } = host
      context.during(context.durationMs, [host], () => {
        if (host.identity !== identity || !context.faults.atlas.mayForget(host)) return
        const { isOn } = host
        const { world } = context
        if (host.isUp) host.kill(false)
        world.restoredMs = Math.min(world.restoredMs, world.clock.nowMs())
        world.trace(`${host.id} old backup restored`)
        world.observe({ kind: 'forgets', host })
        host.disk.restore(backup)
        if (isOn) host.start()
      })
      return true
    }
  },
  {
    ids: ['F40'],
    name: 'cloned',
    begin: context => {
      const host = context.pickUp()
      const { world } = context
      // Two changes of address at once: nobody would find anybody without a beacon.
      const moved = context.hosts.some(one => one.hasMoved)
      if (host === undefined || host.isClone || moved || world.hosts.size > 12) return false
      world.hadClone = true
      host.hadClone = true
      const clone = new SimHost(world, { id: `c${world.nextNumber()}`, zone: host.zone })
      clone.identity = host.identity
      clone.disk.restore(host.disk.image())
      world.hosts.set(clone.id, clone)
      world.trace(`${clone.id} is a clone of ${host.id}`)
      clone.start()
      context.during(CLONED_MS, [host, clone], () => {
        clone.off()
        world.hosts.delete(clone.id)
        world.discarded.push(clone)
        // Whoever of the two has refused to run: a person starts the right one again.
        if (host.isOn) host.start()
      })
      return true
    }
  },
  {
    ids: ['F42'],
    name: 'slow disk',
    begin: context => {
      const host = context.pick(one => one.isOn && one.disk.latencyMs < 100)
      if (host === undefined) return false
      host.disk.latencyMs = 1_000 + context.random.int(9_000)
      context.world.trace(`${host.id} disk takes ${host.disk.latencyMs} ms`)
      context.during(context.durationMs, [host], () => {
        host.disk.latencyMs = 2
      })
      return true
    }
  }
]

export const CLOCK_FAULTS: readonly Fault[] = [
  {
    ids: ['F27'],
    name: 'wall clock jumps',
    begin: context => {
      const host = context.hosts[context.random.int(context.hosts.length)] as SimHost
      const years = 10 * 365 * 86_400_000
      const by = [1_000, 3_600_000, years][context.random.int(3)] as number
      host.clock.jump(context.random.int(2) === 0 ? by : -by)
      return true
    }
  },
  {
    ids: ['F28'],
    name: 'clock drifts',
    begin: context => {
      const host = context.hosts[context.random.int(context.hosts.length)] as SimHost
      host.clock.setRate(0.95 + context.random.int(101) / 1_000)
      context.during(context.durationMs, [], () => host.clock.setRate(1))
      return true
    }
  },
  {
    ids: ['F30'],
    name: 'strobing wall clock',
    begin: context => {
      const host = context.hosts[context.random.int(context.hosts.length)] as SimHost
      for (let jump = 0; jump < 40; jump += 1) {
        context.later(jump * 100, () => {
          host.clock.jump(jump % 2 === 0 ? 3_600_000 : -3_600_000)
        })
      }
      return true
    }
  }
]
