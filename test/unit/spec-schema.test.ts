/** What clients may submit: the schema is the type, in both directions, with every limit. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { equal, is, ok } from 'uvu/assert'
import { formatProblem } from '../../src/spec/problem.ts'
import { checkWorkload, type WorkloadOfSchema } from '../../src/spec/schema.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { readOne, service } from '../fixtures/spec/reader.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec schema')

// Equal types, not just assignable ones: a missing key, a wider type or a lost `?` shows.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Flat<T> = T extends (infer I)[] | readonly (infer I)[]
  ? readonly Flat<I>[]
  : T extends object
    ? { readonly [K in keyof T]: Flat<T[K]> }
    : T
const sameType: Same<Flat<WorkloadOfSchema>, Flat<WorkloadSpec>> = true

const FULL = service(
  'image: nginx',
  'command: [a]',
  'entrypoint: [b]',
  'environment: {A: b}',
  'working_dir: /w',
  'user: root',
  'ports: ["127.0.0.1:80:80"]',
  'volumes: ["v:/v", "./b:/b", {type: tmpfs, target: /t, tmpfs: {size: 1m}}]',
  'healthcheck: {test: x}',
  'labels: {a: b}',
  'deploy: {placement: {constraints: [node.zone == a]}}'
)
const full = () => readOne(`${FULL}volumes: {v: }\n`)

function lines(value: unknown): readonly string[] {
  const checked = checkWorkload(value)
  return 'problems' in checked ? checked.problems.map(formatProblem) : []
}

test('what the reader gives passes unchanged', async () => {
  ok(sameType)
  const spec = { ...(await full()), group: 'app' }
  equal(checkWorkload(JSON.parse(JSON.stringify(spec))), { workload: spec })
})

test('every field has its limit', async () => {
  const spec = await full()
  const wrong: readonly [patch: object, path: string][] = [
    [{ extra: 1 }, ''],
    [{ project: '__proto__' }, 'project'],
    [{ name: 'constructor' }, 'name'],
    [{ name: 'Web' }, 'name'],
    [{ runtime: 'podman' }, 'runtime'],
    [{ image: 'A:b:c' }, 'image'],
    [{ image: undefined }, 'image'],
    [{ command: [] }, 'command'],
    [{ command: ['a\0'] }, 'command[0]'],
    [{ env: { 'a=b': '' } }, 'env["a=b"]'],
    [{ env: { constructor: 'x' } }, 'env.constructor'],
    [{ labels: { a: 1 } }, 'labels.a'],
    [{ workingDir: 'x' }, 'workingDir'],
    [{ init: 'yes' }, 'init'],
    [{ ports: [{ containerPort: 0, protocol: 'tcp' }] }, 'ports[0].containerPort'],
    [{ ports: [{ containerPort: 1, hostPort: 65_536, protocol: 'tcp' }] }, 'ports[0].hostPort'],
    [{ ports: [{ containerPort: 1, hostIp: 'x', protocol: 'tcp' }] }, 'ports[0].hostIp'],
    [{ volumes: [{ kind: 'other' }] }, 'volumes[0].kind'],
    [{ stopSignal: 'SIGX' }, 'stopSignal'],
    [{ stopGraceMs: -1 }, 'stopGraceMs'],
    [{ replicas: 1_001 }, 'replicas'],
    [{ replicas: 1.5 }, 'replicas'],
    [{ replicas: Number.NaN }, 'replicas'],
    [{ priority: 10 }, 'priority'],
    [{ partition: 'majority-lease' }, 'partition'],
    [{ onDataLoss: 'forget' }, 'onDataLoss'],
    [
      { constraints: [{ attribute: 'node.role', operator: '==', value: 'x' }] },
      'constraints[0].attribute'
    ],
    [{ group: '' }, 'group']
  ]
  for (const [patch, path] of wrong) {
    const found = lines({ ...spec, ...patch })
    ok(
      found.some(line => line.startsWith(`error[INVALID]: ${path}`)),
      `${path}: ${found.join('\n')}`
    )
  }
  equal(lines(null).length, 1)
  equal(lines([]).length, 1)
  equal(lines('x').length, 1)
})

test('a name that would reach a prototype does not come through', async () => {
  const env: unknown = JSON.parse('{"__proto__": "x", "A": "b"}')
  const checked = checkWorkload({ ...(await full()), env })
  ok('workload' in checked)
  equal(Object.keys(checked.workload.env), ['A'])
  is(Object.getPrototypeOf(checked.workload.env), Object.prototype)
})

test('paths are absolute and normal, volumes hide no bind', async () => {
  const spec = await full()
  const mount = { target: '/x', readOnly: false }
  const bad = [
    { kind: 'bind', source: '/', ...mount },
    { kind: 'bind', source: 'x', ...mount },
    { kind: 'bind', source: '/a/../etc', ...mount },
    { kind: 'bind', source: '//etc', ...mount },
    { kind: 'bind', source: '/a', readOnly: false, target: '/' },
    { kind: 'volume', name: '../x', shared: false, ...mount },
    { kind: 'volume', name: 'x', shared: false, ...mount, driver: 'rexray' },
    {
      kind: 'volume',
      name: 'x',
      shared: false,
      ...mount,
      driverOptions: { type: 'none', o: 'bind', device: '/' }
    }
  ]
  for (const volume of bad)
    ok(lines({ ...spec, volumes: [volume] }).length > 0, JSON.stringify(volume))
})

test('fields are held against each other, and the whole against 64 KiB', async () => {
  const spec = await full()
  const { image: _, ...bare } = spec
  equal(lines(bare), ['error[INVALID]: image: the runtime docker needs an image'])
  const { command: __, entrypoint: ___, ...still } = spec
  equal(lines({ ...still, runtime: 'process' }), [
    'error[INVALID]: command: the runtime process needs a command'
  ])
  const [first] = spec.volumes
  equal(lines({ ...spec, volumes: [first, first] }), [
    'error[INVALID]: volumes: two mounts on "/v"'
  ])
  const port = { containerPort: 1, hostPort: 80, protocol: 'tcp' }
  equal(lines({ ...spec, ports: [port, port] }), [
    'error[INVALID]: ports: port 80/tcp of the node is published twice'
  ])
  const large = { A: 'x'.repeat(30_000), B: 'x'.repeat(30_000), C: 'x'.repeat(30_000) }
  ok(
    /^error\[LIMIT\]: the workload has 9\d{4} bytes, at most 65536/.test(
      lines({ ...spec, env: large })[0] ?? ''
    )
  )
})

/** Every project file that a module loads when it is loaded. */
function loads(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen
  seen.add(path)
  const source = readFileSync(path, 'utf8')
  for (const match of source.matchAll(/^(?:import|export) (?!type )[^']*'([^']+)'/gms)) {
    const target = match[1] ?? ''
    if (target.startsWith('.')) loads(join(dirname(path), target), seen)
    else seen.add(target)
  }
  return seen
}

test('what the command line loads for every command loads neither yaml nor zod', () => {
  const file = (name: string): string =>
    fileURLToPath(new URL(`../../src/spec/${name}`, import.meta.url))
  for (const name of [
    'workload.ts',
    'units.ts',
    'problem.ts',
    'nearest.ts',
    'ports.ts',
    'binds.ts'
  ]) {
    const packages = [...loads(file(name))].filter(path => !path.includes('/'))
    equal(
      packages.filter(one => one === 'yaml' || one === 'zod'),
      [],
      name
    )
  }
  ok(loads(file('schema.ts')).has('zod'))
  is(loads(file('schema.ts')).has('yaml'), false)
  ok(loads(file('compose/read.ts')).has('yaml'))
  is(loads(file('compose/read.ts')).has('zod'), false)
})

test.run()
