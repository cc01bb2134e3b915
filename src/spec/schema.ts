/**
 * The schema of a workload, with every limit: what the API holds against what a client submits.
 * Import it lazily: zod costs tens of milliseconds that `shoal ps` must not pay.
 */
import { z } from 'zod'
import { driverFault } from './compose/driver.ts'
import { isAttribute } from './constraints.ts'
import { parseImage } from './image.ts'
import { childPath, type Problem, quote, Report, WHOLE_FILE } from './problem.ts'
import {
  CPUS_MAX,
  DURATION_MS_MAX,
  isPrototypeName,
  NAME_PATTERN,
  NAME_RULE,
  type Parsed,
  parseName,
  parseSignal,
  parseVolumeName,
  VOLUME_NAME_PATTERN
} from './units.ts'
import { REPLICAS_MAX, SPEC_BYTES_MAX, type WorkloadSpec } from './workload.ts'

const TEXT_MAX = 32 * 1024
const PAIRS_MAX = 1_000
const LIST_MAX = 1_000
const MEMORY_MIB_MAX = 64 * 1024 * 1024

/** A check by one of our parsers, with its reason as the message. */
function by<T>(parser: (text: string) => Parsed<T>) {
  return (text: string, context: z.RefinementCtx<string>): void => {
    const result = parser(text)
    if (!result.ok) context.addIssue({ code: 'custom', message: result.reason })
  }
}

const noNul = /^[^\0]*$/
const text = z.string().max(TEXT_MAX).regex(noNul, 'a NUL character')
const words = z.array(text).min(1).max(LIST_MAX).readonly()
const nameText = z.string().max(63).regex(NAME_PATTERN, NAME_RULE).superRefine(by(parseName))
const volumeName = z.string().regex(VOLUME_NAME_PATTERN).superRefine(by(parseVolumeName))
const port = z.int().min(1).max(65_535)
const durationMs = z.int().min(0).max(DURATION_MS_MAX)
const cpuMillis = z
  .int()
  .min(0)
  .max(CPUS_MAX * 1_000)
const memoryMiB = z.int().min(0).max(MEMORY_MIB_MAX)

const pairName = z
  .string()
  .min(1)
  .max(1_024)
  .regex(/^[^=\0\s]+$/, 'a name has no "=", NUL or space')
  .refine(name => !isPrototypeName(name), 'this name is reserved')
const pairs = z
  .record(pairName, text)
  .refine(record => Object.keys(record).length <= PAIRS_MAX, `more than ${PAIRS_MAX} names`)
  .readonly()

/** Absolute and already normal: nothing in it climbs. */
const path = z
  .string()
  .max(4_096)
  .regex(/^\/[^\0]*$/, 'a path begins with /')
  .refine(
    value => !value.split('/').some(part => part === '..' || part === '.') && !value.includes('//'),
    'the path is not in its normal form'
  )
const target = path.refine(value => value !== '/', 'the root of a container is no mount')

const portSchema = z
  .strictObject({
    containerPort: port,
    hostPort: port.exactOptional(),
    hostIp: z.union([z.ipv4(), z.ipv6()]).exactOptional(),
    protocol: z.enum(['tcp', 'udp'])
  })
  .readonly()

const driverOptions = z
  .record(z.string().min(1).max(64), text)
  .superRefine((options, context) => {
    const fault = Object.keys(options).length === 0 ? undefined : driverFault(options)
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
  })
  .readonly()

const volumeSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('volume'),
      name: volumeName,
      target,
      readOnly: z.boolean(),
      shared: z.boolean(),
      driver: z
        .string()
        .refine((driver): boolean => driver === 'local', 'local is the one driver')
        .exactOptional(),
      driverOptions: driverOptions.exactOptional()
    })
    .readonly(),
  z
    .strictObject({
      kind: z.literal('bind'),
      source: path.refine(value => value !== '/', 'the root of a node is not mounted'),
      target,
      readOnly: z.boolean()
    })
    .readonly(),
  z
    .strictObject({
      kind: z.literal('tmpfs'),
      target,
      sizeBytes: z.int().min(1).exactOptional()
    })
    .readonly()
])

const healthSchema = z
  .strictObject({
    command: words,
    intervalMs: durationMs.min(1),
    timeoutMs: durationMs.min(1),
    startPeriodMs: durationMs,
    retries: z.int().min(1).max(1_000)
  })
  .readonly()

const resourcesSchema = z
  .strictObject({
    cpuMillis,
    memoryMiB,
    cpuLimitMillis: cpuMillis,
    memoryLimitMiB: memoryMiB
  })
  .readonly()

const constraintSchema = z
  .strictObject({
    attribute: z.string().max(160).refine(isAttribute, 'not an attribute of nodes'),
    operator: z.enum(['==', '!=']),
    value: z.string().min(1).max(256)
  })
  .readonly()

/** The shape alone; `checkWorkload` adds what holds between fields. */
export const workloadSchema = z
  .strictObject({
    project: nameText,
    name: nameText,
    runtime: z.enum(['docker', 'process', 'memory']),
    image: z.string().superRefine(by(parseImage)).exactOptional(),
    entrypoint: words.exactOptional(),
    command: words.exactOptional(),
    env: pairs,
    workingDir: path.exactOptional(),
    user: text.min(1).max(129).exactOptional(),
    init: z.boolean(),
    ports: z.array(portSchema).max(LIST_MAX).readonly(),
    volumes: z.array(volumeSchema).max(LIST_MAX).readonly(),
    health: healthSchema.exactOptional(),
    healthDisabled: z.literal(true).exactOptional(),
    labels: pairs,
    restart: z.enum(['no', 'on-failure', 'always']),
    stopSignal: z.string().superRefine(by(parseSignal)),
    stopGraceMs: durationMs,
    replicas: z.int().min(0).max(REPLICAS_MAX),
    resources: resourcesSchema,
    constraints: z.array(constraintSchema).max(LIST_MAX).readonly(),
    maxPerNode: z.int().min(0).max(REPLICAS_MAX),
    partition: z.enum(['any-partition', 'manual']),
    reconcile: z.enum(['keep-running', 'ring-owner', 'oldest-claim', 'newest-claim']),
    rebalance: z.enum(['gradual', 'failover', 'never']),
    onDataLoss: z.literal('wait'),
    spread: z.enum(['soft', 'hard', 'none']),
    priority: z.int().min(0).max(9),
    group: nameText.exactOptional()
  })
  .readonly() satisfies z.ZodType<WorkloadSpec>

/** What the schema gives, for the proof (in the tests) that it is exactly a `WorkloadSpec`. */
export type WorkloadOfSchema = z.output<typeof workloadSchema>

export type CheckedWorkload =
  | { readonly workload: WorkloadSpec }
  | { readonly problems: readonly Problem[] }

function issuePath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (at, step) => childPath(at, typeof step === 'symbol' ? String(step) : step),
    ''
  )
}

/** What holds between fields. */
function checkTogether(spec: WorkloadSpec, report: Report): void {
  const wrong = (path: string, message: string): void =>
    report.error('INVALID', WHOLE_FILE, path, message)
  if (spec.runtime === 'docker' && spec.image === undefined)
    wrong('image', 'the runtime docker needs an image')
  if (spec.runtime === 'process' && spec.command === undefined && spec.entrypoint === undefined)
    wrong('command', 'the runtime process needs a command')
  const targets = spec.volumes.map(volume => volume.target)
  const twice = targets.find((one, index) => targets.indexOf(one) !== index)
  if (twice !== undefined) wrong('volumes', `two mounts on ${quote(twice)}`)
  const hosts = spec.ports.flatMap(one =>
    one.hostPort === undefined ? [] : [`${one.hostIp ?? ''} ${one.hostPort}/${one.protocol}`]
  )
  const clash = hosts.find((one, index) => hosts.indexOf(one) !== index)
  if (clash !== undefined) wrong('ports', `port${clash} of the node is published twice`)
  const { cpuMillis, cpuLimitMillis, memoryMiB, memoryLimitMiB } = spec.resources
  if (cpuLimitMillis > 0 && cpuMillis > cpuLimitMillis)
    wrong('resources', `reserves ${cpuMillis} mCPU, its limit is ${cpuLimitMillis}`)
  if (memoryLimitMiB > 0 && memoryMiB > memoryLimitMiB)
    wrong('resources', `reserves ${memoryMiB} MiB, its limit is ${memoryLimitMiB}`)
}

/** Checks what a client sent. The workload is a copy with known fields only. */
export function checkWorkload(value: unknown): CheckedWorkload {
  const report = new Report('')
  const result = workloadSchema.safeParse(value)
  if (!result.success) {
    for (const issue of result.error.issues)
      report.error('INVALID', WHOLE_FILE, issuePath(issue.path), issue.message)
    return { problems: report.problems() }
  }
  const workload: WorkloadSpec = result.data
  checkTogether(workload, report)
  const bytes = new TextEncoder().encode(JSON.stringify(workload)).length
  if (bytes > SPEC_BYTES_MAX) {
    const message = `the workload has ${bytes} bytes, at most ${SPEC_BYTES_MAX} travel`
    report.error('LIMIT', WHOLE_FILE, '', message)
  }
  return report.failed ? { problems: report.problems() } : { workload }
}
