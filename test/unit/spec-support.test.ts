import { equal, is, ok } from 'uvu/assert'
import { errorOf } from '../../src/spec/problem.ts'
import { allowableNames, allowName, SUPPORT } from '../../src/spec/support.ts'
import { expectLines, image, readText, service } from '../fixtures/spec/reader.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec support')

test('every row says what happens, and every refusal why', () => {
  for (const [path, row] of Object.entries(SUPPORT)) {
    if (!path.includes('.*.') || row.status === 'supported') continue
    ok(row.effect.length > 0 || path.split('.').length > 3, path)
    if (row.status === 'refused') ok(row.loss !== undefined, path)
  }
})

test('a refused key is an error, and a warning once its loss is accepted', async () => {
  const text = image('privileged: true')
  await expectLines([
    [
      text,
      [
        'error[UNSUPPORTED]: services.web.privileged: not supported: it would run without the ' +
          'rights of the node (compose.yaml:4:5); accept the loss with ' +
          '--allow-unsupported=privileged'
      ]
    ],
    [
      text,
      [
        'warning: services.web.privileged: left out, as allowed: it would run without the rights ' +
          'of the node (compose.yaml:4:5)'
      ],
      { allowUnsupported: ['privileged'] }
    ],
    [
      text,
      [
        'error[USAGE]: "privilegd" is not a key whose loss can be allowed (compose.yaml); did ' +
          'you mean privileged?',
        'error[UNSUPPORTED]: services.web.privileged: not supported: it would run without the ' +
          'rights of the node (compose.yaml:4:5); accept the loss with ' +
          '--allow-unsupported=privileged'
      ],
      { allowUnsupported: ['privilegd'] }
    ]
  ])
})

test('keys that carry security or data are all refused', () => {
  const keys =
    'privileged read_only cap_drop cap_add secrets configs security_opt devices gpus pid ipc uts ' +
    'userns_mode network_mode runtime sysctls volumes_from credential_spec use_api_socket ' +
    'group_add cgroup device_cgroup_rules'
  for (const key of keys.split(' ')) {
    const row = SUPPORT[`services.*.${key}`]
    is(row?.status, 'refused', key)
    is(row?.allowable, true, key)
    ok(allowableNames().includes(key), key)
  }
})

test('what would change the meaning of a file is refused and never allowed away', async () => {
  for (const key of ['extends', 'profiles', 'provider', 'deploy.mode', 'x-shoal.kind']) {
    is(SUPPORT[`services.*.${key}`]?.allowable, false, key)
    is(allowableNames().includes(key), false, key)
  }
  is(SUPPORT['include']?.allowable, false)
  is(SUPPORT['volumes.*.external']?.allowable, false)
})

test('values that ask for nothing are not spoken of', async () => {
  const quiet = image(
    'privileged: false',
    'read_only: "false"',
    'cap_add: []',
    'tty: false',
    'pull_policy: missing',
    'network_mode: bridge',
    'ulimits: {}',
    'hostname:',
    'deploy: {mode: replicated, endpoint_mode: vip}'
  )
  equal((await readText(quiet)).lines, [])
})

test('each ignored key gives one warning, whatever is in it', async () => {
  const warned = Object.entries(SUPPORT).filter(
    ([path, row]) => row.status === 'warned' && /^services\.\*\.[a-z_]+$/.test(path)
  )
  const values: Readonly<Record<string, string>> = {
    attach: '',
    depends_on: '{db: {condition: service_started, required: false}}',
    links: '[db]',
    blkio_config: '{weight: 3, device_read_bps: [{path: /dev/x, rate: 1m}]}',
    logging: '{driver: none, options: {a: b}}',
    post_start: '[{command: a, user: b}]',
    ulimits: '{nofile: {soft: 1, hard: 2}}',
    build: '{context: ., args: {a: b}}',
    develop: '{watch: [{path: a, action: sync, target: b}]}'
  }
  for (const [path, row] of warned) {
    const key = path.slice('services.*.'.length)
    const value = values[key] ?? '"some"'
    if (value === '') continue
    const { problems, workloads } = await readText(image(`${key}: ${value}`))
    equal(
      problems.map(problem => [problem.severity, problem.code, problem.path, problem.line]),
      [['warning', 'UNSUPPORTED', `services.web.${key}`, 4]],
      key
    )
    ok(problems[0]?.message.includes(row.effect), key)
    is(workloads.length, 1, key)
  }
})

test('build without an image says what to do; with one it is a warning', async () => {
  await expectLines([
    [
      service('build: .', 'command: [a]'),
      [
        'error[UNSUPPORTED]: services.web.build: not supported: build without an image, nothing ' +
          'is built here (compose.yaml:3:5); build it and push it to a registry that the nodes ' +
          'reach, then name it: image: REGISTRY/NAME:TAG'
      ]
    ],
    [
      image('build: {context: ., target: x}'),
      [
        'warning: services.web.build: ignored: nothing is built, the image is pulled unless the ' +
          'node has it (compose.yaml:4:5)'
      ]
    ]
  ])
})

test('networks that keep services apart are an error unless that is accepted', async () => {
  const file = (web: string, db: string, top = '{front: , back: }'): string =>
    `services:\n  web: {image: a, networks: ${web}}\n  db: {image: a, networks: ${db}}\n` +
    `networks: ${top}\n`
  await expectLines([
    [file('[front, back]', '[back]'), []],
    [
      file('[front]', '[back]'),
      [
        'error[UNSUPPORTED]: services.db.networks: not supported: networks keep services apart ' +
          'that would reach each other: web and db (compose.yaml:3:28); give them a common ' +
          'network, or accept it with --allow-unsupported=networks'
      ]
    ],
    [
      file('[front]', '[back]'),
      [
        'warning: services.db.networks: left out, as allowed: these reach each other: web and db ' +
          '(compose.yaml:3:28)'
      ],
      { allowUnsupported: ['networks'] }
    ],
    [
      file('[front]', '[front]', '{front: {internal: true}}'),
      [
        'error[UNSUPPORTED]: networks.front.internal: not supported: its services could reach ' +
          'the outside (compose.yaml:4:20); accept the loss with ' +
          '--allow-unsupported=networks.internal'
      ]
    ],
    [
      file('[other]', '[other]'),
      [
        'error[INVALID]: services.web.networks[0]: no network "other" in this file ' +
          '(compose.yaml:2:30); add it: networks: { other: }',
        'error[INVALID]: services.db.networks[0]: no network "other" in this file ' +
          '(compose.yaml:3:29); add it: networks: { other: }'
      ]
    ]
  ])
})

test('secrets are told of where they are used, not where they are declared', async () => {
  const top = 'secrets: {s: {file: ./s.txt}}\nconfigs: {c: {content: x}}\n'
  equal((await readText(`${image()}${top}`)).lines, [])
  const used = await readText(`${image('secrets: [s]')}${top}`)
  equal(used.lines, [
    'error[UNSUPPORTED]: services.web.secrets: not supported: it would run without its secret ' +
      'files (compose.yaml:4:5); use env_file or a bind mount until secrets are there, or accept ' +
      'the loss with --allow-unsupported=secrets'
  ])
})

test('the first error of a file gives the exit code', async () => {
  const exit = async (text: string): Promise<number | undefined> =>
    errorOf((await readText(text)).problems)?.exitCode
  is(await exit(image()), undefined)
  is(await exit(image('privileged: true')), 2)
  is(await exit(image('volumes: ["/etc:/etc"]')), 6)
  const { problems } = await readText(image('privileged: true', 'read_only: true'))
  is(
    errorOf(problems)?.message,
    'services.web.privileged: not supported: it would run without the rights of the node ' +
      '(and 1 more)'
  )
})

test('names of keys for --allow-unsupported are short', () => {
  is(allowName('services.*.privileged'), 'privileged')
  is(allowName('services.*.volumes[].volume.nocopy'), 'volumes.volume.nocopy')
  is(allowName('networks.*.internal'), 'networks.internal')
})

test.run()
