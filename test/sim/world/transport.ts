/** The network as one life of a daemon sees it: what `MeshHost` is in production. */
import { decode, encode } from '../../../gossip/codec.ts'
import type { Channel } from '../../../gossip/core/effect.ts'
import type { NodeId } from '../../../gossip/core/types.ts'
import type {
  FrameListener,
  KnockOutcome,
  LinkEvent,
  LinkFailure,
  LinkListener,
  PeerHello,
  PublishedListener
} from '../../../gossip/libp2p/types.ts'
import type { Transport } from '../../../node/driver.ts'
import type { SimHost } from './host.ts'
import type { Link } from './link.ts'
import type { Network, Traffic } from './network.ts'

export interface SimTransportComponents {
  readonly network: Network
  readonly host: SimHost
  /** Runs a task in the daemon's event loop, when that runs. */
  readonly enter: (task: () => void) => void
  readonly hello: () => PeerHello
  readonly isLive: () => boolean
}

/** Around a message: length, Noise tag, Yamux, TCP and IP headers, and the ACKs for it. Measured: a
 * frame of 35 bytes that travels alone costs 235 to 265 (`gossip/README.md`, Figures). */
export const OVERHEAD_BYTES = 215

export class SimTransport implements Transport {
  readonly self: NodeId
  readonly host: SimHost
  isListening = false
  readonly traffic: Traffic = { messages: 0, bytes: 0 }
  readonly #c: SimTransportComponents
  readonly #links = new Map<NodeId, Link>()
  #onLink: LinkListener = () => undefined
  #onFrame: FrameListener = () => undefined
  #onPublished: PublishedListener = () => undefined

  constructor(components: SimTransportComponents, self: NodeId) {
    this.#c = components
    this.self = self
    this.host = components.host
  }

  get isLive(): boolean {
    return this.#c.isLive()
  }

  peers(): SimTransport[] {
    return [...this.#links.values()].map(link => link.other(this))
  }

  linked(peer: NodeId): Link | undefined {
    return this.#links.get(peer)
  }

  enter(task: () => void): void {
    this.#c.enter(task)
  }

  onLink(listener: LinkListener): void {
    this.#onLink = listener
  }

  onFrame(listener: FrameListener): void {
    this.#onFrame = listener
  }

  onPublished(listener: PublishedListener): void {
    this.#onPublished = listener
  }

  send(peer: NodeId, channel: Channel, message: unknown): boolean {
    const link = this.#links.get(peer)
    if (link === undefined || !this.isLive) return false
    const carried = this.#carry(message)
    link.send(this, carried.bytes, to => {
      to.enter(() => {
        if (to.linked(this.self) === link) to.#onFrame(this.self, channel, carried.open())
      })
    })
    return true
  }

  publish(message: unknown): boolean {
    if (this.isLive) this.#c.network.publish(this, message)
    return true
  }

  knock(addresses: readonly string[], timeoutMs: number): Promise<KnockOutcome> {
    return new Promise(resolve => {
      void this.#c.network.knock(this.host, addresses, timeoutMs).then(outcome => {
        if (!this.isLive) return
        this.enter(() => resolve(outcome))
        this.host.world.touch()
      })
    })
  }

  connect(
    peer: NodeId | undefined,
    addresses: readonly string[],
    options: { readonly timeoutMs: number }
  ): Promise<void> {
    const held = peer === undefined ? undefined : this.#links.get(peer)
    if (held !== undefined) {
      this.#emit({ peer: held.other(this).self, state: 'open', ...held.other(this).#c.hello() })
      return Promise.resolve()
    }
    const fail = (failure: LinkFailure): void => {
      const state = failure === 'REFUSED' ? 'refused' : 'failed'
      this.#emit({ peer, state, addresses, failure, message: `${addresses.join()}: ${failure}` })
    }
    const others = addresses.filter(address => address !== this.host.address)
    if (others.length === 0) {
      fail(addresses.length === 0 ? 'ADDRESS' : 'SELF')
      return Promise.resolve()
    }
    const failures: LinkFailure[] = []
    let isOver = false
    const failed = (failure: LinkFailure): void => {
      failures.push(failure)
      if (failures.length < others.length || isOver) return
      fail(failures.find(one => one !== 'REFUSED') ?? 'REFUSED')
    }
    for (const address of others) {
      this.#c.network.dial(this, address, options.timeoutMs, outcome => {
        if (!this.isLive) return
        if (outcome === 'refused') return failed('REFUSED')
        if (outcome === 'failed') return failed('TIMEOUT')
        if (outcome.self === this.self) return failed('SELF')
        if (peer !== undefined && outcome.self !== peer) return failed('WRONG_PEER')
        if (!isOver) this.#met(outcome)
        isOver = true
      })
    }
    return Promise.resolve()
  }

  disconnect(peer: NodeId): void {
    const link = this.#links.get(peer)
    if (link === undefined) return
    this.lost(link)
    this.#c.network.close(link, this)
  }

  /** The process is gone: its kernel closes what it held. */
  died(): void {
    this.isListening = false
    const links = [...this.#links.values()]
    this.#links.clear()
    if (!this.host.isOn) return
    for (const link of links) this.#c.network.close(link, this)
  }

  /** Greeted: a link that is there already is only told of again, as when two dials cross. */
  #met(other: SimTransport): void {
    const held = this.#links.get(other.self)
    const same = held?.isOpen === true && held.other(this) === other
    if (same) this.#emit({ peer: other.self, state: 'open', ...other.#c.hello() })
    else this.#c.network.join(this, other)
  }

  opened(link: Link, other: SimTransport): void {
    const hello = other.#c.hello()
    this.enter(() => {
      if (!link.isOpen) return
      const held = this.#links.get(other.self)
      // A new connection says that the old one is dead, whatever its kernel still believes.
      if (held !== undefined) {
        this.lost(held)
        this.#c.network.close(held, this)
      }
      this.#links.set(other.self, link)
      this.#emit({ peer: other.self, state: 'open', ...hello })
    })
  }

  lost(link: Link): void {
    const peer = link.other(this).self
    if (this.#links.get(peer) !== link) return
    this.#links.delete(peer)
    this.#emit({ peer, state: 'closed', reason: 'connection lost' })
  }

  published(message: unknown, via: NodeId): void {
    this.#onPublished(this.#carry(message).open(), via)
  }

  #emit(event: LinkEvent): void {
    this.#onLink(event)
  }

  /** As bytes, or by reference: cores must not be able to tell. */
  #carry(message: unknown): { readonly bytes: number; readonly open: () => unknown } {
    const { wire } = this.host.world
    if (wire === 'objects') return { bytes: 0, open: () => message }
    const frame = encode(message)
    this.traffic.messages += 1
    this.traffic.bytes += frame.byteLength + OVERHEAD_BYTES
    return { bytes: frame.byteLength, open: () => decode(frame) }
  }
}
