/** Commands that look, as processes against a fake daemon: output, formats, exit codes. */
import { spawn } from 'node:child_process'
import { equal, is, match, ok } from 'uvu/assert'
import { parse } from 'yaml'
import type { AllocationView } from '../../src/api/types.ts'
import { ShoalError } from '../../src/errors.ts'
import { allocationView, logEntry, nodeView, STATUS, VOLUME } from '../helpers/api-backend.ts'
import { type Act, buildCli, shoal } from '../helpers/api-cli.ts'
import { openApi, tempFolder } from '../helpers/api-server.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('cli reads')
const ESC = String.fromCodePoint(27)

const PS = `PROJECT   WORKLOAD   SLOT   NODE     STATE     SINCE   RUNTIME   REASON
demo      db         0      -        pending   -       docker    its data is on mini-2 (dead 4 min)
demo      web        0      mini-1   healthy   AGO     docker    -
`

function pendingDb(): AllocationView {
  return allocationView(0, {
    workload: 'db',
    node: null,
    nodeId: null,
    state: 'pending',
    reason: 'its data is on mini-2 (dead 4 min)',
    startedAt: null,
    instance: ''
  })
}

test('ps shows a table without borders, colours or trailing blanks', async context => {
  const { socket, backend } = await openApi(context)
  backend.allocationList = [pendingDb(), allocationView(0)]
  const said = await shoal(['ps'], { socket })
  equal(said.stdout.replace(/\d+ d {2}/, 'AGO    '), PS.replace('AGO  ', 'AGO  '))
  equal(said.code, 0)
  equal(said.stderr, '')
})

test('every read command speaks json, yaml and names', async context => {
  const { socket, backend } = await openApi(context)
  const commands: [string[], unknown, string][] = [
    [['ps'], backend.allocationList, 'demo/web/0\ndemo/web/1\n'],
    [['nodes'], backend.nodeList, 'mini-1\nmini-2\n'],
    [['status'], STATUS, 'OK: 2 nodes, 2 replicas\n'],
    [['why', 'web'], undefined, 'demo/web\n'],
    [['volume', 'ls'], undefined, 'db_data\n'],
    [['inspect', 'mini-2'], backend.nodeList[1], 'mini-2\n']
  ]
  await Promise.all(
    commands.map(async ([argv, value, names]) => {
      const [json, yaml, name] = await Promise.all(
        ['json', 'yaml', 'name'].map(format => shoal([...argv, '-o', format], { socket }))
      )
      const parsed = JSON.parse(json?.stdout ?? '')
      if (value !== undefined) equal(parsed, value, argv.join(' '))
      equal(parse(yaml?.stdout ?? ''), parsed)
      equal(name?.stdout, names)
    })
  )
  equal((await shoal(['ps', '-q'], { socket })).stdout, 'demo/web/0\ndemo/web/1\n')
})

test('ps -o json holds what others build on', async context => {
  const { socket } = await openApi(context)
  const [ps, nodes, status] = await Promise.all(
    ['ps', 'nodes', 'status'].map(async name =>
      JSON.parse((await shoal([name, '-o', 'json'], { socket })).stdout)
    )
  )
  const replica = ['project', 'workload', 'slot', 'node', 'state', 'reason', 'generation']
  for (const key of [...replica, 'runtime', 'startedAt']) ok(key in ps[0], key)
  const node = ['name', 'id', 'state', 'phase', 'self', 'addresses', 'labels', 'zone']
  for (const key of [...node, 'capacity', 'runtimes']) ok(key in nodes[0], key)
  equal(Object.keys(status.members).sort(), ['alive', 'dead', 'suspect'])
  equal(Object.keys(status.workloads).sort(), ['desired', 'pending', 'running'])
  equal([status.converged, status.viewHash], [true, STATUS.viewHash])
})

test('ps filters, and an unknown name is not found', async context => {
  const { socket } = await openApi(context)
  const [web, none, wide] = await Promise.all([
    shoal(['ps', 'demo/web'], { socket }),
    shoal(['ps', 'demo/wbe'], { socket }),
    shoal(['ps', '-a', '-o', 'wide'], { socket })
  ])
  match(web.stdout, /web/)
  equal(none.code, 7)
  match(none.stderr, /^error\[NOT_FOUND\]: no workload demo\/wbe; did you mean demo\/web\?\n$/)
  match(wide.stdout, /GENERATION/)
})

test('ps understands a project, a service, both, and a slot', async context => {
  const { socket, backend } = await openApi(context)
  backend.allocationList = [allocationView(0), allocationView(1), pendingDb()]
  const names = async (name: string): Promise<string> =>
    (await shoal(['ps', name, '-q'], { socket })).stdout
  const web = 'demo/web/0\ndemo/web/1\n'
  equal(
    [await names('demo'), await names('web'), await names('demo/web'), await names('demo/web/1')],
    [`${web}demo/db/0\n`, web, web, 'demo/web/1\n']
  )
  equal((await shoal(['ps', 'demo/web/7'], { socket })).code, 7)
  equal(
    (await shoal(['ps', 'w'], { socket })).stderr,
    'error[NOT_FOUND]: no workload w; see shoal ps\n'
  )
})

test('service/slot, as progress and logs show it, is understood', async context => {
  const { socket, backend } = await openApi(context)
  backend.allocationList = [allocationView(0), allocationView(1)]
  equal((await shoal(['ps', 'web/1', '-q'], { socket })).stdout, 'demo/web/1\n')
  equal((await shoal(['ps', 'nope/1', '-q'], { socket })).code, 7)
})

test('ps -o wide names a process in full and a container by what finds it', async context => {
  const { socket, backend } = await openApi(context)
  const process = 'shoal-demo-web-0-5ac997c3'
  backend.allocationList = [
    allocationView(0, { instance: process }),
    allocationView(1, { instance: 'c0ffee'.padEnd(64, '0') })
  ]
  const { stdout } = await shoal(['ps', '-o', 'wide'], { socket })
  match(stdout, new RegExp(`${process} .*\n.*c0ffee000000 `))
})

test('of a member that left nothing is claimed', async context => {
  const { socket, backend } = await openApi(context)
  const capacity = { cpuMillis: 0, memoryMiB: 0 }
  backend.nodeList = [nodeView('mini-1', { state: 'left', phase: 'draining', capacity })]
  const { stdout } = await shoal(['nodes'], { socket })
  equal(/draining|0 MiB/.exec(stdout), null, stdout)
})

test('a volume that no workload has is listed without one', async context => {
  const { socket, backend } = await openApi(context)
  backend.volumeList = [{ ...VOLUME, workload: '', slot: null, state: 'unused' }]
  const { stdout } = await shoal(['volume', 'ls'], { socket })
  match(stdout, /unused/)
  equal(/null|undefined/.exec(stdout), null, stdout)
})

test('logs of what does not run say why', async context => {
  const { socket, backend } = await openApi(context)
  backend.allocationList = [{ ...pendingDb(), workload: 'web' }]
  backend.logList = []
  const said = await shoal(['logs', 'demo/web'], { socket })
  equal([said.code, said.stdout], [0, ''])
  equal(said.stderr, 'note: web/0 does not run: its data is on mini-2 (dead 4 min)\n')
})

test('status --check ends with code 3 while not all is well, in every format', async context => {
  const { socket, backend } = await openApi(context)
  equal((await shoal(['status', '--check'], { socket })).code, 0)
  backend.state.status = { ...STATUS, converged: false }
  equal((await shoal(['status'], { socket })).code, 0)
  for (const format of ['table', 'json', 'name']) {
    const said = await shoal(['status', '--check', '-o', format], { socket })
    equal([said.code, said.stderr], [3, ''], format)
  }
})

test('what is watched is said again when it changes, until Ctrl-C', async context => {
  const { socket, backend } = await openApi(context)
  backend.allocationList = [allocationView(0)]
  const watching = shoal(['ps', '-w', '-q'], {
    socket,
    acts: [
      {
        text: 'demo/web/0\n',
        act: () => {
          backend.allocationList = [allocationView(0), allocationView(1)]
        }
      },
      { text: 'demo/web/1\n', act: child => child.kill('SIGINT') }
    ]
  })
  equal(await watching, { code: 130, stdout: 'demo/web/0\ndemo/web/1\n', stderr: '' })
})

test('off a terminal the passing of time alone is said again by no watch', async context => {
  const { socket, backend } = await openApi(context)
  const startedAt = new Date(Date.now() - 9_000).toISOString()
  const web = allocationView(0, { startedAt, node: 'mini-1' })
  backend.allocationList = [web]
  let asked = 0
  Object.defineProperty(backend, 'allocationList', {
    get: () => (++asked < 4 ? [web] : [{ ...web, node: 'mini-2' }])
  })
  const acts: readonly Act[] = [{ text: 'mini-2', act: child => child.kill('SIGINT') }]
  const said = await shoal(['ps', '-w'], { socket, acts })
  equal([said.code, said.stderr], [130, ''])
  equal(said.stdout.match(/mini-\d/g), ['mini-1', 'mini-2'])
})

test('why of one slot leaves the others out; one that is not there is not found', async context => {
  const { socket, backend } = await openApi(context)
  const ask = backend.why.bind(backend)
  backend.why = async ref => ({
    ...(await ask(ref)),
    lines: ['demo/web: 2 replicas', 'slot 0: healthy on n1', 'slot 1: pending', 'node n1: chosen'],
    takeover: [0, 1].map(slot => ({ slot, node: 'n1', next: 'n2' }))
  })
  const said = await shoal(['why', 'web/0'], { socket })
  match(said.stdout, /^demo\/web: 2 replicas\nslot 0: healthy on n1\nnode n1: chosen\nslot 0 runs/)
  equal(said.stdout.includes('slot 1'), false)
  equal((await shoal(['why', 'demo/web/9'], { socket })).code, 7)
})

test('status begins with what is wrong, since when, what moved, what waits, what to do', async context => {
  const { socket, backend } = await openApi(context)
  backend.state.status = {
    ...STATUS,
    converged: true,
    notOk: [
      {
        what: 'mini-2 unreachable (last 192.168.1.12)',
        since: new Date(Date.now() - 240_000).toISOString(),
        moved: 5,
        waits: ['demo/db/0 (its data is on mini-2)'],
        do: ['power mini-2 on', 'shoal volume abandon db_data']
      }
    ]
  }
  const [first] = (await shoal(['status'], { socket })).stdout.split('\n')
  equal(
    first,
    'NOT OK: mini-2 unreachable (last 192.168.1.12) for 4 min; 5 moved, ' +
      '1 waits: demo/db/0 (its data is on mini-2); ' +
      'do: power mini-2 on, or shoal volume abandon db_data'
  )
  backend.state.status = { ...STATUS, converged: false }
  match((await shoal(['status'], { socket })).stdout, /^NOT OK: settling: 2 of 2 replicas run/)
  backend.state.status = { ...STATUS, brake: 'half of the nodes are gone', alarms: ['a clone'] }
  match((await shoal(['status'], { socket })).stdout, /^NOT OK: takeovers are paced: .*alarm: a cl/)
})

test('control characters of others never reach a terminal or a table', async context => {
  const { socket, backend } = await openApi(context)
  const evil = `${ESC}]0;owned\u0007${ESC}[2J\u202ename\r\nx\u009b31m`
  backend.nodeList = [nodeView('mini-1', { zone: evil, labels: { a: evil } })]
  backend.allocationList = [allocationView(0, { reason: evil })]
  for (const argv of [['nodes', '-o', 'wide'], ['ps'], ['ps', '-o', 'wide']]) {
    const { stdout } = await shoal(argv, { socket })
    equal(/[^\n\x20-\x7e]/.exec(stdout), null, argv.join(' '))
    equal(stdout.split('\n').length, 3)
  }
})

test('names in wide letters keep the columns in line', async context => {
  const { socket, backend } = await openApi(context)
  backend.allocationList = [
    allocationView(0, { node: '日本-1' }),
    allocationView(1, { node: 'mini-2' })
  ]
  const lines = (await shoal(['ps'], { socket })).stdout.split('\n')
  const column = (line: string | undefined): number => (line ?? '').indexOf('healthy')
  // Two letters that are two columns wide each: two characters fewer before the next column.
  equal(column(lines[1]), column(lines[2]) - 2)
})

test('NO_COLOR wins over FORCE_COLOR, and a pipe gets no colour', async context => {
  const { socket } = await openApi(context)
  const [forced, none, pipe] = await Promise.all([
    shoal(['ps'], { socket, env: { FORCE_COLOR: '1' } }),
    shoal(['ps'], { socket, env: { FORCE_COLOR: '1', NO_COLOR: '1' } }),
    shoal(['ps'], { socket, env: { CI: 'true' } })
  ])
  ok(forced.stdout.includes(ESC))
  ok(!none.stdout.includes(ESC))
  ok(!pipe.stdout.includes(ESC))
})

test('logs merges replicas with their names; one replica has none', async context => {
  const { socket, backend } = await openApi(context)
  backend.logList.push(logEntry({ slot: 1, node: 'mini-2', stream: 'stderr', line: 'oops' }))
  backend.logList.push(logEntry({ kind: 'note', node: 'mini-3', line: 'does not answer' }))
  const all = await shoal(['logs', 'demo/web', '-t'], { socket })
  equal(
    all.stdout,
    'web/0@mini-1 | 2026-01-02T03:04:05.000Z hello\n' +
      'web/1@mini-2 | 2026-01-02T03:04:05.000Z world\n'
  )
  match(all.stderr, /^web\/1@mini-2 \| \S+ oops\nnote: web\/0@mini-3 \| does not answer\n$/)
  const one = await shoal(['logs', 'demo/web/0'], { socket })
  equal(one.stdout, 'hello\n')
  equal((await shoal(['logs', 'nope'], { socket })).code, 7)
  equal((await shoal(['logs', 'demo/web/x'], { socket })).code, 2)
})

test('following logs ends with Ctrl-C, and the daemon frees the stream', async context => {
  const { socket, backend } = await openApi(context)
  backend.logList.push(logEntry({ stream: 'stderr', line: 'ready' }))
  const said = await shoal(['logs', '-f', 'web'], {
    socket,
    on: { text: 'ready', act: child => child.kill('SIGINT') }
  })
  equal(said.code, 130)
  match(said.stdout, /hello/)
  while (backend.openStreams > 0) await new Promise(resolve => setImmediate(resolve))
})

test('a closed pipe ends a command quietly', async context => {
  const { socket, backend } = await openApi(context)
  backend.logList = Array.from({ length: 20_000 }, (_, at) => logEntry({ line: `line ${at}` }))
  const { main } = await buildCli()
  const child = spawn(process.execPath, [main, 'logs', 'web'], {
    env: { PATH: process.env['PATH'], SHOAL_SOCKET: socket },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8')
  })
  child.stdout.once('data', () => child.stdout.destroy())
  const code = await new Promise(resolve => child.on('close', resolve))
  equal(stderr, '')
  equal(code, 0)
})

test('what is asked of a daemon that has a fault ends with its code', async context => {
  const { socket, backend } = await openApi(context)
  backend.fault = new ShoalError('INVALID', 'too small', {
    where: 'query.tail',
    hint: 'see /v1/openapi.json'
  })
  equal((await shoal(['nodes'], { socket })).stderr, 'error[INVALID]: too small (tail)\n')
  backend.fault = new ShoalError('UNAVAILABLE', 'resyncing', { hint: 'wait' })
  const said = await shoal(['nodes'], { socket })
  equal(said.code, 1)
  equal(said.stderr, 'error[UNAVAILABLE]: resyncing; wait\n')
})

test('a daemon of another version is named on stderr', async context => {
  const { socket } = await openApi(context, '0.9.0')
  const said = await shoal(['nodes', '-q'], { socket })
  equal(said.stderr, 'note: this shoal is 0.1.0, the daemon is 0.9.0: update shoal here\n')
  equal(said.stdout, 'mini-1\nmini-2\n')
})

test('the token is alone on stdout', async context => {
  const { socket } = await openApi(context)
  const said = await shoal(['token', 'create'], { socket })
  equal([said.stdout, said.stderr, said.code], ['shoal1-secret\n', '', 0])
})

test('version names the daemon, or that none answers', async context => {
  const { socket } = await openApi(context)
  const [with_, without, fast] = await Promise.all([
    shoal(['version', '-o', 'json'], { socket }),
    shoal(['version'], { socket: `${await tempFolder(context)}/none` }),
    shoal(['--version'])
  ])
  equal(JSON.parse(with_.stdout).daemon, '0.1.0')
  match(without.stdout, /^shoal 0\.1\.0 .*\nno daemon answers\n$/)
  equal(without.code, 0)
  is(fast.stdout, '0.1.0\n')
})

test.run()
