/** The routes, guarded, with every failure as `{ code, message, hint, where }`. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { OPENAPI_INFO } from '../../src/api/contract.ts'
import { VERSION_HEADER } from '../../src/api/types.ts'
import { failure, failureOf, toResponse } from './failure.ts'
import { type ApiEnv, checkBody, limitBody, refuseBadPath, refuseBrowsers } from './guard.ts'
import { methodsOf, refuseUnknownQuery } from './query.ts'
import { addReads } from './routes/reads.ts'
import { addStreams } from './routes/streams.ts'
import type { App, RouteComponents } from './routes/types.ts'
import { addWrites } from './routes/writes.ts'

/** The part of a validation error that people need. */
interface Issues {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]
}

export function createApp(components: RouteComponents, version: string): App {
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: result => (result.success ? undefined : toResponse(invalid(result)))
  })
  app.use(async (c, next) => {
    await next()
    c.header(VERSION_HEADER, version)
  })
  app.use(refuseBadPath, refuseBrowsers, refuseUnknownQuery, limitBody, checkBody)
  addReads(app, components)
  addWrites(app, components)
  addStreams(app, components)
  app.doc31('/v1/openapi.json', OPENAPI_INFO)

  app.notFound(c => {
    const allowed = methodsOf(c.req.path)
    if (allowed.length === 0)
      return toResponse(failure('NOT_FOUND', 'no such route', { hint: 'see /v1/openapi.json' }))
    const allow = allowed.join(', ')
    return toResponse(
      failure('USAGE', `this route takes ${allow}, not ${c.req.method}`, {
        status: 405,
        headers: { allow }
      })
    )
  })
  app.onError(error => toResponse(failureOf(error, components.report)))
  return app
}

function invalid(result: { readonly target: string; readonly error: Issues }) {
  const issue = result.error.issues[0]
  const path = (issue?.path ?? []).map(String).join('.')
  const target = result.target === 'json' ? 'body' : result.target
  return failure('INVALID', issue?.message ?? 'does not fit the schema', {
    where: path === '' ? target : `${target}.${path}`,
    hint: 'see /v1/openapi.json'
  })
}
