/** Logging of the daemon: one line an event, JSON or text, on standard error. */
import { type Logger, pino } from 'pino'
import { formatError, ShoalError } from '../src/errors.ts'

export type Log = Logger

const LEVEL_TEXT: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal'
}

/** `2026-01-02T03:04:05.678Z warn mesh-a: text key=value`. */
function textLine(json: string): string {
  const { level, time, node, msg, ...rest } = JSON.parse(json) as Record<string, unknown>
  const fields = Object.entries(rest).map(([key, value]) =>
    typeof value === 'string' ? ` ${key}=${value}` : ` ${key}=${JSON.stringify(value)}`
  )
  const when = new Date(Number(time)).toISOString()
  return `${when} ${LEVEL_TEXT[Number(level)] ?? level} ${node}: ${msg ?? ''}${fields.join('')}\n`
}

/** Lines that a full disk did not take are kept up to so many bytes, then dropped. */
const HELD_BYTES_MAX = 256 * 1024

export function createLog(init: {
  readonly node: string
  readonly level: string
  readonly format: 'json' | 'text'
  /** Default: standard error. */
  readonly fd?: number
}): Log {
  const options = { level: init.level, base: { node: init.node } }
  const output = pino.destination({
    fd: init.fd ?? 2,
    sync: true,
    maxLength: HELD_BYTES_MAX
  })
  // A log that cannot be written (a full disk, a closed pipe) is no reason to end.
  output.on('error', () => {})
  if (init.format === 'json') return pino(options, output)
  return pino(options, { write: line => void output.write(textLine(line)) })
}

/** What ends the daemon, in one line for people; where in the code it was helps with bugs only. */
export function logFatal(log: Log, error: unknown): void {
  const known = error instanceof ShoalError && error.code !== 'INTERNAL' ? error : undefined
  const what = known === undefined ? String(error) : formatError(known)
  const withStack = error instanceof Error && (known === undefined || log.isLevelEnabled('debug'))
  log.fatal(withStack ? { error: what, stack: error.stack } : { error: what }, 'cannot go on')
}
