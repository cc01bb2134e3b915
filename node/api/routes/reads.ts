/** GET of everything that answers at once. */
import { routes } from '../../../src/api/contract.ts'
import { type App, mutable, type RouteComponents, reading } from './types.ts'

export function addReads(app: App, components: RouteComponents): void {
  const { backend } = components

  app.openapi(routes.healthz, c => c.json({ ok: true }, 200))
  app.openapi(routes.readyz, c => {
    const ready = mutable(backend.ready())
    return ready.ready ? c.json(ready, 200) : c.json(ready, 503)
  })
  app.openapi(routes.status, async c =>
    c.json(mutable(await reading(c, components, signal => backend.status(signal))), 200)
  )
  app.openapi(routes.nodes, async c =>
    c.json(mutable(await reading(c, components, signal => backend.nodes(signal))), 200)
  )
  app.openapi(routes.allocations, async c => {
    const { all, project, workload } = c.req.valid('query')
    const filter = { all, project, workload }
    const found = await reading(c, components, signal => backend.allocations(filter, signal))
    return c.json(mutable(found), 200)
  })
  app.openapi(routes.workloads, async c =>
    c.json(mutable(await reading(c, components, signal => backend.workloads(signal))), 200)
  )
  app.openapi(routes.workload, async c => {
    const ref = c.req.valid('param')
    const detail = await reading(c, components, signal => backend.workload(ref, signal))
    return c.json(mutable(detail), 200)
  })
  app.openapi(routes.why, async c => {
    const ref = c.req.valid('query')
    return c.json(mutable(await reading(c, components, signal => backend.why(ref, signal))), 200)
  })
  app.openapi(routes.volumes, async c =>
    c.json(mutable(await reading(c, components, signal => backend.volumes(signal))), 200)
  )
}
