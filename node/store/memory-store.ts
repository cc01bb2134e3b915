/** A store that forgets when its process ends: for tests and the simulator. */
import { assert } from '../../gossip/core/assert.ts'
import type { PersistedRecord } from '../../gossip/core/effect.ts'
import {
  AMNESIA_KEY,
  RESERVED_PREFIX,
  type Store,
  type StoredRecord,
  type StoreStats
} from './store.ts'

export class MemoryStore implements Store {
  readonly trouble = undefined
  readonly #records = new Map<string, Uint8Array>()
  #sequence = 0
  #closed = false

  get amnesiac(): string | undefined {
    const reason = this.#records.get(AMNESIA_KEY)
    return reason === undefined ? undefined : new TextDecoder().decode(reason)
  }

  async read(prefix: string): Promise<StoredRecord[]> {
    assert(!this.#closed, 'read of a closed store')
    return [...this.#records]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => ({ key, value: value.slice() }))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  async write(records: readonly PersistedRecord[], _sync: boolean): Promise<void> {
    assert(!this.#closed, 'write to a closed store')
    for (const { key } of records) {
      assert(!key.startsWith(RESERVED_PREFIX), `key ${key} is the store's own`)
    }
    if (records.length > 0) this.#sequence += 1
    for (const { key, value } of records) {
      if (value === null) this.#records.delete(key)
      else this.#records.set(key, value.slice())
    }
  }

  stats(): StoreStats {
    let bytes = 0
    for (const [key, value] of this.#records) bytes += Buffer.byteLength(key) + value.byteLength
    return {
      ...{ records: this.#records.size, bytes, sequence: this.#sequence },
      ...{ salvaged: 0, quarantined: 0, freeBytes: undefined }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}
