// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of Compose variables
/** The workload-file rows of `promises.md` 5, each with its exact line. */
import { equal, is, ok } from 'uvu/assert'
import { type ReadOptions, readText, service } from '../fixtures/spec/reader.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec bad input')

type Row = readonly [text: string, lines: readonly string[], options?: ReadOptions]

async function table(rows: readonly Row[]): Promise<void> {
  for (const [text, lines, options] of rows) {
    const answer = await readText(text, options)
    equal(answer.lines, lines, text.slice(0, 300))
    if (lines.some(line => line.startsWith('error')))
      equal(answer.workloads, [], text.slice(0, 300))
  }
}

const image = (...lines: string[]): string => service('image: a', ...lines)

test('B1: a file without workloads says so', async () => {
  const nothing = ['error[INVALID]: no workloads in compose.yaml (compose.yaml); add services:']
  await table([
    ['', nothing],
    ['# only a comment\n', nothing],
    ['---\n', nothing],
    ['services:\n', nothing],
    ['services: {}\n', nothing],
    ['name: x\n', nothing]
  ])
})

test('B2, B3: syntax errors and duplicate keys have their place', async () => {
  await table([
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
  ok(
    /^error\[LIMIT\]: services\.web: the workload has 66\d{3} bytes, at most 65536 travel \(compose\.yaml:2:3\); move what is large into the image$/.test(
      lines[0] ?? ''
    ),
    lines[0]
  )
})

test('B6, B7, B11: depth, and files that are something else', async () => {
  await table([
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
  await table(
    [
      [
        service('imgae: nginx'),
        [
          'error[INVALID]: services.web: neither an image nor a command (compose.yaml:2:3); ' +
            'add image: NAME',
          'error[INVALID]: services.web: unknown key "imgae" (compose.yaml:3:5); did you mean image?'
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
  await table([
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
  await table([
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
  await table([
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

test('B18: ports', async () => {
  const port = (value: string): string => image(`ports: ["${value}"]`)
  const wrong = (shown: string, reason: string): string[] => [
    `error[INVALID]: services.web.ports[0]: "${shown}" is not valid: ${reason} (compose.yaml:4:13)`
  ]
  const rule = 'a port is a whole number from 1 to 65535'
  await table([
    [port('0'), wrong('0', rule)],
    [port('65536'), wrong('65536', rule)],
    [port('80:80:80'), wrong('80:80:80', 'not an IP address')],
    [port('abc'), wrong('abc', rule)],
    [port('-1'), wrong('-1', rule)],
    [port('0:80'), wrong('0:80', rule)],
    [
      port('8000-8002:80'),
      wrong('8000-8002:80', '3 host ports for 1 container ports: the ranges must be equally long')
    ],
    [port('80/sctp'), wrong('80/sctp', 'a protocol is tcp or udp')],
    [
      image('ports: [{published: 80}]'),
      ['error[INVALID]: services.web.ports[0]: a port needs a target (compose.yaml:4:13)']
    ],
    [
      image('ports: [{target: 80, published: 70000}]'),
      [
        'error[INVALID]: services.web.ports[0].published: "70000" is not valid: a port is a ' +
          'whole number from 1 to 65535 (compose.yaml:4:37)'
      ]
    ]
  ])
})

test('B19: one host port twice names both lines', async () => {
  await table([
    [
      `${image('ports: ["8080:80"]')}  api:\n    image: a\n    ports: ["8080:81"]\n`,
      [
        'error[INVALID]: services.api.ports[0]: port 8080/tcp of the node is published twice, ' +
          'lines 4 and 7 (compose.yaml:7:13); use another host port'
      ]
    ],
    [image('ports: ["53:53/udp", "53:53/tcp", "127.0.0.1:80:80", "127.0.0.2:80:80"]'), []]
  ])
})

test('B21: replicas with one port of the node get a warning', async () => {
  await table([
    [
      image('ports: ["80:80"]', 'scale: 5'),
      [
        'warning: services.web.ports[0]: 5 replicas publish port 80: a node can run one of ' +
          'them, so as many run as there are nodes (compose.yaml:4:13)'
      ]
    ]
  ])
})

test('B22: images', async () => {
  const rule = 'an image is [host[:port]/]name[:tag][@sha256:digest], the name in lower case'
  const wrong = (shown: string, part: string): string[] => [
    `error[INVALID]: services.web.image: "${shown}" is not valid: the ${part} is not valid; ` +
      `${rule} (compose.yaml:3:12)`
  ]
  await table([
    [service('image: Nginx'), wrong('Nginx', 'name')],
    [service('image: a:b:c'), wrong('a:b:c', 'tag')],
    [
      service('image: a@sha256:12'),
      [
        'error[INVALID]: services.web.image: "a@sha256:12" is not valid: the digest is not ' +
          `sha256: and 64 hex digits; ${rule} (compose.yaml:3:12)`
      ]
    ],
    [
      service('image: ""'),
      [
        'error[INVALID]: services.web.image: "" is not valid: the image is empty; ' +
          `${rule} (compose.yaml:3:12)`
      ]
    ],
    [
      service('image:'),
      [
        'error[INVALID]: services.web.image: the image is empty (compose.yaml:3:5); name one, ' +
          'or remove the key to run a command'
      ]
    ]
  ])
})

test('B24: memory', async () => {
  const rule = 'a size like 512m or 1.5G, of b, k, m, g and t (1024 each), not negative'
  await table([
    [
      image('mem_limit: -1'),
      [`error[INVALID]: services.web.mem_limit: "-1" is not valid: ${rule} (compose.yaml:4:16)`]
    ],
    [
      image('deploy: {resources: {limits: {memory: 10x}}}'),
      [
        'error[INVALID]: services.web.deploy.resources.limits.memory: "10x" is not valid: ' +
          `${rule} (compose.yaml:4:43)`
      ]
    ],
    [
      image('mem_limit: 1m'),
      [
        'error[INVALID]: services.web.mem_limit: "1m" is not valid: a memory limit is at least ' +
          '6 MiB (compose.yaml:4:16)'
      ]
    ],
    [
      image('mem_limit: 64m', 'mem_reservation: 128m'),
      ['error[INVALID]: services.web: reserves 128 MiB, its limit is 64 (compose.yaml:2:3)']
    ]
  ])
})

test('B25: environment', async () => {
  await table([
    [
      image('environment: text'),
      [
        'error[INVALID]: services.web.environment: expected a mapping or a list of NAME=value, ' +
          'got text (compose.yaml:4:18)'
      ]
    ],
    [
      image('environment: {A: [1]}'),
      [
        'error[INVALID]: services.web.environment.A: expected text for A, got a list (compose.yaml:4:22)'
      ]
    ],
    [
      image('environment: ["=x"]'),
      [
        'error[INVALID]: services.web.environment[0]: an empty name is not a name ' +
          '(compose.yaml:4:19); write NAME=value'
      ]
    ],
    [
      image('environment: ["A=\\0"]'),
      ['error[INVALID]: services.web.environment[0]: a NUL character (compose.yaml:4:19)']
    ],
    [
      image('environment: ["A=${MISSING}"]'),
      [
        'warning: services.web.environment[0]: variable MISSING is not set, an empty text is ' +
          'used (compose.yaml:4:22); set it, or write ${MISSING:-default}'
      ]
    ],
    [
      image('environment: [A, B=]'),
      [
        'warning: services.web.environment[0]: A has no value here or outside, it is left out ' +
          '(compose.yaml:4:19); set it, or write A='
      ]
    ],
    [
      image('environment: {A: "${NEED:?for the database}"}'),
      [
        'error[INVALID]: services.web.environment.A: the required variable NEED is not set: ' +
          '"for the database" (compose.yaml:4:23); set NEED in the environment or in .env'
      ]
    ]
  ])
})

test('B26: binds outside what may be mounted', async () => {
  const refused = (shown: string, hint: string): string[] => [
    `error[REFUSED]: services.web.volumes[0]: policy: bind mount "${shown}" not under allowed ` +
      `roots (compose.yaml:4:15); ${hint}`
  ]
  const bind = (source: string): string => image(`volumes: ["${source}:/data"]`)
  const system = 'paths of the system are not mounted'
  await table([
    [bind('../../etc'), refused('/etc', 'a relative path stays below /app')],
    [bind('../other'), refused('/other', 'a relative path stays below /app')],
    [bind('./a/../../x'), refused('/x', 'a relative path stays below /app')],
    [bind('/'), refused('/', system)],
    [bind('~'), refused('~', 'write the whole path: the home differs on other nodes')],
    [bind('~/data'), refused('~/data', 'write the whole path: the home differs on other nodes')],
    [bind('//etc'), refused('/etc', system)],
    [bind('/allowed/../etc'), refused('/etc', system)],
    [bind('/var/run/docker.sock'), refused('/var/run/docker.sock', system)],
    [bind('/srv/x/docker.sock'), refused('/srv/x/docker.sock', system)],
    [bind('/proc'), refused('/proc', system)],
    [bind('/proc/1/root'), refused('/proc/1/root', system)],
    [bind('/var/lib/docker/'), refused('/var/lib/docker', system)],
    [bind('/srv/data'), []],
    [bind('./data'), []],
    [bind('/srv/data'), refused('/srv/data', 'allowed: /app, /mnt/a'), { bindRoots: ['/mnt/a'] }],
    [bind('/mnt/a/b'), [], { bindRoots: ['/mnt/a'] }],
    [bind('/mnt/ab'), refused('/mnt/ab', 'allowed: /app, /mnt/a'), { bindRoots: ['/mnt/a'] }]
  ])
  const { lines } = await readText(bind('./data'), {
    file: '-',
    project: 'p',
    directory: undefined as never
  })
  equal(lines, [
    'error[REFUSED]: services.web.volumes[0]: policy: bind mount "./data" not under allowed ' +
      'roots (-:4:15); a relative path needs a file, not standard input'
  ])
})

test('B27: a volume driver is no way around', async () => {
  const driver = (options: string): string =>
    `${image('volumes: ["v:/d"]')}volumes:\n  v: {driver_opts: ${options}}\n`
  const refused = (why: string): string[] => [
    `error[REFUSED]: volumes.v.driver_opts: policy: volume options refused: ${why} ` +
      '(compose.yaml:6:20); use type nfs, nfs4, cifs or tmpfs, or no options'
  ]
  await table([
    [
      driver('{type: none, o: bind, device: /}'),
      refused('the option "bind" would mount a path of the node')
    ],
    [
      driver('{type: nfs, o: "addr=1,rbind", device: ":/x"}'),
      refused('the option "rbind" would mount a path of the node')
    ],
    [
      driver('{type: ext4, device: /dev/sda1}'),
      refused('the type "ext4" would mount a path of the node')
    ],
    [driver('{type: nfs, o: addr=1, device: /x}'), refused('the device "/x" is not on a server')],
    [driver('{mountpoint: /etc}'), refused('the option "mountpoint" is not known')],
    [
      `${image('volumes: ["v:/d"]')}volumes:\n  v: {driver: rexray}\n`,
      [
        'error[UNSUPPORTED]: volumes.v.driver: not supported: the driver "rexray", its data ' +
          'would be missing (compose.yaml:6:15); use type nfs, nfs4, cifs or tmpfs, or no options'
      ]
    ],
    [
      `${image('volumes: ["v:/d"]')}volumes:\n  v: {external: true}\n`,
      [
        'error[UNSUPPORTED]: volumes.v.external: not supported: its data would be missing: ' +
          'shoal uses only what it made (compose.yaml:6:7); copy its data into a volume of this ' +
          'project'
      ]
    ]
  ])
})

test('B29: env files outside the project, missing, or no files', async () => {
  await table([
    [
      image('env_file: ../secret.env'),
      [
        'error[REFUSED]: services.web.env_file: policy: the file "../secret.env" is not below ' +
          'the project (compose.yaml:4:15); move it below /app'
      ]
    ],
    [
      image('env_file: [/etc/passwd]'),
      [
        'error[REFUSED]: services.web.env_file[0]: policy: the file "/etc/passwd" is not below ' +
          'the project (compose.yaml:4:16); move it below /app'
      ]
    ],
    [
      image('env_file: a.env'),
      [
        'error[INVALID]: services.web.env_file: the file "a.env" does not exist ' +
          '(compose.yaml:4:15); create it, or say required: false'
      ]
    ],
    [image('env_file: [{path: a.env, required: false}]'), []],
    [
      image('env_file: d'),
      ['error[INVALID]: services.web.env_file: the file "d": it is a FIFO (compose.yaml:4:15)'],
      { files: { d: new Error('it is a FIFO') } }
    ],
    [
      image('env_file: a.env'),
      [
        'error[INVALID]: services.web.env_file: a.env:2:1: not NAME=value: "=x" (compose.yaml:4:15)'
      ],
      { files: { 'a.env': 'A=1\n=x\n' } }
    ],
    [
      image(),
      ['error[INVALID]: .env:1:3: the single quote of A is not closed (compose.yaml)'],
      { files: { '.env': "A='x" } }
    ]
  ])
})

test('B30: depends_on: unknown, self, cycles', async () => {
  const ignored = (name: string, at: string): string =>
    `warning: services.${name}.depends_on: ignored: no order is kept, services start together ` +
    `(compose.yaml:${at}); let the program retry its connections`
  await table([
    [
      image('depends_on: [db]'),
      [
        ignored('web', '4:5'),
        'error[INVALID]: services.web.depends_on[0]: no service "db" in this file ' +
          '(compose.yaml:4:18); remove it, or add the service'
      ]
    ],
    [
      image('depends_on: {db: {condition: service_started, required: false}}'),
      [ignored('web', '4:5')]
    ],
    [
      image('depends_on: [web]'),
      [
        ignored('web', '4:5'),
        'error[INVALID]: services.web.depends_on[0]: "web" depends on itself ' +
          '(compose.yaml:4:18); remove it'
      ]
    ],
    [
      'services:\n  a: {image: a, depends_on: [b]}\n  b: {image: a, depends_on: [c]}\n' +
        '  c: {image: a, depends_on: [b]}\n',
      [
        ignored('a', '2:17'),
        ignored('b', '3:17'),
        'error[INVALID]: services.b.depends_on: a cycle: b -> c -> b (compose.yaml:3:29); ' +
          'remove one of these',
        ignored('c', '4:17')
      ]
    ],
    [
      image('depends_on: {db: {condition: ready}}'),
      [
        ignored('web', '4:5'),
        'error[INVALID]: services.web.depends_on.db: no service "db" in this file ' +
          '(compose.yaml:4:22); remove it, or add the service',
        'error[INVALID]: services.web.depends_on.db.condition: "ready" is not one of the ' +
          'choices (compose.yaml:4:34); use service_started, service_healthy, ' +
          'service_completed_successfully'
      ]
    ]
  ])
})

test('B31: health checks', async () => {
  const rule = 'a duration like 1m30s or 500ms, of h, m, s, ms and us, not negative'
  const check = (rest: string): string => image(`healthcheck: {${rest}}`)
  await table([
    [
      check('interval: 5s'),
      [
        'error[INVALID]: services.web.healthcheck: the health check has no test ' +
          '(compose.yaml:4:18); add test: ["CMD", "program", "argument"]'
      ]
    ],
    [
      check('test: a, interval: 0s'),
      [
        'error[INVALID]: services.web.healthcheck.interval: "0s" is too short: at least 1 ms ' +
          '(compose.yaml:4:38)'
      ]
    ],
    [
      check('test: a, interval: -5s'),
      [
        `error[INVALID]: services.web.healthcheck.interval: "-5s" is not valid: ${rule} ` +
          '(compose.yaml:4:38)'
      ]
    ],
    [
      check('test: a, timeout: 1 week'),
      [
        `error[INVALID]: services.web.healthcheck.timeout: "1 week" is not valid: ${rule} ` +
          '(compose.yaml:4:37)'
      ]
    ],
    [
      check('test: a, interval: 10'),
      [
        `error[INVALID]: services.web.healthcheck.interval: "10" is not valid: ${rule} ` +
          '(compose.yaml:4:38)'
      ]
    ],
    [
      check('test: [curl, x]'),
      [
        'error[INVALID]: services.web.healthcheck.test: the test does not say how it is run ' +
          '(compose.yaml:4:25); begin the list with CMD, CMD-SHELL or NONE'
      ]
    ],
    [
      check('test: a, retries: 0'),
      [
        'error[INVALID]: services.web.healthcheck.retries: "0" is not valid: a whole number ' +
          'from 1 to 1000 (compose.yaml:4:37)'
      ]
    ]
  ])
})

test('B32: commands', async () => {
  await table([
    [
      image('command: []'),
      [
        'error[INVALID]: services.web.command: the command is empty (compose.yaml:4:14); ' +
          "remove the key to use the image's own"
      ]
    ],
    [
      image('command: echo "x'),
      [
        'error[INVALID]: services.web.command: a double quote is not closed ' +
          '(compose.yaml:4:19); close it, or use a list'
      ]
    ],
    [
      image('command: [1]'),
      [
        'error[INVALID]: services.web.command[0]: expected text, got a number (compose.yaml:4:15); quote it'
      ]
    ],
    [
      image('command: a; b'),
      [
        'warning: services.web.command: no shell runs this: ";" goes to the program as text ' +
          '(compose.yaml:4:14); use ["/bin/sh", "-c", "..."] to run a shell'
      ]
    ]
  ])
})

test('B33: a condition may name labels that no node has; other attributes are refused', async () => {
  const place = (text: string): string => image(`deploy: {placement: {constraints: ["${text}"]}}`)
  const at = 'services.web.deploy.placement.constraints[0]'
  await table([
    [place('node.labels.none == x'), []],
    [
      place('node.role == manager'),
      [
        `error[UNSUPPORTED]: ${at}: not supported: node.role, there are no managers here, every ` +
          'node is equal (compose.yaml:4:40); use node.labels.<key>, set by shoal up --label'
      ]
    ],
    [
      place('node.nmae == x'),
      [
        `error[INVALID]: ${at}: "node.nmae" is not an attribute of nodes (compose.yaml:4:40); ` +
          'did you mean node.name?'
      ]
    ],
    [
      place('disk'),
      [
        `error[INVALID]: ${at}: "disk" is not a condition (compose.yaml:4:40); a condition is ` +
          'ATTRIBUTE == VALUE or ATTRIBUTE != VALUE'
      ]
    ]
  ])
})

test('B36, B37: policies list their choices; what comes later is refused by name', async () => {
  const shoal = (rest: string): string => image(`x-shoal: {${rest}}`)
  await table([
    [
      shoal('reconcile: newest'),
      [
        'error[INVALID]: services.web.x-shoal.reconcile: "newest" is not one of the choices ' +
          '(compose.yaml:4:26); use keep-running, ring-owner, oldest-claim, newest-claim'
      ]
    ],
    [
      shoal('partition: all'),
      [
        'error[INVALID]: services.web.x-shoal.partition: "all" is not one of the choices ' +
          '(compose.yaml:4:26); use any-partition, manual'
      ]
    ],
    [
      shoal('partition: majority-lease'),
      [
        'error[UNSUPPORTED]: services.web.x-shoal.partition: not supported: majority-lease, it ' +
          'needs voters, which come later (compose.yaml:4:26); use any-partition or manual'
      ]
    ],
    [
      shoal('schedule: "* * * * *"'),
      [
        'error[UNSUPPORTED]: services.web.x-shoal.schedule: not supported: cron comes later (compose.yaml:4:15)'
      ]
    ],
    [
      shoal('kind: job'),
      [
        'error[UNSUPPORTED]: services.web.x-shoal.kind: not supported: kinds other than service ' +
          'come later (compose.yaml:4:15)'
      ]
    ],
    [
      shoal('address: 10.0.0.9'),
      [
        'error[UNSUPPORTED]: services.web.x-shoal.address: not supported: floating addresses ' +
          'come later (compose.yaml:4:15)'
      ]
    ],
    [
      image('restart: sometimes'),
      [
        'error[INVALID]: services.web.restart: "sometimes" is not a restart policy ' +
          '(compose.yaml:4:14); use "no", always, unless-stopped or on-failure'
      ]
    ]
  ])
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
