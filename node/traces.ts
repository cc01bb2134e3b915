/**
 * What a start makes in its data directory, noted as it is made: one that fails before this node is
 * of any mesh takes that away and nothing else. Never what another daemon made there meanwhile.
 */
import { lstatSync } from 'node:fs'
import { rm, rmdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { OPTIONS_FILE } from '../src/api/kept-options.ts'
import { type IDENTITY_FILE, MESH_FILE, STORE_DIR } from './identity.ts'

const PROCESS_DIR = 'process'
/** Made under the lock of the store: ours once that is. */
const WITH_STORE = [STORE_DIR, PROCESS_DIR, OPTIONS_FILE] as const
const PARENTS_MAX = 64

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return true
  }
}

export class Traces {
  /** The directory was a member's before this start. */
  readonly wasMember: boolean
  readonly #dataDir: string
  readonly #before: ReadonlySet<string>
  readonly #made = new Set<string>()
  /** That were not there either, innermost first. */
  readonly #directories: string[] = []

  constructor(dataDir: string) {
    this.#dataDir = dataDir
    this.#before = new Set(WITH_STORE.filter(name => isThere(join(dataDir, name))))
    this.wasMember = isThere(join(dataDir, MESH_FILE))
    let directory = resolve(dataDir)
    while (!isThere(directory) && this.#directories.length < PARENTS_MAX) {
      this.#directories.push(directory)
      directory = dirname(directory)
    }
  }

  /** This process made the file, and would have failed had it been there. */
  made(name: typeof IDENTITY_FILE | typeof MESH_FILE): void {
    this.#made.add(name)
  }

  /** The store is open, and locked by this process. */
  ownsStore(): void {
    for (const name of WITH_STORE) if (!this.#before.has(name)) this.#made.add(name)
  }

  /** Never fails: what cannot be removed stays. Directories go only while they are empty. */
  async remove(): Promise<void> {
    if (this.wasMember) return
    for (const name of this.#made) {
      const path = join(this.#dataDir, name)
      await rm(path, { recursive: true, force: true }).catch(() => undefined)
    }
    for (const directory of this.#directories) {
      const removed = await rmdir(directory).then(
        () => true,
        () => false
      )
      if (!removed) return
    }
  }
}
