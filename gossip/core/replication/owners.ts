/**
 * The owner records of all nodes. Only what the roster names is taken in; records of a dead owner
 * stay (they are pins, `protocols.md` 4) until the roster forgets it.
 */
import type { NodeId } from '../types.ts'
import { compareText } from './clock.ts'
import { STRANGER_RECORDS_MAX } from './constants.ts'
import { type Hash, HashSum, hashText } from './hash.ts'
import { type OwnChange, OwnerRecords, type OwnRecord, type OwnVerdict } from './record.ts'

export interface OwnerEntry {
  readonly node: NodeId
  /** Names the owner in a summary. */
  readonly hash: Hash
  readonly records: OwnerRecords
}

export class Owners {
  readonly #entries = new Map<NodeId, OwnerEntry>()
  readonly #byHash = new Map<Hash, OwnerEntry>()
  #rostered: ReadonlySet<NodeId>
  /** Invariant: at most STRANGER_RECORDS_MAX, oldest first. */
  #strangers: OwnRecord[] = []
  /** Over the sums of all owners: asked for with each digest. */
  readonly #sum = new HashSum()
  #records = 0
  /** Until an owner comes or goes: each summary needs the order. */
  #sorted: readonly OwnerEntry[] | undefined

  constructor(self: NodeId) {
    this.#rostered = new Set([self])
  }

  get rostered(): ReadonlySet<NodeId> {
    return this.#rostered
  }

  get recordCount(): number {
    return this.#records
  }

  get(node: NodeId): OwnerRecords | undefined {
    return this.#entries.get(node)?.records
  }

  byHash(hash: Hash): OwnerEntry | undefined {
    return this.#byHash.get(hash)
  }

  /** Owners that have records, sorted by id. */
  sorted(): readonly OwnerEntry[] {
    this.#sorted ??= [...this.#entries.values()].sort((a, b) => compareText(a.node, b.node))
    return this.#sorted
  }

  nodes(): readonly NodeId[] {
    return this.sorted().map(entry => entry.node)
  }

  /** One hash over everything. */
  sum(): Hash {
    return this.#sum.value()
  }

  /** Takes a record of a rostered owner, whoever brought it. */
  merge(record: OwnRecord, changes: OwnChange[]): OwnVerdict {
    const { node } = record.body
    let entry = this.#entries.get(node)
    if (entry === undefined) {
      entry = { node, hash: hashText(node), records: new OwnerRecords() }
      this.#entries.set(node, entry)
      this.#byHash.set(entry.hash, entry)
      this.#sorted = undefined
      this.#sum.add(entry.records.sum.value())
    }
    const { records } = entry
    const before = { size: records.size, sum: records.sum.value() }
    const verdict = records.merge(record, changes)
    this.#records += records.size - before.size
    this.#sum.remove(before.sum)
    this.#sum.add(records.sum.value())
    return verdict
  }

  /** A record of somebody whom the roster may name soon. */
  keepStranger(record: OwnRecord): void {
    this.#strangers.push(record)
    if (this.#strangers.length > STRANGER_RECORDS_MAX) this.#strangers.shift()
  }

  /** Gives the owners that the roster does not name, though we hold records of theirs (also those
   * that it forgot before a crash), and what strangers had sent that it names now. */
  setRoster(rostered: ReadonlySet<NodeId>): {
    forgotten: readonly NodeId[]
    welcome: readonly OwnRecord[]
  } {
    const forgotten = [...this.#entries.keys()].filter(node => !rostered.has(node)).sort()
    this.#rostered = rostered
    const welcome = this.#strangers.filter(record => rostered.has(record.body.node))
    if (welcome.length > 0) {
      this.#strangers = this.#strangers.filter(record => !rostered.has(record.body.node))
    }
    return { forgotten, welcome }
  }

  /** Drops all of an owner; gives what was dropped. */
  forget(node: NodeId): readonly OwnChange[] {
    const entry = this.#entries.get(node)
    if (entry === undefined) return []
    this.#entries.delete(node)
    this.#byHash.delete(entry.hash)
    this.#sorted = undefined
    this.#sum.remove(entry.records.sum.value())
    this.#records -= entry.records.size
    const { values } = entry.records
    return [...entry.records.records()].map(({ record }) => {
      const { key } = record.body
      return values.has(key) ? { key, record: undefined, value: null } : { key, record: undefined }
    })
  }
}
