/** Query keys of each route: one that it does not know would be ignored, so it is refused. */
import type { MiddlewareHandler } from 'hono'
import { routes } from '../../src/api/contract.ts'
import { nearest } from '../../src/spec/nearest.ts'
import { failure, toResponse } from './failure.ts'
import type { ApiEnv } from './guard.ts'

interface KnownRoute {
  readonly method: string
  readonly pattern: RegExp
  readonly keys: readonly string[]
}

interface Queried {
  readonly request?: { readonly query?: { readonly shape: object } }
}

const ROUTES: readonly KnownRoute[] = [
  ...Object.values(routes).map(route => ({
    method: route.method,
    path: route.path as string,
    keys: Object.keys((route as Queried).request?.query?.shape ?? {}).sort()
  })),
  { method: 'get', path: '/v1/openapi.json', keys: [] }
].map(({ method, path, keys }) => ({
  method: method.toUpperCase(),
  pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
  keys
}))

/** Methods that a path takes; none when there is no such route. */
export function methodsOf(path: string): readonly string[] {
  const methods = ROUTES.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
  return [...new Set(methods)].sort()
}

/** 400 for a key that the route does not know (names the nearest), or one given twice. */
export const refuseUnknownQuery: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const asked = c.req.method === 'HEAD' ? 'GET' : c.req.method
  const route = ROUTES.find(one => one.method === asked && one.pattern.test(c.req.path))
  if (route === undefined) return next()
  const seen = new Set<string>()
  for (const key of new URL(c.req.url).searchParams.keys()) {
    const where = `query.${key}`
    if (!route.keys.includes(key))
      return toResponse(
        failure('INVALID', `"${key}" is no query key of this route`, {
          where,
          hint: hintFor(key, route.keys)
        })
      )
    if (seen.has(key))
      return toResponse(failure('INVALID', `query key "${key}" is there twice`, { where }))
    seen.add(key)
  }
  return next()
}

function hintFor(key: string, keys: readonly string[]): string {
  if (keys.length === 0) return 'this route takes no query'
  const near = nearest(key, keys)
  return near === undefined ? `known: ${keys.join(', ')}` : `did you mean ${near}?`
}
