// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of Compose variables
/** Rows B1 to B15 of `promises.md` 5, each with its exact line. */
import { equal, is, ok } from 'uvu/assert'
import { expectLines, image, type Row, readText, service } from '../fixtures/spec/reader.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec bad input')

test('B1: a file without workloads says so', async () => {
  const nothing = ['error[INVALID]: no workloads in compose.yaml (compose.yaml); add services:']
  await expectLines([
    ['', nothing],
    ['# only a comment\n', nothing],
    ['---\n', nothing],
    ['services:\n', nothing],
    ['services: {}\n', nothing],
    ['name: x\n', nothing]
  ])
})

test('B2, B3: syntax errors and duplicate keys have their place', async () => {
  await expectLines([
    [
      'services:\n\tweb:\n',
      ['error[INVALID]: not valid YAML: tabs are not allowed as indentation (compose.yaml:2:1)']
    ],
    [
      image('image: b'),
      [
        'error[INVALID]: services.web.image: duplicate key, lines 3 and 4 (compose.yaml:4:5); ' +
          'keep one'
      ]
    ],
    [
      'services:\n  web: {image: a}\n  web: {image: b}\n',
      ['error[INVALID]: services.web: duplicate key, lines 2 and 3 (compose.yaml:3:3); keep one']
    ]
  ])
})

test('B4, B5: encodings and sizes', async () => {
  is((await readText('\uFEFFservices:\r\n  web:\r\n    image: a\r\n')).workloads.length, 1)
  equal((await readText(Uint8Array.from([0x61, 0xff]))).lines, [
    'error[INVALID]: the file is not UTF-8: byte 1 (compose.yaml); save it as UTF-8'
  ])
  equal((await readText('a: \0')).lines, [
    'error[INVALID]: the file has a NUL byte: byte 3 (compose.yaml); remove it'
  ])
  equal((await readText('#'.repeat(1024 * 1024 + 1))).lines, [
    'error[LIMIT]: the file has 1048577 bytes, at most 1048576 are read (compose.yaml); ' +
      'split it into several projects'
  ])
  const { lines } = await readText(image(`command: ["${'x'.repeat(66_000)}"]`))
  equal(
    lines.map(line => line.replace(/66\d{3}/, 'N')),
    [
      'error[LIMIT]: services.web: the workload has N bytes, at most 65536 travel ' +
        '(compose.yaml:2:3); move what is large into the image'
    ]
  )
})

test('B6, B7, B11: depth, and files that are something else', async () => {
  await expectLines([
    [
      `services: ${'['.repeat(10_000)}`,
      ['error[LIMIT]: nested more than 64 levels deep (compose.yaml:1:142); flatten it']
    ],
    ['- a\n', ['error[INVALID]: expected a mapping with services, got a list (compose.yaml:1:1)']],
    ['hello\n', ['error[INVALID]: expected a mapping with services, got text (compose.yaml:1:1)']],
    [
      'apiVersion: apps/v1\nkind: Deployment\n',
      [
        'error[UNSUPPORTED]: this is a Kubernetes manifest, only Compose files are read yet ' +
          '(compose.yaml:1:1); write it as a Compose file'
      ]
    ],
    [
      'services: [a]\n',
      ['error[INVALID]: services: expected a mapping, got a list (compose.yaml:1:11)']
    ],
    [
      'services:\n  web: nginx\n',
      ['error[INVALID]: services.web: expected a mapping, got text (compose.yaml:2:8)']
    ]
  ])
})

test('B8: unknown keys are refused with the nearest name, x- keys are free', async () => {
  await expectLines(
    [
      [
        service('imgae: nginx'),
        [
          'error[INVALID]: services.web: neither an image nor a command (compose.yaml:2:3); ' +
            'add image: NAME',
          'error[INVALID]: services.web: unknown key "imgae" ' +
            '(compose.yaml:3:5); did you mean image?'
        ]
      ],
      [
        `${image()}volume: {}\n`,
        ['error[INVALID]: unknown key "volume" (compose.yaml:4:1); did you mean volumes?']
      ],
      [
        image('healthcheck:', '  test: x', '  intervall: 3s'),
        [
          'error[INVALID]: services.web.healthcheck: unknown key "intervall" (compose.yaml:6:7); ' +
            'did you mean interval?'
        ]
      ],
      [
        image('deploy:', '  update_config: {paralelism: 2}'),
        [
          'warning: services.web.deploy.update_config: ignored: replicas are replaced one at a ' +
            'time, and it stops at the first failure (compose.yaml:5:7)',
          'error[INVALID]: services.web.deploy.update_config: unknown key "paralelism" ' +
            '(compose.yaml:5:23); did you mean parallelism?'
        ]
      ],
      [image('x-own: 1', 'healthcheck: {test: a, x-own: [1]}'), []],
      [
        image('x-shoul: {}'),
        [
          'warning: services.web.x-shoul: an extension that shoal does not read ' +
            '(compose.yaml:4:5); did you mean x-shoal?'
        ]
      ],
      [
        `${image()}x-shoal: {}\n`,
        ['error[INVALID]: x-shoal stands in a service (compose.yaml:4:1)']
      ]
    ].map(([text, lines]) => [text, lines] as Row)
  )
})

test('B9: keys that shoal does not have are named, with what to do', async () => {
  await expectLines([
    [
      image('credential_spec: {file: a.json}'),
      [
        'error[UNSUPPORTED]: services.web.credential_spec: not supported: it would run without ' +
          'its identity; it is for Windows containers (compose.yaml:4:5); accept the loss with ' +
          '--allow-unsupported=credential_spec'
      ]
    ],
    [
      service('provider: {type: x}'),
      [
        'error[UNSUPPORTED]: services.web.provider: not supported: shoal starts no providers ' +
          '(compose.yaml:3:5); start it yourself and remove the service'
      ]
    ]
  ])
})

test('B13, B14: replicas are whole numbers from 0 to 1000', async () => {
  const wrong = (shown: string, at: string): string[] => [
    `error[INVALID]: services.web.deploy.replicas: replicas are a whole number from 0 to 1000, ` +
      `not ${shown} (compose.yaml:${at})`
  ]
  const replicas = (value: string): string => image(`deploy: {replicas: ${value}}`)
  await expectLines([
    [replicas('-1'), wrong('-1', '4:24')],
    [replicas('1.5'), wrong('1.5', '4:24')],
    [replicas('1e9'), wrong('1e9', '4:24')],
    [replicas('.nan'), wrong('.nan', '4:24')],
    [replicas('null'), wrong('empty', '4:14')],
    [replicas('true'), wrong('a boolean', '4:24')],
    [replicas('[1]'), wrong('a list', '4:24')],
    [replicas('1001'), wrong('1001', '4:24')],
    [replicas('$N'), wrong('"many"', '4:24'), { env: { N: 'many' } }],
    [
      replicas('"3"'),
      [
        'error[INVALID]: services.web.deploy.replicas: replicas are a whole number from 0 to ' +
          '1000, not the text "3" (compose.yaml:4:24); no quotes'
      ]
    ]
  ])
  is((await readText(replicas('0'))).workloads[0]?.replicas, 0)
  is((await readText(replicas('"${N}"'), { env: { N: '3' } })).workloads[0]?.replicas, 3)
})

test('B15: names keep the rule', async () => {
  const rule =
    'a name is 1 to 63 of a-z, 0-9, "-", "_" and ".", begins and ends with a letter or digit'
  const named = (key: string): string => `services:\n  ${key}: {image: a}\n`
  const wrong = (path: string, shown: string, reason = rule): string[] => [
    `error[INVALID]: services${path}: ${shown} is not valid: ${reason} (compose.yaml:2:3)`
  ]
  await expectLines([
    [named('""'), wrong('[""]', '""')],
    [named('Web'), wrong('.Web', '"Web"')],
    [named('".."'), wrong('[".."]', '".."')],
    [named('a/b'), wrong('["a/b"]', '"a/b"')],
    [named('-web'), wrong('.-web', '"-web"')],
    [named('"⚓"'), wrong('["⚓"]', '"⚓"')],
    [named('"a\\u202eb"'), wrong('["a\\u{202e}b"]', '"a\\u{202e}b"')],
    [named('__proto__'), wrong('.__proto__', '"__proto__"', 'this name is reserved')],
    [named('constructor'), wrong('.constructor', '"constructor"', 'this name is reserved')]
  ])
  const long = (await readText(named('a'.repeat(300)))).lines[0] ?? ''
  ok(long.includes(`"${'a'.repeat(64)}..." is not valid: ${rule}`), long)
})

test('projects need a name that keeps the rule', async () => {
  equal((await readText(image(), { project: 'Bad Name' })).lines, [
    'error[INVALID]: "Bad Name" is not a valid project name: a name is 1 to 63 of a-z, 0-9, "-", ' +
      '"_" and ".", begins and ends with a letter or digit (compose.yaml)'
  ])
  equal((await readText(image(), { directory: '/---' })).lines, [
    'error[INVALID]: the project has no name (compose.yaml); add name: to the file, or use -p NAME'
  ])
})

test.run()
