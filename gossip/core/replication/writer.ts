/**
 * Writes of shared registers that our people ask for, and their durable acknowledgement: a write
 * counts on this disk once its batch is synced, and on another once that node says so.
 */
import type { Sealer } from '../signed.ts'
import type { BootId, NodeId, Random } from '../types.ts'
import type {
  Dot,
  PastOperation,
  Repeated,
  ReplicationCommand,
  ReplicationEvent,
  SharedBody
} from './api.ts'
import { compareRank, joinVectors, sameDot } from './clock.ts'
import * as limits from './constants.ts'
import {
  isOperation,
  isParts,
  isRequest,
  isUid,
  type Stored,
  type StoreRequest
} from './message.ts'
import { contentOf } from './operations.ts'
import type { Outbox } from './outbox.ts'
import { findOperation, type Register, type SharedWrite } from './register.ts'
import type { ReplicaState } from './state.ts'

export type WriteCommand = Extract<ReplicationCommand, { kind: 'write' | 'confirm' }>
type FirstCommand = Extract<ReplicationCommand, { kind: 'write' }>
type Refused = Extract<ReplicationEvent, { kind: 'refused' }>

interface Pending {
  readonly operation: string
  readonly key: string
  /** Of the operation; the write that carries it may be a later one. */
  readonly dot: Dot
  readonly write: SharedWrite
  readonly wanted: number
  readonly disks: Set<NodeId>
  readonly asked: Set<NodeId>
  readonly deadlineMs: number
  readonly token: number
}

export interface WriterComponents {
  readonly sealer: Sealer
  readonly random: Random
  readonly state: ReplicaState
  readonly alive: () => readonly NodeId[]
}

const nameOf = (write: { operation: string; key: string }): string =>
  `${write.operation}\n${write.key}`

export class Writer {
  readonly #c: WriterComponents
  readonly #boot: BootId
  readonly #pending = new Map<string, Pending>()
  #counter = 0
  #token = 0
  amnesiac = false

  constructor(components: WriterComponents, boot: BootId) {
    this.#c = components
    this.#boot = boot
  }

  get pendingCount(): number {
    return this.#pending.size
  }

  /** What an operation has written before, by key. */
  repeated(operation: string): Repeated[] {
    const { shared, operations } = this.#c.state
    const known = operations.parts(operation)
    if (!operations.hasForgotten) return known
    const keys = new Set(known.map(one => one.key))
    return [...known, ...shared.parts(operation).filter(one => !keys.has(one.key))]
  }

  write(command: WriteCommand, nowMs: number, out: Outbox): void {
    const refuse = (reason: Refused['reason']): void => this.#refuse(command, reason, out)
    if (!isOperation(command.operation)) return refuse('body')
    const running = this.#pending.get(nameOf(command))
    if (running !== undefined) return this.#acknowledge(running, false, out)
    if (this.amnesiac) return refuse('amnesiac')
    if (this.#repeat(command, nowMs, out)) return
    if (command.kind === 'confirm') return refuse('stale')
    const fault = this.#fault(command)
    if (fault !== undefined) return refuse(fault)
    const body = this.#compose(command)
    if (body === undefined) return refuse('limit')
    const write = this.#c.sealer.seal(body)
    if (write.bytes.byteLength > limits.RECORD_BYTES_MAX) return refuse('limit')
    if (this.#c.state.takeShared(write, out) !== 'applied') return refuse('limit')
    out.publish(write)
    this.#await(command, { dot: body.dot, write }, nowMs, out)
  }

  #fault(command: FirstCommand): Refused['reason'] | undefined {
    const { key, uid, value, remove, expect, parts, request } = command
    const bytes = value?.byteLength ?? 0
    if (key === '' || !isUid(uid) || (remove && value !== null)) return 'body'
    if (!isParts(parts) || !isRequest(request)) return 'body'
    if (key.length > limits.KEY_LENGTH_MAX || bytes > limits.SHARED_VALUE_BYTES_MAX) return 'limit'
    if (this.#pending.size >= limits.PENDING_WRITES_MAX) return 'limit'
    if (this.#c.state.shared.removed(uid)) return 'removed'
    const current = this.#c.state.shared.entry(key)?.current?.body.dot
    if (expect === undefined) return undefined
    return current !== undefined && sameDot(current, expect) ? undefined : 'stale'
  }

  /** The same operation again: the same outcome, and another try for the disks it lacks. */
  #repeat(command: WriteCommand, nowMs: number, out: Outbox): boolean {
    const { key, operation } = command
    const { shared, operations } = this.#c.state
    const siblings = shared.register(key)?.siblings ?? []
    const found = findOperation(siblings, operation)
    const known = operations.get(key, operation)
    const dot = found?.dot ?? known?.dot
    if (dot === undefined) return false
    const content = known?.content ?? (found?.write && contentOf(found.write.body))
    const isFirst = command.kind === 'write'
    if (isFirst && content !== undefined && content !== contentOf(command)) {
      this.#refuse(command, 'body', out)
      return true
    }
    // What came after it in its life has seen it. Another life that took the name has not.
    const isOver = known !== undefined && shared.removed(known.uid)
    const heir = isOver ? shared.evidence(known.uid) : siblings[0]?.write
    const write = found?.write ?? heir
    if (write !== undefined) {
      this.#c.state.persistAgain(write, out)
      this.#await(command, { dot, write }, nowMs, out)
      return true
    }
    // Its life has ended since, and everybody knows: there is nothing left to make durable.
    const wanted = this.#wanted()
    out.notify({ kind: 'ack', operation, disks: wanted, wanted, dot, final: true })
    return true
  }

  /** The next write of a register: what it has seen, and what it carries along. */
  #compose(command: FirstCommand): SharedBody | undefined {
    const { stability, owners, shared } = this.#c.state
    const register = shared.register(command.key)
    const seen = (register?.siblings ?? []).map(sibling => sibling.write.body)
    const highest = shared.highestOrder(command.key)
    const order = Math.min(highest + 1, limits.ORDER_MAX)
    // All rostered nodes hold this register as it is: its orders say as much as a vector.
    const stable = isStable(register, stability.stable(owners.rostered)) && highest < order
    // Of its own life only: where the end of an earlier one is forgotten, orders begin anew.
    const ofLife = seen.filter(body => body.uid === command.uid)
    const seenTo = Math.max(0, ...ofLife.map(body => (stable ? body.order : body.base)))
    const base = Math.min(order - 1, seenTo)
    const own = { node: this.#c.sealer.self, boot: this.#boot, counter: this.#counter }
    const vector = stable ? [] : joinVectors(seen, own)
    if (vector.length > limits.VECTOR_ENTRIES_MAX) return undefined
    this.#counter += 1
    const dot = { ...own, counter: this.#counter }
    const { key, uid, remove, value, operation, parts, request, wroteAtMs } = command
    const others = new Set(seen.map(body => body.uid))
    others.delete(uid)
    const ends = [...others].sort()
    const past = pastOf(seen)
    return {
      kind: 'shared',
      ...{ key, uid, dot, vector, remove, value, operation, parts, request },
      ...{ wroteAtMs: Math.max(0, Math.floor(wroteAtMs)), order, base, ends, past }
    }
  }

  #wanted(): number {
    return Math.min(2, this.#c.state.owners.rostered.size)
  }

  #await(
    command: WriteCommand,
    found: { readonly dot: Dot; readonly write: SharedWrite },
    nowMs: number,
    out: Outbox
  ): void {
    // Of others nothing is presumed, of its author neither: a disk may have been lost since.
    const disks = new Set([this.#c.sealer.self])
    this.#token += 1
    const waitMs = Math.min(Math.max(0, command.waitMs), limits.WAIT_MS_MAX)
    const pending: Pending = {
      operation: command.operation,
      key: command.key,
      dot: found.dot,
      write: found.write,
      wanted: this.#wanted(),
      disks,
      asked: new Set(),
      deadlineMs: nowMs + waitMs,
      token: this.#token
    }
    const enough = disks.size >= pending.wanted
    this.#acknowledge(pending, enough || waitMs === 0, out)
    if (pending.wanted > 1) this.#ask(pending, out)
    if (enough || waitMs === 0) return
    this.#pending.set(nameOf(pending), pending)
    this.#schedule(pending, nowMs, out)
  }

  #acknowledge(pending: Pending, final: boolean, out: Outbox): void {
    const { operation, wanted, dot } = pending
    const disks = Math.min(pending.disks.size, wanted)
    out.notify({ kind: 'ack', operation, disks, wanted, dot, final })
  }

  /** Asks some peers that were not asked yet; when all were, all again. */
  #ask(pending: Pending, out: Outbox): void {
    const { self } = this.#c.sealer
    const peers = this.#c.alive().filter(peer => peer !== self && !pending.disks.has(peer))
    let fresh = peers.filter(peer => !pending.asked.has(peer))
    if (fresh.length === 0) fresh = peers
    for (let i = 0; i < limits.STORE_FANOUT && fresh.length > 0; i++) {
      const [peer] = fresh.splice(this.#c.random.int(fresh.length), 1)
      if (peer === undefined) return
      pending.asked.add(peer)
      out.send(peer, { kind: 'store', record: pending.write })
    }
  }

  #schedule(pending: Pending, nowMs: number, out: Outbox): void {
    const leftMs = Math.max(0, pending.deadlineMs - nowMs)
    const timer = { kind: 'store' as const, write: nameOf(pending), token: pending.token }
    out.schedule(Math.min(leftMs, limits.STORE_AGAIN_MS), timer)
  }

  onTimer(name: string, token: number, nowMs: number, out: Outbox): void {
    const pending = this.#pending.get(name)
    if (pending === undefined || pending.token !== token) return
    if (nowMs >= pending.deadlineMs) {
      this.#pending.delete(name)
      return this.#acknowledge(pending, true, out)
    }
    this.#ask(pending, out)
    this.#schedule(pending, nowMs, out)
  }

  /** A peer asks us to hold a write. The answer leaves after our disk has it. */
  onStore(from: NodeId, message: StoreRequest, out: Outbox): void {
    const { state } = this.#c
    const { record } = message
    const { key, dot, operation, uid } = record.body
    const verdict = state.takeShared(record, out)
    if (verdict === 'limit' || this.amnesiac) return
    const siblings = state.shared.register(key)?.siblings ?? []
    const held =
      ['applied', 'known', 'superseded'].includes(verdict) ||
      (verdict !== 'removed' && findOperation(siblings, operation) !== undefined)
    if (held) state.persistAgain(record, out)
    else {
      const evidence = state.shared.evidence(uid)
      const records = evidence === undefined ? siblings.map(s => s.write) : [evidence]
      for (const one of records.slice(0, 1)) out.send(from, { kind: 'delta', records: [one] })
    }
    out.send(from, { kind: 'stored', key, dot, held })
  }

  onStored(from: NodeId, message: Stored, out: Outbox): void {
    const { state } = this.#c
    if (!state.owners.rostered.has(from)) return state.drop('stranger')
    for (const [name, pending] of this.#pending) {
      const { dot } = pending.write.body
      if (pending.key !== message.key || !sameDot(dot, message.dot)) continue
      if (!message.held) {
        this.#pending.delete(name)
        const removed = state.shared.removed(pending.write.body.uid)
        this.#refuse(pending, removed ? 'removed' : 'stale', out)
        continue
      }
      if (pending.disks.has(from)) continue
      pending.disks.add(from)
      const final = pending.disks.size >= pending.wanted
      if (final) this.#pending.delete(name)
      this.#acknowledge(pending, final, out)
    }
  }

  #refuse(
    write: { readonly operation: string; readonly key: string },
    reason: Refused['reason'],
    out: Outbox
  ): void {
    const current = this.#c.state.shared.entry(write.key)?.current?.body.dot
    out.notify({ kind: 'refused', operation: write.operation, reason, current })
  }
}

function isStable(register: Register | undefined, stable: number): boolean {
  return register !== undefined && register.changedAt <= stable
}

/** The operations behind the next write, newest first. */
function pastOf(seen: readonly SharedBody[]): SharedBody['past'] {
  const past = new Map<string, PastOperation>()
  const ranked = [...seen].sort(compareRank)
  for (const { operation, dot, parts, request } of ranked) {
    past.set(operation, { operation, dot, parts, request })
  }
  for (const body of ranked) {
    for (const one of body.past) if (!past.has(one.operation)) past.set(one.operation, one)
  }
  return [...past.values()].slice(0, limits.PAST_MAX)
}
