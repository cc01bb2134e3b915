/**
 * A Compose file to workloads, or problems with their places. Reading is a straight walk: bytes,
 * YAML, variables, the support table, then one reader for each key. An error anywhere means that
 * no workload is given: nothing of a file is applied in part.
 */
import { basename, dirname, join, resolve } from 'node:path'
import { hasErrors, type Problem, printable, quote, Report, WHOLE_FILE } from '../problem.ts'
import { decodeText } from '../text.ts'
import { describe, type MapNode } from '../tree.ts'
import { NAME_LENGTH_MAX, parseName } from '../units.ts'
import type { WorkloadSpec } from '../workload.ts'
import { loadYaml } from '../yaml.ts'
import { checkAllowed, checkKeys } from './check.ts'
import type { ReadContext, ReadFile } from './context.ts'
import { parseDotenv } from './dotenv.ts'
import { describeNeeds, groupServices } from './group.ts'
import { interpolateTree, type Lookup } from './interpolate.ts'
import { checkPortClashes } from './published.ts'
import { checkCycles, checkIsolation, readNetworkNames } from './relations.ts'
import { Scope } from './scope.ts'
import { readService, type ServiceResult } from './service.ts'
import { readVolumeDefinitions } from './volumes.ts'

export type { ReadFile } from './context.ts'

/** Services in one file: what is said about pairs of them stays affordable. */
export const SERVICES_MAX = 1_000

export interface ReadComposeInit {
  /** As people named it; `-` is standard input, which has no directory. */
  readonly file: string
  /** Bytes let wrong encodings be found; text is taken as it is. */
  readonly text: string | Uint8Array
  /** `-p`: goes before `COMPOSE_PROJECT_NAME`, `name:` and the directory's name. */
  readonly project?: string
  /** Absolute; default: where the file is. */
  readonly directory?: string
  /** The variables of the shell: they go before those of `.env`. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readFile: ReadFile
  /** Keys whose loss is accepted: `privileged`, `deploy.mode`, `networks`. */
  readonly allowUnsupported?: readonly string[]
  /** Absolute paths under which binds are allowed; default: all but paths of the system. */
  readonly bindRoots?: readonly string[]
}

export interface ReadComposeResult {
  readonly project: string
  /** In the order of the file; empty when there is an error. */
  readonly workloads: readonly WorkloadSpec[]
  readonly problems: readonly Problem[]
  /** What the file needs beyond names inside one node: plain sentences. */
  readonly needs: readonly string[]
}

/** Reads one file. Never throws for what it says. */
export async function readCompose(init: ReadComposeInit): Promise<ReadComposeResult> {
  const report = new Report(init.file)
  const read = await readFileOf(init, report)
  const problems = report.problems()
  const { project = init.project ?? '', workloads = [], needs = [] } = read
  if (hasErrors(problems)) return { project, workloads: [], problems, needs: [] }
  return { project, workloads, problems, needs }
}

type Partly = Partial<Pick<ReadComposeResult, 'project' | 'workloads' | 'needs'>>

async function readFileOf(init: ReadComposeInit, report: Report): Promise<Partly> {
  const decoded = decodeText(init.text)
  if (!decoded.ok) {
    report.error(decoded.code, WHOLE_FILE, '', decoded.message, decoded.hint)
    return {}
  }
  const { root } = loadYaml(decoded.text, report)
  if (report.failed) return {}
  if (root === undefined) return noWorkloads(report)
  if (root.kind !== 'map') {
    const message = `expected a mapping with services, got ${describe(root)}`
    report.error('INVALID', root.at, '', message)
    return {}
  }
  if (isKubernetes(report, root)) return {}
  const directory = directoryOf(init)
  const lookup = await readEnvironment(init, directory, report)
  const filled = interpolateTree(root, lookup, report)
  if (report.failed || filled.kind !== 'map') return {}
  return readRoot({ init, report, root: filled, directory, lookup })
}

function noWorkloads(report: Report): Partly {
  const message = `no workloads in ${printable(report.file)}`
  report.error('INVALID', WHOLE_FILE, '', message, 'add services:')
  return {}
}

function directoryOf(init: ReadComposeInit): string | undefined {
  if (init.directory !== undefined) return resolve(init.directory)
  return init.file === '-' ? undefined : resolve(dirname(init.file))
}

function isKubernetes(report: Report, root: MapNode): boolean {
  const entry = root.entries.get('apiVersion') ?? root.entries.get('kind')
  if (entry === undefined || root.entries.has('services')) return false
  const message = 'this is a Kubernetes manifest, only Compose files are read yet'
  report.error('UNSUPPORTED', entry.keyAt, '', message, 'write it as a Compose file')
  return true
}

/** The shell's variables, then those of `.env` beside the file. */
async function readEnvironment(
  init: ReadComposeInit,
  directory: string | undefined,
  report: Report
): Promise<Lookup> {
  const shell: Lookup = name => (Object.hasOwn(init.env, name) ? init.env[name] : undefined)
  if (directory === undefined) return shell
  let text: string | undefined
  try {
    text = await init.readFile(join(directory, '.env'))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    report.error('INVALID', WHOLE_FILE, '', `.env cannot be read: ${printable(reason)}`)
  }
  if (text === undefined) return shell
  const { values, faults } = parseDotenv(text, { lookup: shell })
  for (const fault of faults) {
    const message = `.env:${fault.line}:${fault.column}: ${fault.message}`
    report.error('INVALID', WHOLE_FILE, '', message, fault.hint)
  }
  return name => shell(name) ?? values.get(name)
}

interface RootInit {
  readonly init: ReadComposeInit
  readonly report: Report
  readonly root: MapNode
  readonly directory: string | undefined
  readonly lookup: Lookup
}

async function readRoot({ init, report, root, directory, lookup }: RootInit): Promise<Partly> {
  const options = { allowed: new Set(init.allowUnsupported ?? []) }
  checkAllowed(report, options.allowed)
  checkKeys(report, root, options)
  const top = new Scope(report, root, '', root.at)
  const project = projectName(init, top, directory, lookup)
  const servicesField = top.field('services')
  const services = servicesField === undefined ? undefined : top.mappingOf(servicesField)
  const named = services?.fields() ?? []
  if (named.length === 0) {
    if (servicesField === undefined || services !== undefined) noWorkloads(report)
    return { project }
  }
  if (named.length > SERVICES_MAX) {
    const message = `${named.length} services, at most ${SERVICES_MAX} in one file`
    report.error('LIMIT', top.at, 'services', message, 'split it into several projects')
    return { project }
  }
  const context: ReadContext = {
    report,
    project,
    directory,
    lookup,
    readFile: init.readFile,
    volumes: readVolumeDefinitions(top),
    networks: readNetworkNames(top),
    services: new Set(named.map(field => field.key)),
    bindRoots: init.bindRoots
  }
  const results: ServiceResult[] = []
  for (const field of named) {
    const keyAt = services?.node.entries.get(field.key)?.keyAt ?? field.at
    if (field.node.kind !== 'map') {
      services?.wrongType(field, 'a mapping')
      continue
    }
    const scope = new Scope(report, field.node, field.path, keyAt)
    const result = await readService(scope, field.key, context)
    if (result !== undefined) results.push(result)
  }
  const related = results.map(result => result.related)
  checkPortClashes(results.map(({ related: { scope }, ports }) => ({ scope, ports })))
  checkCycles(related)
  checkIsolation(related, options)
  const drafts = results.map(result => result.draft)
  const workloads = groupServices(drafts)
  return { project, workloads, needs: describeNeeds(drafts, workloads) }
}

/** A directory's name as Compose makes a project name of it. */
export function normalizeProject(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '')
    .replace(/^[_-]+/, '')
    .slice(0, NAME_LENGTH_MAX)
    .replace(/[_-]+$/, '')
}

function projectName(
  init: ReadComposeInit,
  top: Scope,
  directory: string | undefined,
  lookup: Lookup
): string {
  const written = top.text('name')
  const given = init.project ?? lookup('COMPOSE_PROJECT_NAME')
  const field = top.raw('name')
  if (given === undefined && field !== undefined) {
    if (written === undefined && top.field('name') !== undefined) return ''
    return checkedProject(top.report, written ?? '', field.at, 'name')
  }
  if (given !== undefined) return checkedProject(top.report, given, WHOLE_FILE, '')
  const project = normalizeProject(basename(directory ?? ''))
  if (parseName(project).ok) return project
  const message = 'the project has no name'
  top.report.error('INVALID', WHOLE_FILE, '', message, 'add name: to the file, or use -p NAME')
  return ''
}

function checkedProject(
  report: Report,
  name: string,
  at: { readonly line: number; readonly column: number },
  path: string
): string {
  const valid = parseName(name)
  if (valid.ok) return name
  const message = `${quote(name)} is not a valid project name: ${valid.reason}`
  report.error('INVALID', at, path, message)
  return ''
}
