/**
 * Real Compose files of others, and the official schema as the oracle of the support table. Both
 * lie beside the checkout; without them these tests are skipped.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Ajv } from 'ajv'
import { equal, is, ok } from 'uvu/assert'
import { parseDocument } from 'yaml'
import { type ReadComposeResult, readCompose } from '../../src/spec/compose/read.ts'
import { projectReader } from '../../src/spec/files.ts'
import { formatProblem, hasErrors } from '../../src/spec/problem.ts'
import { SUPPORT } from '../../src/spec/support.ts'
import { cpuCostMs } from '../helpers/cost.ts'
import { CORPUS } from '../helpers/require.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec corpus', { requires: ['corpus'], timeoutMs: 30_000 })

interface Schema {
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly oneOf?: readonly Schema[]
  readonly definitions?: Readonly<Record<string, Schema>>
}

function readSchema(): Schema {
  return JSON.parse(readFileSync(join(CORPUS, 'compose-spec.json'), 'utf8')) as Schema
}

/** Every path of the schema, written as the support table writes it. */
function schemaPaths(root: Schema): ReadonlySet<string> {
  const paths = new Set<string>()
  const walk = (node: Schema, path: string): void => {
    if (node.$ref !== undefined) {
      const name = node.$ref.split('/').at(-1) ?? ''
      walk(root.definitions?.[name] ?? {}, path)
    }
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const here = path === '' ? key : `${path}.${key}`
      paths.add(here)
      walk(child, here)
    }
    for (const [pattern, child] of Object.entries(node.patternProperties ?? {}))
      if (pattern !== '^x-') walk(child, `${path}.*`)
    if (node.items !== undefined) walk(node.items, `${path}[]`)
    for (const one of node.oneOf ?? []) walk(one, path)
  }
  walk(root, '')
  return paths
}

test('every key of the official schema has a row, and every row but x-shoal is a key', () => {
  const paths = schemaPaths(readSchema())
  const rows = Object.keys(SUPPORT).filter(path => !path.includes('x-shoal'))
  equal([...paths].filter(path => SUPPORT[path] === undefined).sort(), [])
  equal(rows.filter(path => !paths.has(path)).sort(), [])
  const services = [...paths].filter(path => /^services\.\*\.[^.[]+$/.test(path))
  is(services.length, 92)
})

function yamlFiles(folder: string): readonly string[] {
  return readdirSync(join(CORPUS, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => /\.ya?ml$/.test(name))
    .map(name => join(CORPUS, folder, name))
    .sort()
}

const files = () => [...yamlFiles('awesome-compose'), ...yamlFiles('example-voting-app')]

async function read(file: string, allow: readonly string[] = []): Promise<ReadComposeResult> {
  return readCompose({
    file: relative(CORPUS, file),
    directory: join(file, '..'),
    text: readFileSync(file),
    env: { PLEX_MEDIA_PATH: '/srv/media' },
    readFile: projectReader(join(file, '..')),
    allowUnsupported: allow
  })
}

/** `build` x2, `policy`...: why a file is refused, from its errors. */
function reasons(result: ReadComposeResult): readonly string[] {
  const found = result.problems
    .filter(problem => problem.severity === 'error')
    .map(problem =>
      problem.code === 'REFUSED'
        ? 'policy'
        : (problem.path.split('.')[2]?.replace(/\[.*/, '') ?? problem.message)
    )
  return [...new Set(found)].sort()
}

test('every file gives a model or the same refusals as ever', async () => {
  const outcomes: Record<string, string> = {}
  const counts: Record<string, number> = {}
  for (const file of files()) {
    const result = await read(file)
    const refused = hasErrors(result.problems)
    const warned = result.problems.length > 0 ? 'warnings' : 'ok'
    const outcome = refused ? reasons(result).join(', ') : warned
    outcomes[relative(CORPUS, file)] = outcome
    counts[outcome] = (counts[outcome] ?? 0) + 1
    is(result.workloads.length > 0, !refused, file)
    for (const problem of result.problems) {
      const line = formatProblem(problem)
      ok(problem.severity === 'warning' || problem.code !== 'INVALID', line)
      ok(problem.line > 0, line)
    }
  }
  equal(counts, COUNTS, JSON.stringify(outcomes, null, 2))
  const readAll = async (): Promise<void> => {
    for (const file of files()) await read(file)
  }
  ok((await cpuCostMs(readAll, 2_000)) < 2_000, 'the whole corpus takes under 2 s')
})

const KUBERNETES = 'this is a Kubernetes manifest, only Compose files are read yet'

/** Outcomes of all 52 files: two words for files that run, else the keys that are refused. */
const COUNTS: Readonly<Record<string, number>> = {
  ok: 3,
  warnings: 4,
  build: 14,
  'build, networks': 3,
  'build, networks, profiles': 1,
  'build, networks, secrets': 3,
  'build, policy': 1,
  'build, secrets': 5,
  'cap_add, policy': 1,
  'cap_add, policy, sysctls': 1,
  network_mode: 1,
  networks: 2,
  policy: 2,
  runtime: 2,
  [KUBERNETES]: 9
}

test('the official schema agrees: what it takes has no wrong key here', async () => {
  const { $schema: _, ...schema } = readSchema() as Schema & { $schema: string }
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema)
  let checked = 0
  for (const file of files()) {
    const data: unknown = parseDocument(readFileSync(file, 'utf8'), { merge: true }).toJS()
    if (file.includes('k8s')) continue
    checked += 1
    ok(validate(data), file)
    const { problems } = await read(file)
    const wrong = problems.filter(problem => problem.code === 'INVALID')
    equal(wrong.filter(problem => problem.severity === 'error').map(formatProblem), [], file)
  }
  is(checked, 43)
})

test('Kubernetes manifests are named as such', async () => {
  const manifests = files().filter(file => file.includes('k8s'))
  is(manifests.length, 9)
  for (const file of manifests) is((await read(file)).problems[0]?.message, KUBERNETES)
})

test('with their losses accepted, files with images run', async () => {
  const stack = files().find(file => file.endsWith('docker-stack.yml')) ?? ''
  const { workloads, needs, project } = await read(stack, ['networks'])
  is(project, 'example-voting-app')
  equal(
    workloads.map(spec => [spec.name, spec.replicas, spec.group]),
    [
      ['redis', 1, 'example-voting-app'],
      ['db', 1, 'example-voting-app'],
      ['vote', 2, undefined],
      ['result', 1, 'example-voting-app'],
      ['worker', 2, undefined]
    ]
  )
  equal(needs, [])
})

test.run()
