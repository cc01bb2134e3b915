/** Builds a bundle, runs seeds in it in a process of its own, and leaves nothing behind. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buildControl } from './build.ts'
import type { Edit } from './control.ts'

export interface SeedRange {
  readonly first: number
  readonly runs: number
  readonly minutes: number
  readonly nodes?: number | undefined
  /** The first violation of one of these checks ends the range. */
  readonly until: readonly string[]
}

export interface SeedLine {
  readonly seed: number
  /** Whose violation it was; absent: none. */
  readonly check?: string | undefined
  readonly message?: string | undefined
  readonly traceHash: string
}

export interface BundleRun {
  readonly edits: readonly Edit[]
  readonly ranges: readonly SeedRange[]
  readonly signal: AbortSignal
  /** Told of each seed as it ends. */
  readonly onSeed?: (line: SeedLine) => void
}

/** Every seed that ran, in order. Throws the signal's reason, and when the process fails. */
export async function runBundle(run: BundleRun): Promise<readonly SeedLine[]> {
  const { edits, ranges, signal, onSeed } = run
  const folder = await mkdtemp(join(tmpdir(), 'shoal-control-'))
  try {
    const file = join(folder, 'sim.mjs')
    await buildControl(file, edits)
    const child = spawn(process.execPath, [file, JSON.stringify(ranges)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      signal,
      killSignal: 'SIGKILL'
    })
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    // Awaited below; an abort must not count as unhandled before.
    ended.catch(() => undefined)
    const lines: SeedLine[] = []
    for await (const text of createInterface({ input: child.stdout })) {
      const line = JSON.parse(text) as SeedLine
      lines.push(line)
      onSeed?.(line)
    }
    const code = await ended
    if (code !== 0) throw new Error(`the bundle ended with ${code}`)
    return lines
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
