/**
 * Every route of the API: path, what it takes, what it answers. The server registers these, and
 * OpenAPI at `/v1/openapi.json` is generated from them.
 */
import { createRoute, z } from '@hono/zod-openapi'
import * as schemas from './schemas.ts'

const TAIL_MAX = 100_000

/** `?all` and `?all=true` are true, `?all=false` and none are false. */
const flag = z
  .enum(['', 'true', '1', 'false', '0'])
  .optional()
  .transform(value => value !== undefined && value !== 'false' && value !== '0')
const whole = (max: number): z.ZodType<number | undefined> =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'a whole number')
    .transform(Number)
    .pipe(z.int().min(0).max(max))
    .optional()

const json = <T extends z.ZodType>(schema: T): { 'application/json': { schema: T } } => ({
  'application/json': { schema }
})
const failure = {
  description: 'a refusal or fault, as src/errors.ts lists them',
  content: json(schemas.errorSchema)
}
const answer = <T extends z.ZodType>(description: string, schema: T) => ({
  200: { description, content: json(schema) },
  default: failure
})
const body = <T extends z.ZodType>(schema: T) => ({
  body: { required: true, content: json(schema) }
})

const named = z.object({ project: schemas.nameSchema, name: schemas.nameSchema })
const operationQuery = z.object({ operation: schemas.operationSchema })

export const routes = {
  healthz: createRoute({
    method: 'get',
    path: '/healthz',
    summary: 'The daemon runs',
    responses: answer('always', z.object({ ok: z.boolean() }))
  }),
  readyz: createRoute({
    method: 'get',
    path: '/readyz',
    summary: 'The daemon has joined its mesh and serves everything',
    responses: {
      200: { description: 'ready', content: json(schemas.readySchema) },
      503: { description: 'not yet', content: json(schemas.readySchema) },
      default: failure
    }
  }),
  status: createRoute({
    method: 'get',
    path: '/v1/status',
    summary: 'Is everything all right?',
    responses: answer('the mesh as this node sees it', schemas.statusSchema)
  }),
  nodes: createRoute({
    method: 'get',
    path: '/v1/nodes',
    summary: 'All members',
    responses: answer('members by name', z.array(schemas.nodeSchema))
  }),
  allocations: createRoute({
    method: 'get',
    path: '/v1/allocations',
    summary: 'Replicas: where each runs, or why it waits',
    request: {
      query: z.object({
        all: flag,
        project: schemas.nameSchema.optional(),
        workload: schemas.nameSchema.optional()
      })
    },
    responses: answer('by project, workload, slot', z.array(schemas.allocationSchema))
  }),
  workloads: createRoute({
    method: 'get',
    path: '/v1/workloads',
    summary: 'What should run',
    responses: answer('by project and name', z.array(schemas.workloadViewSchema))
  }),
  workload: createRoute({
    method: 'get',
    path: '/v1/workloads/{project}/{name}',
    summary: 'One workload, with its spec and what its runtimes say',
    request: { params: named },
    responses: answer('the workload', schemas.workloadDetailSchema)
  }),
  why: createRoute({
    method: 'get',
    path: '/v1/why',
    summary: 'Why its replicas are where they are, and who takes over next',
    request: { query: named },
    responses: answer('the explanation that placement recorded', schemas.whySchema)
  }),
  volumes: createRoute({
    method: 'get',
    path: '/v1/volumes',
    summary: 'Local data, and the nodes that hold it',
    responses: answer('by project and name', z.array(schemas.volumeSchema))
  }),
  events: createRoute({
    method: 'get',
    path: '/v1/events',
    summary: 'What happens, as server-sent events; resumes after Last-Event-ID',
    request: { headers: z.object({ 'last-event-id': z.string().max(128).optional() }) },
    responses: {
      200: {
        description: 'events; the data of each is one Event',
        content: { 'text/event-stream': { schema: schemas.eventSchema } }
      },
      default: failure
    }
  }),
  logs: createRoute({
    method: 'get',
    path: '/v1/logs',
    summary: 'Log lines of all replicas of a workload, from every node, as NDJSON',
    request: {
      query: named.extend({ slot: whole(1_000), tail: whole(TAIL_MAX), follow: flag })
    },
    responses: {
      200: {
        description: 'one LogEntry a line',
        content: { 'application/x-ndjson': { schema: schemas.logEntrySchema } }
      },
      default: failure
    }
  }),
  deploy: createRoute({
    method: 'post',
    path: '/v1/deploy',
    summary: 'Write the specs of a project, or say what would be written',
    request: body(schemas.deployRequestSchema),
    responses: answer('the plan and on how many disks it is', schemas.changeAnswerSchema)
  }),
  scale: createRoute({
    method: 'post',
    path: '/v1/scale',
    summary: 'Set the number of replicas',
    request: body(schemas.scaleRequestSchema),
    responses: answer('the plan', schemas.changeAnswerSchema)
  }),
  removeProject: createRoute({
    method: 'delete',
    path: '/v1/workloads/{project}',
    summary: 'Remove every workload of a project',
    request: { params: z.object({ project: schemas.nameSchema }), query: operationQuery },
    responses: answer('the plan', schemas.changeAnswerSchema)
  }),
  removeWorkload: createRoute({
    method: 'delete',
    path: '/v1/workloads/{project}/{name}',
    summary: 'Remove a workload',
    request: { params: named, query: operationQuery },
    responses: answer('the plan', schemas.changeAnswerSchema)
  }),
  abandon: createRoute({
    method: 'post',
    path: '/v1/volumes/abandon',
    summary: 'Give up the data of a dead node, so that its slots start elsewhere, empty',
    request: body(schemas.abandonRequestSchema),
    responses: answer('the slots that are free now', schemas.abandonAnswerSchema)
  }),
  token: createRoute({
    method: 'post',
    path: '/v1/token',
    summary: 'A join token; it holds the mesh key',
    responses: answer('the token', schemas.tokenAnswerSchema)
  }),
  leave: createRoute({
    method: 'post',
    path: '/v1/leave',
    summary: 'Leave the mesh; the daemon ends',
    responses: answer('left', schemas.leaveAnswerSchema)
  })
} as const

/** The head of the OpenAPI document. */
export const OPENAPI_INFO = {
  openapi: '3.1.0',
  info: {
    title: 'shoal',
    version: '1',
    description:
      'The API of shoald on its unix socket. Whoever may open the socket may run anything on the ' +
      'mesh. Errors carry code, message, hint and where.'
  }
} as const
