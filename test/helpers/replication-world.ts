/**
 * A tiny mesh of replicas on a virtual clock: messages take a while, get lost, repeated and
 * replayed, links are cut, nodes die, come back from their disk, from a synced prefix of it, from
 * an old copy or from nothing. One seed, one run.
 */
import { decode, encode } from '../../gossip/codec.ts'
import type { Codec } from '../../gossip/core/effect.ts'
import { SeededRandom } from '../../gossip/core/random.ts'
import type {
  ReplicationCommand,
  ReplicationEffect,
  ReplicationEvent,
  ReplicationInput
} from '../../gossip/core/replication/api.ts'
import {
  type ReplicationMessage,
  readReplicationMessage
} from '../../gossip/core/replication/message.ts'
import { Replica } from '../../gossip/core/replication/replica.ts'
import { type Sealer, Signed } from '../../gossip/core/signed.ts'
import type { NodeId } from '../../gossip/core/types.ts'
import { VirtualClock } from './virtual-clock.ts'

export const codec: Codec = { encode, decode }

/** Signs with nothing: who is who is checked by the edges, which the core tests leave out. */
export function createPlainSealer(self: NodeId): Sealer {
  return {
    self,
    seal: body => new Signed(self, body, encode(body), new Uint8Array(64))
  }
}

export interface Faults {
  /** Per thousand. */
  readonly loss: number
  readonly duplicate: number
  /** Deliver once more, up to 3 minutes later. */
  readonly replay: number
  readonly delayMs: number
}

const CALM: Faults = { loss: 0, duplicate: 0, replay: 0, delayMs: 5 }
const REPLAY_WITHIN_MS = 180_000

interface Host {
  readonly id: NodeId
  replica: Replica | undefined
  boot: string
  starts: number
  /** What the disk holds; `synced` is what a power cut leaves. */
  disk: Map<string, Uint8Array>
  synced: Map<string, Uint8Array>
  events: ReplicationEvent[]
}

interface WriteFields {
  readonly uid?: string
  readonly text?: string
  readonly remove?: boolean
  readonly operation?: string
  readonly parts?: number
  readonly waitMs?: number
}

export class ReplicationWorld {
  readonly random: SeededRandom
  readonly hosts: Host[] = []
  readonly #clock = new VirtualClock()
  faults: Faults = CALM
  /** Bytes of all messages that left, by kind. */
  readonly sent = new Map<string, { count: number; bytes: number }>()
  refusedMessages = 0
  readonly #cut = new Set<string>()
  #rostered: Set<NodeId>

  constructor(seed: number, count: number) {
    this.random = new SeededRandom(seed)
    for (let i = 0; i < count; i++) this.#addHost(`n${i}`)
    this.#rostered = new Set(this.hosts.map(host => host.id))
    for (const host of this.hosts) this.start(host.id)
  }

  #addHost(id: NodeId): Host {
    const host: Host = {
      ...{ id, replica: undefined, boot: '', starts: 0, events: [] },
      ...{ disk: new Map(), synced: new Map() }
    }
    this.hosts.push(host)
    return host
  }

  host(id: NodeId): Host {
    const host = this.hosts.find(entry => entry.id === id)
    if (host === undefined) throw new Error(`no host ${id}`)
    return host
  }

  replica(id: NodeId): Replica {
    const { replica } = this.host(id)
    if (replica === undefined) throw new Error(`${id} is down`)
    return replica
  }

  get running(): readonly Host[] {
    return this.hosts.filter(host => host.replica !== undefined)
  }

  /** A new node joins the mesh. */
  join(id: NodeId): void {
    this.#addHost(id)
    this.#rostered.add(id)
    this.start(id)
  }

  start(id: NodeId, amnesiac = false): void {
    const host = this.host(id)
    host.starts += 1
    host.boot = this.random.hex(32)
    host.replica = new Replica(
      { random: this.random, sealer: createPlainSealer(id), codec },
      { boot: host.boot }
    )
    const persisted = [...host.disk].map(([key, value]) => ({ key, value }))
    this.input(id, { kind: 'start', persisted, amnesiac })
    this.#tellMembers()
    for (const other of this.running) {
      if (other !== host && !this.isCut(id, other.id)) this.#link(id, other.id, 'open')
    }
    this.command(id, { kind: 'incarnation', incarnation: host.starts })
  }

  /** `kill` keeps the disk, `power` what was synced, `wipe` nothing. */
  stop(id: NodeId, how: 'kill' | 'power' | 'wipe' = 'kill'): void {
    const host = this.host(id)
    host.replica = undefined
    if (how === 'power') host.disk = new Map(host.synced)
    if (how === 'wipe') {
      host.disk = new Map()
      host.synced = new Map()
    }
    for (const other of this.running) this.input(other.id, link(id, 'closed'))
    this.#tellMembers()
  }

  backup(id: NodeId): Map<string, Uint8Array> {
    return new Map(this.host(id).disk)
  }

  restore(id: NodeId, disk: Map<string, Uint8Array>): void {
    this.host(id).disk = new Map(disk)
    this.host(id).synced = new Map(disk)
  }

  forget(id: NodeId): void {
    this.#rostered.delete(id)
    this.#tellMembers()
  }

  isCut(a: NodeId, b: NodeId): boolean {
    return this.#cut.has(a < b ? `${a} ${b}` : `${b} ${a}`)
  }

  /** Cuts every link between the two sides. */
  cut(side: readonly NodeId[], other: readonly NodeId[]): void {
    for (const a of side) {
      for (const b of other) {
        this.#cut.add(a < b ? `${a} ${b}` : `${b} ${a}`)
        this.#link(a, b, 'closed')
      }
    }
    this.#tellMembers()
  }

  heal(): void {
    const pairs = [...this.#cut].map(pair => pair.split(' ') as [NodeId, NodeId])
    this.#cut.clear()
    this.#tellMembers()
    for (const [a, b] of pairs) this.#link(a, b, 'open')
  }

  command(id: NodeId, command: ReplicationCommand): void {
    this.input(id, { kind: 'command', command })
  }

  own(id: NodeId, key: string, text: string | null): void {
    this.command(id, { kind: 'own', key, value: text === null ? null : bytesOf(text) })
  }

  /** Writes and gives the operation id. */
  write(id: NodeId, key: string, fields: WriteFields): string {
    const operation = fields.operation ?? `op-${this.random.hex(12)}`
    const current = this.replica(id).entry(key)?.current?.body.uid
    this.command(id, {
      kind: 'write',
      ...{ operation, key },
      uid: fields.uid ?? current ?? this.random.hex(32),
      remove: fields.remove ?? false,
      value: fields.remove === true ? null : bytesOf(fields.text ?? 'x'),
      ...{
        parts: fields.parts ?? 1,
        request: 'asked',
        wroteAtMs: this.nowMs,
        waitMs: fields.waitMs ?? 1_000
      }
    })
    return operation
  }

  text(id: NodeId, key: string): string | undefined {
    const value = this.replica(id).entry(key)?.current?.body.value
    return value === undefined || value === null ? undefined : new TextDecoder().decode(value)
  }

  events<Kind extends ReplicationEvent['kind']>(
    id: NodeId,
    kind: Kind
  ): Extract<ReplicationEvent, { kind: Kind }>[] {
    const wanted = (event: ReplicationEvent): event is Extract<ReplicationEvent, { kind: Kind }> =>
      event.kind === kind
    return this.host(id).events.filter(wanted)
  }

  input(id: NodeId, input: ReplicationInput): void {
    const host = this.host(id)
    const { replica, starts } = host
    if (replica === undefined) return
    for (const effect of replica.handle(input, this.nowMs)) this.#perform(host, starts, effect)
  }

  get nowMs(): number {
    return this.#clock.nowMs()
  }

  /** Lets virtual time pass. */
  run(forMs: number): void {
    this.#clock.run(forMs)
  }

  /** Runs until all running replicas are equal; false when they are not in time. */
  converge(withinMs: number): boolean {
    const untilMs = this.nowMs + withinMs
    while (this.nowMs < untilMs) {
      this.run(100)
      if (new Set(this.running.map(host => host.replica?.digest())).size <= 1) return true
    }
    return false
  }

  at(afterMs: number, run: () => void): void {
    this.#clock.schedule(afterMs, run)
  }

  #perform(host: Host, starts: number, effect: ReplicationEffect): void {
    switch (effect.kind) {
      case 'persist':
        for (const { key, value } of effect.records) {
          if (value === null) host.disk.delete(key)
          else host.disk.set(key, value)
        }
        if (effect.sync) host.synced = new Map(host.disk)
        return
      case 'notify':
        host.events.push(effect.event)
        return
      case 'schedule':
        this.at(effect.afterMs, () => {
          if (host.starts === starts) this.input(host.id, { kind: 'timer', timer: effect.timer })
        })
        return
      case 'send':
        return this.#send(host.id, effect.to, effect.message, false)
      case 'publish':
        for (const { id } of this.hosts) {
          if (id !== host.id) this.#send(host.id, id, effect.message, true)
        }
        return
      default:
        throw new Error(`a replica has no effect ${effect.kind}`)
    }
  }

  #send(from: NodeId, to: NodeId, message: ReplicationMessage, published: boolean): void {
    const frame = encode(message)
    const count = this.sent.get(message.kind) ?? { count: 0, bytes: 0 }
    count.count += 1
    count.bytes += frame.byteLength
    this.sent.set(message.kind, count)
    const { loss, duplicate, replay, delayMs } = this.faults
    const draw = (perMille: number): boolean => perMille > 0 && this.random.int(1_000) < perMille
    const deliver = (afterMs: number): void =>
      this.at(afterMs, () => this.#deliver(from, to, frame, published))
    if (!draw(loss)) deliver(1 + this.random.int(delayMs))
    if (draw(duplicate)) deliver(1 + this.random.int(delayMs * 20))
    if (draw(replay)) deliver(this.random.int(REPLAY_WITHIN_MS))
  }

  #deliver(from: NodeId, to: NodeId, frame: Uint8Array, published: boolean): void {
    if (this.isCut(from, to) || this.host(to).replica === undefined) return
    const message = readReplicationMessage(decode(frame))
    if (message === undefined) {
      this.refusedMessages += 1
      return
    }
    this.input(to, { kind: 'message', from: published ? undefined : from, message })
  }

  #link(a: NodeId, b: NodeId, state: 'open' | 'closed'): void {
    this.input(a, link(b, state))
    this.input(b, link(a, state))
  }

  #tellMembers(): void {
    const rostered = [...this.#rostered].sort()
    for (const { id } of this.running) {
      const alive = this.running.map(host => host.id).filter(other => !this.isCut(id, other))
      this.command(id, { kind: 'members', alive, rostered })
    }
  }
}

function link(peer: NodeId, state: 'open' | 'closed'): ReplicationInput {
  return { kind: 'link', peer, state }
}

export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(new TextEncoder().encode(text))
}
