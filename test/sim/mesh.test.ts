import { equal, ok } from 'uvu/assert'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { DATA_VOLUME, spec } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'
import { World } from './world/world.ts'

const test = suite('simulated mesh', { timeoutMs: 60_000 })
const SIZES = [1, 2, 3, 4, 20]

function ids(world: World): string[] {
  return [...world.hosts.keys()]
}

async function mesh(nodes: number, seed = 1): Promise<World> {
  const world = new World({ seed })
  world.grow(nodes)
  await world.until('one view', 10_000, () => world.agree(ids(world)))
  return world
}

async function deploy(world: World, at: string, fields: Partial<WorkloadSpec>): Promise<void> {
  const workloads = [spec(fields)]
  const answer = await world.submit(at, { kind: 'apply', project: 'demo', workloads, prune: false })
  ok(answer.ok, JSON.stringify(answer))
}

/** Every slot runs exactly once, on nodes of the list. */
function exact(world: World, replicas: number, nodes: readonly string[]): boolean {
  const running = world.running('web')
  return (
    running.length === replicas &&
    new Set(running.map(one => one.slot)).size === replicas &&
    running.every(one => nodes.includes(one.node))
  )
}

for (const nodes of SIZES) {
  test(`${nodes} nodes join by one address and run what is deployed on any of them`, async () => {
    const world = await mesh(nodes)
    const last = ids(world).at(-1) ?? ''
    await deploy(world, last, { replicas: 8 })
    await world.until('8 running', 5_000, () => exact(world, 8, ids(world)))
    await world.run(15_000)
    ok(exact(world, 8, ids(world)), 'and it stays so')
  })

  if (nodes === 1) continue
  test(`of ${nodes} nodes a host dies: its replicas run elsewhere within seconds`, async () => {
    const world = await mesh(nodes)
    await deploy(world, 'n0', { replicas: 8 })
    await world.until('8 running', 5_000, () => exact(world, 8, ids(world)))
    await world.run(3_000)
    const victim = world.running('web').at(-1)?.node ?? ''
    const rest = ids(world).filter(id => id !== victim)
    world.host(victim).kill(true)
    const tookMs = await world.until('8 elsewhere', 8_000, () => exact(world, 8, rest))
    ok(tookMs <= 6_500, `${tookMs} ms`)
  })
}

for (const nodes of [3, 4, 9, 20]) {
  test(`${nodes} nodes that have just met start nothing twice`, async () => {
    for (const seed of [1, 2, 3, 4]) {
      const world = await mesh(nodes, seed)
      await deploy(world, 'n0', { replicas: 8 })
      for (let ms = 0; ms < 3_000; ms += 50) {
        await world.run(50)
        ok(world.running('web').length <= 8, `seed ${seed}, after ${ms} ms`)
      }
      ok(exact(world, 8, ids(world)), `seed ${seed}`)
    }
  })
}

for (const nodes of [2, 3, 4]) {
  test(`${nodes} nodes cut in two: both sides run all, after the heal each slot runs once`, async () => {
    const world = await mesh(nodes)
    await deploy(world, 'n0', { replicas: 6 })
    await world.until('6 running', 5_000, () => exact(world, 6, ids(world)))
    await world.run(5_000)
    const before = world.running('web')
    const left = ids(world).slice(0, 1)
    const right = ids(world).slice(1)
    world.partition(left, right)
    const side = (nodes: readonly string[]): number =>
      new Set(
        world
          .running('web')
          .filter(one => nodes.includes(one.node))
          .map(one => one.slot)
      ).size
    await world.until('all on both sides', 12_000, () => side(left) === 6 && side(right) === 6)
    await world.run(2_000)
    world.heal()
    await world.until('one copy each', 15_000, () => exact(world, 6, ids(world)))
    equal(world.running('web'), before, 'the copies that ran longer are the ones that stay')
  })
}

for (const nodes of [3, 4, 20]) {
  test(`of ${nodes} nodes one has a full disk: what it cannot claim runs elsewhere`, async () => {
    const world = await mesh(nodes)
    await deploy(world, 'n0', { replicas: 2 * nodes })
    await world.until('all running', 5_000, () => exact(world, 2 * nodes, ids(world)))
    await world.run(5_000)
    const full = ids(world).at(-1) ?? ''
    const victim = ids(world).at(-2) ?? ''
    const rest = ids(world).filter(id => id !== victim)
    const kept = world.running('web').filter(one => one.node !== victim)
    world.host(full).disk.isFull = true
    world.host(victim).kill(true)
    await world.until('taken over', 20_000, () => exact(world, 2 * nodes, rest))
    const stays = world.running('web').filter(one => kept.some(({ slot }) => slot === one.slot))
    equal(stays, kept, 'what runs on the full disk stays there')
    await deploy(world, 'n0', { name: 'late', replicas: 2 * nodes })
    await world.until('deployed', 20_000, () => world.running('late').length === 2 * nodes)
    world.host(full).disk.isFull = false
    await world.run(20_000)
    ok(exact(world, 2 * nodes, rest))
    equal(world.running('late').length, 2 * nodes)
  })
}

test('a daemon that is back within the restart grace finds nothing moved or restarted', async () => {
  const world = await mesh(3)
  await deploy(world, 'n0', { replicas: 6 })
  await world.until('6 running', 5_000, () => exact(world, 6, ids(world)))
  await world.run(3_000)
  const instances = (): string[] =>
    [...world.hosts.values()].flatMap(node =>
      [...node.engine.entries.values()].map(entry => `${entry.id} ${entry.run} ${entry.state}`)
    )
  const before = instances()
  world.host('n1').kill(false)
  await world.run(1_000)
  world.host('n1').start([])
  await world.run(20_000)
  equal(instances(), before)
})

test('a daemon that is back after the takeover keeps its older copies, the surplus stops', async () => {
  const world = await mesh(3)
  await deploy(world, 'n0', { replicas: 6 })
  await world.until('6 running', 5_000, () => exact(world, 6, ids(world)))
  await world.run(20_000)
  const before = world.running('web')
  world.host('n1').kill(false)
  await world.until('copies elsewhere', 8_000, () => world.running('web').length > 6)
  await world.run(1_000)
  world.host('n1').start([])
  await world.until('surplus gone', 12_000, () => exact(world, 6, ids(world)))
  equal(world.running('web'), before)
})

test('three of four hosts die in the same second: the last runs all and takes a new deploy', async () => {
  const world = await mesh(4)
  await deploy(world, 'n0', { replicas: 4 })
  await world.until('4 running', 5_000, () => exact(world, 4, ids(world)))
  await world.run(3_000)
  for (const id of ['n1', 'n2', 'n3']) world.host(id).kill(true)
  await world.until('all on the last', 20_000, () => exact(world, 4, ['n0']))
  const workloads = [spec({ name: 'late', replicas: 2 })]
  const answer = await world.submit('n0', {
    kind: 'apply',
    project: 'demo',
    workloads,
    prune: false
  })
  ok(answer.ok && answer.disks === 1 && answer.wanted === 2, JSON.stringify(answer))
  await world.until('the new one runs', 20_000, () => world.running('late').length === 2)
})

test('a host that joins recreates nothing, and moves come one by one later', async () => {
  const world = await mesh(2)
  await deploy(world, 'n0', { replicas: 8 })
  await world.until('8 running', 5_000, () => exact(world, 8, ids(world)))
  await world.run(3_000)
  const before = world.running('web')
  world.grow(1)
  await world.run(5_000)
  equal(world.running('web'), before)
  let least = 8
  const slots = (): number => new Set(world.running('web').map(one => one.slot)).size
  for (let step = 0; step < 600; step++) {
    await world.run(100)
    least = Math.min(least, slots())
  }
  equal(least, 8, 'no slot was ever without a running copy')
  ok(
    world.running('web').some(one => one.node === 'n2'),
    'the new host got its share'
  )
  ok(exact(world, 8, ids(world)))
})

test('local data waits for its node, and is released only by abandoning it', async () => {
  const world = await mesh(3)
  await deploy(world, 'n0', { replicas: 1, volumes: [DATA_VOLUME], partition: 'manual' })
  await world.until('running', 5_000, () => exact(world, 1, ids(world)))
  await world.run(2_000)
  const home = world.running('web')[0]?.node ?? ''
  const rest = ids(world).filter(id => id !== home)
  world.host(home).kill(true)
  await world.run(30_000)
  equal(world.running('web'), [])
  const at = rest[0] ?? ''
  const abandon = { kind: 'abandon', volume: 'data', project: undefined, slot: undefined } as const
  const answer = await world.submit(at, abandon)
  ok(answer.ok, JSON.stringify(answer))
  await world.until('elsewhere', 5_000, () => exact(world, 1, rest))
})

test('data that was given up is not started again by the host that returns with it', async () => {
  const world = await mesh(3)
  await deploy(world, 'n0', { replicas: 1, volumes: [DATA_VOLUME], partition: 'manual' })
  await world.until('running', 5_000, () => exact(world, 1, ids(world)))
  await world.run(2_000)
  const home = world.running('web')[0]?.node ?? ''
  const rest = ids(world).filter(id => id !== home)
  world.host(home).kill(true)
  await world.run(10_000)
  const abandon = { kind: 'abandon', volume: 'data', project: undefined, slot: undefined } as const
  ok((await world.submit(rest[0] ?? '', abandon)).ok)
  await world.until('elsewhere', 5_000, () => exact(world, 1, rest))
  await world.run(2_000)
  world.host(home).start([])
  await world.until('one view', 5_000, () => world.agree(ids(world)))
  for (let step = 0; step < 500; step++) {
    await world.run(20)
    ok(exact(world, 1, rest), 'its old copy started')
  }
})

test('a host that returns with ended copies starts none that runs elsewhere by now', async () => {
  const world = await mesh(3)
  await deploy(world, 'n0', { replicas: 6 })
  await world.until('6 running', 5_000, () => exact(world, 6, ids(world)))
  await world.run(2_000)
  world.host('n2').kill(true)
  await world.until('all elsewhere', 8_000, () => exact(world, 6, ['n0', 'n1']))
  await deploy(world, 'n0', { replicas: 6, env: { VERSION: '2' } })
  await world.run(15_000)
  const before = world.running('web')
  world.host('n2').start([])
  for (let step = 0; step < 400; step++) {
    await world.run(20)
    equal(world.running('web'), before)
  }
})

test('a removed workload stops everywhere, also where its owner was away', async () => {
  const world = await mesh(3)
  await deploy(world, 'n0', { replicas: 6 })
  await world.until('6 running', 5_000, () => exact(world, 6, ids(world)))
  await world.run(2_000)
  world.host('n2').kill(false)
  await world.run(4_000)
  const answer = await world.submit('n0', { kind: 'remove', project: 'demo', name: 'web' })
  ok(answer.ok, JSON.stringify(answer))
  await world.run(3_000)
  ok(world.running('web').length > 0, 'the daemon-less host still runs its copies')
  world.host('n2').start([])
  await world.until('none left', 10_000, () => world.running('web').length === 0)
})

test('a changed template reaches every slot, one at a time', async () => {
  const world = await mesh(3)
  await deploy(world, 'n0', { replicas: 4 })
  await world.until('4 running', 5_000, () => exact(world, 4, ids(world)))
  await world.run(3_000)
  await deploy(world, 'n1', { replicas: 4, env: { VERSION: '2' } })
  const fresh = (): number =>
    [...world.hosts.values()].flatMap(node =>
      [...node.engine.entries.values()].filter(
        entry => entry.spec.env['VERSION'] === '2' && entry.state === 'running'
      )
    ).length
  let least = 4
  for (let step = 0; step < 300 && fresh() < 4; step++) {
    await world.run(100)
    least = Math.min(least, world.running('web').length)
  }
  equal(fresh(), 4)
  ok(least >= 3, `never fewer than three at a time, were ${least}`)
})

test.run()
