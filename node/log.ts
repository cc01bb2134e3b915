/** Logging of the daemon: one line an event, JSON or text, on standard error. */
import { type Logger, pino } from 'pino'

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

export function createLog(init: {
  readonly node: string
  readonly level: string
  readonly format: 'json' | 'text'
}): Log {
  const options = { level: init.level, base: { node: init.node } }
  if (init.format === 'json') return pino(options, pino.destination({ fd: 2, sync: true }))
  return pino(options, { write: line => void process.stderr.write(textLine(line)) })
}
