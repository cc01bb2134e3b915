/**
 * Dialling: the addresses of a peer one after the other with a short stagger (RFC 8305's idea),
 * the first good hello wins. Every dial ends in one link event, and a failure has one word.
 */
import type { Connection } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { NodeId } from '../core/types.ts'
import { endpointOf } from './addresses.ts'
import { HELLO_PROTOCOL, type Hello, HelloError, sayHello } from './hello.ts'
import { KEY_WATCH, type KeyWatch } from './key-check.ts'
import { ADDRESSES_MAX, type HostLimits } from './limits.ts'
import { closeConnection, type Links } from './links.ts'
import type { HostStats } from './stats.ts'
import type { ConnectOutcome, LinkEvent, LinkFailure } from './types.ts'

/** What libp2p's transport manager is needed for. It goes around libp2p's own dial queue. */
export interface Transports {
  dial(address: Multiaddr, options: { signal: AbortSignal }): Promise<Connection>
  getAddrs(): Multiaddr[]
}

export interface DialerComponents {
  readonly self: NodeId
  readonly transports: () => Transports
  readonly links: Links
  readonly ownHello: () => Hello
  readonly stats: HostStats
  readonly emit: (event: LinkEvent) => void
  readonly onWrongMesh: (address: string, message: string) => void
}

interface Failed {
  readonly failure: LinkFailure
  readonly message: string
}

/** What to tell when addresses failed in different ways: the most telling first. */
const TELLING: readonly LinkFailure[] = [
  'WRONG_KEY',
  'WRONG_MESH',
  'VERSION',
  'WRONG_PEER',
  'SELF',
  'CLOSED',
  'UNREACHABLE',
  'TIMEOUT',
  'ABORTED',
  'REFUSED',
  'ADDRESS'
]
const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOTFOUND', 'EAI_AGAIN'])

function explain(error: unknown, watch: KeyWatch, timedOut: boolean): Failed {
  const { name, code, message } = error as { name?: string; code?: string; message?: string }
  if (watch.wrong) return { failure: 'WRONG_KEY', message: "most likely another mesh's key" }
  if (error instanceof HelloError && error.failure !== 'TIMEOUT')
    return { failure: error.failure, message: error.message }
  if (code === 'ECONNREFUSED') return { failure: 'REFUSED', message: 'connection refused' }
  if (UNREACHABLE.has(code ?? '')) return { failure: 'UNREACHABLE', message: `${code}` }
  if (timedOut || code === 'ETIMEDOUT') return { failure: 'TIMEOUT', message: 'no answer in time' }
  if (name === 'AbortError') return { failure: 'ABORTED', message: 'given up' }
  if (/dial self/.test(message ?? '')) return { failure: 'SELF', message: 'that is this node' }
  if (/not match expected/.test(message ?? ''))
    return { failure: 'WRONG_PEER', message: 'another node answered' }
  return { failure: 'CLOSED', message: message ?? 'closed during the handshake' }
}

export class Dialer {
  readonly #components: DialerComponents
  readonly #limits: HostLimits
  readonly #underWay = new Map<string, Promise<ConnectOutcome>>()

  constructor(components: DialerComponents, limits: HostLimits) {
    this.#components = components
    this.#limits = limits
  }

  /** Never rejects. Dials to one peer at a time join. */
  connect(
    peer: NodeId | undefined,
    addresses: readonly string[],
    timeoutMs: number,
    signal: AbortSignal
  ): Promise<ConnectOutcome> {
    const linked = peer === undefined ? undefined : this.#components.links.get(peer)
    if (linked !== undefined) {
      this.#components.emit({ peer: linked.peer, state: 'open', ...linked.hello })
      return Promise.resolve({ linked: true, peer: linked.peer })
    }
    const name = peer ?? addresses.join()
    const running = this.#underWay.get(name)
    if (running !== undefined) return running
    const dial = this.#connect(peer, addresses, timeoutMs, signal).finally(() =>
      this.#underWay.delete(name)
    )
    this.#underWay.set(name, dial)
    return dial
  }

  async #connect(
    peer: NodeId | undefined,
    addresses: readonly string[],
    timeoutMs: number,
    signal: AbortSignal
  ): Promise<ConnectOutcome> {
    const targets = addresses
      .filter(address => endpointOf(address) !== undefined)
      .slice(0, ADDRESSES_MAX)
    let failed: Failed[] = []
    if (peer === this.#components.self) failed = [{ failure: 'SELF', message: 'that is this node' }]
    else if (targets.length === 0)
      failed = [{ failure: 'ADDRESS', message: `no TCP address in "${addresses.join()}"` }]
    else {
      this.#components.stats.dials += 1
      const outcome = await this.#race(peer, targets, timeoutMs, signal)
      if (typeof outcome === 'string') return { linked: true, peer: outcome }
      failed = outcome
    }
    // An inbound connection of the same peer may have come first.
    if (peer !== undefined && this.#components.links.get(peer) !== undefined)
      return { linked: true, peer }
    const { failure, message } = failed.reduce((a, b) =>
      TELLING.indexOf(b.failure) < TELLING.indexOf(a.failure) ? b : a
    )
    const state = failure === 'REFUSED' ? 'refused' : 'failed'
    this.#components.emit({ peer, state, addresses: targets, failure, message })
    return { linked: false, failure, message }
  }

  /** The peer that said a good hello first, or why each address failed. */
  #race(
    peer: NodeId | undefined,
    targets: readonly string[],
    timeoutMs: number,
    signal: AbortSignal
  ): Promise<NodeId | Failed[]> {
    return new Promise(resolve => {
      // One a target: Node ties a socket to its dial's signal for good, so the winner's must
      // never fire again.
      const attempts: AbortController[] = []
      const failed: Failed[] = []
      let hasSettled = false
      let timedOut = false
      let stagger: NodeJS.Timeout | undefined
      const settle = (outcome: NodeId | Failed[], winner?: AbortController): void => {
        if (hasSettled) return
        hasSettled = true
        clearTimeout(stagger)
        clearTimeout(deadline)
        signal.removeEventListener('abort', giveUp)
        for (const attempt of attempts) if (attempt !== winner) attempt.abort()
        resolve(outcome)
      }
      const fail = (target: string, { failure, message }: Failed): void => {
        failed.push({ failure, message: `${target}: ${message}` })
        if (failed.length === targets.length) settle(failed)
      }
      const start = (): void => {
        clearTimeout(stagger)
        const target = targets[attempts.length]
        if (target === undefined || hasSettled) return
        const attempt = new AbortController()
        attempts.push(attempt)
        if (attempts.length < targets.length)
          stagger = setTimeout(start, this.#limits.dialStaggerMs)
        const watch: KeyWatch = { wrong: false }
        this.#attempt(peer, target, watch, attempt.signal).then(
          winner => settle(winner, attempt),
          (error: unknown) => {
            fail(target, explain(error, watch, timedOut))
            start()
          }
        )
      }
      const giveUp = (): void => {
        clearTimeout(stagger)
        // Those that were not tried yet fail like those that were.
        const untried = targets.slice(attempts.length)
        for (const attempt of attempts) attempt.abort()
        for (const target of untried)
          fail(target, { failure: timedOut ? 'TIMEOUT' : 'ABORTED', message: 'not tried in time' })
      }
      const deadline = setTimeout(() => {
        timedOut = true
        giveUp()
      }, timeoutMs)
      signal.addEventListener('abort', giveUp)
      if (signal.aborted) giveUp()
      else start()
    })
  }

  async #attempt(
    peer: NodeId | undefined,
    target: string,
    watch: KeyWatch,
    signal: AbortSignal
  ): Promise<NodeId> {
    const { links, ownHello, transports } = this.#components
    const address = multiaddr(
      peer === undefined || target.includes('/p2p/') ? target : `${target}/p2p/${peer}`
    )
    const options = { signal, [KEY_WATCH]: watch }
    const connection = await transports().dial(address, options)
    try {
      const remote = connection.remotePeer.toString()
      if (peer !== undefined && remote !== peer)
        throw new HelloError('WRONG_PEER', `${remote} answered`)
      if (this.#hasCrossed(remote)) {
        closeConnection(connection, 'crossed')
        return remote
      }
      const stream = await connection.newStream(HELLO_PROTOCOL, { signal })
      const hello = await sayHello(stream, ownHello(), signal)
      if (!links.admit(connection, hello)) throw new HelloError('CLOSED', 'closed after its hello')
      return remote
    } catch (error) {
      if (error instanceof HelloError && error.failure === 'WRONG_MESH')
        this.#components.onWrongMesh(target, error.message)
      links.refuse(connection, 'no good hello')
      throw error
    }
  }

  /** Whether the peer's own dial came through meanwhile and is the one to keep. */
  #hasCrossed(peer: NodeId): boolean {
    const link = this.#components.links.get(peer)
    if (link === undefined || this.#components.self < peer) return false
    return link.held.some(held => held.connection.direction === 'inbound')
  }
}
