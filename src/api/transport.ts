/**
 * One HTTP request over a unix socket, by node:http alone. Turns what can go wrong into errors
 * that say what to do: no socket, a stale one, one that is not for us, one that hangs up are
 * different things for a person (B42).
 */
import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import { ERRORS, type ErrorCode, ShoalError } from '../errors.ts'
import type { ErrorBody } from './types.ts'

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Until the head of the answer is here. 0: no limit. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Writes only: with it, a lost answer is `unknown outcome`, not a plain failure. */
  readonly operation?: string
}

export interface Answer {
  readonly status: number
  readonly response: IncomingMessage
}

/** An answer larger than this is not from shoald. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024

export function send(socketPath: string, call: Call): Promise<Answer> {
  const payload = call.body === undefined ? undefined : JSON.stringify(call.body)
  const headers: Record<string, string> = { host: 'shoal', ...call.headers }
  if (payload !== undefined) headers['content-type'] = 'application/json'
  headers['content-length'] = String(Buffer.byteLength(payload ?? ''))
  return new Promise((resolve, reject) => {
    let late = false
    const options: RequestOptions & { readonly servername: '' } = {
      socketPath,
      method: call.method,
      path: call.path,
      headers,
      agent: false,
      signal: call.signal,
      // Given, or node compiles a large pattern (5 ms) to see that the host is no IPv6 address.
      servername: ''
    }
    const outgoing = request(options)
    const timer =
      call.timeoutMs === 0
        ? undefined
        : setTimeout(() => {
            late = true
            outgoing.destroy()
          }, call.timeoutMs)
    outgoing.on('response', response => {
      clearTimeout(timer)
      resolve({ status: response.statusCode ?? 0, response })
    })
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      if (call.signal.aborted) reject(call.signal.reason)
      else if (late) reject(lateError(socketPath, call))
      else reject(connectError(socketPath, error, call))
    })
    outgoing.end(payload)
  })
}

/** The JSON of an answer; throws what an error body says. */
export async function readJson(answer: Answer, call: Call): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of answer.response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > ANSWER_BYTES_MAX) throw new ShoalError('LIMIT', 'the answer is too large')
      chunks.push(chunk)
    }
  } catch (error) {
    if (call.signal.aborted) throw call.signal.reason
    if (error instanceof ShoalError) throw error
    throw lost(call, 'the connection broke before the answer was complete')
  }
  const value = parse(Buffer.concat(chunks).toString('utf8'))
  if (answer.status >= 200 && answer.status < 300) return value
  throw errorOf(answer.status, value)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ShoalError('NO_DAEMON', 'what answers on the socket is not shoald')
  }
}

function errorOf(status: number, value: unknown): ShoalError {
  const body = value as Partial<ErrorBody> | null
  if (typeof body?.code !== 'string' || typeof body.message !== 'string')
    return new ShoalError('INTERNAL', `the daemon answered with status ${status}`)
  const known = body.code in ERRORS
  return new ShoalError(
    known ? (body.code as ErrorCode) : 'INTERNAL',
    known ? body.message : `${body.code}: ${body.message}`,
    {
      ...(typeof body.hint === 'string' && !body.hint.includes(SCHEMA) ? { hint: body.hint } : {}),
      ...(typeof body.where === 'string' ? { where: body.where.replace(API_PART, '') } : {})
    }
  )
}

/** What helps those who write requests, and nobody who types commands. */
const SCHEMA = '/v1/openapi.json'
const API_PART = /^(body|query|path)\./

function lateError(path: string, call: Call): ShoalError {
  const seconds = call.timeoutMs / 1_000
  if (call.operation !== undefined) return lost(call, `no answer within ${seconds} s`)
  return new ShoalError('NO_DAEMON', `the daemon does not answer within ${seconds} s`, {
    where: path,
    hint: 'is it stopped or overloaded? see its log'
  })
}

/** A write whose answer did not come may have happened. */
function lost(call: Call, message: string): ShoalError {
  if (call.operation === undefined) return new ShoalError('UNAVAILABLE', message)
  return new ShoalError('UNKNOWN_OUTCOME', message, {
    where: `operation ${call.operation}`,
    hint: `it may have happened; retry with --operation ${call.operation}`
  })
}

function connectError(path: string, error: NodeJS.ErrnoException, call: Call): ShoalError {
  const say = (message: string, hint: string): ShoalError =>
    new ShoalError('NO_DAEMON', message, { where: path, hint, cause: error })
  const start = 'start one with: shoal up; or choose its socket with --socket or SHOAL_SOCKET'
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return say('no daemon: the socket does not exist', start)
    case 'EACCES':
    case 'EPERM':
      return say(
        'this user may not open the socket of the daemon',
        'run as root, or as a member of its group (which is as much as root)'
      )
    case 'ECONNREFUSED':
      return isSocket(path)
        ? say('no daemon: the socket was left behind by one that runs no more', start)
        : say('this file is no socket', 'choose the socket with --socket or SHOAL_SOCKET')
    default: {
      // Reset or closed: it was accepted, so a write may have been read.
      const message = `the daemon hung up without an answer (${error.code ?? error.message})`
      if (call.operation !== undefined) return lost(call, message)
      return say(message, 'it is stopping, or has too many connections: try again')
    }
  }
}

function isSocket(path: string): boolean {
  const { lstatSync } = process.getBuiltinModule('node:fs')
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true
}
