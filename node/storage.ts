/** The store of this daemon, and what is told of its disk while that is full. */

import type { Log } from './log.ts'
import { isNoSpace } from './store/faults.ts'
import { LevelStore } from './store/level-store.ts'
import { openPatiently } from './store/open-patiently.ts'
import type { StoreOptions } from './store/opening.ts'

export interface StorageComponents {
  readonly log: Log
  /** The disk takes writes again. */
  readonly onResume: () => void
}

export class Storage {
  readonly #c: StorageComponents
  readonly #options: StoreOptions
  #trouble: string | undefined
  #store: LevelStore | undefined

  constructor(components: StorageComponents, init: StoreOptions) {
    this.#c = components
    this.#options = { ...init, onTrouble: trouble => this.#told(trouble) }
  }

  /** Why nothing can be written; undefined when all is well. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /**
   * Opens it now. For a `member` whose disk is full it is left for `opened`, so that the API can
   * say why. Throws what forbids to run.
   */
  async open(init: { readonly member: boolean }): Promise<void> {
    try {
      this.#store = await LevelStore.open(this.#options)
    } catch (error) {
      if (!init.member || !isNoSpace(error)) throw error
    }
  }

  /** The store, once its disk has room. Throws the signal's reason. */
  async opened(signal: AbortSignal): Promise<LevelStore> {
    this.#store ??= await openPatiently(this.#options, signal)
    return this.#store
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }

  #told(trouble: string | undefined): void {
    const { log, onResume } = this.#c
    const before = this.#trouble
    this.#trouble = trouble
    if (trouble !== undefined && before === undefined) log.error(trouble)
    if (trouble !== undefined) return
    log.info('the disk takes writes again')
    onResume()
  }
}
