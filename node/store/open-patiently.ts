/** Opening the store of a member on a disk that may be full: it waits for room, and says so. */
import { pause } from '../clock.ts'
import { isNoSpace, noSpaceText } from './faults.ts'
import { LevelStore } from './level-store.ts'
import type { StoreOptions } from './opening.ts'

const RETRY_MS = 250
const RETRY_MAX_MS = 4_000

/**
 * As `LevelStore.open`, but a full disk is told to `onTrouble` and asked again until it has room.
 * Throws everything else that forbids to open, and the signal's reason.
 */
export async function openPatiently(
  options: StoreOptions,
  signal: AbortSignal
): Promise<LevelStore> {
  let isTold = false
  for (let waitMs = RETRY_MS; ; waitMs = Math.min(RETRY_MAX_MS, waitMs * 2)) {
    signal.throwIfAborted()
    try {
      const store = await LevelStore.open(options)
      if (isTold) options.onTrouble?.(undefined)
      return store
    } catch (error) {
      if (!isNoSpace(error)) throw error
    }
    options.onTrouble?.(noSpaceText(options.medium))
    isTold = true
    await pause(options.clock, waitMs, signal)
  }
}
