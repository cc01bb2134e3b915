/**
 * Links: one a peer, whatever the number of connections below it. A link opens with the first
 * connection that said a good hello and closes with the last. Diallers that cross make two
 * connections for a moment; both sides settle on the one that the smaller id dialled.
 */
import { type Connection, ConnectionClosedError, type PeerId } from '@libp2p/interface'
import type { NodeId } from '../core/types.ts'
import {
  CLOSE_TIMEOUT_MS,
  CONNECTIONS_PER_PEER_MAX,
  CROSSING_MS,
  type HostLimits,
  RETIRE_MS
} from './limits.ts'
import { drop, type HostStats } from './stats.ts'
import type { LinkEvent, PeerHello } from './types.ts'

interface Held {
  readonly connection: Connection
  readonly admittedAtMs: number
}

export interface Link {
  readonly peer: NodeId
  readonly id: PeerId
  readonly hello: PeerHello
  /** Invariant: never empty while the link is in the table. Oldest first. */
  readonly held: Held[]
}

/** A connection before its hello. */
interface Stranger {
  readonly promise: Promise<boolean>
  readonly settle: (admitted: boolean) => void
  readonly timer: NodeJS.Timeout
}

export interface LinksComponents {
  readonly self: NodeId
  readonly stats: HostStats
  readonly emit: (event: LinkEvent) => void
  /** The connection to use for a peer changed, or is gone. */
  readonly onRoute: (peer: NodeId, connection: Connection | undefined, id: PeerId) => void
}

/** Closes politely, then by force. */
export function closeConnection(connection: Connection, reason: string): void {
  connection
    .close({ signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) })
    .catch(() => connection.abort(new Error(reason)))
}

export class Links {
  readonly #components: LinksComponents
  readonly #limits: HostLimits
  readonly #links = new Map<NodeId, Link>()
  /** Oldest first. */
  readonly #strangers = new Map<Connection, Stranger>()
  readonly #retiring = new Set<NodeJS.Timeout>()

  constructor(components: LinksComponents, limits: HostLimits) {
    this.#components = components
    this.#limits = limits
  }

  get size(): number {
    return this.#links.size
  }

  peers(): NodeId[] {
    return [...this.#links.keys()]
  }

  get(peer: NodeId): Link | undefined {
    return this.#links.get(peer)
  }

  /** The connection on which new streams to a peer are opened. */
  best(peer: NodeId): Connection | undefined {
    const link = this.#links.get(peer)
    return link === undefined ? undefined : this.#winner(link)
  }

  /** As `best`; throws without a link. */
  connection(peer: NodeId): Connection {
    const connection = this.best(peer)
    if (connection === undefined) throw new ConnectionClosedError(`no link to ${peer}`)
    return connection
  }

  /** Whether a connection is the one that stays should diallers cross. */
  isPreferred(connection: Connection): boolean {
    const outbound = this.#components.self < connection.remotePeer.toString()
    return connection.direction === (outbound ? 'outbound' : 'inbound')
  }

  /** A connection came up below; it has `helloTimeoutMs` to say hello. */
  met(connection: Connection): void {
    let settle!: (admitted: boolean) => void
    const promise = new Promise<boolean>(resolve => {
      settle = resolve
    })
    const timer = setTimeout(() => {
      drop(this.#components.stats, 'no-hello')
      this.refuse(connection, 'no hello in time')
    }, this.#limits.helloTimeoutMs)
    this.#strangers.set(connection, { promise, settle, timer })
    if (this.#strangers.size <= this.#limits.strangersMax) return
    const [oldest] = this.#strangers.keys()
    drop(this.#components.stats, 'strangers')
    if (oldest !== undefined) this.refuse(oldest, 'too many strangers')
  }

  /** Resolves once the connection has said a good hello, or will never. */
  admitted(connection: Connection): Promise<boolean> {
    const stranger = this.#strangers.get(connection)
    if (stranger !== undefined) return stranger.promise
    const link = this.#links.get(connection.remotePeer.toString())
    return Promise.resolve(link?.held.some(held => held.connection === connection) === true)
  }

  /** A good hello was exchanged. False when the connection is not wanted any more. */
  admit(connection: Connection, hello: PeerHello): boolean {
    const peer = connection.remotePeer.toString()
    const nowMs = performance.now()
    if (connection.status !== 'open') return false
    let link = this.#links.get(peer)
    if (link !== undefined) {
      const youngest = link.held.at(-1) as Held
      const isNewBoot = link.hello.boot !== hello.boot
      // A peer dials only what it has no link to: outside of a crossing, what we hold is dead.
      if (isNewBoot || nowMs - youngest.admittedAtMs > CROSSING_MS) {
        this.close(peer, isNewBoot ? 'restarted' : 'replaced by a new connection')
        link = undefined
      } else if (link.held.length >= CONNECTIONS_PER_PEER_MAX) {
        this.refuse(connection, 'too many connections')
        return false
      }
    }
    const held = { connection, admittedAtMs: nowMs }
    if (link === undefined) {
      link = { peer, id: connection.remotePeer, hello, held: [held] }
      this.#links.set(peer, link)
      this.#components.stats.linksOpened += 1
      this.#components.emit({ peer, state: 'open', ...hello })
    } else {
      link.held.push(held)
      this.#retireLosers(link)
    }
    this.#settleStranger(connection, true)
    if (this.#links.get(peer) === link) this.#components.onRoute(peer, this.#winner(link), link.id)
    return true
  }

  /** Ends a connection that has not been admitted. */
  refuse(connection: Connection, reason: string): void {
    this.#settleStranger(connection, false)
    connection.abort(new Error(reason))
  }

  /** The same without a reset, so that what was said last arrives. */
  dismiss(connection: Connection, reason: string): void {
    this.#settleStranger(connection, false)
    closeConnection(connection, reason)
  }

  /** libp2p says that a connection is gone. */
  gone(connection: Connection): void {
    this.#settleStranger(connection, false)
    const peer = connection.remotePeer.toString()
    const link = this.#links.get(peer)
    const index = link?.held.findIndex(held => held.connection === connection) ?? -1
    if (link === undefined || index < 0) return
    link.held.splice(index, 1)
    if (link.held.length > 0) this.#components.onRoute(peer, this.#winner(link), link.id)
    else this.#closed(link, 'connection lost')
  }

  /** Closes the link, if there is one; its event comes at once. */
  close(peer: NodeId, reason: string): void {
    const link = this.#links.get(peer)
    if (link === undefined) return
    const held = link.held.splice(0)
    this.#closed(link, reason)
    for (const { connection } of held) closeConnection(connection, reason)
  }

  /** Gives up all links; their events come at once. */
  stop(): void {
    for (const timer of this.#retiring) clearTimeout(timer)
    this.#retiring.clear()
    for (const connection of [...this.#strangers.keys()]) this.refuse(connection, 'stopping')
    for (const peer of this.peers()) this.close(peer, 'stopping')
  }

  #closed({ id, peer }: Link, reason: string): void {
    this.#links.delete(peer)
    this.#components.stats.linksClosed += 1
    this.#components.onRoute(peer, undefined, id)
    this.#components.emit({ peer, state: 'closed', reason })
  }

  #settleStranger(connection: Connection, admitted: boolean): void {
    const stranger = this.#strangers.get(connection)
    if (stranger === undefined) return
    clearTimeout(stranger.timer)
    this.#strangers.delete(connection)
    stranger.settle(admitted)
  }

  /** Both sides choose alike: dialled by the smaller id; of several such, the youngest. */
  #winner(link: Link): Connection {
    const held = link.held.findLast(one => this.isPreferred(one.connection)) ?? link.held.at(-1)
    return (held as Held).connection
  }

  #retireLosers(link: Link): void {
    const winner = this.#winner(link)
    for (const { connection } of link.held) {
      if (connection === winner) continue
      // Its dialler closes it; the other side only if that does not happen.
      const afterMs = connection.direction === 'outbound' ? RETIRE_MS : 5 * RETIRE_MS
      const timer = setTimeout(() => {
        this.#retiring.delete(timer)
        if (connection.status !== 'open' || this.best(link.peer) === connection) return
        closeConnection(connection, 'crossed')
      }, afterMs)
      this.#retiring.add(timer)
    }
  }
}
