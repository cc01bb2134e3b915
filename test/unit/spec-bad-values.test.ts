// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of Compose variables
/** Rows B18 to B27 of `promises.md` 5, each with its exact line. */
import { equal } from 'uvu/assert'
import { expectLines, image, readText, service } from '../fixtures/spec/reader.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec bad values')

test('B18: ports', async () => {
  const port = (value: string): string => image(`ports: ["${value}"]`)
  const wrong = (shown: string, reason: string): string[] => [
    `error[INVALID]: services.web.ports[0]: "${shown}" is not valid: ${reason} (compose.yaml:4:13)`
  ]
  const rule = 'a port is a whole number from 1 to 65535'
  await expectLines([
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
  await expectLines([
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
  await expectLines([
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
  await expectLines([
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
  await expectLines([
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
  await expectLines([
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
        'error[INVALID]: services.web.environment.A: expected text for ' +
          'A, got a list (compose.yaml:4:22)'
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
  await expectLines([
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
  await expectLines([
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

test.run()
