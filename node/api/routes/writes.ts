/** Everything that changes something. */
import { randomBytes } from 'node:crypto'
import { routes } from '../../../src/api/contract.ts'
import { refuseBody } from '../guard.ts'
import { checkSpecs } from '../specs.ts'
import { type App, mutable, type RouteComponents, writing } from './types.ts'

export function addWrites(app: App, components: RouteComponents): void {
  const { backend } = components

  app.openapi(routes.deploy, async c => {
    const body = c.req.valid('json')
    const specs = checkSpecs(body)
    const request = { ...body, workloads: specs }
    const answer = await writing(components, body.operation, { deploy: body }, signal =>
      backend.deploy(request, signal)
    )
    return c.json(mutable(answer), 200)
  })
  app.openapi(routes.scale, async c => {
    const request = c.req.valid('json')
    const answer = await writing(components, request.operation, { scale: request }, signal =>
      backend.scale(request, signal)
    )
    return c.json(mutable(answer), 200)
  })
  app.openapi(routes.removeProject, async c => {
    const { project } = c.req.valid('param')
    const { operation } = c.req.valid('query')
    const request = { operation, project, name: undefined }
    const answer = await writing(components, operation, { remove: request }, signal =>
      backend.remove(request, signal)
    )
    return c.json(mutable(answer), 200)
  })
  app.openapi(routes.removeWorkload, async c => {
    const { project, name } = c.req.valid('param')
    const { operation } = c.req.valid('query')
    const request = { operation, project, name }
    const answer = await writing(components, operation, { remove: request }, signal =>
      backend.remove(request, signal)
    )
    return c.json(mutable(answer), 200)
  })
  app.openapi(routes.abandon, async c => {
    const request = c.req.valid('json')
    const answer = await writing(components, request.operation, { abandon: request }, signal =>
      backend.abandon(request, signal)
    )
    return c.json(mutable(answer), 200)
  })
  app.use('/v1/token', refuseBody)
  app.use('/v1/leave', refuseBody)
  app.openapi(routes.token, async c => {
    const answer = await writing(components, once(), {}, signal => backend.token(signal))
    return c.json(mutable(answer), 200)
  })
  app.openapi(routes.leave, async c => {
    const answer = await writing(components, once(), {}, signal => backend.leave(signal))
    return c.json(mutable(answer), 200)
  })
}

/** For what needs no operation id of the client: asking twice does no harm. */
function once(): string {
  return randomBytes(12).toString('hex')
}
