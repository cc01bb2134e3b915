/** One service of a Compose file to a workload. */
import { isAbsolute } from 'node:path'
import { parseImage } from '../image.ts'
import { quote } from '../problem.ts'
import { SUPPORT } from '../support.ts'
import { broken, parsed, parseName, parseSignal } from '../units.ts'
import {
  DEFAULT_STOP_GRACE_MS,
  DEFAULT_STOP_SIGNAL,
  type RuntimeName,
  SPEC_BYTES_MAX
} from '../workload.ts'
import { readCommand, readHealth } from './command.ts'
import type { ReadContext } from './context.ts'
import { readPlacement, readReplicas, readResources, readRestart } from './deploy.ts'
import { pairsToRecord, readPairFiles, readPairs } from './env.ts'
import type { Draft } from './group.ts'
import { type PlacedPort, readPorts } from './published.ts'
import { type Related, readDependencies, readLinks, readNetworks } from './relations.ts'
import type { Field, Scope } from './scope.ts'
import { readShoal, type ShoalKeys } from './shoal.ts'
import { readVolumes } from './volumes.ts'

export interface ServiceResult {
  readonly draft: Draft
  readonly related: Related
  readonly ports: readonly PlacedPort[]
}

interface Program {
  readonly runtime: RuntimeName
  readonly image?: string
  readonly command?: readonly string[]
  readonly entrypoint?: readonly string[]
}

/** Image, command and runtime, which decide about each other. */
function readProgram(scope: Scope, shoal: ShoalKeys): Program {
  const image = scope.parseKey('image', parseImage)
  const entrypoint = readCommand(scope, 'entrypoint')
  const command = readCommand(scope, 'command')
  const hasImage = scope.has('image')
  const hasProgram = scope.field('command') !== undefined || scope.field('entrypoint') !== undefined
  const runtime = shoal.runtime ?? (hasImage || scope.has('build') ? 'docker' : 'process')
  checkBuild(scope, runtime, hasImage)
  checkProgram(scope, { runtime, hasImage, hasProgram })
  return {
    runtime,
    ...(image === undefined ? {} : { image }),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(command === undefined ? {} : { command })
  }
}

function checkBuild(scope: Scope, runtime: RuntimeName, hasImage: boolean): void {
  const build = scope.node.entries.get('build')
  const row = SUPPORT['services.*.build']
  const field = scope.field('build')
  if (build === undefined || field === undefined || row === undefined) return
  if (hasImage || runtime !== 'docker') {
    const effect = hasImage ? row.effect : 'nothing is built, the command runs as it is'
    scope.report.warn('UNSUPPORTED', build.keyAt, field.path, `ignored: ${effect}`)
    return
  }
  const message = 'not supported: build without an image, nothing is built here'
  const hint = `${row.hint}, then name it: image: REGISTRY/NAME:TAG`
  scope.report.error('UNSUPPORTED', build.keyAt, field.path, message, hint)
}

interface ProgramFacts {
  readonly runtime: RuntimeName
  readonly hasImage: boolean
  readonly hasProgram: boolean
}

function checkProgram(scope: Scope, facts: ProgramFacts): void {
  const here: Field = { node: scope.node, at: scope.at, path: scope.path }
  const { runtime, hasImage, hasProgram } = facts
  // These bring a program from elsewhere, and are refused by name already.
  if (['build', 'extends', 'provider'].some(key => scope.field(key) !== undefined)) return
  const image = scope.raw('image')
  if (image !== undefined && scope.field('image') === undefined) {
    scope.error(image, 'the image is empty', 'name one, or remove the key to run a command')
  } else if (!hasImage && !hasProgram)
    scope.error(here, 'neither an image nor a command', 'add image: NAME')
  else if (runtime === 'docker' && !hasImage)
    scope.error(here, 'the runtime docker needs an image', 'add image: NAME')
  else if (runtime === 'process' && !hasProgram)
    scope.error(here, 'the runtime process needs a command', 'add command: [PROGRAM, ARGUMENT]')
}

function readWorkingDir(scope: Scope): string | undefined {
  return scope.parseText('working_dir', text =>
    isAbsolute(text) ? parsed(text) : broken('a path that begins with /')
  )
}

/** `name`, `name:group`, numbers too; never empty. */
function readUser(scope: Scope): string | undefined {
  return scope.parseText('user', text =>
    /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$/.test(text)
      ? parsed(text)
      : broken('user, or user:group')
  )
}

function warnSinglePort(scope: Scope, replicas: number, ports: readonly PlacedPort[]): void {
  const fixed = ports.find(port => port.hostPort !== undefined)
  if (fixed === undefined || replicas < 2) return
  const message =
    `${replicas} replicas publish port ${fixed.hostPort}: a node can run one of them, ` +
    'so as many run as there are nodes'
  scope.report.warn('INVALID', fixed.field.at, fixed.field.path, message)
}

/** Reads one service; undefined when it is no service at all. All faults are in the report. */
export async function readService(
  scope: Scope,
  name: string,
  context: ReadContext
): Promise<ServiceResult | undefined> {
  const { report } = scope
  const valid = parseName(name)
  if (!valid.ok) {
    const message = `${quote(name)} is not valid: ${valid.reason}`
    report.error('INVALID', scope.at, scope.path, message)
    return undefined
  }
  const shoal = readShoal(scope)
  const deploy = scope.mapping('deploy')
  const program = readProgram(scope, shoal)
  const fromFiles = await readPairFiles(scope, 'env_file', context)
  const env = new Map([
    ...fromFiles,
    ...readPairs(scope, 'environment', { inherit: context.lookup })
  ])
  const labels = new Map([
    ...(await readPairFiles(scope, 'label_file', context)),
    ...readPairs(scope, 'labels', { inherit: undefined })
  ])
  const ports = readPorts(scope)
  const replicas = readReplicas(scope, deploy)
  const placement = readPlacement(deploy)
  const health = readHealth(scope)
  const workingDir = readWorkingDir(scope)
  const user = readUser(scope)
  warnSinglePort(scope, replicas.count, ports)
  const spec: Draft['spec'] = {
    project: context.project,
    name,
    ...program,
    env: pairsToRecord(env),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(user === undefined ? {} : { user }),
    init: scope.boolean('init') ?? true,
    ports: ports.map(({ field: _, ...port }) => port),
    volumes: readVolumes(scope, name, context),
    ...(health.check === undefined ? {} : { health: health.check }),
    ...(health.disabled ? { healthDisabled: true as const } : {}),
    labels: pairsToRecord(labels),
    restart: readRestart(scope, deploy),
    stopSignal: scope.parseKey('stop_signal', parseSignal) ?? DEFAULT_STOP_SIGNAL,
    stopGraceMs: scope.durationMs('stop_grace_period', 0) ?? DEFAULT_STOP_GRACE_MS,
    replicas: replicas.count,
    resources: readResources(scope, deploy),
    constraints: [...placement.constraints, ...shoal.requires],
    maxPerNode: placement.maxPerNode,
    reconcile: shoal.reconcile,
    rebalance: shoal.rebalance,
    onDataLoss: shoal.onDataLoss,
    spread: shoal.spread ?? 'soft',
    priority: shoal.priority
  }
  checkSize(scope, spec)
  const dependsOn = readDependencies(scope, name, context)
  return {
    draft: {
      spec,
      partition: shoal.partition,
      apart: replicas.asked || shoal.spread !== undefined,
      references: [...dependsOn, ...readLinks(scope, context)]
    },
    related: { name, scope, dependsOn, networks: readNetworks(scope, context) },
    ports
  }
}

function checkSize(scope: Scope, spec: Draft['spec']): void {
  const bytes = new TextEncoder().encode(JSON.stringify(spec)).length
  if (bytes <= SPEC_BYTES_MAX) return
  const message = `the workload has ${bytes} bytes, at most ${SPEC_BYTES_MAX} travel`
  scope.report.error('LIMIT', scope.at, scope.path, message, 'move what is large into the image')
}
