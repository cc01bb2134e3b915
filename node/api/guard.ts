/** What is refused before any route sees it: bad paths, browsers, wrong or too large bodies. */
import type { HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import { failure, toResponse } from './failure.ts'

export interface ApiEnv {
  readonly Bindings: HttpBindings
}

export const BODY_BYTES_MAX = 4 * 1024 * 1024
/** A workload spec is 5 deep; what is much deeper is hostile. */
export const JSON_DEPTH_MAX = 32

/** Looks at the path as it came, before any normalising: `..`, `//`, encoded slashes, NUL. B60. */
export const refuseBadPath: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const raw = (c.env.incoming.url ?? '/').split('?', 1)[0] ?? '/'
  const hostile = /\/\/|\\|%2f|%5c|%00|%2e|(?:^|\/)\.\.?(?:\/|$)/i.test(raw)
  if (!hostile && isDecodable(raw)) return next()
  return toResponse(failure('USAGE', 'this path is not one that shoal serves', { status: 400 }))
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/** Only a browser sends Origin, and no page has business here. T24. */
export const refuseBrowsers: MiddlewareHandler<ApiEnv> = async (c, next) => {
  if (c.req.header('origin') === undefined) return next()
  return toResponse(failure('REFUSED', 'requests from web pages are refused'))
}

/** The length is said before the body, so that what is too large is never read. B57. */
export const limitBody: MiddlewareHandler<ApiEnv> = async (c, next) => {
  // Else the rest of the body would be read as the next request.
  const headers = { connection: 'close' }
  if (c.req.header('transfer-encoding') !== undefined)
    return toResponse(failure('USAGE', 'a body needs its content-length', { status: 411, headers }))
  if (Number(c.req.header('content-length') ?? 0) > BODY_BYTES_MAX)
    return toResponse(
      failure('LIMIT', `the body is larger than ${BODY_BYTES_MAX} bytes`, { headers })
    )
  return next()
}

/** A body is JSON, says so, and is not deep. Reads it once; routes find it cached. B57. */
export const checkBody: MiddlewareHandler<ApiEnv> = async (c, next) => {
  if (c.req.method !== 'POST') return next()
  const text = await c.req.text()
  if (text === '') return next()
  const type = c.req.header('content-type') ?? ''
  if (!/^application\/json\s*(;|$)/i.test(type))
    return toResponse(
      failure('USAGE', `the body is ${type === '' ? 'of no type' : 'not JSON'}`, {
        status: 415,
        hint: 'send content-type: application/json'
      })
    )
  if (jsonDepth(text) > JSON_DEPTH_MAX)
    return toResponse(failure('INVALID', `the JSON is more than ${JSON_DEPTH_MAX} deep`))
  try {
    JSON.parse(text)
  } catch {
    return toResponse(failure('INVALID', 'the body is not JSON'))
  }
  return next()
}

/** For routes that take none: who sends one expects it to matter. `{}` says nothing. */
export const refuseBody: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const text = (await c.req.text()).trim()
  if (text === '' || /^{\s*}$/.test(text)) return next()
  return toResponse(failure('INVALID', 'this route takes no body'))
}

/** Deepest nesting of arrays and objects in a JSON text, without parsing it. */
export function jsonDepth(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (inString) {
      if (character === '\\') at += 1
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '[' || character === '{') {
      depth += 1
      if (depth > deepest) deepest = depth
    } else if (character === ']' || character === '}') depth -= 1
  }
  return deepest
}
