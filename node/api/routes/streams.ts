/**
 * Answers without an end of their own: events as SSE, logs as NDJSON. Pulled by the reader, so a
 * slow client slows its own stream and fills nothing; freed as soon as the client is gone (B63).
 */
import type { Context } from 'hono'
import { routes } from '../../../src/api/contract.ts'
import type { EventView, LogEntry } from '../../../src/api/types.ts'
import { ShoalError } from '../../../src/errors.ts'
import { failureOf } from '../failure.ts'
import type { ApiEnv } from '../guard.ts'
import { type App, clientSignal, type RouteComponents } from './types.ts'

/** Below the connection cap, so that streams never lock out `status`. */
export const STREAMS_MAX = 128

export function addStreams(app: App, components: RouteComponents): void {
  const { backend } = components
  const open = streamSlots()

  app.openapi(routes.events, c => {
    const after = c.req.valid('header')['last-event-id']
    const release = open()
    const end = new AbortController()
    const signal = AbortSignal.any([clientSignal(c, components.stopping), end.signal])
    const body = pulled(backend.events(after, signal), {
      first: ': shoal\n\n',
      text: sseText,
      last: () => '',
      done: () => {
        end.abort()
        release()
      }
    })
    return streamAnswer(c, body, 'text/event-stream')
  })

  app.openapi(routes.logs, async c => {
    const { project, name, slot, tail, follow } = c.req.valid('query')
    const release = open()
    const end = new AbortController()
    const done = (): void => {
      end.abort()
      release()
    }
    const signal = AbortSignal.any([clientSignal(c, components.stopping), end.signal])
    try {
      const entries = await backend.logs({ project, name, slot, tail, follow }, signal)
      const last = (error: unknown): string => {
        const { message } = failureOf(error, components.report).body
        return logText(note(project, name, message))
      }
      const body = pulled(entries, { first: '', text: logText, last, done })
      // The types of the library know no NDJSON: they allow errors only.
      return streamAnswer(c, body, 'application/x-ndjson') as never
    } catch (error) {
      done()
      throw error
    }
  })
}

function streamSlots(): () => () => void {
  let count = 0
  return () => {
    if (count >= STREAMS_MAX)
      throw new ShoalError('UNAVAILABLE', `${STREAMS_MAX} streams are open, no more are served`)
    count += 1
    let released = false
    return () => {
      if (!released) count -= 1
      released = true
    }
  }
}

function sseText(event: EventView): string {
  const id = event.id.replace(/[\r\n]/g, '')
  const kind = event.kind.replace(/[\r\n]/g, '')
  return `id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify(event)}\n\n`
}

function logText(entry: LogEntry): string {
  return `${JSON.stringify(entry)}\n`
}

function note(project: string, workload: string, line: string): LogEntry {
  const rest = { slot: null, node: null, stream: 'stderr', time: '' } as const
  return { kind: 'note', project, workload, line, ...rest }
}

interface PullOptions<T> {
  /** Sent at once, so that the client has its headers. */
  readonly first: string
  readonly text: (item: T) => string
  /** Last text after a fault in the source. */
  readonly last: (error: unknown) => string
  /** Called once, when the stream ended or its reader is gone. */
  readonly done: () => void
}

function pulled<T>(source: AsyncIterable<T>, options: PullOptions<T>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (options.first !== '') controller.enqueue(encoder.encode(options.first))
    },
    async pull(controller) {
      try {
        const next = await iterator.next()
        if (next.done !== true) {
          controller.enqueue(encoder.encode(options.text(next.value)))
          return
        }
      } catch (error) {
        controller.enqueue(encoder.encode(options.last(error)))
      }
      options.done()
      controller.close()
    },
    async cancel() {
      options.done()
      await iterator.return?.()
    }
  })
}

function streamAnswer(c: Context<ApiEnv>, body: ReadableStream, type: string): Response {
  return c.body(body, 200, { 'content-type': type, 'cache-control': 'no-store' })
}
