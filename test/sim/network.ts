/**
 * The virtual network: links that deliver in order, exactly once, until they break. A cut swallows
 * what is sent; a dead process closes its links; a dead host answers nothing.
 */
import type { Channel } from '../../gossip/core/effect.ts'
import type { NodeId, Random } from '../../gossip/core/types.ts'
import type { VirtualClock } from '../helpers/virtual-clock.ts'

export interface Endpoint {
  readonly id: NodeId
  readonly address: string
  /** The daemon runs. */
  isUp(): boolean
  /** The host is there: a dead daemon's port refuses. */
  hostIsUp(): boolean
  hello(): { boot: string; incarnation: number; name: string; addresses: readonly string[] }
  opened(peer: Endpoint): void
  closed(peer: NodeId): void
  dialFailed(peer: NodeId | undefined, outcome: 'refused' | 'failed'): void
  frame(from: NodeId, channel: Channel, bytes: Uint8Array): void
  published(bytes: Uint8Array): void
}

const DELAY_MIN_MS = 1
const DELAY_SPREAD_MS = 4
const DIAL_TIMEOUT_MS = 1_000
/** A broken path is noticed by nobody: only a dead process closes its links. */
const CLOSE_MS = 10

export class Network {
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #endpoints = new Map<NodeId, Endpoint>()
  /** `a>b`: nothing from a reaches b. */
  readonly #cuts = new Set<string>()
  readonly #links = new Map<string, { generation: number; lastMs: Map<NodeId, number> }>()
  #generation = 0

  constructor(components: { clock: VirtualClock; random: Random }) {
    this.#clock = components.clock
    this.#random = components.random
  }

  attach(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint.id, endpoint)
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`)
  }

  heal(): void {
    this.#cuts.clear()
  }

  linked(a: NodeId, b: NodeId): boolean {
    return this.#links.has(pair(a, b))
  }

  connect(from: Endpoint, peer: NodeId | undefined, addresses: readonly string[]): void {
    const target = [...this.#endpoints.values()].find(
      one => one.id === peer || addresses.includes(one.address)
    )
    const reachable = target !== undefined && this.#both(from.id, target.id) && target.hostIsUp()
    if (target === undefined || target.id === from.id || !reachable) {
      this.#clock.schedule(DIAL_TIMEOUT_MS, () => {
        if (from.isUp()) from.dialFailed(peer ?? target?.id, 'failed')
      })
      return
    }
    this.#clock.schedule(2 * this.#delay(), () => {
      if (!from.isUp() || !this.#both(from.id, target.id)) return
      if (!target.isUp()) return from.dialFailed(target.id, 'refused')
      const key = pair(from.id, target.id)
      if (!this.#links.has(key)) {
        this.#generation += 1
        this.#links.set(key, { generation: this.#generation, lastMs: new Map() })
        target.opened(from)
      }
      from.opened(target)
    })
  }

  disconnect(a: NodeId, b: NodeId): void {
    if (!this.#links.delete(pair(a, b))) return
    for (const [self, peer] of [
      [a, b],
      [b, a]
    ] as const) {
      this.#clock.schedule(CLOSE_MS, () => {
        const endpoint = this.#endpoints.get(self)
        if (endpoint?.isUp() && !this.#links.has(pair(a, b))) endpoint.closed(peer)
      })
    }
  }

  /** A process ended; its host's kernel closes the links, unless the host went with it. */
  died(id: NodeId, withHost: boolean): void {
    for (const [key] of this.#links) {
      const [a = '', b = ''] = key.split(' ')
      if (a !== id && b !== id) continue
      const peer = a === id ? b : a
      if (withHost || !this.#both(id, peer)) this.#links.delete(key)
      else this.disconnect(a, b)
    }
  }

  send(from: NodeId, to: NodeId, channel: Channel, bytes: Uint8Array): void {
    this.#carry(from, to, endpoint => endpoint.frame(from, channel, bytes))
  }

  /** The fast path: to every linked peer, sometimes twice, sometimes seconds late. */
  publish(from: NodeId, bytes: Uint8Array): void {
    for (const to of [...this.#endpoints.keys()].sort()) {
      if (to === from || !this.linked(from, to)) continue
      const deliver = (endpoint: Endpoint): void => endpoint.published(bytes)
      if (this.#random.int(50) > 0) this.#carry(from, to, deliver)
      if (this.#random.int(20) > 0) continue
      this.#clock.schedule(this.#random.int(5_000), () => this.#carry(from, to, deliver))
    }
  }

  knock(from: NodeId, addresses: readonly string[]): 'refused' | 'accepted' | 'nothing' {
    const target = [...this.#endpoints.values()].find(one => addresses.includes(one.address))
    if (target === undefined || !target.hostIsUp() || !this.#both(from, target.id)) return 'nothing'
    return target.isUp() ? 'accepted' : 'refused'
  }

  #carry(from: NodeId, to: NodeId, deliver: (endpoint: Endpoint) => void): void {
    const link = this.#links.get(pair(from, to))
    if (link === undefined || this.#cuts.has(`${from}>${to}`)) return
    const atMs = Math.max(link.lastMs.get(from) ?? 0, this.#clock.nowMs() + this.#delay())
    link.lastMs.set(from, atMs)
    this.#clock.schedule(atMs - this.#clock.nowMs(), () => {
      const endpoint = this.#endpoints.get(to)
      const same = this.#links.get(pair(from, to))?.generation === link.generation
      if (same && endpoint?.isUp() && !this.#cuts.has(`${from}>${to}`)) deliver(endpoint)
    })
  }

  #both(a: NodeId, b: NodeId): boolean {
    return !this.#cuts.has(`${a}>${b}`) && !this.#cuts.has(`${b}>${a}`)
  }

  #delay(): number {
    return DELAY_MIN_MS + this.#random.int(DELAY_SPREAD_MS)
  }
}

function pair(a: NodeId, b: NodeId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}
