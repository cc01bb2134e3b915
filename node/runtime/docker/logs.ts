/**
 * An engine's log body as lines. Without a terminal it is frames of an 8-byte header (stream,
 * length) and a payload that begins with the time; a line of more than 16 KiB comes in several
 * frames, each with its time, only the last with a newline.
 */
import type { LogLine } from '../runtime.ts'

const HEADER_BYTES = 8
/** A frame is 16 KiB and a timestamp; more is no log frame. */
const FRAME_BYTES_MAX = 1024 * 1024
/** Longer lines are cut here and go on as the next one. */
export const LOG_LINE_BYTES_MAX = 256 * 1024

const TIME_PATTERN = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) ?/
const TIME_BYTES_MAX = 64

interface Partial {
  readonly time: string
  readonly parts: Buffer[]
  bytes: number
}

/** Takes apart what arrives in any cut; gives the lines that became whole. */
export class LogParser {
  readonly #tty: boolean
  #buffer: Buffer = Buffer.alloc(0)
  readonly #partials = new Map<LogLine['stream'], Partial>()

  constructor(tty: boolean) {
    this.#tty = tty
  }

  /** Throws when the body is not a log body. */
  push(chunk: Buffer): LogLine[] {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    return this.#tty ? this.#raw() : this.#frames()
  }

  /** The last lines, when the body has ended without a newline. */
  end(): LogLine[] {
    const lines = this.#tty && this.#buffer.length > 0 ? this.#payload('stdout', this.#buffer) : []
    this.#buffer = Buffer.alloc(0)
    for (const stream of [...this.#partials.keys()]) lines.push(this.#flush(stream))
    return lines
  }

  #frames(): LogLine[] {
    const lines: LogLine[] = []
    for (;;) {
      if (this.#buffer.length < HEADER_BYTES) return lines
      const kind = this.#buffer.readUInt8(0)
      const length = this.#buffer.readUInt32BE(4)
      if (kind > 2 || length > FRAME_BYTES_MAX) throw new Error('docker: the log body is damaged')
      if (this.#buffer.length < HEADER_BYTES + length) return lines
      const payload = this.#buffer.subarray(HEADER_BYTES, HEADER_BYTES + length)
      this.#buffer = this.#buffer.subarray(HEADER_BYTES + length)
      lines.push(...this.#payload(kind === 2 ? 'stderr' : 'stdout', payload))
    }
  }

  #raw(): LogLine[] {
    const lines: LogLine[] = []
    for (;;) {
      const newline = this.#buffer.indexOf(0x0a)
      if (newline < 0 && this.#buffer.length < LOG_LINE_BYTES_MAX) return lines
      const end = newline < 0 ? this.#buffer.length : newline + 1
      lines.push(...this.#payload('stdout', this.#buffer.subarray(0, end)))
      this.#buffer = this.#buffer.subarray(end)
    }
  }

  #payload(stream: LogLine['stream'], payload: Buffer): LogLine[] {
    const match = TIME_PATTERN.exec(payload.subarray(0, TIME_BYTES_MAX).toString('latin1'))
    const text = payload.subarray(match?.[0].length ?? 0)
    const whole = text.at(-1) === 0x0a
    const partial = this.#partials.get(stream) ?? { time: match?.[1] ?? '', parts: [], bytes: 0 }
    partial.parts.push(whole ? text.subarray(0, -1) : text)
    partial.bytes += text.length
    this.#partials.set(stream, partial)
    return whole || partial.bytes >= LOG_LINE_BYTES_MAX ? [this.#flush(stream)] : []
  }

  #flush(stream: LogLine['stream']): LogLine {
    const { time, parts } = this.#partials.get(stream) as Partial
    this.#partials.delete(stream)
    const line = Buffer.concat(parts).toString('utf8')
    return { stream, time, line: line.endsWith('\r') ? line.slice(0, -1) : line }
  }
}

/** Lines of a body until it ends or the signal aborts (then it just ends). */
export async function* readLogs(
  body: AsyncIterable<unknown>,
  tty: boolean,
  signal: AbortSignal
): AsyncGenerator<LogLine> {
  const parser = new LogParser(tty)
  try {
    for await (const chunk of body) {
      for (const line of parser.push(chunk as Buffer)) {
        if (signal.aborted) return
        yield line
      }
    }
  } catch (error) {
    if (signal.aborted) return
    throw error
  }
  if (!signal.aborted) yield* parser.end()
}
