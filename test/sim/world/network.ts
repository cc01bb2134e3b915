/**
 * The virtual network: dials, knocks, links and the fast path between the daemons of a world. Holds
 * no rule of any protocol; what can break breaks by `paths.ts` and by who is there.
 */
import type { Random } from '../../../gossip/core/types.ts'
import type { KnockOutcome } from '../../../gossip/libp2p/types.ts'
import type { VirtualClock } from '../../helpers/virtual-clock.ts'
import type { SimHost } from './host.ts'
import { Link } from './link.ts'
import { Paths } from './paths.ts'
import type { SimTransport } from './transport.ts'

/** What only the fast path does; links do neither. Per thousand. */
export interface PubsubFaults {
  readonly lossPerMille: number
  readonly repeatPerMille: number
  /** Comes again up to `replayMs` later. */
  readonly replayPerMille: number
  readonly replayMs: number
}

export const CALM_PUBSUB: PubsubFaults = {
  lossPerMille: 20,
  repeatPerMille: 50,
  replayPerMille: 0,
  replayMs: 180_000
}

/** A SYN that nobody answers is sent again after 1, 3 and 7 s. */
const SYN_RETRY_MS = [0, 1_000, 3_000, 7_000]
/** A broken link is heard of by the other kernel as soon as the packet is there. */
const PUBSUB_SPREAD_MS = 40

export interface Traffic {
  messages: number
  bytes: number
}

export class Network {
  readonly clock: VirtualClock
  readonly paths: Paths
  pubsub: PubsubFaults = CALM_PUBSUB
  readonly #random: Random
  readonly #hosts = new Map<string, SimHost>()

  constructor(components: { readonly clock: VirtualClock; readonly random: Random }) {
    this.clock = components.clock
    this.#random = components.random
    this.paths = new Paths(components.random)
  }

  attach(address: string, host: SimHost): void {
    this.#hosts.set(address, host)
  }

  detach(address: string): void {
    this.#hosts.delete(address)
  }

  /** Asks the kernel behind an address whether somebody listens. */
  async knock(
    from: SimHost,
    addresses: readonly string[],
    timeoutMs: number
  ): Promise<KnockOutcome> {
    const all = addresses.map(address => this.#knockOne(from, address, timeoutMs))
    const outcomes = await Promise.all(all)
    if (outcomes.includes('accepted')) return 'accepted'
    const refused = outcomes.length > 0 && outcomes.every(outcome => outcome === 'refused')
    return refused ? 'refused' : 'nothing'
  }

  #knockOne(from: SimHost, address: string, timeoutMs: number): Promise<KnockOutcome> {
    return new Promise(answer => {
      const resolve = (outcome: KnockOutcome): void => {
        from.world.touch()
        answer(outcome)
      }
      const target = this.#hosts.get(address)
      const there = target?.isOn === true && this.paths.isWhole(from.id, target.id)
      const afterMs = there ? this.#roundTripMs(from, target) : timeoutMs
      if (!there || afterMs > timeoutMs) {
        this.clock.schedule(timeoutMs, () => resolve('nothing'))
        return
      }
      this.clock.schedule(afterMs, () => {
        const alive = target.isOn && target.transport?.isListening === true
        resolve(alive ? 'accepted' : 'refused')
      })
    })
  }

  /** Ends with exactly one outcome: connected and greeted, refused, or given up at `timeoutMs`. */
  dial(
    from: SimTransport,
    address: string,
    timeoutMs: number,
    done: (outcome: SimTransport | 'refused' | 'failed') => void
  ): void {
    const untilMs = this.clock.nowMs() + timeoutMs
    let isOver = false
    const end = (outcome: SimTransport | 'refused' | 'failed'): void => {
      if (isOver) return
      isOver = true
      done(outcome)
    }
    this.clock.schedule(timeoutMs, () => end('failed'))
    const attempt = (retry: number): void => {
      if (isOver || !from.isLive) return
      const target = this.#hosts.get(address)
      const there = target?.isOn === true && this.paths.isWhole(from.host.id, target.id)
      if (!there) {
        const waitMs = (SYN_RETRY_MS[retry + 1] ?? timeoutMs) - (SYN_RETRY_MS[retry] ?? 0)
        if (this.clock.nowMs() + waitMs < untilMs) {
          this.clock.schedule(waitMs, () => attempt(retry + 1))
        }
        return
      }
      this.#greet(from, target, end)
    }
    attempt(0)
  }

  #greet(
    from: SimTransport,
    target: SimHost,
    end: (outcome: SimTransport | 'refused' | 'failed') => void
  ): void {
    this.clock.schedule(this.#roundTripMs(from.host, target), () => {
      const to = target.transport
      if (to?.isListening !== true) return end(target.isOn ? 'refused' : 'failed')
      // The hello is the daemon's own work: a paused one accepts and says nothing.
      to.enter(() => {
        this.clock.schedule(this.#roundTripMs(from.host, target), () => {
          if (to.isLive && this.paths.isWhole(from.host.id, target.id)) {
            from.enter(() => end(to))
          }
        })
      })
    })
  }

  /** Both have greeted each other: whichever of the two dialled. */
  join(a: SimTransport, b: SimTransport): void {
    const link = new Link(this, [a, b])
    a.opened(link, b)
    b.opened(link, a)
  }

  /** `by` sees the connection end now, its other end as soon as a packet of `by` is there. */
  close(link: Link, by: SimTransport): void {
    if (!link.isOpen) return
    const other = link.other(by)
    link.end()
    const afterMs = this.paths.delayMs(by.host.id, other.host.id)
    this.clock.schedule(afterMs, () => this.#told(link, by, other))
  }

  /** The end of a link reaches the other side, or is lost on a cut path: it will notice itself. */
  #told(link: Link, by: SimTransport, other: SimTransport): void {
    if (!other.isLive) return
    if (this.paths.isOpen(by.host.id, other.host.id)) return other.enter(() => other.lost(link))
    // It believes in its link until a packet of its own is answered with a reset.
    this.clock.schedule(RESET_POLL_MS, () => this.#told(link, by, other))
  }

  /** A reset: the end that still believed in the link loses it. */
  reset(link: Link, end: SimTransport): void {
    link.end()
    if (end.isLive) end.enter(() => end.lost(link))
  }

  /** Both ends lose it at once, with what was under way. */
  break(link: Link, ends: readonly [SimTransport, SimTransport]): void {
    link.end()
    for (const end of ends) if (end.isLive) end.enter(() => end.lost(link))
  }

  /** The fast path: to whoever can be reached over links, in any order, perhaps again. */
  publish(from: SimTransport, message: unknown): void {
    const seen = new Set<SimTransport>([from])
    let reached: SimTransport[] = [from]
    while (reached.length > 0) {
      const next: SimTransport[] = []
      for (const hop of reached) {
        for (const peer of hop.peers()) {
          if (seen.has(peer) || !this.paths.isOpen(hop.host.id, peer.host.id)) continue
          seen.add(peer)
          if (peer.isLive && peer.host.isOn) next.push(peer)
          this.#hand(hop, peer, message)
        }
      }
      reached = next
    }
  }

  #hand(from: SimTransport, to: SimTransport, message: unknown): void {
    const random = this.#random
    const { lossPerMille, repeatPerMille, replayPerMille, replayMs } = this.pubsub
    const deliver = (): void => {
      if (to.isLive) to.enter(() => to.published(message, from.self))
    }
    const delayMs = this.paths.delayMs(from.host.id, to.host.id) + random.int(PUBSUB_SPREAD_MS)
    if (random.int(1_000) >= lossPerMille) this.clock.schedule(delayMs, deliver)
    if (random.int(1_000) < repeatPerMille) {
      this.clock.schedule(delayMs + random.int(5_000), deliver)
    }
    if (replayPerMille > 0 && random.int(1_000) < replayPerMille) {
      this.clock.schedule(random.int(replayMs), deliver)
    }
  }

  #roundTripMs(a: SimHost, b: SimHost): number {
    return this.paths.delayMs(a.id, b.id) + this.paths.delayMs(b.id, a.id)
  }
}

/** How often an idle connection's keep-alive would find out. */
const RESET_POLL_MS = 1_000
