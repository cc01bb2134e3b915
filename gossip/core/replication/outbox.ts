/**
 * Gathers what one input leads to and gives it in an order that is safe: disk first, then our
 * own rooms, then the others. So nothing leaves before it is persisted.
 */

import type { NodeId } from '../types.ts'
import type { ReplicationEffect, ReplicationEvent } from './api.ts'
import { PAGE_BYTES, PAGE_RECORDS_MAX } from './constants.ts'
import type { ReplicatedRecord, ReplicationMessage } from './message.ts'
import type { ReplicationTimer } from './timer.ts'

/** Author, tag and signature around the signed bytes. */
const RECORD_OVERHEAD_BYTES = 160

export function sizeOf(record: ReplicatedRecord): number {
  return record.bytes.byteLength + RECORD_OVERHEAD_BYTES
}

/** Cuts records into messages that fit a frame. */
export function paginate(records: readonly ReplicatedRecord[]): ReplicatedRecord[][] {
  const pages: ReplicatedRecord[][] = []
  let page: ReplicatedRecord[] = []
  let size = 0
  for (const record of records) {
    const more = sizeOf(record)
    if (page.length > 0 && (size + more > PAGE_BYTES || page.length >= PAGE_RECORDS_MAX)) {
      pages.push(page)
      page = []
      size = 0
    }
    page.push(record)
    size += more
  }
  if (page.length > 0) pages.push(page)
  return pages
}

export class Outbox {
  readonly #disk = new Map<string, Uint8Array | null>()
  #sync = false
  readonly #changedKeys = new Set<string>()
  readonly #events: ReplicationEvent[] = []
  readonly #news: ReplicatedRecord[] = []
  readonly #sends: ReplicationEffect[] = []
  readonly #schedules: ReplicationEffect[] = []

  /** One batch an input; `sync` when any of its records must be. The last word on a key counts. */
  persist(key: string, value: Uint8Array | null, sync: boolean): void {
    this.#disk.set(key, value)
    this.#sync ||= sync
  }

  notify(event: ReplicationEvent): void {
    this.#events.push(event)
  }

  /** The register is notified once, as it reads when the input is done. */
  changed(key: string): void {
    this.#changedKeys.add(key)
  }

  /** For everybody, on the fast path. */
  publish(record: ReplicatedRecord): void {
    this.#news.push(record)
  }

  send(to: NodeId, message: ReplicationMessage): void {
    this.#sends.push({ kind: 'send', to, channel: 'sync', message })
  }

  schedule(afterMs: number, timer: ReplicationTimer): void {
    this.#schedules.push({ kind: 'schedule', afterMs, timer })
  }

  /** Everything, in order. `read` gives what a changed register reads as. */
  drain(read: (key: string) => ReplicationEvent): ReplicationEffect[] {
    const effects: ReplicationEffect[] = []
    if (this.#disk.size > 0) {
      const records = [...this.#disk].map(([key, value]) => ({ key, value }))
      effects.push({ kind: 'persist', records, sync: this.#sync })
    }
    const events = [...[...this.#changedKeys].map(read), ...this.#events]
    effects.push(...events.map((event): ReplicationEffect => ({ kind: 'notify', event })))
    for (const records of paginate(this.#news)) {
      effects.push({ kind: 'publish', message: { kind: 'delta', records } })
    }
    effects.push(...this.#sends, ...this.#schedules)
    return effects
  }
}
