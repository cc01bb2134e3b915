/** Writes the options that this node was started with into its data directory. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FlagValues } from '../src/api/daemon-flags.ts'
import { encodeKeptOptions, OPTIONS_FILE } from '../src/api/kept-options.ts'
import { formatError, ShoalError } from '../src/errors.ts'
import { writePrivate } from './identity.ts'
import type { Log } from './log.ts'

/**
 * Whole and on disk, mode 0600, and only where something changed. Never throws: a node that cannot
 * write its options down runs on, but its next start needs them again.
 */
export async function keepOptions(
  components: { readonly log: Log },
  dataDir: string,
  values: FlagValues
): Promise<void> {
  const path = join(dataDir, OPTIONS_FILE)
  const text = encodeKeptOptions(values)
  try {
    const held = await readFile(path, 'utf8').catch(() => undefined)
    if (held !== text) await writePrivate(path, Buffer.from(text), true)
  } catch (error) {
    const why = error instanceof ShoalError ? formatError(error) : String(error)
    components.log.warn({ error: why }, 'its options are not kept for the next start')
  }
}
