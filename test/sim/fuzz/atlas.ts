/**
 * Keeps faults recoverable (TigerBeetle's atlas): a host may lose its memory only while every
 * acknowledged write is on the disk of another one too. Otherwise a lost write would prove nothing.
 */
import { decode } from '../../../gossip/codec.ts'
import { Signed } from '../../../gossip/core/signed.ts'
import { unwrap } from '../../../node/store/checksum.ts'
import type { SimHost } from '../world/host.ts'
import type { World } from '../world/world.ts'
import { isIn } from './reach.ts'

/** An operation's write with those behind it; or, without any, a life that has ended. */
export interface HeldWrite {
  readonly operations: readonly string[]
  readonly uid: string
}

export class Atlas {
  readonly #world: World
  /** Part operations (`<operation>#<key>`) whose write was acknowledged, and the lives in which. */
  readonly #acknowledged = new Map<string, Set<string>>()
  /** Hosts whose memory must not be counted on: they stay dead, or have lost it. */
  readonly lost = new Set<string>()

  /** They found their store damaged, and were not seen whole again since. */
  readonly #amnesiac = new Set<string>()

  constructor(world: World) {
    this.#world = world
    world.watch(observation => {
      if (observation.kind !== 'opened') return
      if (observation.amnesiac === undefined) this.#amnesiac.delete(observation.host.id)
      else this.#amnesiac.add(observation.host.id)
    })
  }

  acknowledged(part: string, uid: string): void {
    const lives = this.#acknowledged.get(part) ?? new Set()
    this.#acknowledged.set(part, lives.add(uid))
  }

  /** True while the memory of a host is needed by nobody. */
  mayForget(host: SimHost): boolean {
    return this.mayForgetAll([host])
  }

  mayForgetAll(hosts: readonly SimHost[]): boolean {
    const others = [...this.#world.hosts.values()].filter(
      other => !hosts.includes(other) && !this.lost.has(other.id) && this.#isSound(other)
    )
    if (others.length === 0) return false
    const known = new Set<string>()
    const ended = new Set<string>()
    for (const other of others) {
      for (const { operations, uid } of heldBy(other)) {
        for (const operation of operations) known.add(`${operation} ${uid}`)
        if (operations.length === 0) ended.add(uid)
      }
    }
    for (const [part, lives] of this.#acknowledged) {
      for (const uid of lives) if (!known.has(`${part} ${uid}`) && !ended.has(uid)) return false
    }
    return true
  }

  /** It is in, and its store has not forgotten anything that peers still have to give back. */
  #isSound(host: SimHost): boolean {
    const { agent } = host
    if (agent?.ready === true && !agent.amnesiac) this.#amnesiac.delete(host.id)
    const { exists, unreadable, isHarmed } = host.disk
    const isWhole = exists && !unreadable && !isHarmed && !this.#amnesiac.has(host.id)
    return !host.isClone && !host.isLeaving && isWhole && isIn(host)
  }
}

/** Of one stored record; what is written is never changed in place. */
const decoded = new WeakMap<Uint8Array, HeldWrite | 'none'>()

function heldIn(key: string, stored: Uint8Array): HeldWrite | 'none' {
  const record = unwrap(key, stored)
  const signed = record === undefined ? undefined : decode(record.value)
  if (!(signed instanceof Signed)) return 'none'
  const body = signed.body as {
    readonly operation: string
    readonly uid: string
    readonly past: readonly { readonly operation: string }[]
  }
  const past = body.past.map(({ operation }) => operation)
  return { operations: [body.operation, ...past], uid: body.uid }
}

/** Operations and ended lives that would be on the disk after a loss of power. */
export function heldBy(host: SimHost): HeldWrite[] {
  const held: HeldWrite[] = []
  for (const [key, stored] of host.disk.durable()) {
    if (key.startsWith('removed/')) held.push({ operations: [], uid: key.slice(8) })
    if (!key.startsWith('shared/') && !key.startsWith('removed/')) continue
    const write = decoded.get(stored) ?? heldIn(key, stored)
    decoded.set(stored, write)
    if (write !== 'none') held.push(write)
  }
  return held
}
