/** `-w`: what a command shows, again and again: in place on a terminal, changed lines elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AlreadySaid } from './failure.ts'
import type { Format } from './output.ts'
import { Progress } from './progress.ts'
import type { Terminal } from './terminal.ts'

const PERIOD_MS = 1_000
const CLOCK = /(?<=(?:^|\s))\d+ (?:s|min|h|d)\b|"?viewAgeMs"?: *\d+/g

/**
 * Runs `draw` until the command is interrupted; throws what it throws. A JSON or YAML document is
 * said again as a whole.
 */
export async function watch(
  terminal: Terminal,
  format: Format,
  draw: (terminal: Terminal) => Promise<void>
): Promise<never> {
  const isDocument = format === 'json' || format === 'yaml'
  const progress = new Progress(terminal, terminal.stdout)
  for (;;) {
    const text = await textOf(terminal, draw)
    progress.show(isDocument ? [text] : text.split('\n'), withoutClock)
    try {
      await sleep(PERIOD_MS, undefined, { signal: terminal.signal })
    } catch {
      // The timer's own AbortError hides why.
      throw terminal.signal.reason
    }
  }
}

/** What time alone changes is no change; neither is a column that got wider. */
function withoutClock(line: string): string {
  return line.replace(CLOCK, '').replace(/ +/g, ' ')
}

async function textOf(
  terminal: Terminal,
  draw: (terminal: Terminal) => Promise<void>
): Promise<string> {
  let text = ''
  const { columns } = terminal.stdout
  const write = (chunk: string): boolean => {
    text += chunk
    return true
  }
  try {
    await draw({ ...terminal, stdout: { columns, write } as NodeJS.WriteStream })
  } catch (error) {
    // A status that is not well ends no watch.
    if (!(error instanceof AlreadySaid)) throw error
  }
  return text.trimEnd()
}
