/** Starts that go wrong, and how a daemon comes out of them: on loopback, process runtime. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { equal, match, ok } from 'uvu/assert'
import type { ReadyView } from '../../src/api/types.ts'
import { Cluster, processesOf } from '../helpers/cluster.ts'
import { Daemon } from '../helpers/cluster-daemon.ts'
import { suite, type TestContext } from '../helpers/suite.ts'
import { isAlive, signalAll, until } from '../helpers/testbed-run.ts'

const test = suite('start', { requires: ['linux'], timeoutMs: 60_000 })

async function cluster(context: TestContext, daemons: number): Promise<Cluster> {
  const made = await Cluster.make({ daemons })
  context.cleanup(() => made.close())
  return made
}

/** A port of this machine that refuses: it was open a moment ago, and nobody else is given it. */
async function deadPort(): Promise<number> {
  const server: Server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** What `up` without any option but where it is says of the daemon, as JSON. */
const bareUp = (daemon: Daemon, ...more: string[]): Promise<ReadyView> =>
  daemon.client.json(['up', '--data-dir', daemon.dataDir, ...more])

test('a join by a wrong port says so, leaves nothing, and the right one works', async context => {
  const mesh = await cluster(context, 2)
  const [first, second] = [mesh.daemon(1), mesh.daemon(2)]
  await first.up()
  const file = mesh.write('token', await first.token())
  const wrong = `/ip4/127.0.0.1/tcp/${await deadPort()}`
  const said = await second.tryJoin(wrong, '--token-file', file, '--timeout', '4s')
  equal(said.code, 4, said.stderr)
  match(said.stderr, /^waiting: \S+: connection refused$/m)
  match(said.stderr, /^error\[TIMEOUT\]: not joined within 4 s: \S+: connection refused; check/m)
  equal([second.pids(), existsSync(second.dataDir)], [[], false])
  match(
    await second.join(await first.address(), '--token-file', file),
    /^joined mesh [0-9a-f]{32}$/m
  )
  await second.client.sees(['n1', 'n2'])
})

test('a daemon that tries to join is not up, says why, and can be told to stop', async context => {
  const mesh = await cluster(context, 2)
  const [first, second] = [mesh.daemon(1), mesh.daemon(2)]
  await first.up()
  const file = mesh.write('token', await first.token())
  const wrong = `/ip4/127.0.0.1/tcp/${await deadPort()}`
  const trying = second.tryJoin(wrong, '--token-file', file, '--foreground')
  // Or the next one would find nobody there, and start the daemon itself.
  await until('the first one answers', () => existsSync(second.client.socket) || undefined)
  const refused = await until('it says that it is in no mesh', async () => {
    const again = await second.tryJoin(await first.address(), '--token-file', file)
    return /connection refused/.test(again.stderr) ? again : undefined
  })
  equal([refused.code, refused.stdout], [8, ''])
  match(refused.stderr, /error\[CONFLICT\]: .*in no mesh yet.*end that first: shoal leave/)
  const { alarms, mesh: shown } = await second.client.status()
  equal(shown, '')
  match(alarms[0] ?? '', /^this node is in no mesh yet: \S+: connection refused$/)
  await second.client.must(['leave', '-y'])
  equal((await trying).code, 0)
  await second.join(await first.address(), '--token-file', file)
  await second.client.sees(['n1', 'n2'])
})

test('a kill does not make it another node: up keeps the options that were given', async context => {
  const mesh = await cluster(context, 1)
  const daemon = mesh.daemon(1)
  match(await daemon.up(), /^created mesh/m)
  await daemon.kill()
  const resumed = await bareUp(daemon)
  equal(resumed.name, 'n1')
  equal(
    resumed.addresses.map(address => address.split('/p2p/')[0]),
    [daemon.init.listen]
  )
  equal(resumed.runtimes, ['process'])
  equal(statSync(join(daemon.dataDir, 'options.json')).mode & 0o777, 0o600)
  await daemon.kill()
  await bareUp(daemon, '--name', 'other')
  await daemon.kill()
  equal((await bareUp(daemon)).name, 'other', 'a given option replaces the kept one')
  await daemon.client.must(['leave', '-y'])
  equal(existsSync(join(daemon.dataDir, 'options.json')), false)
})

test('a damaged file of options is one clear line', async context => {
  const daemon = (await cluster(context, 1)).daemon(1)
  await daemon.up()
  await daemon.kill()
  writeFileSync(join(daemon.dataDir, 'options.json'), '{"version":1,"options":{"nme":"x"}}')
  const said = await daemon.client.run(['up', '--data-dir', daemon.dataDir])
  equal(said.code, 1)
  match(
    said.stderr,
    /^error\[STORE\]: the kept options of this node: is damaged: "nme" .*options\.json\); remove this file/
  )
  equal(said.stderr.trim().split('\n').length, 1, said.stderr)
})

test('a start that fails leaves no data directory, one that resumes keeps all', async context => {
  const mesh = await cluster(context, 2)
  const [first, second] = [mesh.daemon(1), mesh.daemon(2)]
  await first.up()
  const taken = ['up', '--listen', first.init.listen, '--data-dir', join(second.dataDir, 'a/b')]
  const said = await second.client.run([...taken, '--runtime', 'process'])
  equal(said.code, 2, said.stderr)
  match(said.stderr, /^error\[USAGE\]: cannot listen on .*the port is taken/m)
  ok(!/ at .*:\d+:\d+/.test(said.stderr), said.stderr)
  equal(existsSync(second.dataDir), false)
  await second.up()
  await second.kill()
  const before = readdirSync(second.dataDir).sort()
  const failed = await second.client.run([...taken.slice(0, 3), '--data-dir', second.dataDir])
  equal([failed.code, readdirSync(second.dataDir).sort()], [2, before])
})

test('paths where nothing can be made, and no engine at all, are said at once', async context => {
  const daemon = (await cluster(context, 1)).daemon(1)
  const up = (...more: string[]) => daemon.client.run(['up', ...more], { timeoutMs: 10_000 })
  const dir = await up('--data-dir', '/proc/shoal/data')
  match(dir.stderr, /^error\[REFUSED\]: .*nothing can be made here \(\/proc\/shoal/m)
  const socket = await up('--data-dir', daemon.dataDir, '--socket', '/proc/shoal/s')
  match(socket.stderr, /^error\[UNAVAILABLE\]: .*nothing can be made here \(\/proc\/shoal\)/m)
  const engine = ['--runtime', 'docker', '--docker-host', join(daemon.init.folder, 'no.sock')]
  const docker = await up('--data-dir', daemon.dataDir, ...engine)
  match(docker.stderr, /^error\[RUNTIME\]: there is no container engine \(.*no\.sock\); start/m)
  equal([dir.code, socket.code, docker.code], [6, 1, 1])
  equal(existsSync(daemon.dataDir), false)
})

/** A daemon whose data directory is a small file system. */
function onSmallDisk(context: TestContext, port: number): { daemon: Daemon; filler: string } {
  const folder = mkdtempSync(join(tmpdir(), `shoalcl-${process.pid}-`))
  const disk = join(folder, 'data')
  mkdirSync(disk, { mode: 0o700 })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m,mode=700', 'tmpfs', disk])
  const daemon = new Daemon({
    ...{ name: 'full', folder, runtime: 'process' as const },
    listen: `/ip4/127.0.0.1/tcp/${port}`
  })
  context.cleanup(async () => {
    await until('all of it is gone', () => {
      const pids = processesOf(folder).filter(isAlive)
      signalAll(pids, 'SIGKILL')
      return pids.length === 0 ? true : undefined
    })
    execFileSync('umount', [disk])
    rmSync(folder, { recursive: true, force: true })
  })
  return { daemon, filler: join(disk, 'filler') }
}

function fill(filler: string, disk: string): void {
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(filler, Buffer.alloc(bavail * bsize))
}

const SPEC = (name: string): string =>
  `services: { ${name}: { command: [sleep, "3600"], labels: { note: ${'x'.repeat(30_000)} } } }\n`

const disks = { requires: ['root', 'linux'], timeoutMs: 60_000 } as const

test(
  'a full disk: reads are answered, writes refused, and it recovers by itself',
  disks,
  async context => {
    const { daemon, filler } = onSmallDisk(context, await deadPort())
    await daemon.up()
    const pids = daemon.pids()
    const file = join(daemon.init.folder, 'compose.yaml')
    fill(filler, daemon.dataDir)
    const deploy = (name: string) => {
      writeFileSync(file, SPEC(name))
      return daemon.client.run(['deploy', '-f', file, '-p', 'demo', '-d'], { timeoutMs: 30_000 })
    }
    // The first may hang in the write that finds the disk full: its outcome is unknown, not good.
    let count = 0
    const refused = await until(
      'a write is refused',
      async () => {
        count += 1
        const said = await deploy(`s${count}`)
        return /no space left/.test(said.stderr) ? said : undefined
      },
      { timeoutMs: 40_000 }
    )
    match(refused.stderr, /^error\[\w+\]: .*no space left on the disk of /m)
    match((await daemon.client.status()).alarms[0] ?? '', /^no space left on the disk/)
    equal(daemon.pids(), pids, 'the daemon ended')
    const before = await daemon.client.ps()
    rmSync(filler)
    await until('it takes writes again', async () =>
      (await deploy('after')).code === 0 ? true : undefined
    )
    equal((await daemon.client.status()).alarms, [])
    equal(daemon.pids(), pids)
    await daemon.kill()
    await bareUp(daemon)
    const names = new Set((await daemon.client.ps()).map(row => row.workload))
    for (const row of before) ok(names.has(row.workload), `${row.workload} is lost`)
    ok(names.has('after'))
  }
)

test(
  'a start on a full disk answers status with the cause, and goes on with room',
  disks,
  async context => {
    const { daemon, filler } = onSmallDisk(context, await deadPort())
    await daemon.up()
    await daemon.kill()
    fill(filler, daemon.dataDir)
    const said = await daemon.client.run(['up', '--data-dir', daemon.dataDir, '--timeout', '4s'])
    equal(said.code, 4, said.stderr)
    match(said.stderr, /^waiting: no space left on the disk/m)
    match(said.stderr, /^error\[TIMEOUT\]: not ready within 4 s: no space left on the disk/m)
    const status = await daemon.client.status()
    match(status.alarms[0] ?? '', /^no space left/)
    rmSync(filler)
    equal((await bareUp(daemon)).name, 'full')
    equal((await daemon.client.status()).alarms, [])
    ok(!/"stack"/.test(readFileSync(join(daemon.dataDir, 'shoald.log'), 'utf8')))
  }
)

test.run()
