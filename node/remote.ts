/**
 * Questions to another node over a bulk stream: one JSON line out, JSON lines back. What a peer
 * sends is bounded and checked by whoever asked.
 */
import { pipe } from 'it-pipe'
import type { NodeId } from '../gossip/core/types.ts'
import type { MeshHost } from '../gossip/libp2p/host.ts'
import type { BulkStream } from '../gossip/libp2p/types.ts'

export const REQUEST_BYTES_MAX = 16 * 1024
/** Docker cuts log lines at 16 KiB; an inspect answer is one line. */
export const LINE_BYTES_MAX = 1024 * 1024

export type RemoteHandler = (request: unknown, signal: AbortSignal) => AsyncIterable<unknown>

/** Splits a byte stream into parsed JSON lines. Throws on a line that is too long or no JSON. */
export async function* jsonLines(
  source: AsyncIterable<Uint8Array>,
  lineBytesMax: number
): AsyncGenerator<unknown> {
  let rest = Buffer.alloc(0)
  for await (const chunk of source) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      if (end > 0) yield JSON.parse(rest.subarray(0, end).toString('utf8'))
      rest = rest.subarray(end + 1)
    }
    if (rest.length > lineBytesMax) throw new Error(`a line longer than ${lineBytesMax} bytes`)
  }
  if (rest.length > 0) yield JSON.parse(rest.toString('utf8'))
}

async function* encodeLines(values: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const value of values) yield Buffer.from(`${JSON.stringify(value)}\n`)
}

/** Serves a protocol: the handler's values go back as lines until it ends or the asker is gone. */
export async function serveRemote(
  host: MeshHost,
  protocol: string,
  handler: RemoteHandler
): Promise<void> {
  await host.handle(protocol, async stream => {
    const controller = new AbortController()
    try {
      await pipe(
        stream.source,
        source => answer(source, handler, controller.signal),
        encodeLines,
        lines => stream.sink(lines)
      )
    } finally {
      controller.abort()
    }
  })
}

async function* answer(
  source: AsyncIterable<Uint8Array>,
  handler: RemoteHandler,
  signal: AbortSignal
): AsyncGenerator<unknown> {
  for await (const request of jsonLines(source, REQUEST_BYTES_MAX)) {
    yield* handler(request, signal)
    return
  }
}

/** Asks a peer; ends when it has said all, or with the signal. Throws when it cannot be asked. */
export async function* askRemote(
  host: MeshHost,
  peer: NodeId,
  protocol: string,
  request: unknown,
  signal: AbortSignal
): AsyncGenerator<unknown> {
  let stream: BulkStream
  try {
    stream = await host.openStream(peer, protocol, signal)
  } catch (error) {
    throw inWords(error, 'there is no connection to it')
  }
  const stop = (): void => stream.abort(new Error('the asker is gone'))
  signal.addEventListener('abort', stop, { once: true })
  try {
    await stream.sink([Buffer.from(`${JSON.stringify(request)}\n`)])
    yield* jsonLines(stream.source, LINE_BYTES_MAX)
  } catch (error) {
    throw inWords(error, 'the connection to it ended')
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

/** Words of libp2p are for programmers; and a stream that closes while it opens throws an event. */
const LOST = /^(Stream(Reset|Aborted|State)|Connection(Closed|Closing|Failed)|MuxerClosed)Error$/

function inWords(error: unknown, words: string): unknown {
  const isLost = !(error instanceof Error) || LOST.test(error.name)
  return isLost ? new Error(words, { cause: error }) : error
}
