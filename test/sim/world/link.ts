/**
 * One TCP connection between two lives of two daemons: in order, exactly once, until it breaks. A
 * cut path breaks nothing: what was sent is sent again, ever more rarely, until it comes through or
 * the sender's kernel gives up. A kernel without that connection answers with a reset.
 */
import type { Network } from './network.ts'
import { RETRANSMIT_MS } from './paths.ts'
import type { SimTransport } from './transport.ts'

/** As `tcp_retries2` = 15 of Linux gives it: some 15 minutes of silence. */
const GIVE_UP_MS = 924_000
const RETRANSMIT_MAX_MS = 120_000

interface Segment {
  readonly atMs: number
  readonly deliver: (to: SimTransport) => void
}

export class Link {
  isOpen = true
  readonly #lanes: readonly [Lane, Lane]
  readonly #ends: readonly [SimTransport, SimTransport]

  constructor(network: Network, ends: readonly [SimTransport, SimTransport]) {
    this.#ends = ends
    this.#lanes = [new Lane(network, this, ends), new Lane(network, this, [ends[1], ends[0]])]
  }

  other(end: SimTransport): SimTransport {
    return end === this.#ends[0] ? this.#ends[1] : this.#ends[0]
  }

  send(from: SimTransport, bytes: number, deliver: Segment['deliver']): void {
    if (this.isOpen) this.#lanes[from === this.#ends[0] ? 0 : 1].push(bytes, deliver)
  }

  /** One side's kernel has closed it, or both have lost it: nothing passes any more. */
  end(): void {
    this.isOpen = false
  }
}

class Lane {
  readonly #network: Network
  readonly #link: Link
  readonly #from: SimTransport
  readonly #to: SimTransport
  #queue: Segment[] = []
  #lastMs = 0
  #retries = 0
  #stalledSinceMs: number | undefined

  constructor(network: Network, link: Link, [from, to]: readonly [SimTransport, SimTransport]) {
    this.#network = network
    this.#link = link
    this.#from = from
    this.#to = to
  }

  push(bytes: number, deliver: Segment['deliver']): void {
    const { clock, paths } = this.#network
    const [from, to] = [this.#from.host.id, this.#to.host.id]
    const { bytesPerSecond } = paths.of(from, to)
    const room = bytesPerSecond === 0 ? 0 : (bytes * 1_000) / bytesPerSecond
    const atMs = Math.max(this.#lastMs + room, clock.nowMs() + paths.delayMs(from, to))
    this.#lastMs = atMs
    this.#queue.push({ atMs, deliver })
    if (this.#queue.length === 1 && this.#stalledSinceMs === undefined) this.#arm()
  }

  #arm(): void {
    const first = this.#queue[0]
    if (first === undefined) return
    const { clock } = this.#network
    clock.schedule(first.atMs - clock.nowMs(), () => this.#arrive())
  }

  #arrive(): void {
    if (!this.#link.isOpen) return
    const { clock, paths } = this.#network
    if (!paths.isOpen(this.#from.host.id, this.#to.host.id) || !this.#to.host.isOn) {
      return this.#stall()
    }
    if (!this.#to.isLive) return this.#network.reset(this.#link, this.#from)
    this.#stalledSinceMs = undefined
    this.#retries = 0
    const nowMs = clock.nowMs()
    let due = 0
    while (due < this.#queue.length && (this.#queue[due] as Segment).atMs <= nowMs) due += 1
    for (const { deliver } of this.#queue.splice(0, due)) {
      if (this.#link.isOpen) deliver(this.#to)
    }
    this.#arm()
  }

  #stall(): void {
    const { clock } = this.#network
    this.#stalledSinceMs ??= clock.nowMs()
    if (clock.nowMs() - this.#stalledSinceMs > GIVE_UP_MS) {
      return this.#network.reset(this.#link, this.#from)
    }
    const afterMs = Math.min(RETRANSMIT_MAX_MS, RETRANSMIT_MS * 2 ** this.#retries)
    this.#retries += 1
    clock.schedule(afterMs, () => this.#arrive())
  }
}
