/** Joining, resuming and refusing, with daemons on loopback and the process runtime. */
import { equal, match, ok } from 'uvu/assert'
import { Cluster, processesOf } from '../helpers/cluster.ts'
import { suite } from '../helpers/suite.ts'
import { commandLine } from '../helpers/testbed-net.ts'
import { sleep, until } from '../helpers/testbed-run.ts'

const test = suite('join', { requires: ['linux'], timeoutMs: 60_000 })

const SLEEPER = [
  'services:',
  '  tick:',
  "    command: ['sh', '-c', 'echo tick starts; exec sleep 3600']",
  '    deploy: { replicas: 4 }',
  '    x-shoal: { runtime: process, rebalance: failover }',
  ''
].join('\n')

/** The workload processes of a cluster, by process id: they must not change. */
const sleepers = (cluster: Cluster): number[] =>
  processesOf(cluster.folder).filter(pid => /^sleep 3600$/.test(commandLine(pid)))

test('five join by one address, it dies, a sixth joins through another', async ({ cleanup }) => {
  const cluster = await Cluster.make({ daemons: 6 })
  cleanup(() => cluster.close())
  const [first, second] = [cluster.daemon(1), cluster.daemon(2)]
  await first.up()
  const tokenFile = cluster.write('token', await first.token())
  const address = await first.address()
  const firstFive = cluster.daemons.slice(0, 5)
  for (const daemon of firstFive.slice(1)) await daemon.join(address, '--token-file', tokenFile)
  const names = firstFive.map(daemon => daemon.name)
  await Promise.all(firstFive.map(daemon => daemon.client.sees(names, 5_000)))
  await first.kill()
  const sixth = cluster.daemon(6)
  await sixth.join(await second.address(), '--token-file', tokenFile)
  const alive = cluster.daemons.slice(1)
  const left = alive.map(daemon => daemon.name)
  await Promise.all(alive.map(daemon => daemon.client.sees(left, 8_000)))
  const dead = (await sixth.client.nodes()).find(node => node.name === 'n1')
  equal(dead?.state, 'dead')
})

test('a join recreates nothing, and up without an argument resumes', async ({ cleanup }) => {
  const cluster = await Cluster.make({ daemons: 3 })
  cleanup(() => cluster.close())
  const [first, second, third] = [cluster.daemon(1), cluster.daemon(2), cluster.daemon(3)]
  await first.up()
  const token = await first.token()
  await second.join(token)
  const file = cluster.write('compose.yaml', SLEEPER)
  await first.client.must(['deploy', '-f', file, '-p', 'demo'])
  const before = await until('four run', () => {
    const pids = sleepers(cluster)
    return pids.length === 4 ? pids : undefined
  })
  await third.join(token)
  await third.client.sees(['n1', 'n2', 'n3'])
  await sleep(2_000)
  equal(
    before.filter(pid => !sleepers(cluster).includes(pid)),
    [],
    'the join ended a process'
  )
  await second.kill()
  await second.up()
  await second.client.runs('demo', 'tick', 4)
  equal(
    before.filter(pid => !sleepers(cluster).includes(pid)),
    [],
    'the restart ended a process'
  )
  await first.client.must(['rm', 'demo', '-y'])
  await until('all processes ended', () => (sleepers(cluster).length === 0 ? true : undefined))
})

test('a wrong key is named in one line on both sides', async ({ cleanup }) => {
  const [mine, other] = [await Cluster.make({ daemons: 2 }), await Cluster.make({ daemons: 1 })]
  cleanup(() => mine.close())
  cleanup(() => other.close())
  const [first, stranger] = [mine.daemon(1), mine.daemon(2)]
  await first.up()
  await other.daemon(1).up()
  const tokenFile = mine.write('wrong', await other.daemon(1).token())
  const said = await stranger.tryJoin(await first.address(), '--token-file', tokenFile)
  equal(said.code, 6, said.stdout + said.stderr + stranger.log())
  const lines = said.stderr.trim().split('\n')
  equal(lines.filter(line => /^error\[WRONG_KEY\]: /.test(line)).length, 1, said.stderr)
  const log = await until('the mesh logs the stranger', () => {
    const text = first.log(200)
    return /key/i.test(text) ? text : undefined
  })
  const told = log.split('\n').filter(line => /WRONG_KEY|another mesh'?s key|wrong key/i.test(line))
  equal(told.length, 1, log)
  equal((await first.client.nodes()).length, 1)
})

test('a damaged token, a missing one and a taken port are told apart', async ({ cleanup }) => {
  const cluster = await Cluster.make({ daemons: 2 })
  cleanup(() => cluster.close())
  const [first, second] = [cluster.daemon(1), cluster.daemon(2)]
  await first.up()
  const token = await first.token()
  const damaged = await second.tryJoin(`${token.slice(0, -4)}AAAA`)
  equal(damaged.code, 2, damaged.stderr)
  match(damaged.stderr, /^error\[TOKEN\]: /m)
  ok(!damaged.stderr.includes(token.slice(10, 40)), 'the token is repeated in the error')
  const none = await second.tryJoin(await first.address())
  equal(none.code, 2, none.stderr)
})

test('without a daemon every command says so and how to start one', async ({ cleanup }) => {
  const cluster = await Cluster.make({ daemons: 1 })
  cleanup(() => cluster.close())
  const { client } = cluster.daemon(1)
  for (const command of [['ps'], ['nodes'], ['status'], ['token', 'create'], ['rm', 'x', '-y']]) {
    const said = await client.run(command)
    equal(said.code, 5, `${command.join(' ')}: ${said.stdout}${said.stderr}`)
    match(said.stderr, /^error\[NO_DAEMON\]: .*shoal up/m)
  }
})

test('leave stops what runs here and takes the node off', async ({ cleanup }) => {
  const cluster = await Cluster.make({ daemons: 3 })
  cleanup(() => cluster.close())
  await cluster.mesh()
  const file = cluster.write('compose.yaml', SLEEPER)
  await cluster.daemon(2).client.must(['deploy', '-f', file, '-p', 'demo'])
  await cluster.daemon(3).client.must(['leave', '-y'])
  await until('the daemon ended', () => (cluster.daemon(3).pids().length === 0 ? true : undefined))
  await cluster.daemon(1).client.runs('demo', 'tick', 4)
  const left = (await cluster.daemon(1).client.nodes()).find(node => node.name === 'n3')
  ok(left === undefined || left.state === 'left', `n3 is ${left?.state}`)
  equal(sleepers(cluster).length, 4)
})

test.run()
