/**
 * The API server: hono on a unix socket, with limits on everything a client can take: connections,
 * streams, headers, bodies, time. TCP is not served.
 */
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { getRequestListener, type HttpBindings, RequestError } from '@hono/node-server'
import { createApp } from './app.ts'
import type { Backend } from './backend.ts'
import { failure, failureOf, type ReportBug } from './failure.ts'
import { Operations } from './operations.ts'
import { listenOnSocket } from './socket.ts'

export interface ApiServer {
  /** Ends streams, waits shortly for answers under way, removes the socket. */
  close(): Promise<void>
}

export interface ApiComponents {
  readonly backend: Backend
  /** Told of every error that is a bug. */
  readonly report: ReportBug
}

export interface ApiInit {
  readonly socket: string
  readonly version: string
  /** How long a client may take for the head of a request; shorter in tests. */
  readonly headersTimeoutMs?: number
}

export const CONNECTIONS_MAX = 256
const HEADER_BYTES_MAX = 16 * 1024
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const KEEP_ALIVE_TIMEOUT_MS = 5_000
const CHECK_INTERVAL_MS = 5_000
const CLOSE_GRACE_MS = 1_000

/** Listens when it resolves. Throws CONFLICT when another daemon answers on the socket. */
export async function startApiServer(components: ApiComponents, init: ApiInit): Promise<ApiServer> {
  const stopping = new AbortController()
  const app = createApp(
    { ...components, operations: new Operations(), stopping: stopping.signal },
    init.version
  )
  const listener = getRequestListener((request, env) => app.fetch(request, env as HttpBindings), {
    overrideGlobalObjects: false,
    errorHandler: error => faultAnswer(error, components.report)
  })
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: init.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS
    },
    (request, response) => void listener(request, response)
  )
  server.maxConnections = CONNECTIONS_MAX
  server.on('clientError', refuseBadRequest)
  await listenOnSocket(server, init.socket)
  return { close: () => close(server, stopping) }
}

/** What node's parser refuses: broken requests, doubled lengths (B59), slow ones (B58). */
function refuseBadRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
  const large = error.code === 'HPE_HEADER_OVERFLOW'
  const status = late ? '408 Request Timeout' : large ? '431 Request Header Fields Too Large' : ''
  const message = late ? 'the request took too long' : large ? 'the headers are too large' : ''
  const { body } = failure('USAGE', message === '' ? 'this is not a correct request' : message)
  const text = JSON.stringify(body)
  socket.end(
    `HTTP/1.1 ${status === '' ? '400 Bad Request' : status}\r\nconnection: close\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  )
}

/** What never reached a route: a target or Host that is no URL is the client's fault. */
function faultAnswer(error: unknown, report: ReportBug): Response {
  const { status, body } =
    error instanceof RequestError
      ? failure('USAGE', 'the request target or its Host header is not one that shoal serves', {
          status: 400
        })
      : failureOf(error, report)
  return Response.json(body, { status })
}

async function close(server: Server, stopping: AbortController): Promise<void> {
  stopping.abort()
  const closed = new Promise<void>(resolve => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
  await closed
  clearTimeout(timer)
}
