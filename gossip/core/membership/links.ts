/** Who is linked with us, when we heard each, and how news travels over the links. */
import type { Signed } from '../signed.ts'
import { MEMBERS_MAX, type NodeId } from '../types.ts'
import type { AliveBody, MembershipInput } from './api.ts'
import type { Context } from './context.ts'
import type { MembershipMessage, RosterRow } from './message.ts'
import type { ObserverGraph } from './observers.ts'

type Opened = Extract<MembershipInput, { kind: 'link'; state: 'open' }>

/** Links that a statement of another is passed on to: some, and fewer where its author has a link
 * to everybody. */
const RELAY_LINKS = 4
/** What nobody may miss: reports that are due are told once, and six of eight must arrive. */
const RELAY_URGENT = 6
const RELAY_FULL = 1
/** In one message, well below a page. */
const NEWCOMERS_MAX = 64

export interface Link {
  readonly boot: string
  readonly openedMs: number
  /** When any message of it came, on the awake clock. */
  heardMs: number
  /** It sends us heartbeats: silence counts. */
  beats: boolean
}

export class Links {
  readonly #context: Context
  readonly #links = new Map<NodeId, Link>()
  /** Of the last hello of each, oldest first. */
  readonly #addresses = new Map<NodeId, readonly string[]>()
  #newcomers: { readonly row: RosterRow; readonly except: readonly NodeId[] }[] = []
  graph: ObserverGraph | undefined

  constructor(context: Context) {
    this.#context = context
  }

  get size(): number {
    return this.#links.size
  }

  /** Sorted. */
  peers(): NodeId[] {
    return [...this.#links.keys()].sort()
  }

  /** Those that we heard before any of them could be called silent. */
  heard(): NodeId[] {
    const { awakeMs, config } = this.#context
    const sinceMs = awakeMs - config.silenceSuspectMs
    return [...this.#links].filter(([, { heardMs }]) => heardMs > sinceMs).map(([peer]) => peer)
  }

  has(peer: NodeId): boolean {
    return this.#links.has(peer)
  }

  get(peer: NodeId): Link | undefined {
    return this.#links.get(peer)
  }

  open(input: Opened): boolean {
    if (!this.#links.has(input.peer) && this.#links.size >= MEMBERS_MAX) {
      this.#context.drop('members')
      return false
    }
    const { awakeMs } = this.#context
    const before = this.#links.get(input.peer)
    this.#addresses.delete(input.peer)
    this.#addresses.set(input.peer, input.addresses)
    const [oldest] = this.#addresses.keys()
    if (this.#addresses.size > MEMBERS_MAX && oldest !== undefined) this.#addresses.delete(oldest)
    this.#links.set(input.peer, {
      boot: input.boot,
      openedMs: awakeMs,
      heardMs: awakeMs,
      beats: before?.boot === input.boot && before.beats
    })
    return true
  }

  /** As its last hello said, also after the link closed: knocks go there. Empty: never met. */
  addresses(peer: NodeId): readonly string[] {
    return this.#addresses.get(peer) ?? []
  }

  close(peer: NodeId): Link | undefined {
    const link = this.#links.get(peer)
    this.#links.delete(peer)
    return link
  }

  /** The graph changed: those that are no subjects of ours any more send no heartbeats. */
  rewire(graph: ObserverGraph): void {
    this.graph = graph
    const subjects = graph.subjects(this.#context.self)
    for (const [peer, link] of this.#links) {
      if (!subjects.has(peer)) link.beats = false
    }
  }

  /** To every link: what we originate. */
  broadcast(message: MembershipMessage): void {
    for (const peer of this.peers()) this.#context.send(peer, message)
  }

  /**
   * What others originate, further. The originator reached its own links itself: `without` are
   * those who seem to have no path to it, a few more at random find the rest, and what is missed
   * the next beacon or repair brings. To all links it would cost every member a copy from every
   * other: on starved hosts suspicion then feeds on the load that it makes.
   */
  relay(
    message: MembershipMessage,
    except: readonly NodeId[],
    without: Iterable<NodeId>,
    urgent: boolean = false
  ): void {
    const { graph } = this
    const context = this.#context
    const open = this.peers().filter(peer => !except.includes(peer))
    const lacking = new Set(without)
    // Strangers to the graph are about to join, and everybody's duty.
    const must = open.filter(peer => lacking.has(peer) || graph?.members.has(peer) !== true)
    const may = open.filter(peer => !must.includes(peer))
    const full = this.#links.size >= (graph?.members.size ?? 0) - 1
    const count = full ? RELAY_FULL : urgent ? RELAY_URGENT : RELAY_LINKS
    for (const peer of [...must, ...this.#some(may, count)]) context.send(peer, message)
  }

  /** At random, first of those that we hear: of a side of a cut most links lead to the other. */
  #some(peers: readonly NodeId[], count: number): NodeId[] {
    const context = this.#context
    const recent = new Set(this.heard())
    const heard = context.sample(
      peers.filter(peer => recent.has(peer)),
      count
    )
    const rest = peers.filter(peer => !recent.has(peer))
    return [...heard, ...context.sample(rest, count - heard.length)]
  }

  /** A newcomer has no links of its own yet: whoever meets it tells all, with the next tick. */
  introduce(alive: Signed<AliveBody>, except: readonly NodeId[]): void {
    const row: RosterRow = { alive, state: 'alive', obituaries: [] }
    this.#newcomers.push({ row, except: [...except, alive.author] })
    if (this.#newcomers.length >= NEWCOMERS_MAX) this.tellNewcomers()
  }

  /** Many come at once when a mesh starts: one message a peer for all of a tick. */
  tellNewcomers(): void {
    const newcomers = this.#newcomers.splice(0)
    if (newcomers.length === 0) return
    for (const peer of this.peers()) {
      const rows = newcomers.filter(({ except }) => !except.includes(peer)).map(({ row }) => row)
      if (rows.length === 0) continue
      this.#context.send(peer, { kind: 'roster', rows, forgets: [], want: [], done: false })
    }
  }
}
