// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of Compose variables
/** What a file says as a whole: its name, variables, runtimes, groups and needs. */
import { equal, is, ok } from 'uvu/assert'
import { readOne, readText, service } from '../fixtures/spec/reader.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec project')

const web = (...lines: string[]): string => service('image: nginx', ...lines)

test('a command without an image is a process, x-shoal.runtime overrides', async () => {
  const process = await readOne(service('command: [sleep, "9"]'))
  is(process.runtime, 'process')
  is(process.image, undefined)
  const chosen = await readOne(web('command: [a]', 'x-shoal: {runtime: process}'))
  is(chosen.runtime, 'process')
  const answers: [string, string][] = [
    [service('working_dir: /x'), 'neither an image nor a command'],
    [service('command: [a]', 'x-shoal: {runtime: docker}'), 'the runtime docker needs an image'],
    [web('x-shoal: {runtime: process}'), 'the runtime process needs a command']
  ]
  for (const [text, message] of answers) {
    const { lines } = await readText(text)
    ok(lines.join('\n').includes(message), lines.join('\n'))
  }
})

test('the project is named by -p, the environment, the file, then the directory', async () => {
  const text = `name: of-file\n${web()}`
  const env = { COMPOSE_PROJECT_NAME: 'of-env' }
  is((await readOne(text, { project: 'given', env })).project, 'given')
  is((await readOne(text, { env })).project, 'of-env')
  is((await readOne(text)).project, 'of-file')
  is((await readOne(web(), { directory: '/srv/My App_' })).project, 'myapp')
})

test('.env beside the file gives variables, the shell goes before it', async () => {
  const files = { '.env': 'TAG=1.0\nNAME=env\n' }
  const text = service('image: nginx:${TAG}', 'environment: {N: "${NAME}"}').replaceAll('\\', '')
  const spec = await readOne(text, { files, env: { NAME: 'shell' } })
  is(spec.image, 'nginx:1.0')
  equal(spec.env, { N: 'shell' })
})

test('numbers that Compose would rewrite are rewritten with a warning', async () => {
  const { lines, workloads } = await readText(
    web('environment: {A: 1.10, B: 0440, ID: 12345678901234567890}')
  )
  equal(workloads[0]?.env, { A: '1.1', B: '288', ID: '12345678901234567890' })
  equal(lines, [
    'warning: services.web.environment.A: 1.10 is the number 1.1, as in Compose ' +
      '(compose.yaml:4:22); quote it to keep it as written',
    'warning: services.web.environment.B: 0440 is the number 288, as in Compose ' +
      '(compose.yaml:4:31); quote it to keep it as written'
  ])
})

test(
  'services of one project are one group, unless one ' + 'asks for replicas or a spread',
  async () => {
    const file = (db: string, cache = ''): string =>
      'services:\n  web: {image: a, environment: {DB: "postgres://u@db:5432/x"}}\n' +
      `  db: {image: a, ${db}}\n${cache}volumes: {data: }\n`
    const both = await readText(file('volumes: ["data:/d"]'))
    equal(
      both.workloads.map(spec => [spec.name, spec.group, spec.partition]),
      [
        ['web', 'app', 'manual'],
        ['db', 'app', 'manual']
      ]
    )
    equal(both.needs, [])
    const scaled = await readText(file('scale: 2, volumes: ["data:/d"]'))
    equal(
      scaled.workloads.map(spec => [spec.name, spec.group, spec.partition]),
      [
        ['web', undefined, 'any-partition'],
        ['db', undefined, 'manual']
      ]
    )
    equal(scaled.needs, [
      'web names db, but they are not placed together: a name leads ' +
        'only to replicas on the same node',
      'db has 2 replicas: each node has a volume data of its own, nothing copies between them'
    ])
    const three = await readText(
      file(
        'x-shoal: {spread: hard}, volumes: ["data:/d"]',
        '  cache: {image: a, volumes: ["data:/c", "/srv/x:/x"]}\n'
      )
    )
    equal(
      three.workloads.map(spec => [spec.name, spec.group, spec.partition]),
      [
        ['web', 'app', 'manual'],
        ['db', undefined, 'manual'],
        ['cache', 'app', 'manual']
      ]
    )
    equal(three.needs, [
      'web names db, but they are not placed together: a name leads ' +
        'only to replicas on the same node',
      'db and cache mount volume data, but they are not placed together: ' +
        'each node has a volume of its own',
      'cache mounts /srv/x: only a node that has it can run cache'
    ])
  }
)

test.run()
