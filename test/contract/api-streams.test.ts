/** Streams and limits of the API: resume, back-pressure, clients that vanish (B56, B58, B63). */
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { equal, match, ok } from 'uvu/assert'
import { STREAMS_MAX } from '../../node/api/routes/streams.ts'
import { CONNECTIONS_MAX, startApiServer } from '../../node/api/server.ts'
import { Client } from '../../src/api/client.ts'
import type { EventView } from '../../src/api/types.ts'
import { ShoalError } from '../../src/errors.ts'
import { FakeBackend, logEntry } from '../helpers/api-backend.ts'
import { bytes, openApi, raw, tempFolder } from '../helpers/api-server.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('api streams')
const WEB = { project: 'demo', name: 'web' }
const EVENT = { kind: 'member', node: 'mini-2', project: null, workload: null, slot: null }

async function until(condition: () => boolean, signal: AbortSignal): Promise<void> {
  while (!condition()) {
    signal.throwIfAborted()
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

async function take(source: AsyncIterable<EventView>, count: number): Promise<EventView[]> {
  const taken: EventView[] = []
  for await (const one of source) if (taken.push(one) === count) break
  return taken
}

test('events come as they happen, and resume after the last one seen', async context => {
  const { client, backend } = await openApi(context)
  const { signal } = context
  backend.eventLog.append({ ...EVENT, text: 'one' })
  const reading = take(client.events(undefined, signal), 2)
  await until(() => backend.openStreams === 1, signal)
  backend.eventLog.append({ ...EVENT, text: 'two' })
  const [one, two] = await reading
  equal([one?.text, two?.text, two?.id], ['one', 'two', '01234567.2'])
  backend.eventLog.append({ ...EVENT, text: 'three' })
  const [next] = await take(client.events(two?.id, signal), 1)
  equal(next?.text, 'three')
  await until(() => backend.openStreams === 0, signal)
})

test('an id of another run starts with what is kept, after a gap is named', async context => {
  const { client, backend } = await openApi(context)
  backend.eventLog.append({ ...EVENT, text: 'one' })
  const events = await take(client.events('ffffffff.9', context.signal), 2)
  equal(
    events.map(one => one.kind),
    ['gap', 'member']
  )
})

test('events are server-sent events that curl can read', async context => {
  const { socket, backend } = await openApi(context)
  backend.eventLog.append({ ...EVENT, text: 'one' })
  const text = await new Promise<string>((resolve, reject) => {
    const peer = connect(socket, () => peer.write('GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n'))
    let said = ''
    peer.on('error', reject)
    peer.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
      if (!said.includes('"one"')) return
      peer.destroy()
      resolve(said)
    })
  })
  match(text, /content-type: text\/event-stream/)
  match(text, /id: 01234567\.1\nevent: member\ndata: \{"id":"01234567\.1",/)
})

test('logs of an unknown workload are 404, not an empty stream', async context => {
  const { client } = await openApi(context)
  const reading = client.logs({ project: 'demo', name: 'no', follow: false }, context.signal)
  const error = await reading.next().catch((caught: unknown) => caught)
  equal((error as ShoalError).code, 'NOT_FOUND')
})

test('a fault in the middle of logs is a note, and the stream ends', async context => {
  const { client, backend } = await openApi(context)
  backend.logs = async () =>
    (async function* () {
      yield logEntry({ line: 'a' })
      throw new ShoalError('UNREACHABLE', 'mini-2 does not answer')
    })()
  const said: string[] = []
  for await (const one of client.logs({ ...WEB, follow: true }, context.signal))
    said.push(`${one.kind} ${one.line}`)
  equal(said, ['line a', 'note mini-2 does not answer'])
})

test('a client that vanishes frees its stream', async context => {
  const { socket, backend } = await openApi(context)
  const peers: Socket[] = []
  for (const path of ['/v1/logs?project=demo&name=web&follow', '/v1/events'])
    peers.push(
      connect(socket, function (this: Socket) {
        this.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
      })
    )
  await until(() => backend.openStreams === 2, context.signal)
  for (const peer of peers) peer.destroy()
  await until(() => backend.openStreams === 0, context.signal)
})

test('an aborted call throws the reason of its signal and frees the stream', async context => {
  const { client, backend } = await openApi(context)
  const controller = new AbortController()
  const reading = (async () => {
    for await (const one of client.logs({ ...WEB, follow: true }, controller.signal))
      if (one.slot === 1) controller.abort(new Error('enough'))
  })()
  const error = await reading.catch((caught: unknown) => caught)
  equal((error as Error).message, 'enough')
  await until(() => backend.openStreams === 0, context.signal)
})

test('a reader that does not read holds the source back', async context => {
  const { socket, backend } = await openApi(context)
  let made = 0
  backend.logs = async () =>
    (async function* () {
      for (; made < 100_000; made += 1) yield logEntry({ line: 'x'.repeat(1_000) })
    })()
  const peer = connect(socket, () =>
    peer.write('GET /v1/logs?project=demo&name=web HTTP/1.1\r\nhost: x\r\n\r\n')
  )
  peer.pause()
  context.cleanup(() => peer.destroy())
  let before = -1
  await until(() => {
    const isStill = made > 0 && made === before
    before = made
    return isStill
  }, context.signal)
  ok(made < 20_000, `${made} lines were made for nobody`)
})

test('streams have a cap, and status still answers beside them', async context => {
  const { socket, client, backend } = await openApi(context)
  const peers = Array.from({ length: STREAMS_MAX }, () =>
    connect(socket, function (this: Socket) {
      this.write('GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n')
    })
  )
  context.cleanup(() => {
    for (const peer of peers) peer.destroy()
  })
  await until(() => backend.openStreams === STREAMS_MAX, context.signal)
  equal((await raw(socket, { path: '/v1/events' })).status, 503)
  equal((await client.status(context.signal)).converged, true)
})

test('connections have a cap; when they go, others are served', async context => {
  const { socket, client } = await openApi(context)
  const peers = await Promise.all(
    Array.from(
      { length: CONNECTIONS_MAX },
      () =>
        new Promise<Socket>(resolve => {
          const peer = connect(socket, () => resolve(peer))
          peer.on('error', () => {})
        })
    )
  )
  const error = await client.status(context.signal).catch((caught: unknown) => caught)
  equal((error as ShoalError).code, 'NO_DAEMON')
  match((error as ShoalError).message, /hung up/)
  for (const peer of peers) peer.destroy()
  let answered = false
  while (!answered) {
    context.signal.throwIfAborted()
    answered = await client.status(context.signal).then(
      () => true,
      () => false
    )
  }
})

test('a request that never ends is ended', { timeoutMs: 20_000 }, async context => {
  const folder = await tempFolder(context)
  const socket = join(folder, 's')
  const server = await startApiServer(
    { backend: new FakeBackend(), report: () => {} },
    { socket, version: '0.1.0', headersTimeoutMs: 300 }
  )
  context.cleanup(() => server.close())
  match(await bytes(socket, 'GET /v1/status HTTP/1.1\r\nhost: x\r\nslow:'), /^HTTP\/1\.1 408 /)
})

test('a stale socket is replaced, a live one and a file are not', async context => {
  const { socket } = await openApi(context)
  const folder = await tempFolder(context)
  const start = (path: string) =>
    startApiServer(
      { backend: new FakeBackend(), report: () => {} },
      { socket: path, version: '0.1.0' }
    )
  const failure = async (path: string): Promise<ShoalError> =>
    (await start(path).catch((caught: unknown) => caught)) as ShoalError
  const live = await failure(socket)
  equal(live.code, 'CONFLICT')
  match(live.message, /another daemon answers/)
  const file = join(folder, 'file')
  writeFileSync(file, 'precious')
  equal((await failure(file)).code, 'REFUSED')
  equal(statSync(file).size, 8)
  const open = join(folder, 'open')
  mkdirSync(open)
  const { chmodSync } = await import('node:fs')
  chmodSync(open, 0o777)
  match((await failure(join(open, 's'))).message, /everybody may write/)

  const stale = join(folder, 'stale')
  const { spawnSync } = await import('node:child_process')
  spawnSync(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`
  ])
  ok(statSync(stale).isSocket())
  const server = await start(stale)
  context.cleanup(() => server.close())
  equal((await new Client({ socketPath: stale }).nodes(context.signal)).length, 2)
})

test('an answer that never comes is said after its time, a lost write is unknown', async context => {
  const socket = join(await tempFolder(context), 's')
  const server = createServer(peer => peer.on('data', () => peer.destroy()).on('error', () => {}))
  await new Promise<void>(resolve => server.listen(socket, resolve))
  context.cleanup(() => server.close())
  const client = new Client({ socketPath: socket })
  const request = { operation: 'op-12345678', ...WEB, replicas: 1 }
  const lost = (await client
    .scale(request, context.signal)
    .catch((caught: unknown) => caught)) as ShoalError
  equal([lost.code, lost.exitCode], ['UNKNOWN_OUTCOME', 9])
  match(`${lost.where} ${lost.hint}`, /op-12345678/)
  const strange = createServer(peer => peer.end('HTTP/1.1 200 OK\r\n\r\nhello'))
  const other = `${socket}2`
  await new Promise<void>(resolve => strange.listen(other, resolve))
  context.cleanup(() => strange.close())
  const error = (await new Client({ socketPath: other })
    .status(context.signal)
    .catch((caught: unknown) => caught)) as ShoalError
  match(error.message, /not shoald/)
})

test.run()
