/** Lines of a byte stream, and the data of server-sent events. */
import type { IncomingMessage } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import { ShoalError } from '../errors.ts'

/** The daemon cuts log lines far below this. */
const LINE_LENGTH_MAX = 4 * 1024 * 1024

/** Without their line feed; the last one also without having one. Leaving the loop ends the
 * connection. Throws the signal's reason when it aborts. */
export async function* lines(source: IncomingMessage, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      const parts = (rest + decoder.write(chunk)).split('\n')
      rest = parts.pop() ?? ''
      if (rest.length > LINE_LENGTH_MAX) throw new ShoalError('LIMIT', 'a line without an end')
      yield* parts
    }
    if (rest !== '') yield rest
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof ShoalError) throw error
    throw new ShoalError('UNAVAILABLE', 'the daemon ended the stream', { cause: error })
  } finally {
    source.destroy()
  }
}

export async function* sseData(source: AsyncIterable<string>): AsyncGenerator<string> {
  let data: string[] = []
  for await (const line of source) {
    if (line.startsWith('data:')) data.push(line.slice(5).trimStart())
    else if (line === '' && data.length > 0) {
      yield data.join('\n')
      data = []
    }
  }
}
