/** Commands that change something, as processes against a fake daemon (promises B51, B55, B61). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { equal, match, ok } from 'uvu/assert'
import { ShoalError } from '../../src/errors.ts'
import { allocationView, type FakeBackend, logEntry } from '../helpers/api-backend.ts'
import { shoal } from '../helpers/api-cli.ts'
import { type ApiWorld, openApi, tempFolder } from '../helpers/api-server.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('cli changes')

const COMPOSE = `name: demo
services:
  web:
    image: busybox
    deploy:
      replicas: 2
    x-shoal:
      spread: soft
`

async function world(
  context: TestContext,
  text = COMPOSE
): Promise<ApiWorld & { readonly file: string }> {
  const api = await openApi(context)
  const file = join(await tempFolder(context), 'compose.yaml')
  writeFileSync(file, text)
  return { ...api, file }
}

/** Each write is followed by these states of the allocations, one a poll. */
function script(backend: FakeBackend, steps: (typeof backend.allocationList)[]): void {
  backend.allocationList = []
  let isWritten = false
  backend.onWrite = () => {
    isWritten = true
  }
  const ask = backend.allocations.bind(backend)
  backend.allocations = filter => {
    const next = isWritten ? steps.shift() : undefined
    if (next !== undefined) backend.allocationList = next
    return ask(filter)
  }
}

const pending = (slot: number, reason: string) =>
  allocationView(slot, { node: null, nodeId: null, state: 'pending', reason, startedAt: null })

test('deploy shows the plan, every replica as it comes up, and ends when all are healthy', async context => {
  const { socket, backend, file } = await world(context)
  backend.specs = []
  backend.notes = ['not durable yet (1/2)']
  backend.acks = { disks: 1, wanted: 2 }
  script(backend, [
    [pending(0, ''), pending(1, '')],
    [allocationView(0, { state: 'starting' }), pending(1, '')],
    [allocationView(0), allocationView(1, { state: 'running', node: 'mini-2' })],
    [allocationView(0), allocationView(1, { node: 'mini-2' })]
  ])
  const said = await shoal(['deploy', '-f', file], { socket })
  equal(said.code, 0, said.stderr)
  match(
    said.stdout,
    /^demo\/web {2}created {2}2 replicas on mini-1 x2\n1 workload, 2 replicas healthy in \d+\.\d s\n$/
  )
  const lines = said.stderr.split('\n')
  ok(lines.includes('note: not durable yet (1/2)'), said.stderr)
  const states = lines.filter(line => line.startsWith('web/')).map(line => line.split(/ {2,}/))
  equal(states, [
    ['web/0', '-', 'pending'],
    ['web/1', '-', 'pending'],
    ['web/0', 'mini-1', 'starting'],
    ['web/0', 'mini-1', 'healthy'],
    ['web/1', 'mini-2', 'running'],
    ['web/1', 'mini-2', 'healthy']
  ])
})

test('a crash loop ends deploy early, with the reason and the last log lines', async context => {
  const { socket, backend, file } = await world(context)
  const crash = { state: 'starting', reason: 'exited with code 3 3 times, restarts' } as const
  script(backend, [[allocationView(0, crash), allocationView(1)]])
  backend.logList = [logEntry({ slot: 0, line: 'no config' })]
  const said = await shoal(['deploy', '-f', file, '--timeout', '60'], { socket })
  equal(said.code, 1)
  match(said.stderr, /web\/0 \| no config\nerror\[RUNTIME\]: exited with code 3 3 times, restarts/)
  match(said.stderr, /demo\/web\/0 on mini-1/)
})

test('the time is up: exit 4, and the operation is named', async context => {
  const { socket, backend, file } = await world(context)
  script(backend, [[pending(0, ''), pending(1, '')]])
  const said = await shoal(['deploy', '-f', file, '--timeout', '300ms'], { socket })
  equal(said.code, 4)
  match(said.stderr, /error\[TIMEOUT\]: not healthy within 0\.3 s \(operation op-[0-9a-f]+\)/)
})

test('detached: the write is acknowledged and nothing is waited for', async context => {
  const { socket, backend, file } = await world(context)
  script(backend, [])
  const said = await shoal(['deploy', '-d', '-f', file], { socket })
  equal(said.code, 0)
  match(said.stderr, /written on 2 of 2 disks as operation op-\S+; not waiting/)
})

test('a dry run shows the same plan and writes nothing', async context => {
  const { socket, backend, file } = await world(context)
  const [text, json] = await Promise.all([
    shoal(['deploy', '--dry-run', '-f', file], { socket }),
    shoal(['deploy', '--dry-run', '-f', file, '-o', 'json'], { socket })
  ])
  equal(text.stdout, 'demo/web  changed (replicas)  2 replicas on mini-1 x2\n')
  equal(JSON.parse(json.stdout).dryRun, true)
  equal(backend.deployCount, 0)
})

test('an answer that is lost is unknown: exit 9, and the same operation may be retried', async context => {
  const { socket, backend, file } = await world(context)
  const fault = new ShoalError('UNKNOWN_OUTCOME', 'one disk did not answer', {
    hint: 'retry with this operation id'
  })
  backend.fault = fault
  // The list of what else runs is read before the write.
  backend.workloads = async () => []
  const said = await shoal(['deploy', '-f', file, '--operation', 'op-again-1'], { socket })
  equal(said.code, 9)
  equal(
    said.stderr,
    'error[UNKNOWN_OUTCOME]: one disk did not answer; retry with this operation id\n'
  )
  backend.fault = undefined
  const retry = ['deploy', '-d', '-f', file, '--operation', 'op-again-1']
  equal((await shoal(retry, { socket })).code, 0)
  equal((await shoal(retry, { socket })).code, 0)
  equal(backend.deployCount, 1)
  const other = await shoal([...retry, '--prune'], { socket })
  equal(other.code, 8)
})

test('Ctrl-C while waiting says that the write stands, and where', async context => {
  const { socket, backend, file } = await world(context)
  script(backend, [[pending(0, ''), pending(1, '')]])
  const said = await shoal(['deploy', '-f', file], {
    socket,
    on: { text: 'web/0', act: child => child.kill('SIGINT') }
  })
  equal(said.code, 130)
  match(said.stderr, /interrupted: written on 2 of 2 disks as operation op-\S+; the mesh goes on/)
})

test('Ctrl-C before the answer says that it is not known, with the operation', async context => {
  const { socket, backend, file } = await world(context)
  // The command is interrupted once its write has arrived here.
  let arrived = (): void => {}
  const asked = new Promise<void>(resolve => {
    arrived = resolve
  })
  backend.deploy = () => {
    arrived()
    return new Promise(() => {})
  }
  const [web] = await backend.workloads()
  backend.workloads = async () => (web === undefined ? [] : [{ ...web, name: 'old' }])
  const said = await shoal(['deploy', '-f', file], {
    socket,
    on: {
      text: 'old is not in the file',
      act: child => void asked.then(() => child.kill('SIGINT'))
    }
  })
  equal(said.code, 130)
  match(
    said.stderr,
    /interrupted: it is not known whether this was written; retry with --operation/
  )
})

test('what a file says wrong is shown with its place, and nothing is sent', async context => {
  const text = `${COMPOSE}  bad:\n    imaage: x\n    prots: [1]\n`
  const { socket, backend, file } = await world(context, text)
  const said = await shoal(['deploy', '-f', file], { socket })
  equal(said.code, 2)
  match(said.stderr, /compose\.yaml:10:5/)
  match(said.stderr, /image/)
  equal(backend.deployCount, 0)
})

test('plain causes for a file that cannot be read', async context => {
  const { socket } = await world(context)
  const folder = await tempFolder(context)
  const [missing, directory, none, empty] = await Promise.all([
    shoal(['deploy', '-f', join(folder, 'none.yaml')], { socket }),
    shoal(['deploy', '-f', folder], { socket }),
    shoal(['deploy'], { socket, cwd: folder }),
    shoal(['deploy', '-f', '-'], { socket, input: '' })
  ])
  match(missing.stderr, /does not exist/)
  match(directory.stderr, /is a directory/)
  match(none.stderr, /no compose\.yaml here/)
  match(empty.stderr, /no workloads/)
  for (const said of [missing, directory, none, empty]) equal(said.code, 2)
})

test('standard input is a Compose file like any other', async context => {
  const { socket } = await world(context)
  const args = ['deploy', '--dry-run', '-f', '-', '-p', 'other', '-o', 'json']
  const said = await shoal(args, { socket, input: COMPOSE.replace('name: demo\n', '') })
  equal(said.code, 0, said.stderr)
  equal(JSON.parse(said.stdout).changes[0].project, 'other')
})

test('scale waits for the new number; bad forms are usage errors', async context => {
  const { socket, backend } = await world(context)
  script(backend, [[allocationView(0), allocationView(1), allocationView(2)]])
  const said = await shoal(['scale', 'web=3'], { socket })
  equal(said.code, 0, said.stderr)
  match(said.stdout, /3 replicas healthy/)
  const bad = await Promise.all([
    shoal(['scale', 'web'], { socket }),
    shoal(['scale', 'web=-1'], { socket }),
    shoal(['scale', 'web=100000'], { socket }),
    shoal(['scale', 'nope=1'], { socket })
  ])
  equal(
    bad.map(one => one.code),
    [2, 2, 2, 7]
  )
})

test('rm waits until all is gone; twice is fine, unknown is not found', async context => {
  const { socket, backend } = await world(context)
  const short = await shoal(['rm', 'web'], { socket })
  equal(short.code, 7)
  match(short.stderr, /^error\[NOT_FOUND\]: web is a service and no project; shoal rm demo\/web\n$/)
  const first = await shoal(['rm', 'demo/web'], { socket })
  equal([first.code, first.stdout.includes('1 workload gone')], [0, true], first.stderr)
  equal(backend.specs, [])
  const again = await shoal(['rm', 'demo/web', '-y'], { socket })
  equal([again.code, again.stderr], [0, 'note: was removed before\n'])
  equal((await shoal(['rm', 'nope'], { socket })).code, 7)
  equal((await shoal(['rm', 'a/b/c'], { socket })).code, 2)
})

test('volume abandon names the slots that are free', async context => {
  const { socket } = await world(context)
  const said = await shoal(['volume', 'abandon', 'db_data', '-y'], { socket })
  equal(said.stdout, 'demo/db/0 (its data was on mini-2)\n')
  equal((await shoal(['volume', 'abandon', 'none', '-y'], { socket })).code, 7)
})

test('volume abandon without a terminal to ask and without -y gives nothing up', async context => {
  const { socket } = await world(context)
  const said = await shoal(['volume', 'abandon', 'db_data'], { socket })
  equal([said.code, said.stdout], [2, ''])
  match(said.stderr, /^error\[USAGE\]: .*; shoal volume abandon db_data -y\n$/)
})

test.run()
