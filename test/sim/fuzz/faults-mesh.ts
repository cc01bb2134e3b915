/** Members that come and go, and versions that differ. */
import type { Fault } from './context.ts'

const HOSTS_MAX = 14
const SPEAKS_MS = 2_000

export const MESH_FAULTS: readonly Fault[] = [
  {
    ids: ['F52'],
    name: 'a host joins',
    begin: context => {
      if (context.world.hosts.size >= HOSTS_MAX) return false
      const peer = context.pickMember()
      if (peer === undefined) return false
      context.world.add([peer.address])
      return true
    }
  },
  {
    ids: ['F53'],
    name: 'many join at once',
    begin: context => {
      if (context.world.hosts.size + 4 > HOSTS_MAX) return false
      const peer = context.pickMember()
      if (peer === undefined) return false
      for (let count = 0; count < 4; count += 1) context.world.add([peer.address])
      return true
    }
  },
  {
    ids: ['F52'],
    name: 'planned restart',
    begin: context => {
      const host = context.pickUp()
      if (host === undefined) return false
      host.restartPlanned()
      context.during(3_000, [host], () => host.start())
      return true
    }
  },
  {
    ids: ['F54', 'F55'],
    name: 'another version',
    weight: 2,
    begin: context => {
      const host = context.pickUp()
      if (host === undefined) return false
      const isNext = host.version === 'sim'
      host.version = isNext ? 'next' : 'sim'
      host.restartPlanned()
      context.during(3_000, [host], () => host.start())
      for (let ms = 4_000; isNext && ms < context.durationMs; ms += SPEAKS_MS) {
        context.later(ms, () => host.version === 'next' && host.process?.speakLater())
      }
      return true
    }
  }
]
