// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of Compose variables
/** Each key that is supported does something to the spec: one row a key, none missing. */
import { equal, ok } from 'uvu/assert'
import { SUPPORT } from '../../src/spec/support.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { type ReadOptions, readText, service } from '../fixtures/spec/reader.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec keys')

const DEFAULTS: WorkloadSpec = {
  project: 'app',
  name: 'web',
  runtime: 'docker',
  image: 'nginx',
  env: {},
  init: true,
  ports: [],
  volumes: [],
  labels: {},
  restart: 'always',
  stopSignal: 'SIGTERM',
  stopGraceMs: 10_000,
  replicas: 1,
  resources: { cpuMillis: 0, memoryMiB: 0, cpuLimitMillis: 0, memoryLimitMiB: 0 },
  constraints: [],
  maxPerNode: 0,
  partition: 'any-partition',
  reconcile: 'keep-running',
  rebalance: 'gradual',
  onDataLoss: 'wait',
  spread: 'soft',
  priority: 5
}

interface Row {
  /** Paths of the support table whose effect this shows. */
  readonly keys: readonly string[]
  readonly text: string
  readonly effect: Partial<WorkloadSpec>
  readonly options?: ReadOptions
}

const s = 'services.*'
const web = (...lines: string[]): string => service('image: nginx', ...lines)
const health = {
  command: ['/bin/sh', '-c', 'curl -f x || exit 1'],
  intervalMs: 30_000,
  timeoutMs: 30_000,
  startPeriodMs: 0,
  retries: 3
}
const none = DEFAULTS.resources

const ROWS: readonly Row[] = [
  { keys: ['services', `${s}.image`], text: web(), effect: {} },
  { keys: ['version'], text: `version: "3.9"\n${web()}`, effect: {} },
  { keys: ['name'], text: `name: shop\n${web()}`, effect: { project: 'shop' } },
  {
    keys: [`${s}.command`],
    text: web(`command: sh -c 'echo "a b"'`),
    effect: { command: ['sh', '-c', 'echo "a b"'] }
  },
  { keys: [`${s}.command`], text: web('command: [a, b c]'), effect: { command: ['a', 'b c'] } },
  { keys: [`${s}.command`], text: web('command:'), effect: {} },
  {
    keys: [`${s}.entrypoint`],
    text: web('entrypoint: /run it'),
    effect: { entrypoint: ['/run', 'it'] }
  },
  {
    keys: [`${s}.environment`],
    text: web('environment: {B: 2, A: text, C: true, E: "", F: 17}'),
    effect: { env: { A: 'text', B: '2', C: 'true', E: '', F: '17' } }
  },
  {
    keys: [`${s}.environment`],
    text: web('environment: [A=1=2, FROM_SHELL, EMPTY=]'),
    effect: { env: { A: '1=2', EMPTY: '', FROM_SHELL: 'shell' } },
    options: { env: { FROM_SHELL: 'shell' } }
  },
  {
    keys: [`${s}.env_file`],
    text: web('env_file: [a.env, b.env]', 'environment: {C: own}'),
    effect: { env: { A: '1', B: '3', C: 'own' } },
    options: { files: { 'a.env': 'A=1\nB=2\nC=2\n', 'b.env': 'B=3\n' } }
  },
  {
    keys: [`${s}.env_file[].path`, `${s}.env_file[].required`, `${s}.env_file[].format`],
    text: web('env_file:', '  - {path: a.env, format: raw}', '  - {path: no.env, required: false}'),
    effect: { env: { A: "'$X'" } },
    options: { files: { 'a.env': "A='$X'\n" } }
  },
  { keys: [`${s}.working_dir`], text: web('working_dir: /srv'), effect: { workingDir: '/srv' } },
  { keys: [`${s}.user`], text: web('user: "1000:1000"'), effect: { user: '1000:1000' } },
  { keys: [`${s}.init`], text: web('init: false'), effect: { init: false } },
  { keys: [`${s}.labels`], text: web('labels: [b=1, a]'), effect: { labels: { a: '', b: '1' } } },
  {
    keys: [`${s}.label_file`],
    text: web('label_file: l', 'labels: {b: own}'),
    effect: { labels: { a: '1', b: 'own' } },
    options: { files: { l: 'a=1\nb=2\n' } }
  },
  { keys: [`${s}.stop_signal`], text: web('stop_signal: int'), effect: { stopSignal: 'SIGINT' } },
  {
    keys: [`${s}.stop_grace_period`],
    text: web('stop_grace_period: 1m30s'),
    effect: { stopGraceMs: 90_000 }
  },
  {
    keys: [`${s}.healthcheck`, `${s}.healthcheck.test`],
    text: web('healthcheck: {test: "curl -f x || exit 1"}'),
    effect: { health }
  },
  {
    keys: [`${s}.healthcheck.disable`],
    text: web('healthcheck: {disable: true}'),
    effect: { healthDisabled: true }
  },
  {
    keys: [`${s}.healthcheck.test`],
    text: web('healthcheck: {test: ["NONE"]}'),
    effect: { healthDisabled: true }
  },
  {
    keys: ['interval', 'timeout', 'retries', 'start_period'].map(key => `${s}.healthcheck.${key}`),
    text: web(
      'healthcheck:',
      '  {test: [CMD, a, b], interval: 5s, timeout: 1s, retries: 2, start_period: 1m}'
    ),
    effect: {
      health: {
        command: ['a', 'b'],
        intervalMs: 5_000,
        timeoutMs: 1_000,
        retries: 2,
        startPeriodMs: 60_000
      }
    }
  },
  { keys: [`${s}.restart`], text: web('restart: "no"'), effect: { restart: 'no' } },
  { keys: [`${s}.restart`], text: web('restart: no'), effect: { restart: 'no' } },
  { keys: [`${s}.restart`], text: web('restart: unless-stopped'), effect: {} },
  { keys: [`${s}.restart`], text: web('restart: on-failure'), effect: { restart: 'on-failure' } },
  { keys: [`${s}.scale`], text: web('scale: 3'), effect: { replicas: 3 } },
  {
    keys: [`${s}.deploy`, `${s}.deploy.replicas`],
    text: web('deploy: {mode: replicated, replicas: 0}'),
    effect: { replicas: 0 }
  },
  {
    keys: [
      'resources',
      'resources.limits',
      'resources.limits.cpus',
      'resources.limits.memory',
      'resources.reservations',
      'resources.reservations.cpus',
      'resources.reservations.memory'
    ].map(key => `${s}.deploy.${key}`),
    text: web(
      'deploy:',
      '  resources:',
      '    limits: {cpus: "1.5", memory: 1.5G}',
      '    reservations: {cpus: 0.25, memory: 100m}'
    ),
    effect: {
      resources: { cpuMillis: 250, memoryMiB: 100, cpuLimitMillis: 1_500, memoryLimitMiB: 1_536 }
    }
  },
  {
    keys: [`${s}.cpus`],
    text: web('cpus: 0.5'),
    effect: { resources: { ...none, cpuLimitMillis: 500 } }
  },
  {
    keys: [`${s}.mem_limit`, `${s}.mem_reservation`],
    text: web('mem_limit: 64m', 'mem_reservation: 33554433'),
    effect: { resources: { ...none, memoryLimitMiB: 64, memoryMiB: 33 } }
  },
  {
    keys: [`${s}.deploy.restart_policy`, `${s}.deploy.restart_policy.condition`],
    text: web('deploy: {restart_policy: {condition: none}}'),
    effect: { restart: 'no' }
  },
  {
    keys: ['placement', 'placement.constraints', 'placement.max_replicas_per_node'].map(
      key => `${s}.deploy.${key}`
    ),
    text: web(
      'deploy:',
      '  placement:',
      '    constraints: [node.labels.disk==ssd, node.hostname != pi]',
      '    max_replicas_per_node: 2'
    ),
    effect: {
      constraints: [
        { attribute: 'node.labels.disk', operator: '==', value: 'ssd' },
        { attribute: 'node.name', operator: '!=', value: 'pi' }
      ],
      maxPerNode: 2
    }
  },
  {
    keys: [`${s}.ports`],
    text: web('ports: ["8080:80", "127.0.0.1:53:53/udp"]'),
    effect: {
      ports: [
        { containerPort: 80, hostPort: 8080, protocol: 'tcp' },
        { containerPort: 53, hostPort: 53, hostIp: '127.0.0.1', protocol: 'udp' }
      ]
    }
  },
  {
    keys: ['target', 'published', 'host_ip', 'protocol', 'mode', 'name', 'app_protocol'].map(
      key => `${s}.ports[].${key}`
    ),
    text: web(
      'ports:',
      '  - {target: 80, published: "8080", host_ip: 10.0.0.1, protocol: udp, mode: host,',
      '     name: a, app_protocol: http}'
    ),
    effect: { ports: [{ containerPort: 80, hostPort: 8080, hostIp: '10.0.0.1', protocol: 'udp' }] }
  },
  { keys: [`${s}.expose`], text: web('expose: [80, "81/udp", "90-91"]'), effect: {} },
  {
    keys: [`${s}.volumes`, 'volumes'],
    text: `${web('volumes: [data:/data, ./src:/src:ro, /srv/x/:/x]')}volumes:\n  data:\n`,
    effect: {
      partition: 'manual',
      volumes: [
        { kind: 'volume', name: 'data', target: '/data', readOnly: false, shared: false },
        { kind: 'bind', source: '/app/src', target: '/src', readOnly: true },
        { kind: 'bind', source: '/srv/x', target: '/x', readOnly: false }
      ]
    }
  },
  {
    keys: [`${s}.volumes`],
    text: web('volumes: [/var/lib/data]'),
    effect: {
      partition: 'manual',
      volumes: [
        {
          kind: 'volume',
          name: 'web-var-lib-data-bdd36876',
          target: '/var/lib/data',
          readOnly: false,
          shared: false
        }
      ]
    }
  },
  {
    keys: ['type', 'source', 'target', 'read_only', 'bind', 'volume', 'tmpfs', 'tmpfs.size'].map(
      key => `${s}.volumes[].${key}`
    ),
    text: `${web(
      'volumes:',
      '  - {type: volume, source: v, target: /v, read_only: true, volume: {}}',
      '  - {type: bind, source: ., target: /b, bind: {create_host_path: false}}',
      '  - {type: tmpfs, target: /t, tmpfs: {size: 64m}}'
    )}volumes: {v: {}}\n`,
    effect: {
      partition: 'manual',
      volumes: [
        { kind: 'volume', name: 'v', target: '/v', readOnly: true, shared: false },
        { kind: 'bind', source: '/app', target: '/b', readOnly: false },
        { kind: 'tmpfs', target: '/t', sizeBytes: 67_108_864 }
      ]
    }
  },
  {
    keys: [`${s}.tmpfs`],
    text: web('tmpfs: [/run, "/tmp:size=1m"]'),
    effect: {
      volumes: [
        { kind: 'tmpfs', target: '/run' },
        { kind: 'tmpfs', target: '/tmp', sizeBytes: 1_048_576 }
      ]
    }
  },
  {
    keys: ['volumes.*.name', 'volumes.*.driver', 'volumes.*.driver_opts'],
    text:
      web('volumes: ["v:/v"]') +
      'volumes:\n  v:\n    name: media\n    driver: local\n' +
      '    driver_opts: {type: nfs, o: "addr=10.0.0.9,rw", device: ":/export"}\n',
    effect: {
      volumes: [
        {
          kind: 'volume',
          name: 'media',
          target: '/v',
          readOnly: false,
          shared: true,
          driver: 'local',
          driverOptions: { device: ':/export', o: 'addr=10.0.0.9,rw', type: 'nfs' }
        }
      ]
    }
  },
  {
    keys: ['networks', `${s}.networks`],
    text: `${web('networks: [front, default]')}networks: {front: {driver: bridge}}\n`,
    effect: {}
  },
  {
    keys: [
      '',
      '.runtime',
      '.partition',
      '.reconcile',
      '.rebalance',
      '.priority',
      '.onDataLoss',
      '.spread',
      '.requires'
    ].map(key => `${s}.x-shoal${key}`),
    text: web(
      'x-shoal:',
      '  {runtime: memory, partition: manual, reconcile: newest-claim, rebalance: never,',
      '   priority: 9, onDataLoss: wait, spread: hard, requires: [node.zone == a]}'
    ),
    effect: {
      runtime: 'memory',
      partition: 'manual',
      reconcile: 'newest-claim',
      rebalance: 'never',
      priority: 9,
      spread: 'hard',
      constraints: [{ attribute: 'node.zone', operator: '==', value: 'a' }]
    }
  }
]

test('each row has exactly its effect and says nothing', async () => {
  for (const row of ROWS) {
    const { workloads, lines } = await readText(row.text, row.options)
    equal(lines, [], row.text)
    equal(workloads, [{ ...DEFAULTS, ...row.effect }], row.text)
  }
})

test('no supported key of the table is without a row here', () => {
  const shown = new Set(ROWS.flatMap(row => row.keys))
  const missing = Object.entries(SUPPORT)
    .filter(([path, row]) => row.status === 'supported' && !shown.has(path))
    .map(([path]) => path)
  equal(missing, [])
  for (const key of shown) ok(SUPPORT[key] !== undefined, key)
})

test.run()
