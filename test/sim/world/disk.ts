/**
 * What a host's data directory holds, over crashes: a database as LevelDB keeps it (a synced table,
 * a log whose end may not be on the disk yet), the anchor and the marker. Breaks as disks do; what
 * that means is decided by the store.
 */
import type { Random } from '../../../gossip/core/types.ts'
import type { Operation } from '../../../node/store/medium.ts'

interface Logged {
  readonly operations: readonly Operation[]
  synced: boolean
}

/** The log is written into the table when it is longer than this. */
const LOG_MAX = 64
const ANCHOR_BYTES = 128
const SLOT_BYTES = 64

interface Image {
  readonly table: ReadonlyMap<string, Uint8Array>
  readonly log: readonly Logged[]
  readonly anchor: Uint8Array | undefined
  readonly marker: string | undefined
  readonly exists: boolean
  readonly isMember: boolean
}

export type Damage = (typeof DAMAGES)[number]
export const DAMAGES = [
  'log: a batch flipped',
  'log: its end gone',
  'log: removed',
  'table: a record flipped',
  'table: a record gone',
  'current: removed',
  'manifest: flipped',
  'database: removed',
  'anchor: removed',
  'anchor: flipped',
  'marker: removed',
  'marker: flipped'
] as const

export class SimDisk {
  marker: string | undefined
  /** `mesh.json` is there: a mesh has accepted this node. */
  isMember = false
  /** Set aside, oldest first: what LevelDB's repair would find in each. */
  readonly quarantined: (readonly [string, Uint8Array][])[] = []
  exists = false
  /** Nothing can be written; the ballast of the store is eaten as well. */
  isFull = false
  /** The next batch fails with EIO; whether it is there afterwards nobody knows. */
  failsNext = false
  /** One batch; a slow disk takes seconds. */
  latencyMs = 2
  /** Keys of records that were synced, and not deleted since: what no reader may silently miss. */
  readonly promised = new Set<string>()
  /** Of the host: a new one after each loss of power. */
  hostBoot = 1
  /** Power was lost, and no store has opened since: the anchor may be old, and knows of no loss. */
  isUnread = false
  /** Something was lost, and no store has opened since: were the anchor old too, who could tell? */
  isHarmed = false
  #table = new Map<string, Uint8Array>()
  #log: Logged[] = []
  /** Synced, by a daemon that may end before it hears of it. */
  #untold: Logged[] = []
  #anchor: Uint8Array | undefined
  #anchorSynced: Uint8Array | undefined
  /** `CURRENT` or the MANIFEST is gone: it does not open. */
  #unreadable: 'empty' | 'repairable' | undefined

  get anchor(): Uint8Array | undefined {
    return this.#anchor
  }

  get unreadable(): boolean {
    return this.#unreadable !== undefined
  }

  create(): void {
    this.exists = true
    this.#table.clear()
    this.#log = []
    this.#untold = []
    this.#unreadable = undefined
  }

  /** What a reader finds, in order of keys. */
  records(): [string, Uint8Array][] {
    return sorted(fold(this.#table, this.#log))
  }

  /** What is on the disk itself: it outlives a loss of power. */
  durable(): Map<string, Uint8Array> {
    const end = this.#log.findIndex(entry => !entry.synced)
    return fold(this.#table, end < 0 ? this.#log : this.#log.slice(0, end))
  }

  append(operations: readonly Operation[], sync: boolean): void {
    this.#log.push({ operations, synced: false })
    for (const { type, key } of operations) if (type === 'del') this.promised.delete(key)
    if (sync) this.#sync()
    if (this.#log.length > LOG_MAX && sync) this.compact()
  }

  /** The log goes into a synced table: when it is long, and at each opening. */
  compact(): void {
    this.#sync()
    // A batch that nobody was told of, and that a crash left whole: read from now on.
    this.#promise(this.#log)
    this.#untold = []
    this.#table = fold(this.#table, this.#log)
    this.#log = []
    this.isUnread = false
    this.isHarmed = false
  }

  #sync(): void {
    this.#untold.push(...this.#log.filter(entry => !entry.synced))
    for (const entry of this.#log) entry.synced = true
  }

  #promise(entries: readonly Logged[]): void {
    for (const { type, key } of entries.flatMap(({ operations }) => operations)) {
      if (type === 'put') this.promised.add(key)
      else this.promised.delete(key)
    }
  }

  createAnchor(): void {
    this.#anchor = new Uint8Array(0)
  }

  /** With it a daemon knows that its batches are there; before, it has told nobody. */
  writeAnchor(bytes: Uint8Array, offset: number): void {
    this.#promise(this.#untold)
    this.#untold = []
    const file = new Uint8Array(ANCHOR_BYTES)
    file.set(this.#anchor ?? [])
    file.set(bytes, offset)
    this.#anchor = file
  }

  syncAnchor(): void {
    this.#anchorSynced = this.#anchor
  }

  /** The store moves its damaged database and its anchor aside. */
  quarantine(): void {
    this.quarantined.push(this.#unreadable === 'empty' ? [] : this.records())
    this.exists = false
    this.#table = new Map()
    this.#log = []
    this.#untold = []
    this.#unreadable = undefined
    this.#anchor = undefined
    this.promised.clear()
  }

  /** Power is lost: of what was not synced a part is there, in order; the anchor may be old. */
  losePower(random: Random): void {
    const synced = this.#log.filter(entry => entry.synced).length
    const kept = synced + random.int(this.#log.length - synced + 1)
    this.#log = this.#log.slice(0, kept)
    for (const entry of this.#log) entry.synced = true
    // The page of the anchor was written back at any time since its last sync, or never.
    const isOld = random.int(2) === 0 && !this.isHarmed
    if (this.#anchor !== undefined && isOld) this.#anchor = this.#anchorSynced
    if (this.#anchor !== undefined && random.int(8) === 0) this.#tearAnchor(random)
    this.#anchorSynced = this.#anchor
    this.hostBoot += 1
    this.isUnread = true
  }

  /** A write of one slot was under way: the other one is whole. */
  #tearAnchor(random: Random): void {
    const torn = (this.#anchor as Uint8Array).slice()
    if (torn.byteLength === ANCHOR_BYTES) torn.fill(0, 32, 32 + random.int(SLOT_BYTES - 32))
    this.#anchor = torn
  }

  /** False when there is nothing of that kind to damage. */
  damage(kind: Damage, random: Random): boolean {
    const isDone = this.#damage(kind, random)
    this.isHarmed ||= isDone
    return isDone
  }

  #damage(kind: Damage, random: Random): boolean {
    switch (kind) {
      case 'log: a batch flipped':
        if (this.#log.length < 2) return false
        this.#log.splice(random.int(this.#log.length - 1), 1)
        return true
      case 'log: its end gone':
        if (this.#log.length === 0) return false
        this.#log = this.#log.slice(0, random.int(this.#log.length))
        return true
      case 'log: removed':
        if (this.#log.length === 0) return false
        this.#log = []
        return true
      case 'table: a record flipped':
        return this.#inTable(random, (key, value) => {
          const flipped = Uint8Array.from(value)
          const at = random.int(Math.max(1, flipped.byteLength))
          flipped[at] = (flipped[at] ?? 0) ^ (1 << random.int(8))
          this.#table.set(key, flipped)
        })
      case 'table: a record gone':
        return this.#inTable(random, key => void this.#table.delete(key))
      case 'current: removed':
        this.#unreadable = 'empty'
        return this.exists
      case 'manifest: flipped':
        this.#unreadable = 'repairable'
        return this.exists
      case 'database: removed':
        this.create()
        this.exists = false
        return true
      case 'anchor: removed':
        this.#anchor = undefined
        return true
      case 'anchor: flipped':
        this.#anchor = new Uint8Array(ANCHOR_BYTES).fill(7)
        return true
      case 'marker: removed':
        this.marker = undefined
        return true
      case 'marker: flipped':
        this.marker = '{'
        return true
    }
  }

  #inTable(random: Random, harm: (key: string, value: Uint8Array) => void): boolean {
    const entries = [...this.#table]
    if (entries.length === 0) return false
    const [key, value] = entries[random.int(entries.length)] as [string, Uint8Array]
    harm(key, value)
    return true
  }

  /** `rm -rf`. */
  wipe(): void {
    this.create()
    this.exists = false
    this.marker = undefined
    this.isMember = false
    this.#anchor = undefined
    this.#anchorSynced = undefined
    this.quarantined.length = 0
    this.promised.clear()
  }

  /** `cp -a`: for a backup, or for a second host. */
  image(): Image {
    return {
      table: new Map(this.#table),
      log: this.#log.map(entry => ({ ...entry })),
      anchor: this.#anchor,
      marker: this.marker,
      exists: this.exists,
      isMember: this.isMember
    }
  }

  restore(image: Image): void {
    this.#table = new Map(image.table)
    this.#log = image.log.map(entry => ({ ...entry, synced: true }))
    this.#untold = []
    this.#anchor = image.anchor
    this.#anchorSynced = image.anchor
    this.marker = image.marker
    this.exists = image.exists
    this.isMember = image.isMember
    this.#unreadable = undefined
    this.promised.clear()
    for (const key of fold(this.#table, this.#log).keys()) this.promised.add(key)
  }
}

function fold(
  table: ReadonlyMap<string, Uint8Array>,
  log: readonly Logged[]
): Map<string, Uint8Array> {
  const folded = new Map(table)
  for (const { operations } of log) {
    for (const operation of operations) {
      if (operation.type === 'put') folded.set(operation.key, operation.value)
      else folded.delete(operation.key)
    }
  }
  return folded
}

function sorted(records: ReadonlyMap<string, Uint8Array>): [string, Uint8Array][] {
  return [...records].sort(([a], [b]) => (a < b ? -1 : 1))
}
