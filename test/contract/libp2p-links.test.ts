/** Links between real hosts on loopback: dials, hellos, crossings, deaths. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { equal, is, match, ok } from 'uvu/assert'
import { encode, ListenError } from '../../gossip/index.ts'
import { prefixFrames } from '../../gossip/libp2p/frames.ts'
import {
  createTestMesh,
  link,
  type Mesh,
  milliseconds,
  newKey,
  startHost,
  until
} from '../helpers/libp2p.ts'
import { ended, goodHello, rawPeer } from '../helpers/libp2p-raw.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('libp2p links')

/** A process has to start, on a machine that may have much else to do. */
const SLOW = { timeoutMs: 60_000 }
const CHILD = fileURLToPath(new URL('../helpers/libp2p-child.ts', import.meta.url))

function child(context: TestContext, ...args: string[]): ChildProcess {
  const process = spawn('node', ['--import', 'tsx', CHILD, ...args], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  context.cleanup(() => process.kill('SIGKILL'))
  return process
}

async function childHost(context: TestContext, mesh: Mesh) {
  const meshKey = Buffer.from(mesh.meshKey).toString('hex')
  const process = child(context, 'serve', JSON.stringify({ meshId: mesh.meshId, meshKey }))
  const [line] = (await once(process.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  return { process, ...(JSON.parse(line.toString()) as { id: string; addresses: string[] }) }
}

test('a dial opens one link on both sides, with what the hello said', async context => {
  const mesh = createTestMesh()
  const boot = '12'.repeat(16)
  const a = await startHost(context, mesh, { boot, name: 'mini-1', incarnation: () => 7 })
  const b = await startHost(context, mesh)
  const outcome = await a.host.connect(undefined, b.host.addresses())
  equal(outcome, { linked: true, peer: b.id })
  await until(() => b.links.length > 0, context.signal)
  equal(b.links, [
    {
      peer: a.id,
      state: 'open',
      boot,
      incarnation: 7,
      name: 'mini-1',
      addresses: a.host.addresses(),
      placementVersion: 1,
      version: 1
    }
  ])
  is(a.links.length, 1)
  equal(a.host.links(), [b.id])
})

test('a connect to a linked peer is answered again, and one under way is joined', async context => {
  const mesh = createTestMesh()
  const [a, b] = [await startHost(context, mesh), await startHost(context, mesh)]
  const [one, two] = await Promise.all([
    a.host.connect(b.id, b.host.addresses()),
    a.host.connect(b.id, b.host.addresses())
  ])
  equal(one, two)
  is(a.links.length, 1)
  await a.host.connect(b.id, [])
  equal(
    a.links.map(event => event.state),
    ['open', 'open']
  )
  is(a.host.stats().dials, 1)
})

test('addresses that fail do not keep the good one from being reached', async context => {
  const mesh = createTestMesh()
  const [a, b] = [await startHost(context, mesh), await startHost(context, mesh)]
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  context.cleanup(() => silent.close())
  const { port } = silent.address() as { port: number }
  const addresses = [
    'nonsense',
    '/ip4/127.0.0.1/udp/4/quic-v1',
    '/ip4/127.0.0.1/tcp/1',
    `/ip4/127.0.0.1/tcp/${port}`,
    ...b.host.addresses()
  ]
  const tookMs = await milliseconds(async () => {
    equal(await a.host.connect(b.id, addresses), { linked: true, peer: b.id })
  })
  ok(tookMs < 2_000, `${tookMs} ms`)
})

test('each way a dial fails has its own word', async context => {
  const mesh = createTestMesh()
  const [a, b] = [await startHost(context, mesh), await startHost(context, mesh)]
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  context.cleanup(() => silent.close())
  const { port } = silent.address() as { port: number }
  const stranger = (await startHost(context, createTestMesh())).id
  const refused = ['/ip4/127.0.0.1/tcp/1']
  const failure = async (peer: string | undefined, addresses: string[], timeoutMs = 2_000) => {
    const outcome = await a.host.connect(peer, addresses, { timeoutMs })
    return outcome.linked ? 'linked' : outcome.failure
  }
  is(await failure(b.id, refused), 'REFUSED')
  is(await failure(b.id, []), 'ADDRESS')
  is(await failure(b.id, [`/ip4/127.0.0.1/tcp/${port}`], 200), 'TIMEOUT')
  is(await failure(stranger, b.host.addresses()), 'WRONG_PEER')
  is(await failure(undefined, a.host.addresses()), 'SELF')
  is(await failure(a.id, a.host.addresses()), 'SELF')
  const states = a.links.map(event => event.state)
  equal(states, ['refused', 'failed', 'failed', 'failed', 'failed', 'failed'])
  is(b.links.length, 0)
  const aborted = a.host.connect(b.id, [`/ip4/127.0.0.1/tcp/${port}`], {
    signal: AbortSignal.timeout(20)
  })
  is(((await aborted) as unknown) && (await aborted).linked, false)
})

test("another mesh's key is named on both sides within 2 s, in one line each", async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh)
  const b = await startHost(context, { ...mesh, meshKey: createTestMesh().meshKey })
  for (let i = 0; i < 10; i++) {
    const tookMs = await milliseconds(async () => {
      const outcome = await b.host.connect(a.id, a.host.addresses())
      is(outcome.linked, false)
      is((outcome as { failure: string }).failure, 'WRONG_KEY')
      match((outcome as { message: string }).message, /another mesh's key/)
    })
    ok(tookMs < 2_000, `${tookMs} ms`)
  }
  await until(() => a.host.stats().handshakesFailed === 10, context.signal)
  const line =
    /^handshake failed with \S+: most likely another mesh's key \(ours has fingerprint \w{8}\)$/
  for (const { lines } of [a, b]) {
    is(lines.length, 1)
    match(lines[0] as string, line)
  }
  is(a.host.stats().wrongKey, 10)
  equal([a.links.length, a.host.stats().connections], [0, 0])
})

test('another mesh with the same key is refused by name on both sides', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh)
  const b = await startHost(context, { ...mesh, meshId: createTestMesh().meshId })
  const outcome = await b.host.connect(a.id, a.host.addresses())
  is((outcome as { failure: string }).failure, 'WRONG_MESH')
  match((outcome as { message: string }).message, new RegExp(mesh.meshId))
  await until(() => a.lines.length > 0 && a.host.stats().connections === 0, context.signal)
  match(a.lines[0] as string, /belongs to mesh [0-9a-f]{32}, this is [0-9a-f]{32}/)
  match(b.lines[0] as string, /belongs to mesh/)
  is(a.links.length, 0)
})

test('peers without a common protocol version do not link', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh, { protocolVersions: [2, 3] })
  const b = await startHost(context, mesh, { protocolVersions: [1] })
  const c = await startHost(context, mesh, { protocolVersions: [1, 2] })
  const outcome = await b.host.connect(a.id, a.host.addresses())
  is((outcome as { failure: string }).failure, 'VERSION')
  await link(c, a)
  is((c.links[0] as { version: number }).version, 2)
})

test('nothing is served before a good hello, and none in time ends it', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh, { limits: { helloTimeoutMs: 1_500 } })
  await a.host.handle('/test/echo/1', stream => stream.sink(stream.source))
  const raw = await rawPeer(context, mesh, a, { silent: true })
  const stream = await raw.open('/shoal/member/1')
  stream.send(prefixFrames([encode({ kind: 'early' })]))
  const bulk = await raw.open('/test/echo/1')
  let echoed = 0
  bulk.addEventListener('message', () => echoed++)
  bulk.send(new Uint8Array(10))
  await Promise.all([ended(stream), ended(bulk)])
  await until(() => raw.connection.status !== 'open', context.signal)
  equal([a.frames.length, a.links.length, echoed], [0, 0, 0])
  is(a.host.stats().drops['no-hello'], 1)
})

test('a hello that lies about itself, or is none, admits nobody', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh)
  const hello = goodHello(mesh)
  const bad: unknown[] = [
    null,
    [],
    'hello',
    { ...hello, mesh: 5 },
    { ...hello, boot: 'x' },
    { ...hello, incarnation: -1 },
    { ...hello, incarnation: 2 ** 53 },
    { ...hello, versions: 'all' },
    { ...hello, name: 'n'.repeat(1_000) },
    { ...hello, addresses: Array.from({ length: 100 }, () => 'x') },
    { ...hello, filler: new Uint8Array(9_000) }
  ]
  for (const [index, value] of bad.entries()) {
    const raw = await rawPeer(context, mesh, a, { silent: true })
    const stream = await raw.open('/shoal/hello/1')
    stream.send(prefixFrames([encode(value)]))
    await until(() => raw.connection.status !== 'open', context.signal)
    is(a.host.stats().handshakesFailed, index + 1)
  }
  for (const bytes of ['00', 'ffffffffffffffffffff01', '80808001', '05010203', '03020100']) {
    const raw = await rawPeer(context, mesh, a, { silent: true })
    const stream = await raw.open('/shoal/hello/1')
    stream.send(Buffer.from(bytes, 'hex'))
    await stream.close()
    await until(() => raw.connection.status !== 'open', context.signal)
  }
  is(a.links.length, 0)
  ok(a.lines.length <= 1, 'one line for all of them')
})

test('dials that cross leave one link, and one connection in the end', async context => {
  const mesh = createTestMesh()
  for (let round = 0; round < 3; round++) {
    const [a, b] = [await startHost(context, mesh), await startHost(context, mesh)]
    const outcomes = await Promise.all([
      a.host.connect(b.id, b.host.addresses()),
      b.host.connect(a.id, a.host.addresses())
    ])
    equal(outcomes, [
      { linked: true, peer: b.id },
      { linked: true, peer: a.id }
    ])
    for (let i = 0; i < 20; i++) {
      ok(a.host.send(b.id, 'member', { i }))
      ok(b.host.send(a.id, 'member', { i }))
    }
    await until(() => a.frames.length >= 20 && b.frames.length >= 20, context.signal)
    await until(
      () => a.host.stats().connections === 1 && b.host.stats().connections === 1,
      context.signal
    )
    // The fast path has found its way to the connection that stayed.
    let n = 0
    await until(() => {
      if (n++ % 20 === 0) a.host.publish({ round, n })
      return b.published.length > 0
    }, context.signal)
    for (const { links } of [a, b]) ok(links.every(event => event.state === 'open'))
  }
})

test('a peer that comes back with a new boot id closes the old link first', async context => {
  const mesh = createTestMesh()
  const privateKey = await newKey()
  const a = await startHost(context, mesh)
  const first = await startHost(context, mesh, { privateKey, boot: '01'.repeat(16) })
  await link(first, a)
  // A second process of the same key, while the first one's connection looks alive.
  const second = await startHost(context, mesh, { privateKey, boot: '02'.repeat(16) })
  await link(second, a)
  await until(() => a.links.length === 3, context.signal)
  equal(
    a.links.map(event => [event.state, (event as { boot?: string }).boot?.slice(0, 2)]),
    [
      ['open', '01'],
      ['closed', undefined],
      ['open', '02']
    ]
  )
  await until(() => first.links.some(event => event.state === 'closed'), context.signal)
})

test('disconnect closes the link at once here and soon there', async context => {
  const mesh = createTestMesh()
  const [a, b] = [await startHost(context, mesh), await startHost(context, mesh)]
  await link(a, b)
  a.host.disconnect(b.id, 'dead')
  equal(a.links.at(-1), { peer: b.id, state: 'closed', reason: 'dead' })
  equal(a.host.send(b.id, 'member', {}), false)
  await until(() => b.links.at(-1)?.state === 'closed', context.signal)
  await link(b, a)
  ok(a.host.send(b.id, 'member', { again: true }))
  await until(() => b.frames.length === 1, context.signal)
})

test('a killed peer closes its link in a moment, and its port refuses', SLOW, async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh)
  const peer = await childHost(context, mesh)
  const outcome = await a.host.connect(peer.id, peer.addresses)
  ok(outcome.linked)
  const stream = await a.host.openStream(peer.id, '/test/drip/1')
  let received = 0
  const reading = (async () => {
    for await (const chunk of stream.source) received += chunk.byteLength
    return 'ended as if complete'
  })().catch((error: Error) => error.message)
  await until(() => received > 0, context.signal)
  peer.process.kill('SIGKILL')
  const tookMs = await milliseconds(() =>
    until(() => a.links.at(-1)?.state === 'closed', context.signal)
  )
  ok(tookMs < 500, `${tookMs} ms`)
  match(await reading, /lost|reset|closed/)
  // On a starved machine the kernel keeps the dead process's port open for a while.
  let outcomes = 0
  while ((await a.host.knock(peer.addresses, 500)) !== 'refused') ok(++outcomes < 50)
  is(((await a.host.connect(peer.id, peer.addresses)) as { failure: string }).failure, 'REFUSED')
})

test('a knock tells refused, accepted and nothing apart', async context => {
  const mesh = createTestMesh()
  const [a, b] = [await startHost(context, mesh), await startHost(context, mesh)]
  const [good] = b.host.addresses() as [string]
  is(await a.host.knock([good], 500), 'accepted')
  is(await a.host.knock(['/ip4/127.0.0.1/tcp/1'], 500), 'refused')
  is(await a.host.knock(['/ip4/127.0.0.1/tcp/1', good], 500), 'accepted')
  is(await a.host.knock([], 500), 'nothing')
  is(await a.host.knock(['garbage'], 500), 'nothing')
  // Our own door says nothing about another member.
  is(await a.host.knock(a.host.addresses(), 500), 'nothing')
  is(await a.host.knock([good], 500, AbortSignal.abort()), 'nothing')
})

test('the listener neither logs knocks nor lets them use up its caps', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh, { limits: { strangersMax: 20 } })
  const b = await startHost(context, mesh)
  const knocks = Array.from({ length: 200 }, () => b.host.knock(a.host.addresses(), 2_000))
  ok((await Promise.all(knocks)).every(outcome => outcome === 'accepted'))
  await until(() => {
    const { drops, knocksIn } = a.host.stats()
    // A knock that the full door sends away is repeated.
    return knocksIn + (drops['socket-full'] ?? 0) >= 200
  }, context.signal)
  equal([a.lines.length, a.host.stats().handshakesFailed], [0, 0])
  await link(b, a)
})

test('sockets that stay silent give way to newer ones, and peers still get in', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh, { limits: { strangersMax: 10 } })
  const port = Number((a.host.addresses()[0] as string).split('/').at(-1))
  const sockets = Array.from({ length: 40 }, () => connect(port, '127.0.0.1'))
  context.cleanup(() => sockets.map(socket => socket.destroy()))
  for (const socket of sockets) socket.on('error', () => {})
  await until(() => (a.host.stats().drops['socket-full'] ?? 0) >= 30, context.signal)
  const b = await startHost(context, mesh)
  await link(b, a)
})

test('a host that cannot listen says where', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh)
  const taken = a.host.addresses()
  try {
    await startHost(context, mesh, { listen: taken })
  } catch (error) {
    ok(error instanceof ListenError)
    match(error.message, new RegExp(taken[0] as string))
    return
  }
  throw new Error('listened twice')
})

test('a stopped host leaves nothing behind: its process ends by itself', SLOW, async context => {
  const process = child(context, 'once')
  const exit = once(process, 'exit')
  const [output] = (await once(process.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  is(output.toString(), 'stopped\n')
  const tookMs = await milliseconds(async () => equal(await exit, [0, null]))
  ok(tookMs < 2_000, `${tookMs} ms`)
})

test.run()
