/**
 * zod schemas of every wire type: they validate requests, type the routes and generate OpenAPI.
 * `types.ts` has the same shapes without zod; `test/unit/api-types.test.ts` proves it.
 */
import { z } from '@hono/zod-openapi'
import { workloadSchema } from '../spec/schema.ts'
import { NAME_PATTERN, NAME_RULE, VOLUME_NAME_PATTERN } from '../spec/units.ts'
import { REPLICAS_MAX, WORKLOADS_MAX, type WorkloadSpec } from '../spec/workload.ts'

const OPERATION_PATTERN = /^[A-Za-z0-9_-]{8,64}$/
const time = z.string().describe('ISO 8601, for display only')
const runtime = z.enum(['docker', 'process', 'memory'])
const member = z.enum(['alive', 'suspect', 'dead', 'left'])

export const nameSchema = z.string().regex(NAME_PATTERN, NAME_RULE).openapi({ example: 'web' })
export const slotSchema = z.int().min(0).max(REPLICAS_MAX)
export const operationSchema = z
  .string()
  .regex(OPERATION_PATTERN, 'an operation id is 8 to 64 of A-Z, a-z, 0-9, - and _')
  .describe('drawn by the client; the same one again gives the same answer')

/** `checkWorkload` checks the spec itself and names the field; here it is only described. */
const specSchema = z
  .custom<WorkloadSpec>(value => typeof value === 'object' && value !== null, 'not a workload spec')
  .openapi('WorkloadSpec', { ...specJsonSchema() } as object)
const opaque = z.unknown().openapi({ description: 'any JSON' })

export const nodeSchema = z
  .object({
    name: z.string(),
    id: z.string(),
    state: member,
    phase: z.enum(['joining', 'steady', 'restarting', 'draining']),
    self: z.boolean(),
    addresses: z.array(z.string()),
    labels: z.record(z.string(), z.string()),
    zone: z.string(),
    capacity: z.object({ cpuMillis: z.int(), memoryMiB: z.int() }),
    platform: z.object({ os: z.string(), arch: z.string() }),
    runtimes: z.array(z.string()),
    daemonGone: z.boolean(),
    directPath: z.boolean(),
    since: time,
    version: z.string()
  })
  .openapi('Node')

export const allocationSchema = z
  .object({
    project: z.string(),
    workload: z.string(),
    uid: z.string(),
    slot: z.int(),
    node: z.string().nullable(),
    nodeId: z.string().nullable(),
    state: z.enum(['pending', 'claimed', 'starting', 'running', 'healthy', 'stopping', 'failed']),
    reason: z.string(),
    generation: z.string(),
    runtime,
    startedAt: time.nullable(),
    instance: z.string(),
    health: z.enum(['none', 'starting', 'healthy', 'unhealthy'])
  })
  .openapi('Allocation')

const troubleSchema = z.object({
  what: z.string(),
  since: time.nullable(),
  moved: z.int(),
  waits: z.array(z.string()),
  do: z.array(z.string())
})

const disks = z.object({ disks: z.int(), wanted: z.int() })

export const statusSchema = z
  .object({
    converged: z.boolean(),
    viewHash: z.string(),
    mesh: z.string(),
    self: z.object({ name: z.string(), id: z.string() }),
    version: z.string(),
    members: z.object({ alive: z.int(), suspect: z.int(), dead: z.int() }),
    workloads: z.object({ desired: z.int(), running: z.int(), pending: z.int() }),
    durable: disks,
    notOk: z.array(troubleSchema),
    viewAgeMs: z.number(),
    brake: z.string().nullable(),
    alarms: z.array(z.string())
  })
  .openapi('Status')

export const workloadViewSchema = z
  .object({
    project: z.string(),
    name: z.string(),
    uid: z.string(),
    generation: z.string(),
    replicas: z.int(),
    running: z.int(),
    pending: z.int(),
    runtime,
    image: z.string(),
    conflicts: z.int()
  })
  .openapi('Workload')

export const workloadDetailSchema = workloadViewSchema
  .extend({
    spec: specSchema,
    conflicting: z.array(
      z.object({ uid: z.string(), author: z.string(), spec: specSchema.nullable() })
    ),
    allocations: z.array(allocationSchema.extend({ inspect: opaque, inspectError: z.string() }))
  })
  .openapi('WorkloadDetail')

export const whySchema = z
  .object({
    workload: z.object({ project: z.string(), name: z.string(), uid: z.string() }),
    inputDigest: z.string(),
    viewHash: z.string(),
    lines: z.array(z.string()),
    takeover: z.array(
      z.object({ slot: z.int(), node: z.string().nullable(), next: z.string().nullable() })
    ),
    explanation: opaque
  })
  .openapi('Why')

export const volumeSchema = z
  .object({
    project: z.string(),
    name: z.string(),
    kind: z.enum(['volume', 'bind']),
    workload: z.string(),
    slot: z.int().nullable(),
    node: z.string().nullable(),
    nodeId: z.string().nullable(),
    nodeState: member.nullable(),
    state: z.enum(['used', 'waits', 'idle', 'unused']),
    reason: z.string()
  })
  .openapi('Volume')

export const eventSchema = z
  .object({
    id: z.string(),
    time,
    kind: z.string(),
    text: z.string(),
    node: z.string().nullable(),
    project: z.string().nullable(),
    workload: z.string().nullable(),
    slot: z.int().nullable()
  })
  .openapi('Event')

export const logEntrySchema = z
  .object({
    kind: z.enum(['line', 'note']),
    project: z.string(),
    workload: z.string(),
    slot: z.int().nullable(),
    node: z.string().nullable(),
    stream: z.enum(['stdout', 'stderr']),
    time: z.string(),
    line: z.string()
  })
  .openapi('LogEntry')

export const readySchema = z
  .object({
    ready: z.boolean(),
    waits: z.string(),
    name: z.string(),
    id: z.string(),
    mesh: z.string(),
    addresses: z.array(z.string()),
    runtimes: z.array(z.string()),
    version: z.string(),
    pid: z.int(),
    dataDir: z.string()
  })
  .openapi('Ready')

export const deployRequestSchema = z
  .strictObject({
    operation: operationSchema,
    project: nameSchema,
    workloads: z.array(specSchema).max(WORKLOADS_MAX),
    dryRun: z.boolean(),
    prune: z.boolean().describe('remove workloads of the project that are not in the list')
  })
  .openapi('DeployRequest')

export const scaleRequestSchema = z
  .strictObject({
    operation: operationSchema,
    project: nameSchema,
    name: nameSchema,
    replicas: z.int().min(0).max(REPLICAS_MAX)
  })
  .openapi('ScaleRequest')

export const abandonRequestSchema = z
  .strictObject({
    operation: operationSchema,
    project: nameSchema.optional(),
    volume: z.string().refine(isVolume, 'a volume name, or the absolute path of a bind'),
    slot: slotSchema.optional()
  })
  .openapi('AbandonRequest')

export const changeAnswerSchema = z
  .object({
    operation: z.string(),
    dryRun: z.boolean(),
    changes: z.array(
      z.object({
        project: z.string(),
        name: z.string(),
        uid: z.string(),
        generation: z.string(),
        change: z.enum(['created', 'changed', 'unchanged', 'removed', 'repeated']),
        replicas: z.int(),
        fields: z.array(z.string()),
        seats: z.array(z.object({ node: z.string(), replicas: z.int() })),
        pending: z.array(z.string())
      })
    ),
    acks: disks,
    notes: z.array(z.string())
  })
  .openapi('ChangeAnswer')

export const abandonAnswerSchema = z
  .object({
    operation: z.string(),
    abandoned: z.array(
      z.object({
        project: z.string(),
        name: z.string(),
        slot: z.int(),
        node: z.string().nullable()
      })
    ),
    acks: disks,
    notes: z.array(z.string())
  })
  .openapi('AbandonAnswer')

export const tokenAnswerSchema = z
  .object({ token: z.string(), mesh: z.string(), addresses: z.array(z.string()) })
  .openapi('TokenAnswer')

export const leaveAnswerSchema = z
  .object({ left: z.boolean(), notes: z.array(z.string()) })
  .openapi('LeaveAnswer')

export const errorSchema = z
  .object({
    code: z.string(),
    message: z.string(),
    hint: z.string().nullable(),
    where: z.string().nullable()
  })
  .openapi('Error')

const BIND_LENGTH_MAX = 4_096

/** OpenAPI 3.1 schemas are JSON Schema. */
function specJsonSchema(): object {
  const { $schema: _, ...schema } = z.toJSONSchema(workloadSchema, { unrepresentable: 'any' })
  return schema
}

function isVolume(text: string): boolean {
  return VOLUME_NAME_PATTERN.test(text) || (text.startsWith('/') && text.length <= BIND_LENGTH_MAX)
}
