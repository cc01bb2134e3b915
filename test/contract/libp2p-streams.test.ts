/** What flows over links: kept streams, the fast path, bulk streams; and what is hostile. */
import { encode as prefixed } from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import { equal, is, match, ok } from 'uvu/assert'
import { Signed } from '../../gossip/core/signed.ts'
import { FRAME_BYTES_MAX } from '../../gossip/core/types.ts'
import { type BulkStream, encode } from '../../gossip/index.ts'
import { prefixFrames } from '../../gossip/libp2p/frames.ts'
import { createTestMesh, link, startHost, type TestHost, until } from '../helpers/libp2p.ts'
import { ended, rawPeer } from '../helpers/libp2p-raw.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('libp2p streams')

async function linkedPair(context: TestContext, init: Parameters<typeof startHost>[2] = {}) {
  const mesh = createTestMesh()
  const [a, b] = [await startHost(context, mesh), await startHost(context, mesh, init)]
  await link(a, b)
  await until(() => b.links.length > 0, context.signal)
  return { mesh, a, b }
}

function subscribed(context: TestContext, hosts: readonly TestHost[], peers: number) {
  return until(() => hosts.every(one => one.host.stats().subscribers >= peers), context.signal)
}

test('frames go both ways on both channels, in order, and verified', async context => {
  const { a, b } = await linkedPair(context)
  const alive = a.sealer.seal({ kind: 'alive', node: a.id })
  for (let i = 0; i < 100; i++) ok(a.host.send(b.id, 'member', { kind: 'beat', i }))
  ok(a.host.send(b.id, 'sync', { kind: 'page', records: [alive] }))
  ok(b.host.send(a.id, 'sync', { kind: 'digest' }))
  await until(() => b.frames.length === 101 && a.frames.length === 1, context.signal)
  const beats = b.frames.filter(frame => frame.channel === 'member')
  equal(
    beats.map(frame => (frame.message as { i: number }).i),
    Array.from({ length: 100 }, (_, i) => i)
  )
  const page = b.frames.find(frame => frame.channel === 'sync')?.message as { records: Signed[] }
  equal(page.records[0]?.body, alive.body)
  is(b.frames[0]?.peer, a.id)
  const { framesOut, bytesOut } = a.host.stats()
  equal([framesOut, bytesOut], [b.host.stats().framesIn, b.host.stats().bytesIn])
})

test('a frame of the largest size arrives whole; a larger one is refused here', async context => {
  const { a, b } = await linkedPair(context)
  ok(a.host.send(b.id, 'sync', new Uint8Array(FRAME_BYTES_MAX - 7)))
  is(a.host.send(b.id, 'sync', new Uint8Array(FRAME_BYTES_MAX)), false)
  is(a.host.stats().drops['send-size'], 1)
  await until(() => b.frames.length === 1, context.signal)
  equal(b.frames[0]?.message, new Uint8Array(FRAME_BYTES_MAX - 7))
  is(a.host.send('12D3KooWnobody', 'sync', {}), false)
})

test('a bad signature ends its stream, and a peer that insists is cut off', async context => {
  const { a, b } = await linkedPair(context, { limits: { badFramesMax: 3 } })
  const forged = new Signed(b.id, {}, encode({ kind: 'alive' }), new Uint8Array(64))
  await until(() => {
    a.host.send(b.id, 'member', { kind: 'obituary', forged })
    return b.links.at(-1)?.state === 'closed'
  }, context.signal)
  is(b.host.stats().drops['frame-signature'], 3)
  equal(b.frames, [])
  match(b.lines.join(), /cut off 12D3KooW\w+: 3 unreadable frames on member/)
  await until(() => a.links.at(-1)?.state === 'closed', context.signal)
})

test('garbage on any protocol closes its stream, is counted, and ends there', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh, { limits: { badFramesMax: 1_000 } })
  const raw = await rawPeer(context, mesh, a)
  await until(() => a.links.length > 0, context.signal)
  const garbage = {
    'a length of 2 GiB': '8080808008',
    'an 11-byte varint': 'ffffffffffffffffffff01',
    'a length of zero': '00',
    'a length of 2 MiB': '808080',
    'a frame of another version': '03020100',
    'a frame of another codec': '03010900',
    'a truncated body': '030101a1',
    'trailing bytes': '040101f600',
    'an HTTP request': '474554202f20485454502f312e310d0a0d0a'
  }
  for (const protocol of ['/shoal/member/1', '/shoal/sync/1'])
    for (const bytes of Object.values(garbage)) {
      const stream = await raw.open(protocol)
      stream.send(Buffer.from(bytes, 'hex'))
      await stream.close()
      await ended(stream)
    }
  const drops = a.host.stats().drops
  equal(
    [drops['frame-size'], drops['frame-version'], drops['frame-codec'], drops['frame-decode']],
    [8, 2, 2, 2],
    'the HTTP request is a frame that never ends'
  )
  is(drops['frame-trailing'], 2)
  const gossip = await raw.open('/meshsub/1.1.0')
  gossip.send(Buffer.from('ffffffffffffffffff7f', 'hex'))
  const second = await raw.open('/meshsub/1.1.0')
  second.send(prefixFrames([new Uint8Array(1_000).fill(0xff)]))
  const b = await startHost(context, mesh)
  await link(b, a)
  b.host.send(a.id, 'member', { kind: 'still here' })
  await until(() => a.frames.length === 1, context.signal)
  await subscribed(context, [a, b], 1)
  b.host.publish({ kind: 'still here' })
  await until(() => a.published.length === 1, context.signal)
})

test('one byte at a time makes frames too', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh)
  const raw = await rawPeer(context, mesh, a)
  const stream = await raw.open('/shoal/sync/1')
  const bytes = prefixFrames([encode({ n: 1 }), encode(new Uint8Array(300)), encode({ n: 2 })])
  for (const byte of bytes) stream.send(new Uint8Array([byte]))
  await until(() => a.frames.length === 3, context.signal)
  equal(a.frames[2]?.message, { n: 2 })
})

test('a peer may not hold more than a few streams of a channel open', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh)
  const raw = await rawPeer(context, mesh, a)
  await until(() => a.links.length > 0, context.signal)
  const streams: (Awaited<ReturnType<typeof raw.open>> | undefined)[] = []
  for (let i = 0; i < 8; i++) streams.push(await raw.open('/shoal/sync/1').catch(() => undefined))
  await until(() => streams.filter(one => one?.status === 'open').length === 3, context.signal)
})

test('a peer that takes nothing fills a bounded queue and is cut off', async context => {
  const mesh = createTestMesh()
  const queueBytesMax = 1024 * 1024
  const a = await startHost(context, mesh, { limits: { queueBytesMax, stallMs: 200 } })
  const raw = await rawPeer(context, mesh, a)
  await raw.node.handle('/shoal/sync/1', stream => stream.pause())
  await until(() => a.links.length > 0, context.signal)
  let taken = 0
  for (let i = 0; i < 100; i++) if (a.host.send(raw.id, 'sync', new Uint8Array(100_000))) taken++
  ok(taken <= 11, `${taken} frames`)
  await until(() => a.links.at(-1)?.state === 'closed', context.signal)
  is((a.links.at(-1) as { reason: string }).reason, 'stalled')
  const { drops } = a.host.stats()
  is(drops['stalled'], 1)
  is(drops['queue-full'], 100 - taken)
})

test('heartbeats make room for newer ones where pages are refused', async context => {
  const mesh = createTestMesh()
  const a = await startHost(context, mesh, { limits: { queueFramesMax: 4 } })
  const raw = await rawPeer(context, mesh, a)
  await until(() => a.links.length > 0, context.signal)
  const sent = (channel: 'member' | 'sync') =>
    Array.from({ length: 6 }, (_, i) => a.host.send(raw.id, channel, { i }))
  equal(sent('member'), [true, true, true, true, true, true])
  equal(sent('sync'), [true, true, true, true, false, false])
})

test('a peer that talks too fast is slowed down, and loses nothing', async context => {
  const { a, b } = await linkedPair(context, {
    limits: { inFramesPerSecond: 200, inFramesBurst: 20, inBytesPerSecond: 1e9 }
  })
  for (let i = 0; i < 200; i++) {
    ok(a.host.send(b.id, 'sync', { i, filler: new Uint8Array(2_000) }))
  }
  await until(() => b.frames.length === 200, context.signal)
  // Reading stops for whole chunks, so the pace shows in the pauses, not frame by frame.
  ok((b.host.stats().drops['held-back'] ?? 0) > 0)
})

test('a published message reaches all of five, also those two hops away', async context => {
  const mesh = createTestMesh()
  const hosts: TestHost[] = []
  for (let i = 0; i < 5; i++) hosts.push(await startHost(context, mesh))
  const [a, b, c, d, e] = hosts as [TestHost, TestHost, TestHost, TestHost, TestHost]
  // A line, so that the last one hears of the first by three others.
  for (const [from, to] of [
    [a, b],
    [b, c],
    [c, d],
    [d, e]
  ] as const)
    await link(from, to)
  await subscribed(context, [a, e], 1)
  await subscribed(context, [b, c, d], 2)
  const record = a.sealer.seal({ kind: 'own', key: 'info' })
  ok(a.host.publish({ kind: 'delta', record }))
  await until(() => hosts.slice(1).every(one => one.published.length > 0), context.signal)
  equal(
    e.published.map(message => (message as { record: Signed }).record.author),
    [a.id]
  )
  equal(a.published, [])
})

test('a message that is invalid, unsigned or too large is not handed on', async context => {
  const mesh = createTestMesh()
  const validate = (message: unknown) => (message as { kind: string }).kind !== 'bad'
  const a = await startHost(context, mesh)
  const b = await startHost(context, mesh, { validate })
  const c = await startHost(context, mesh)
  await link(a, b)
  await link(b, c)
  await subscribed(context, [a, c], 1)
  await subscribed(context, [b], 2)
  ok(a.host.publish({ kind: 'bad' }))
  ok(a.host.publish(new Signed(b.id, {}, encode({ kind: 'x' }), new Uint8Array(64))))
  is(a.host.publish(new Uint8Array(FRAME_BYTES_MAX - 1_000)), false)
  ok(a.host.publish({ kind: 'good' }))
  await until(() => c.published.length > 0, context.signal)
  await until(() => b.host.stats().publishedRejected === 2, context.signal)
  equal([b.published, c.published], [[{ kind: 'good' }], [{ kind: 'good' }]])
  equal(b.host.stats().drops, { 'published-invalid': 1, 'published-signature': 1 })
  is(a.host.stats().drops['publish-size'], 1)
})

const MIB = 1024 * 1024

function* chunks(count: number, bytes: number): Generator<Uint8Array> {
  for (let i = 0; i < count; i++) yield new Uint8Array(bytes).fill(i % 251)
}

test('5 MB make a round trip through it-pipe', async context => {
  const { a, b } = await linkedPair(context)
  await b.host.handle('/test/echo/1', async stream => {
    await pipe(stream.source, stream.sink)
  })
  const stream = await a.host.openStream(b.id, '/test/echo/1', context.signal)
  let bytes = 0
  let sum = 0
  await pipe(
    chunks(100, 50_000),
    stream,
    async function collect(source: AsyncIterable<Uint8Array>) {
      for await (const chunk of source) {
        bytes += chunk.byteLength
        for (const byte of chunk) sum += byte
      }
    }
  )
  is(bytes, 5_000_000)
  is(sum, (99 * 100 * 50_000) / 2)
})

test('a request and a streamed answer use the two halves one after the other', async context => {
  const { a, b } = await linkedPair(context)
  await b.host.handle('/test/logs/1', async stream => {
    let request = ''
    for await (const chunk of stream.source) request += Buffer.from(chunk).toString()
    await pipe(
      [Buffer.from(`lines of ${request}`)],
      source => prefixed(source),
      async source => {
        const out: Uint8Array[] = []
        for await (const part of source) out.push(part.subarray())
        await stream.sink(out)
      }
    )
  })
  const stream = await a.host.openStream(b.id, '/test/logs/1', context.signal)
  await stream.sink([Buffer.from('web')])
  const parts: Uint8Array[] = []
  for await (const chunk of stream.source) parts.push(chunk)
  is(Buffer.concat(parts).subarray(1).toString(), 'lines of web')
})

test('a reader that waits holds the writer back', async context => {
  const { a, b } = await linkedPair(context)
  let read: (() => void) | undefined
  let received = 0
  await b.host.handle('/test/slow/1', async stream => {
    await new Promise<void>(resolve => {
      read = resolve
    })
    for await (const chunk of stream.source) received += chunk.byteLength
  })
  const stream = await a.host.openStream(b.id, '/test/slow/1', context.signal)
  let written = 0
  const writing = stream.sink(
    (function* () {
      for (const chunk of chunks(320, 50_000)) {
        written += chunk.byteLength
        yield chunk
      }
    })()
  )
  await until(() => read !== undefined, context.signal)
  let before = -1
  while (before !== written) {
    before = written
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  ok(written < 4 * MIB, `${written} bytes ahead of a reader that reads nothing`)
  read?.()
  await writing
  await until(() => received === 16_000_000, context.signal)
})

test('aborting one end breaks the other, and so does a failing handler', async context => {
  const { a, b } = await linkedPair(context)
  const seen: string[] = []
  let opened: BulkStream | undefined
  await b.host.handle('/test/hold/1', async stream => {
    opened = stream
    try {
      for await (const _ of stream.source);
      seen.push('ended as if complete')
    } catch {
      seen.push('broken')
    }
  })
  await b.host.handle('/test/fails/1', () => Promise.reject(new Error('cannot')))
  const abort = new AbortController()
  const stream = await a.host.openStream(b.id, '/test/hold/1', abort.signal)
  const endless = stream.sink(
    (async function* () {
      yield new Uint8Array(10)
      await new Promise(() => {})
    })()
  )
  await until(() => opened !== undefined, context.signal)
  abort.abort()
  const why = await endless.then(
    () => 'written',
    (error: Error) => error.message
  )
  is(why, 'aborted')
  await until(() => seen.length > 0, context.signal)
  equal(seen, ['broken'])

  const failing = await a.host.openStream(b.id, '/test/fails/1')
  let message = ''
  try {
    for await (const _ of failing.source);
  } catch (error) {
    message = (error as Error).message
  }
  match(message, /reset/)
  const unserved = await a.host
    .openStream(b.id, '/test/none/1')
    .then(async one => {
      for await (const _ of one.source);
    })
    .catch((error: Error) => error)
  ok(unserved instanceof Error)
  match(
    await a.host.openStream('12D3KooWnobody', '/test/hold/1').then(
      () => 'opened',
      (error: Error) => error.message
    ),
    /no link/
  )
})

/** What js-yamux's streams must have for `lazy-window.ts` to do its work. */
test('window updates wait until half of the window is used', async () => {
  const { lazyWindow } = await import('../../gossip/libp2p/lazy-window.ts')
  const { yamux } = await import('@libp2p/yamux')
  const { multiaddrConnectionPair } = await import('@libp2p/utils')
  const [left, right] = multiaddrConnectionPair()
  const make = lazyWindow(yamux({ enableKeepAlive: false }))
  const [muxer, other] = [left, right].map(one => make(undefined).createStreamMuxer(one))
  ok(muxer !== undefined && other !== undefined)
  let received = 0
  let updates = 0
  other.addEventListener('stream', event => {
    event.detail.addEventListener('message', message => {
      received += message.data.byteLength
    })
  })
  const stream = await muxer.createStream({ protocol: '/test/1' })
  const window = stream as unknown as { handleWindowUpdate(frame: unknown): void }
  const handle = window.handleWindowUpdate.bind(stream)
  window.handleWindowUpdate = frame => {
    updates += 1
    handle(frame)
  }
  const settle = () => new Promise(resolve => setTimeout(resolve, 50))
  await settle()
  updates = 0
  for (let i = 0; i < 100; i++) stream.send(new Uint8Array(64))
  await settle()
  // One at most: it carries the acknowledgement of the stream itself.
  equal([received, updates <= 1], [6_400, true])
  stream.send(new Uint8Array(200_000))
  await settle()
  equal([received, updates > 0], [206_400, true])
  muxer.abort(new Error('done'))
  other.abort(new Error('done'))
})

test.run()
