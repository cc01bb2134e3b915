/**
 * The reader process: `engine-events-reader.ts HOST=SOCKET ...` follows `/events` of each engine,
 * also over its restarts, and writes one JSON line an event, stamped when it arrived.
 */
import { request } from 'node:http'
import type { EngineLine } from './engine-events.ts'

const RECONNECT_MS = 50
const filters = encodeURIComponent(JSON.stringify({ type: ['container'] }))

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6
const write = (line: EngineLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

interface RawEvent {
  readonly Action: string
  readonly timeNano: number
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> }
}

function follow(host: string, socketPath: string): void {
  let over = false
  const again = (connected: boolean): void => {
    if (over) return
    over = true
    if (connected) write({ kind: 'lost', host, atMs: nowMs() })
    setTimeout(() => follow(host, socketPath), RECONNECT_MS)
  }
  const outgoing = request({ socketPath, path: `/v1.41/events?filters=${filters}` }, incoming => {
    write({ kind: 'connected', host, atMs: nowMs() })
    let rest = ''
    incoming.setEncoding('utf8').on('data', (text: string) => {
      const atMs = nowMs()
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line.trim() === '') continue
        const event = JSON.parse(line) as RawEvent
        const { ID: id, Attributes: attributes } = event.Actor
        const engineTime = String(event.timeNano)
        write({ kind: 'event', host, atMs, engineTime, action: event.Action, id, attributes })
      }
    })
    for (const end of ['end', 'close', 'error'] as const) incoming.on(end, () => again(true))
  })
  outgoing.on('error', () => again(false))
  outgoing.end()
}

for (const pair of process.argv.slice(2)) {
  const [host = '', socketPath = ''] = pair.split('=')
  follow(host, socketPath)
}
// Ends with the test that started it, however that ends.
process.stdout.on('error', () => process.exit(0))
