/**
 * What this node says of itself. Commands are gathered for a few ms and leave as one batch, each
 * record signed, each with the next counter of our incarnation. Nothing leaves before the
 * incarnation is settled, or while we know that we lost state.
 */
import type { Sealer } from '../signed.ts'
import { compareBytes, compareVersions, type Version } from './clock.ts'
import {
  KEY_LENGTH_MAX,
  OWN_COALESCE_MS,
  OWN_TOMBSTONES_MAX,
  OWN_VALUE_BYTES_MAX
} from './constants.ts'
import { packHashes } from './hash.ts'
import type { Outbox } from './outbox.ts'
import { MARKER_KEY, type OwnRecord } from './record.ts'
import type { ReplicaState } from './state.ts'

type Value = Uint8Array | null

function same(a: Value, b: Value): boolean {
  return a === null || b === null ? a === b : compareBytes(a, b) === 0
}

export class Publisher {
  readonly #sealer: Sealer
  readonly #state: ReplicaState
  /** What our other rooms said since the start of this process. */
  readonly #said = new Map<string, Value>()
  readonly #staged = new Set<string>()
  #scheduled = false
  #incarnation: number | undefined
  /** The greatest version of our own ever seen, here or at a peer. */
  #newest: Version = { incarnation: 0, counter: 0 }
  /** What was not said since the start is void. */
  #complete: 'no' | 'due' | 'done' = 'no'
  held = false

  constructor(components: { sealer: Sealer; state: ReplicaState }) {
    this.#sealer = components.sealer
    this.#state = components.state
  }

  /** The incarnation is known: what was held back may leave. */
  get settled(): boolean {
    return this.#incarnation !== undefined
  }

  /** After the state was loaded from disk. */
  start(): void {
    this.#newest = this.#state.owners.get(this.#sealer.self)?.newest() ?? this.#newest
  }

  own(key: string, value: Value, out: Outbox): void {
    const tooBig = key.length > KEY_LENGTH_MAX || (value?.byteLength ?? 0) > OWN_VALUE_BYTES_MAX
    if (key === MARKER_KEY || tooBig) {
      const reason = 'a record of our own is too large to publish'
      out.notify({ kind: 'alarm', node: this.#sealer.self, key, reason })
      return
    }
    this.#said.set(key, value)
    this.#stage(key, out)
  }

  /** From membership, again at each refutation. Ours rises above every version ever seen. */
  settle(incarnation: number, out: Outbox): void {
    const first = this.#incarnation === undefined
    this.#incarnation = Math.max(incarnation, this.#incarnation ?? 0)
    if (first && this.#newest.incarnation >= this.#incarnation) {
      this.#incarnation = this.#newest.incarnation + 1
    }
    this.#schedule(out)
  }

  complete(out: Outbox): void {
    this.#complete = 'due'
    this.#schedule(out)
  }

  /** A peer holds a record of ours that is news to us: an earlier life of ours went further than
   * our disk knows, or somebody else uses our key. Rise above it, and say again what it hid. */
  seen(record: OwnRecord, out: Outbox): void {
    const { key, incarnation } = record.body
    if (compareVersions(record.body, this.#newest) > 0) this.#newest = record.body
    if (this.#incarnation !== undefined && incarnation >= this.#incarnation) {
      this.#incarnation = incarnation + 1
    }
    const keys = key === MARKER_KEY ? [...this.#said.keys()] : [key]
    for (const name of keys) {
      if (this.#said.has(name) || this.#complete === 'done') this.#stage(name, out)
    }
  }

  /** Signs and publishes what differs from what everybody knows. */
  flush(out: Outbox): void {
    this.#scheduled = false
    if (this.#incarnation === undefined || this.held) return
    const { self } = this.#sealer
    for (const key of [...this.#staged].sort()) {
      const value = this.#said.get(key) ?? null
      const before = this.#state.owners.get(self)?.values.get(key) ?? null
      if (!same(value, before)) this.#write(key, value, out)
    }
    this.#staged.clear()
    const tombstones = this.#state.owners.get(self)?.tombstones ?? 0
    if (tombstones > OWN_TOMBSTONES_MAX || this.#complete === 'due') this.#mark(out)
  }

  #stage(key: string, out: Outbox): void {
    this.#staged.add(key)
    this.#schedule(out)
  }

  #schedule(out: Outbox): void {
    if (this.#scheduled) return
    this.#scheduled = true
    out.schedule(OWN_COALESCE_MS, { kind: 'flush' })
  }

  #write(key: string, value: Value, out: Outbox): void {
    const incarnation = this.#incarnation ?? 0
    const counter = this.#newest.incarnation === incarnation ? this.#newest.counter + 1 : 1
    const node = this.#sealer.self
    const record = this.#sealer.seal({
      kind: 'own' as const,
      node,
      incarnation,
      counter,
      key,
      value
    })
    this.#newest = { incarnation, counter }
    const verdict = this.#state.takeOwn(record, out)
    if (verdict === 'applied') out.publish(record)
    else if (verdict === 'limit') {
      const reason = 'this node has too many records of its own'
      out.notify({ kind: 'alarm', node, key, reason })
    }
  }

  /** Collects tombstones, and what a completed publication left out (`record.ts`). */
  #mark(out: Outbox): void {
    const records = this.#state.owners.get(this.#sealer.self)?.records() ?? []
    const complete = this.#complete !== 'no'
    if (complete) this.#complete = 'done'
    const kept: number[] = []
    let left = 0
    for (const { record, hash } of records) {
      const { key, value } = record.body
      if (key === MARKER_KEY) continue
      const stands = value !== null && (!complete || this.#said.has(key))
      if (stands) kept.push(hash)
      else left += 1
    }
    if (left === 0) return
    this.#write(MARKER_KEY, packHashes(kept), out)
    for (const [key, value] of this.#said) if (value === null) this.#said.delete(key)
  }
}
