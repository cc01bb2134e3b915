/** The daemon's API over its unix socket, asked without starting a command for each question. */
import { type ClientRequest, request } from 'node:http'

const RETRY_MS = 50

export function apiGet(socketPath: string, path: string, timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, timeout: timeoutMs }, incoming => {
      let text = ''
      incoming.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      incoming.on('error', reject)
      incoming.on('end', () => {
        if (incoming.statusCode === 200) resolve(JSON.parse(text))
        else reject(new Error(`${path}: ${incoming.statusCode} ${text}`))
      })
    })
    outgoing.on('error', reject)
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${path}: no answer`)))
    outgoing.end()
  })
}

/** Follows `/v1/events` and calls back with each event, until the returned stop is called. */
export function apiEvents(socketPath: string, heard: (event: ApiEvent) => void): () => void {
  const options = { socketPath, path: '/v1/events', headers: { accept: 'text/event-stream' } }
  let isStopped = false
  const open = (): ClientRequest => {
    const outgoing = request(options, incoming => {
      let rest = ''
      incoming.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines)
          if (line.startsWith('data:')) heard(JSON.parse(line.slice(5)) as ApiEvent)
      })
      incoming.on('error', () => {})
    })
    // A daemon that starts has its socket a moment before it answers.
    outgoing.on('error', () => {
      if (isStopped) return
      setTimeout(() => {
        if (!isStopped) current = open()
      }, RETRY_MS)
    })
    outgoing.end()
    return outgoing
  }
  let current = open()
  return () => {
    isStopped = true
    current.destroy()
  }
}

export interface ApiEvent {
  readonly kind: string
  readonly text: string
  readonly node: string | null
}
