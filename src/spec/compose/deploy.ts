/** `deploy`, `scale`, `restart`, and the short forms of limits. */
import { parseConstraint } from '../constraints.ts'
import { quote } from '../problem.ts'
import { describe } from '../tree.ts'
import {
  broken,
  MEMORY_LIMIT_MIB_MIN,
  MIB,
  type Parsed,
  parseBytes,
  parseCpus,
  parsed
} from '../units.ts'
import { type Constraint, REPLICAS_MAX, type Resources, type RestartPolicy } from '../workload.ts'
import type { Field, Scope } from './scope.ts'

export interface Replicas {
  readonly count: number
  /** The file asked for replicas, so the service is placed by itself. */
  readonly asked: boolean
}

const REPLICAS_RULE = `replicas are a whole number from 0 to ${REPLICAS_MAX}`

/** One count. Quoted numbers are refused; a variable gives text, and that is read. */
function readCount(scope: Scope, key: string): number | undefined {
  const field = scope.raw(key)
  if (field === undefined) return undefined
  const { node } = field
  if (node.kind !== 'scalar' || node.value === null || typeof node.value === 'boolean')
    return scope.error(field, `${REPLICAS_RULE}, not ${describe(node)}`)
  const isText = typeof node.value === 'string'
  if (isText && !node.interpolated)
    return scope.error(field, `${REPLICAS_RULE}, not the text ${quote(node.value)}`, 'no quotes')
  const shown = isText ? quote(node.value) : node.source
  const count = isText && !/^\d{1,9}$/.test(`${node.value}`) ? Number.NaN : Number(node.value)
  if (!Number.isInteger(count) || count < 0 || count > REPLICAS_MAX)
    return scope.error(field, `${REPLICAS_RULE}, not ${shown}`)
  return count
}

export function readReplicas(scope: Scope, deploy: Scope | undefined): Replicas {
  const scale = readCount(scope, 'scale')
  const replicas = deploy === undefined ? undefined : readCount(deploy, 'replicas')
  const field = scope.raw('scale')
  if (scale !== undefined && replicas !== undefined && scale !== replicas && field !== undefined)
    scope.error(field, `scale ${scale} and deploy.replicas ${replicas} differ`, 'keep one')
  const asked = scope.has('scale') || deploy?.has('replicas') === true
  return { count: replicas ?? scale ?? 1, asked }
}

function parseMib(text: string): Parsed<number> {
  const bytes = parseBytes(text)
  return bytes.ok ? parsed(Math.ceil(bytes.value / MIB)) : bytes
}

function parseLimitMib(text: string): Parsed<number> {
  const mib = parseMib(text)
  if (mib.ok && mib.value > 0 && mib.value < MEMORY_LIMIT_MIB_MIN)
    return broken(`a memory limit is at least ${MEMORY_LIMIT_MIB_MIN} MiB`)
  return mib
}

interface Both<T> {
  readonly short: T | undefined
  readonly long: T | undefined
  readonly shortField: Field | undefined
  readonly longName: string
}

/** `mem_limit` and `deploy.resources.limits.memory` say the same; two answers are an error. */
function one(scope: Scope, both: Both<number>): number {
  const { short, long, shortField, longName } = both
  if (short !== undefined && long !== undefined && short !== long && shortField !== undefined)
    scope.error(shortField, `differs from ${longName}`, 'keep one')
  return long ?? short ?? 0
}

export function readResources(scope: Scope, deploy: Scope | undefined): Resources {
  const resources = deploy?.mapping('resources')
  const limits = resources?.mapping('limits')
  const reservations = resources?.mapping('reservations')
  const result = {
    cpuMillis: reservations?.parseKey('cpus', parseCpus) ?? 0,
    memoryMiB: one(scope, {
      short: scope.parseKey('mem_reservation', parseMib),
      long: reservations?.parseKey('memory', parseMib),
      shortField: scope.field('mem_reservation'),
      longName: 'deploy.resources.reservations.memory'
    }),
    cpuLimitMillis: one(scope, {
      short: scope.parseKey('cpus', parseCpus),
      long: limits?.parseKey('cpus', parseCpus),
      shortField: scope.field('cpus'),
      longName: 'deploy.resources.limits.cpus'
    }),
    memoryLimitMiB: one(scope, {
      short: scope.parseKey('mem_limit', parseLimitMib),
      long: limits?.parseKey('memory', parseLimitMib),
      shortField: scope.field('mem_limit'),
      longName: 'deploy.resources.limits.memory'
    })
  }
  checkOrder(scope, resources ?? scope, result)
  return result
}

function checkOrder(scope: Scope, at: Scope, resources: Resources): void {
  const { cpuMillis, cpuLimitMillis, memoryMiB, memoryLimitMiB } = resources
  const place: Field = { node: at.node, at: at.at, path: at.path }
  if (cpuLimitMillis > 0 && cpuMillis > cpuLimitMillis)
    scope.error(place, `reserves ${cpuMillis} mCPU, its limit is ${cpuLimitMillis}`)
  if (memoryLimitMiB > 0 && memoryMiB > memoryLimitMiB)
    scope.error(place, `reserves ${memoryMiB} MiB, its limit is ${memoryLimitMiB}`)
}

/** One field with a condition; undefined when it was reported. */
export function readConstraint(scope: Scope, field: Field): Constraint | undefined {
  const text = scope.textOf(field)
  if (text === undefined) return undefined
  const result = parseConstraint(text)
  if (result.ok) return result.value
  scope.report.error(result.code, field.at, field.path, result.message, result.hint)
  return undefined
}

export interface Placement {
  readonly constraints: readonly Constraint[]
  readonly maxPerNode: number
}

export function readPlacement(deploy: Scope | undefined): Placement {
  const placement = deploy?.mapping('placement')
  if (placement === undefined) return { constraints: [], maxPerNode: 0 }
  const constraints = placement
    .list('constraints')
    .map(field => readConstraint(placement, field))
    .filter(constraint => constraint !== undefined)
  const maxPerNode = placement.whole('max_replicas_per_node', 0, REPLICAS_MAX) ?? 0
  return { constraints, maxPerNode }
}

const CONDITIONS: Readonly<Record<string, RestartPolicy>> = {
  none: 'no',
  'on-failure': 'on-failure',
  any: 'always'
}
const RESTARTS: Readonly<Record<string, RestartPolicy>> = {
  no: 'no',
  always: 'always',
  'unless-stopped': 'always',
  'on-failure': 'on-failure'
}

/** `deploy.restart_policy.condition` goes before `restart`; always when nothing is said. */
export function readRestart(scope: Scope, deploy: Scope | undefined): RestartPolicy {
  const policy = deploy?.mapping('restart_policy')
  const condition = policy?.choice('condition', Object.keys(CONDITIONS))
  return CONDITIONS[condition ?? ''] ?? readRestartKey(scope) ?? 'always'
}

function readRestartKey(scope: Scope): RestartPolicy | undefined {
  const field = scope.field('restart')
  if (field === undefined) return undefined
  if (field.node.kind === 'scalar' && field.node.value === false) return 'no'
  const text = scope.textOf(field)
  if (text === undefined) return undefined
  const [name = '', count, ...rest] = text.split(':')
  const policy = Object.hasOwn(RESTARTS, name) ? RESTARTS[name] : undefined
  const counted = count === undefined || (name === 'on-failure' && /^\d{1,6}$/.test(count))
  if (policy === undefined || !counted || rest.length > 0)
    return scope.error(
      field,
      `${quote(text)} is not a restart policy`,
      'use "no", always, unless-stopped or on-failure'
    )
  if (count !== undefined) {
    const message = `ignored: at most ${count} restarts, they go on with back-off`
    scope.report.warn('UNSUPPORTED', field.at, field.path, message)
  }
  return policy
}
