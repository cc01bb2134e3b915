/** `up` and `join` with a stand-in for shoald: what it is given, how its end is told (B45, B47). */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { equal, match, ok, throws } from 'uvu/assert'
import { encodeToken } from '../../src/api/token.ts'
import { type Said, shoal } from '../helpers/api-cli.ts'
import { tempFolder } from '../helpers/api-server.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('cli up')

const TOKEN = encodeToken({
  mesh: 'mesh-1',
  key: new Uint8Array(32).fill(9),
  addresses: ['/ip4/10.0.0.5/tcp/7970']
})
const PEER = '/ip4/10.0.0.5/tcp/7970'

/** Writes what it was given to `seen`, then behaves as MODE says. */
const STAND_IN = `#!${process.execPath}
const { createServer } = require('node:http')
const { writeFileSync, rmSync } = require('node:fs')
const mode = process.env.MODE ?? 'ready'
const argv = process.argv.slice(2)
const flag = name => argv.find(one => one.startsWith('--' + name + '='))?.split('=').slice(1).join('=')
let input = ''
process.stdin.on('data', chunk => { input += chunk })
process.stdin.on('end', () => {
  writeFileSync(process.env.SEEN, JSON.stringify({ argv, input, pid: process.pid }))
  console.error('{"msg":"starting"}')
  if (mode === 'refuse') {
    console.error('error[WRONG_MESH]: this data directory is of another mesh; use shoal leave')
    process.exit(6)
  }
  if (mode === 'crash') process.kill(process.pid, 'SIGKILL')
  const began = Date.now()
  createServer((request, response) => {
    const ready = mode === 'ready' && Date.now() - began > 100
    response.writeHead(ready ? 200 : 503, { 'content-type': 'application/json' })
    response.end(JSON.stringify({
      ready, waits: ready ? '' : 'joining', name: flag('name') ?? 'host', id: 'id',
      mesh: mode === 'alone' ? '' : 'mesh-1',
      addresses: ['/ip4/127.0.0.1/tcp/7970/p2p/id'], runtimes: ['process'], version: '0.1.0',
      pid: process.pid, dataDir: flag('data-dir')
    }))
  }).listen(flag('socket'))
})
process.on('SIGTERM', () => { rmSync(flag('socket'), { force: true }); process.exit(0) })
setTimeout(() => process.exit(0), 60000)
`

interface World {
  readonly folder: string
  run(
    argv: readonly string[],
    options?: { mode?: string; input?: string; data?: string }
  ): Promise<Said>
  seen(): { readonly argv: string[]; readonly input: string; readonly pid: number }
}

async function world(context: TestContext): Promise<World> {
  const folder = await tempFolder(context)
  const program = join(folder, 'shoald')
  writeFileSync(program, STAND_IN)
  chmodSync(program, 0o755)
  const seenPath = join(folder, 'seen')
  const seen: World['seen'] = () => JSON.parse(readFileSync(seenPath, 'utf8'))
  context.cleanup(() => {
    try {
      process.kill(seen().pid, 'SIGTERM')
    } catch {
      // it has ended, or was never started
    }
  })
  return {
    folder,
    seen,
    run: (argv, options = {}) =>
      shoal([...argv, `--data-dir=${folder}/${options.data ?? 'data'}`, `--socket=${folder}/s`], {
        env: { SHOALD: program, SEEN: seenPath, MODE: options.mode ?? 'ready' },
        ...(options.input === undefined ? {} : { input: options.input })
      })
  }
}

test('up passes its flags on, waits until the daemon is ready, and prints how to join', async context => {
  const { run, seen, folder } = await world(context)
  const said = await run(['up', '--name=mini-1', '--label=a=b', '--label=c=d', '--preset=fast'])
  equal([said.code, said.stderr], [0, ''])
  match(
    said.stdout,
    /^created mesh mesh-1\nnode mini-1 is up; it runs process\n {2}\/ip4\/127\.0\.0\.1\/tcp\/7970/
  )
  match(said.stdout, /shoal token create --out token\n {2}shoal join \/ip4\S+ --token-file token\n/)
  const { argv, input } = seen()
  equal(argv, [
    '--name=mini-1',
    `--data-dir=${folder}/data`,
    `--socket=${folder}/s`,
    '--label=a=b',
    '--label=c=d',
    '--preset=fast'
  ])
  equal(input, '')
  equal(statSync(join(folder, 'data')).mode & 0o777, 0o700)
  equal(statSync(join(folder, 'data/shoald.log')).mode & 0o777, 0o600)
})

test('up where a daemon runs says so and succeeds', async context => {
  const { run, seen } = await world(context)
  await run(['up'])
  const { pid } = seen()
  const again = await run(['up', '-o', 'json'])
  equal(again.code, 0)
  match(again.stderr, /node host runs already \(pid \d+\)/)
  equal([JSON.parse(again.stdout).pid, seen().pid], [pid, pid])
})

test('up of one data directory is not answered by the daemon of another', async context => {
  const { run, seen } = await world(context)
  await run(['up'])
  const { pid } = seen()
  const other = await run(['up'], { data: 'other' })
  equal(other.code, 8)
  match(other.stderr, /^error\[CONFLICT\]: node host answers there, of .*own --socket/s)
  equal((await run(['up'])).code, 0)
  equal(seen().pid, pid)
})

test('the token reaches the daemon by standard input and stands in no argument and no log', async context => {
  const { run, seen, folder } = await world(context)
  const wrapped = `${TOKEN.slice(0, 40)}\n  ${TOKEN.slice(40)}\n`
  const said = await run(['join', PEER, '--token-file', '-'], { input: wrapped })
  equal([said.code, said.stderr], [0, ''])
  const { argv, input } = seen()
  ok(argv.includes('--token-file=-') && argv.includes(`--join=${PEER}`), argv.join(' '))
  equal(input, `${TOKEN}\n`)
  const secret = TOKEN.slice(20, 60)
  for (const text of [
    argv.join(' '),
    said.stdout,
    readFileSync(join(folder, 'data/shoald.log'), 'utf8')
  ])
    ok(!text.includes(secret))
})

test('joining the mesh one is in already is no fault, another one is refused', async context => {
  const { run } = await world(context)
  await run(['join', TOKEN])
  const again = await run(['join', TOKEN])
  equal(again.code, 0)
  match(again.stderr, /is a member already/)
  const other = encodeToken({
    mesh: 'mesh-2',
    key: new Uint8Array(32),
    addresses: ['/ip4/10.0.0.5/tcp/7970']
  })
  const refused = await run(['join', other])
  equal(refused.code, 6)
  match(refused.stderr, /member of another mesh .*leave it first: shoal leave/)
})

test('a daemon that refuses to start ends the command with its line and its code', async context => {
  const { run } = await world(context)
  const said = await run(['up'], { mode: 'refuse' })
  equal(said.code, 6)
  equal(said.stderr, 'error[WRONG_MESH]: this data directory is of another mesh; use shoal leave\n')
})

test('a daemon that dies shows the last lines of its log', async context => {
  const { run } = await world(context)
  const said = await run(['up'], { mode: 'crash' })
  equal(said.code, 1)
  match(said.stderr, /^ {2}\{"msg":"starting"\}\nerror\[UNAVAILABLE\]: shoald ended by SIGKILL/)
})

test('a daemon that is not ready in time: exit 4, what it waits for, and where its log is', async context => {
  const { run } = await world(context)
  const said = await run(['up', '--timeout=500ms'], { mode: 'never' })
  equal(said.code, 4)
  match(said.stderr, /error\[TIMEOUT\]: not ready within 0\.5 s: joining \(\S+shoald\.log\)/)
})

test('a join that nobody accepted in time ends its daemon and leaves nothing behind', async context => {
  const { run, seen, folder } = await world(context)
  const said = await run(['join', TOKEN, '--timeout=4s'], { mode: 'alone' })
  equal(said.code, 4)
  match(said.stderr, /^waiting: joining\nerror\[TIMEOUT\]: not joined within 4 s: joining; check/)
  throws(() => process.kill(seen().pid, 0), /ESRCH/)
  equal(existsSync(join(folder, 'data')), false)
})

test('a node that is in no mesh yet is not up: up and join say what to do', async context => {
  const { run, folder, seen } = await world(context)
  const first = run(['join', TOKEN, '--foreground'], { mode: 'alone' })
  while (!existsSync(join(folder, 's'))) await new Promise(resolve => setImmediate(resolve))
  for (const argv of [['join', TOKEN], ['up']]) {
    const said = await run(argv)
    equal([said.code, said.stdout], [8, ''])
    match(
      said.stderr,
      /error\[CONFLICT\]: .*in no mesh yet.*: joining; end that first: shoal leave/
    )
  }
  process.kill(seen().pid, 'SIGTERM')
  await first
})

test('a member that runs and is not ready is waited for, and left alone', async context => {
  const { run, seen } = await world(context)
  await run(['up', '--timeout=500ms'], { mode: 'never' })
  const said = await run(['up', '--timeout=500ms'])
  equal(said.code, 4)
  match(
    said.stderr,
    /runs already \(pid \d+\)\nerror\[TIMEOUT\]: node host runs .*: joining; it goes/
  )
  equal(process.kill(seen().pid, 0), true)
})

test('options that replace kept ones are said', async context => {
  const { run, folder } = await world(context)
  const file = join(folder, 'data/options.json')
  mkdirSync(join(folder, 'data'), { mode: 0o700 })
  const options = { name: 'a', listen: ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/2'] }
  writeFileSync(file, JSON.stringify({ version: 1, options }), { mode: 0o600 })
  const said = await run(['up', '--listen=/ip4/127.0.0.1/tcp/3', '--name=a'])
  const before = '/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2'
  equal(said.stderr, `note: --listen now /ip4/127.0.0.1/tcp/3; was ${before}\n`)
})

test('in the foreground the daemon is a child with its own exit code', async context => {
  const { run } = await world(context)
  const said = await run(['up', '--foreground'], { mode: 'refuse' })
  equal(said.code, 6)
  match(said.stderr, /error\[WRONG_MESH\]/)
})

test('what cannot be right is refused before a daemon is started', async context => {
  const { run, seen } = await world(context)
  const cases: [string[], number, RegExp][] = [
    [['join', PEER], 2, /an address alone opens no mesh; .*--token-file/],
    [['join', TOKEN, '--token-file', 'x'], 2, /one too many/],
    [['join', 'GARBAGE', '--token-file', 'x'], 2, /this is neither an address nor a token/],
    [['join', '10.0.0.5:7971'], 2, /neither .* is like \/ip4\/10\.0\.0\.5\/tcp\/7971 and goes/],
    [['join', PEER, '--token-file', '/dev/zero'], 2, /error\[TOKEN\]: .*16 KiB.*\/dev\/zero/],
    [['join', TOKEN.slice(0, -5)], 2, /error\[TOKEN\]: the token is cut short: \d+ of \d+ char/],
    [['join', '/ip4/1.2.3.4/udp/1', '--token-file', 'x'], 2, /udp; shoal speaks tcp/],
    [['join', PEER, '--token-file', '/nonexistent'], 2, /cannot read the token file: no such file/],
    [['up', '--cpus=none'], 2, /--cpus/],
    [['up', '--runtime=podman'], 2, /docker, process, auto/]
  ]
  await Promise.all(
    cases.map(async ([argv, code, expected]) => {
      const said = await run(argv)
      equal(said.code, code, said.stderr)
      match(said.stderr, expected)
    })
  )
  let isStarted = true
  try {
    seen()
  } catch {
    isStarted = false
  }
  equal(isStarted, false)
})

test.run()
