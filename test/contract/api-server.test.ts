/** The API over a real unix socket: every route, every refusal (promises B57-B63). */
import { statSync } from 'node:fs'
import { equal, is, match, ok } from 'uvu/assert'
import type { ErrorBody } from '../../src/api/types.ts'
import { ShoalError } from '../../src/errors.ts'
import { STATUS, VOLUME, workloadSpec } from '../helpers/api-backend.ts'
import { bytes, openApi, type RawAnswer, raw } from '../helpers/api-server.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('api server')
const JSON_TYPE = { 'content-type': 'application/json' }

function bodyOf(answer: RawAnswer): ErrorBody {
  match(String(answer.headers['content-type']), /^application\/json/)
  const body = JSON.parse(answer.text) as ErrorBody
  equal(Object.keys(body).sort(), ['code', 'hint', 'message', 'where'])
  return body
}

const deployBody = (more: Record<string, unknown> = {}): string =>
  JSON.stringify({
    operation: 'op-12345678',
    project: 'demo',
    workloads: [workloadSpec()],
    dryRun: false,
    prune: false,
    ...more
  })

test('every read route answers what the backend says', async context => {
  const { client, backend } = await openApi(context)
  const { signal } = context
  equal(await client.status(signal), STATUS)
  equal(await client.nodes(signal), backend.nodeList)
  equal(await client.allocations({}, signal), backend.allocationList)
  equal((await client.allocations({ workload: 'db' }, signal)).length, 0)
  equal((await client.workloads(signal))[0]?.name, 'web')
  const detail = await client.workload({ project: 'demo', name: 'web' }, signal)
  equal(detail.spec, workloadSpec())
  equal(detail.allocations[1]?.inspect, { Id: 'c1' })
  const why = await client.why({ project: 'demo', name: 'web' }, signal)
  equal(why.takeover, [{ slot: 0, node: 'mini-1', next: 'mini-2' }])
  equal(await client.volumes(signal), [VOLUME])
  equal((await client.ready(signal)).ready, true)
})

test('every write route answers what the backend says', async context => {
  const { client } = await openApi(context)
  const { signal } = context
  const ref = { project: 'demo', name: 'web' }
  const deployed = await client.deploy(
    {
      operation: 'op-deploy1',
      project: 'demo',
      workloads: [workloadSpec()],
      dryRun: false,
      prune: false
    },
    signal
  )
  equal(deployed.acks, { disks: 2, wanted: 2 })
  equal(deployed.changes[0]?.change, 'changed')
  const scaled = await client.scale({ operation: 'op-scale01', ...ref, replicas: 5 }, signal)
  equal(scaled.changes[0]?.replicas, 5)
  const abandoned = await client.abandon({ operation: 'op-abandon', volume: 'db_data' }, signal)
  equal(abandoned.abandoned[0]?.slot, 0)
  equal((await client.token(signal)).token, 'shoal1-secret')
  const removed = await client.remove({ operation: 'op-remove1', ...ref }, signal)
  equal(removed.changes[0]?.change, 'removed')
  const again = await client.remove({ operation: 'op-remove2', ...ref }, signal)
  equal(again.notes, ['was removed before'])
  equal((await client.leave(signal)).left, true)
})

test('the socket is open to its owner and group only', async context => {
  const { socket } = await openApi(context)
  equal(statSync(socket).mode & 0o777, 0o660)
})

test('healthz is always well, readyz says what it waits for', async context => {
  const { socket, backend } = await openApi(context)
  equal((await raw(socket, { path: '/healthz' })).status, 200)
  backend.state.isReady = false
  const answer = await raw(socket, { path: '/readyz' })
  equal(answer.status, 503)
  equal(JSON.parse(answer.text).waits, 'joining')
})

test('a typed error keeps its status, hint and place', async context => {
  const { socket } = await openApi(context)
  const answer = await raw(socket, { path: '/v1/workloads/demo/nope' })
  equal(answer.status, 404)
  equal(bodyOf(answer), {
    code: 'NOT_FOUND',
    message: 'no workload demo/nope',
    hint: 'see shoal ps',
    where: null
  })
})

test('a bug is answered without its text and reported once', async context => {
  const { socket, backend, bugs } = await openApi(context)
  backend.fault = new Error('secret detail at /root/x.ts:1')
  const answer = await raw(socket, { path: '/v1/status' })
  equal(answer.status, 500)
  equal(bodyOf(answer).code, 'INTERNAL')
  is(answer.text.includes('secret'), false)
  equal(bugs.length, 1)
})

test('wrong methods and paths are 405 and 404', async context => {
  const { socket } = await openApi(context)
  const wrong = await raw(socket, { path: '/v1/nodes', method: 'PUT' })
  equal(wrong.status, 405)
  equal(wrong.headers['allow'], 'GET')
  bodyOf(wrong)
  const both = await raw(socket, { path: '/v1/workloads/demo/web', method: 'PATCH' })
  equal(both.headers['allow'], 'DELETE, GET')
  const none = await raw(socket, { path: '/v1/nothing' })
  equal(none.status, 404)
  bodyOf(none)
})

test('leave and token take no body, and do nothing when one is sent', async context => {
  const { socket } = await openApi(context)
  for (const path of ['/v1/leave', '/v1/token']) {
    for (const body of ['{"operation":1}', '[]', 'null']) {
      const answer = await raw(socket, { path, method: 'POST', headers: JSON_TYPE, body })
      equal([answer.status, bodyOf(answer).code], [400, 'INVALID'], `${path} ${body}`)
    }
    const empty = { path, method: 'POST', headers: JSON_TYPE, body: '{}' }
    equal((await raw(socket, empty)).status, 200)
  }
})

test('bodies that are not JSON, broken, deep or of another type are refused', async context => {
  const { socket, backend } = await openApi(context)
  const post = (body: string, headers: Record<string, string> = JSON_TYPE) =>
    raw(socket, { path: '/v1/deploy', method: 'POST', headers, body })
  equal((await post(deployBody(), { 'content-type': 'text/plain' })).status, 415)
  equal((await post(deployBody(), {})).status, 415)
  equal((await post('{"operation":')).status, 400)
  equal((await post('')).status, 400)
  const deep = await post(`${'['.repeat(10_000)}${']'.repeat(10_000)}`)
  equal(deep.status, 400)
  match(bodyOf(deep).message, /deep/)
  const unknown = await post(deployBody({ extra: 1 }))
  equal(unknown.status, 400)
  match(bodyOf(unknown).message, /extra/)
  const name = await post(deployBody({ project: 'A B' }))
  equal(bodyOf(name).where, 'body.project')
  const twice = await post(deployBody({ workloads: [workloadSpec(), workloadSpec()] }))
  equal(bodyOf(twice).where, 'body.workloads[1].name')
  const other = await post(deployBody({ workloads: [workloadSpec({ project: 'other' })] }))
  equal(bodyOf(other).where, 'body.workloads[0].project')
  equal(backend.deployCount, 0)
})

test('a body over the limit is refused before it is read whole', async context => {
  const { socket } = await openApi(context)
  const declared = await bytes(
    socket,
    'POST /v1/deploy HTTP/1.1\r\nhost: x\r\nconnection: close\r\n' +
      'content-type: application/json\r\ncontent-length: 1073741824\r\n\r\n{'
  )
  match(declared, /^HTTP\/1\.1 413 /)
  const chunked = await bytes(
    socket,
    'POST /v1/deploy HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n' +
      'transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n'
  )
  match(chunked, /^HTTP\/1\.1 411 /)
})

test('a spec over 64 KiB is refused by name', async context => {
  const { socket } = await openApi(context)
  const values = Array.from({ length: 20 }, (_, at) => [`BIG${at}`, 'x'.repeat(4_000)])
  const big = workloadSpec({ env: Object.fromEntries(values) })
  const body = deployBody({ workloads: [big] })
  const answer = await raw(socket, {
    path: '/v1/deploy',
    method: 'POST',
    headers: JSON_TYPE,
    body
  })
  equal(answer.status, 413)
  equal(bodyOf(answer).where, 'body.workloads[0]')
})

test('doubled lengths and broken requests are 400 with a JSON body', async context => {
  const { socket } = await openApi(context)
  const doubled = await bytes(
    socket,
    'POST /v1/deploy HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}'
  )
  match(doubled, /^HTTP\/1\.1 400 .*"code":"USAGE"/s)
  match(await bytes(socket, 'NONSENSE\r\n\r\n'), /^HTTP\/1\.1 400 /)
  const large = await bytes(socket, `GET / HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(40_000)}\r\n\r\n`)
  match(large, /^HTTP\/1\.1 431 /)
})

test('paths that climb, double or hide are 400', async context => {
  const { socket } = await openApi(context)
  const paths = [
    '/v1/../etc/passwd',
    '/v1/%2e%2e/x',
    '/v1//nodes',
    '/v1/workloads/a%00b/c',
    '/v1/workloads/a%2fb/c',
    '/v1/workloads/%zz/c',
    '/v1/workloads/./c'
  ]
  for (const path of paths) {
    const said = await bytes(socket, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    match(said, /^HTTP\/1\.1 400 /, path)
  }
})

test('a request with an Origin is refused, whatever it asks', async context => {
  const { socket } = await openApi(context)
  const headers = { origin: 'http://evil.example' }
  const answer = await raw(socket, { path: '/v1/status', headers })
  equal(answer.status, 403)
  equal(bodyOf(answer).code, 'REFUSED')
})

test('one operation id writes once, and never two different things', async context => {
  const { socket, backend } = await openApi(context)
  const post = (body: string) =>
    raw(socket, { path: '/v1/deploy', method: 'POST', headers: JSON_TYPE, body })
  const [first, second] = await Promise.all([post(deployBody()), post(deployBody())])
  equal(first.text, second.text)
  equal(backend.deployCount, 1)
  const other = await post(deployBody({ prune: true }))
  equal(other.status, 409)
  equal(bodyOf(other).code, 'CONFLICT')
})

test('an operation that failed may be tried again with its id', async context => {
  const { socket, backend } = await openApi(context)
  const post = () =>
    raw(socket, { path: '/v1/deploy', method: 'POST', headers: JSON_TYPE, body: deployBody() })
  backend.fault = new ShoalError('UNAVAILABLE', 'resyncing')
  equal((await post()).status, 503)
  backend.fault = undefined
  equal((await post()).status, 200)
  equal(backend.deployCount, 1)
})

test("a request target that is no path and a bad Host are the client's fault, not a bug", async context => {
  const { socket, bugs } = await openApi(context)
  for (const head of [
    'OPTIONS * HTTP/1.1\r\nhost: localhost',
    'GET * HTTP/1.1\r\nhost: localhost',
    'GET healthz HTTP/1.1\r\nhost: localhost',
    'GET http:// HTTP/1.1\r\nhost: localhost',
    'GET ftp://x/healthz HTTP/1.1\r\nhost: localhost',
    'GET /healthz HTTP/1.1\r\nhost: a b',
    'GET /healthz HTTP/1.1\r\nhost: a/b@c',
    'GET /healthz HTTP/1.1\r\nhost: [::',
    'GET /healthz HTTP/1.1\r\nhost: x:99999',
    'GET /healthz HTTP/1.0\r\nconnection: close'
  ]) {
    const said = await bytes(socket, `${head}\r\nconnection: close\r\n\r\n`)
    match(said, /^HTTP\/1\.1 400 /, head)
    const body = JSON.parse(said.slice(said.indexOf('\r\n\r\n') + 4)) as ErrorBody
    equal([body.code, Object.keys(body).length], ['USAGE', 4], head)
  }
  equal(bugs, [])
})

test('a query key that a route does not know is refused, with the nearest that it knows', async context => {
  const { socket } = await openApi(context)
  const hint = async (path: string, method = 'GET') => {
    const answer = await raw(socket, { path, method })
    const body = bodyOf(answer)
    equal([answer.status, body.code], [400, 'INVALID'], path)
    return [body.where, body.hint]
  }
  equal(await hint('/v1/allocations?project[]=a'), ['query.project[]', 'did you mean project?'])
  equal(await hint('/v1/allocations?al'), ['query.al', 'did you mean all?'])
  equal(await hint('/v1/logs?project=demo&name=web&zzzzz=1'), [
    'query.zzzzz',
    'known: follow, name, project, slot, tail'
  ])
  equal(await hint('/v1/events?x=1'), ['query.x', 'this route takes no query'])
  equal(await hint('/v1/nodes?__proto__=1'), ['query.__proto__', 'this route takes no query'])
  equal(await hint('/v1/workloads/demo/web?operation=op-12345678&force=1', 'DELETE'), [
    'query.force',
    'known: operation'
  ])
  const twice = await raw(socket, { path: '/v1/allocations?project=a&project=b' })
  equal([twice.status, bodyOf(twice).where], [400, 'query.project'])
  equal((await raw(socket, { path: '/v1/allocations?all' })).status, 200)
  equal((await raw(socket, { path: '/v1/nothing?x=1' })).status, 404)
})

test('every answer carries the version of the daemon', async context => {
  const { socket } = await openApi(context)
  for (const path of ['/healthz', '/v1/nothing', '/v1/workloads/demo/nope'])
    equal((await raw(socket, { path })).headers['shoal-version'], '0.1.0')
})

test('closing answers readers and removes the socket', async context => {
  const { client, close, backend, socket } = await openApi(context)
  backend.slow = new Promise(() => {})
  const asked = client.status(context.signal).catch((error: unknown) => error)
  await raw(socket, { path: '/healthz' })
  await close()
  const error = await asked
  ok(error instanceof ShoalError)
  is(statSync(socket, { throwIfNoEntry: false }), undefined)
})

test.run()
