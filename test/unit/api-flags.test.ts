/** shoald's flags, addresses and paths (promises B44, B53, B54). */
import { equal, match, ok } from 'uvu/assert'
import { checkAddress } from '../../src/api/address.ts'
import { DAEMON_FLAGS, daemonHelp, parseDaemonFlags, toArgv } from '../../src/api/daemon-flags.ts'
import { dataDir, socketPath } from '../../src/api/paths.ts'
import { versionSkew } from '../../src/api/version.ts'
import { ShoalError } from '../../src/errors.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('api flags')
const ROOT = { env: {}, uid: 0 }
const PEER = '/ip4/10.0.0.5/tcp/7970/p2p/12D3KooWGRUVh5cT8Jzpnoc3GcZTdRmwGFGb2nZtKTWkTxvHqvZp'

function refusal(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    ok(error instanceof ShoalError, String(error))
    equal(error.code, 'USAGE')
    return `${error.message} (${error.where}); ${error.hint}`
  }
  throw new Error('was accepted')
}

test('without flags a daemon gets the defaults of its user', () => {
  const options = parseDaemonFlags([], ROOT)
  equal(options.listen, ['/ip4/0.0.0.0/tcp/7970'])
  equal(options.dataDir, '/var/lib/shoal')
  equal(options.socket, '/run/shoal/shoal.sock')
  equal(options.runtime, 'auto')
  equal(options.preset, 'lan')
  equal(options.cpuMillis, undefined)
  const user = { env: { HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/7' }, uid: 7 }
  equal(parseDaemonFlags([], user).socket, '/run/user/7/shoal/shoal.sock')
  equal(parseDaemonFlags([], user).dataDir, '/home/u/.local/state/shoal')
})

test('every flag is read, in either form', () => {
  const options = parseDaemonFlags(
    [
      ...['--name', 'mini-1', '--data-dir=/d', '--socket', '/s', '--listen', '/ip4/0.0.0.0/tcp/0'],
      ...['--listen=/ip6/::/tcp/0', '--runtime', 'process', '--docker-host', 'unix:///x'],
      ...['--label', 'disk=ssd', '--label', 'a/b=c=d', '--zone', 'z', '--cpus', '1.5'],
      ...['--memory', '2g', '--preset', 'fast', '--log-format', 'text', '--join', PEER],
      ...['--token-file', '-', '--log-level', 'debug']
    ],
    ROOT
  )
  equal(options, {
    name: 'mini-1',
    dataDir: '/d',
    socket: '/s',
    listen: ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0'],
    runtime: 'process',
    dockerHost: 'unix:///x',
    labels: { disk: 'ssd', 'a/b': 'c=d' },
    zone: 'z',
    cpuMillis: 1_500,
    memoryMiB: 2_048,
    preset: 'fast',
    logFormat: 'text',
    logLevel: 'debug',
    join: [PEER],
    tokenFile: '-',
    notes: []
  })
})

test('what is passed on to shoald reads back the same', () => {
  const values = { name: 'a', listen: ['/ip4/1.2.3.4/tcp/5', '/ip4/1.2.3.4/tcp/6'], zone: '-z' }
  const options = parseDaemonFlags(toArgv(values), ROOT)
  equal([options.name, options.listen, options.zone], [values.name, values.listen, values.zone])
})

test('a flag wins over the environment, and this is said', () => {
  const context = { env: { SHOAL_SOCKET: '/env.sock', SHOAL_DATA_DIR: '/env' }, uid: 0 }
  equal(parseDaemonFlags([], context).socket, '/env.sock')
  equal(parseDaemonFlags([], context).notes, [])
  const options = parseDaemonFlags(['--socket', '/flag.sock'], context)
  equal(options.socket, '/flag.sock')
  equal(options.notes, ['--socket=/flag.sock wins over SHOAL_SOCKET=/env.sock'])
  equal(options.dataDir, '/env')
})

test('an unknown flag names the nearest', () => {
  match(
    refusal(() => parseDaemonFlags(['--lissen', 'x'], ROOT)),
    /--lissen .*did you mean --listen/
  )
  match(
    refusal(() => parseDaemonFlags(['--name'], ROOT)),
    /name/
  )
  match(
    refusal(() => parseDaemonFlags(['stray'], ROOT)),
    /stray/
  )
})

test('bad values name their flag', () => {
  const cases: [string, RegExp][] = [
    ['--name=a b', /--name/],
    ['--name=', /--name/],
    ['--runtime=podman', /docker, process, auto/],
    ['--preset=slow', /fast, lan, wan/],
    ['--label=novalue', /key=value/],
    ['--label=__proto__=x', /key=value/],
    ['--cpus=0', /--cpus/],
    ['--cpus=-1', /--cpus/],
    ['--cpus=many', /--cpus/],
    ['--memory=-1', /--memory/],
    ['--memory=10x', /--memory/],
    ['--memory=100k', /less than 1 MiB/],
    [`--zone=${'z'.repeat(65)}`, /--zone/],
    [`--socket=/${'s'.repeat(108)}`, /107 bytes/]
  ]
  for (const [flag, expected] of cases)
    match(
      refusal(() => parseDaemonFlags([flag], ROOT)),
      expected,
      flag
    )
  match(
    refusal(() => parseDaemonFlags(['--label=a=1', '--label=a=2'], ROOT)),
    /given twice/
  )
})

test('each fault of an address is named', () => {
  const cases: [string, RegExp][] = [
    ['garbage', /not a multiaddr/],
    ['/ip4/10.0.0.5', /not a multiaddr/],
    ['/ip4/10.0.0.5/udp/7970', /udp; shoal speaks tcp/],
    ['/ip4/10.0.0.5/tcp/99999', /port: "99999"/],
    ['/ip4/10.0.0.5/tcp/', /port: ""/],
    ['/ip4/10.0.0.5/tcp/0', /port: "0"/],
    ['/ip4/10.0.0.555/tcp/7970', /"10.0.0.555" is not an IPv4/],
    ['/ip4/0.0.0.0/tcp/7970', /not an address of a peer/],
    ['/ip6/::/tcp/7970', /not an address of a peer/],
    ['/ip4/10.0.0.5/tcp/7970/p2p/short', /not \/p2p\/<peer id>/],
    ['/http/10.0.0.5/tcp/7970', /does not begin with/]
  ]
  for (const [address, expected] of cases)
    match(
      refusal(() => checkAddress(address, 'join')),
      expected,
      address
    )
  for (const address of [PEER, '/dns4/host.example/tcp/7970', '/ip6/fd00::1/tcp/1'])
    checkAddress(address, 'join')
  checkAddress('/ip4/0.0.0.0/tcp/0', 'listen')
})

test('paths come from flag, environment, user, in that order', () => {
  equal(socketPath({ flag: '/f', env: { SHOAL_SOCKET: '/e' }, uid: 0 }), '/f')
  equal(socketPath({ env: { SHOAL_SOCKET: '' }, uid: 0 }), '/run/shoal/shoal.sock')
  equal(socketPath({ env: { XDG_STATE_HOME: '/state' }, uid: 5 }), '/state/shoal/shoal.sock')
  equal(dataDir({ env: { SHOAL_DATA_DIR: '/e' }, uid: 5 }), '/e')
  equal(dataDir({ env: { XDG_STATE_HOME: '/state' }, uid: 5 }), '/state/shoal')
  match(
    refusal(() => dataDir({ env: {}, uid: 5 })),
    /HOME/
  )
})

test('help has a line for every flag', () => {
  for (const flag of Object.keys(DAEMON_FLAGS)) ok(daemonHelp().includes(`--${flag} `), flag)
})

test('versions that differ say who must update', () => {
  equal(versionSkew('0.1.0', '0.1.9'), undefined)
  match(versionSkew('0.1.0', '0.2.0') ?? '', /update shoal here/)
  match(versionSkew('1.0.0', '0.9.0') ?? '', /update the daemon/)
  equal(versionSkew('0.1.0', 'odd'), undefined)
})

test.run()
