/** What waiting concludes, and text that is safe for a terminal. */
import fc from 'fast-check'
import { equal, match, ok } from 'uvu/assert'
import { headline } from '../../src/cli/commands/status.ts'
import { tar } from '../../src/cli/demo/tar.ts'
import { parseFast } from '../../src/cli/fast.ts'
import { planLines } from '../../src/cli/submit.ts'
import { ago, duration, plain, plainLog } from '../../src/cli/text.ts'
import { Judge, ReplicaLines, type Target } from '../../src/cli/wait.ts'
import { allocationView, STATUS } from '../helpers/api-backend.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('cli parts')
// `unit: 'binary'` of fast-check takes seconds to set up.
const anyText = fc
  .array(fc.oneof(fc.nat(0xff), fc.nat(0x2fff)), { maxLength: 60 })
  .map(points => String.fromCodePoint(...points))
const ESC = String.fromCodePoint(27)
const WEB: Target = { project: 'demo', name: 'web', generation: '1.abc', replicas: 2 }
const pending = (slot: number, reason = '') =>
  allocationView(slot, { node: null, nodeId: null, state: 'pending', reason })

function kinds(steps: [number, ReturnType<typeof allocationView>[]][], target = WEB): string[] {
  const judge = new Judge()
  return steps.map(([atMs, all]) => judge.verdict([target], all, atMs).kind)
}

const squeezed = (line: string): string => line.replace(/ +/g, ' ')

test('done is every slot healthy at the new generation, and nothing besides', () => {
  const [a, b] = [allocationView(0), allocationView(1)]
  equal(kinds([[0, [a, b]]]), ['done'])
  equal(kinds([[0, [a]]]), ['waiting'])
  equal(kinds([[0, []]]), ['waiting'])
  equal(kinds([[0, [a, allocationView(1, { state: 'running' })]]]), ['waiting'])
  equal(kinds([[0, [a, allocationView(1, { generation: '0.old' })]]]), ['waiting'])
  equal(kinds([[0, [a, b, allocationView(2)]]]), ['waiting'])
  const elsewhere = { node: 'mini-9', nodeId: 'n9' }
  equal(kinds([[0, [a, b, allocationView(1, { ...elsewhere, state: 'stopping' })]]]), ['done'])
  equal(kinds([[0, [a, b, allocationView(1, { ...elsewhere, state: 'failed' })]]]), ['done'])
  equal(kinds([[0, [a, b, allocationView(1, elsewhere)]]]), ['waiting'])
})

test('after a scale-down any slot numbers are right, as long as the count is', () => {
  equal(kinds([[0, [allocationView(1), allocationView(5)]]]), ['done'])
  equal(kinds([[0, [allocationView(1), allocationView(3), allocationView(5)]]]), ['waiting'])
})

test('no replicas wanted is done when none is left', () => {
  const none = { ...WEB, replicas: 0 }
  equal(kinds([[0, []]], none), ['done'])
  equal(kinds([[0, [allocationView(0, { state: 'stopping' })]]], none), ['waiting'])
  equal(kinds([[0, [pending(0)]]], none), ['done'])
})

test('a one-shot that ended well is done', () => {
  const ended = { state: 'failed', reason: 'ended with code 0' } as const
  equal(kinds([[0, [allocationView(0, ended), allocationView(1, ended)]]]), ['done'])
})

test('a crash loop fails at the third end', () => {
  const crash = (times: string) => [
    allocationView(0, { state: 'starting', reason: `exited with code 1${times}, restarts` }),
    allocationView(1)
  ]
  equal(kinds([[0, crash('')]]), ['waiting'])
  equal(kinds([[0, crash(' 2 times')]]), ['waiting'])
  equal(kinds([[0, crash(' 3 times')]]), ['failed'])
})

test('what is removed may crash or have failed: only its end counts', () => {
  const removed = { ...WEB, replicas: 0 }
  const crash = allocationView(0, {
    state: 'starting',
    reason: 'exited with code 1 9 times, restarts'
  })
  const failed = allocationView(1, { state: 'failed', reason: 'image missing' })
  const steps: Parameters<typeof kinds>[0] = [
    [0, [crash, failed]],
    [9_000, [crash, failed]],
    [9_200, []]
  ]
  equal(kinds(steps, removed), ['waiting', 'waiting', 'done'])
})

test('a crash of the template before is no failure of this one', () => {
  const crash = allocationView(0, {
    state: 'starting',
    reason: 'exited with code 7 3 times, restarts'
  })
  const before = { ...crash, generation: '0.old' }
  equal(kinds([[0, [before, allocationView(1)]]]), ['waiting'])
  equal(kinds([[0, [crash, allocationView(1)]]]), ['failed'])
})

test('a failure counts once it stands: the slot may move to another node', () => {
  const failed = [
    allocationView(0, { state: 'failed', reason: 'image missing' }),
    allocationView(1)
  ]
  equal(
    kinds([
      [0, failed],
      [3_000, failed],
      [4_000, failed]
    ]),
    ['waiting', 'waiting', 'failed']
  )
  equal(
    kinds([
      [0, failed],
      [3_000, [pending(0), allocationView(1)]],
      [5_000, failed],
      [8_000, failed]
    ]),
    ['waiting', 'waiting', 'waiting', 'waiting']
  )
})

test('not placeable is a reason that stands while all else is done', () => {
  const stuck = [allocationView(0), pending(1, 'cpu')]
  equal(
    kinds([
      [0, stuck],
      [4_000, stuck]
    ]),
    ['waiting', 'unplaceable']
  )
  const busy = [allocationView(0, { state: 'starting' }), pending(1, 'cpu')]
  equal(
    kinds([
      [0, busy],
      [9_000, busy]
    ]),
    ['waiting', 'waiting']
  )
  const silent = [allocationView(0), pending(1)]
  equal(
    kinds([
      [0, silent],
      [9_000, silent]
    ]),
    ['waiting', 'waiting']
  )
})

test('no text of others reaches a table with a control character', () => {
  fc.assert(
    fc.property(anyText, text => {
      ok(!/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(plain(`${ESC}[2J${text}${ESC}`)))
    })
  )
  equal(plain(`a${ESC}]0;title\u0007b${ESC}[31mc${ESC}[0m\r\nd`), 'abc d')
})

test('logs on a terminal keep colours and lose what moves the cursor', () => {
  equal(
    plainLog(`${ESC}[31mred${ESC}[0m${ESC}[2J${ESC}[10;10Hx\u0007\ty`),
    `${ESC}[31mred${ESC}[0mx    y`
  )
  fc.assert(
    fc.property(anyText, text => {
      const left = plainLog(`${ESC}${text}${ESC}[`).replaceAll(
        new RegExp(`${ESC}\\[[0-9;]*m`, 'g'),
        ''
      )
      ok(!/\p{Cc}/u.test(left), JSON.stringify(left))
    })
  )
})

test('durations are short, and clocks that run behind are zero', () => {
  equal([0, 1_400, 119_000, 120_000, 7_200_000, 172_800_000].map(duration), [
    '0 s',
    '1 s',
    '119 s',
    '2 min',
    '2 h',
    '2 d'
  ])
  equal(ago('2026-01-01T00:00:10Z', Date.parse('2026-01-01T00:00:00Z')), '0 s')
  equal([ago(null, 0), ago('soon', 0)], ['', ''])
})

test('the first line of status counts in the singular too', () => {
  const one = { desired: 1, running: 1, pending: 0 }
  const status = { ...STATUS, members: { alive: 1, suspect: 0, dead: 0 }, workloads: one }
  equal(headline(status, 0), 'OK: 1 node, 1 replica')
})

test('the fast parser takes plain forms and leaves everything else to commander', () => {
  equal(parseFast(['ps', '-o', 'json', '--socket', '/s', '-a', 'demo/web']), {
    name: 'ps',
    format: 'json',
    all: true,
    watch: false,
    check: false,
    of: 'demo/web',
    socket: '/s'
  })
  equal(parseFast(['nodes', '-q'])?.format, 'name')
  for (const argv of [
    [],
    ['ps', '--help'],
    ['ps', '-ojson'],
    ['ps', '-o'],
    ['ps', '-o', 'xml'],
    ['ps', 'a', 'b'],
    ['ps', '--socket'],
    ['ps', '--socket', '-o'],
    ['nodes', 'x'],
    ['nodes', '-a'],
    ['why', 'web']
  ])
    equal(parseFast(argv), undefined, argv.join(' '))
})

test('a replica that runs elsewhere than it did is said to have moved, and from where', () => {
  const lines = new ReplicaLines()
  const show = (...all: Parameters<ReplicaLines['of']>[0]) => lines.of(all).map(squeezed)
  const there = { node: 'mini-9', nodeId: 'n9' } as const
  equal(show(pending(0)), ['web/0 - pending'])
  equal(show(allocationView(0, { state: 'claimed' })), ['web/0 mini-1 claimed'])
  equal(show(pending(0, 'mini-1 is dead')), ['web/0 - pending mini-1 is dead'])
  equal(show(allocationView(0, { ...there, state: 'running' })), [
    'web/0 mini-9 running moved to mini-9 from mini-1'
  ])
  equal(show(allocationView(0, { state: 'stopping' }), allocationView(0, there)), [
    'web/0 mini-1 stopping',
    'web/0 mini-9 healthy moved to mini-9 from mini-1'
  ])
  equal(show(allocationView(0)), ['web/0 mini-1 healthy'])
  // A rolled replica stops where it was first.
  equal(show(allocationView(1, { state: 'stopping' }), allocationView(1, there)), [
    'web/1 mini-1 stopping',
    'web/1 mini-9 healthy moved to mini-9 from mini-1'
  ])
})

test('the archive is one that tar reads', async context => {
  const { spawnSync } = await import('node:child_process')
  const { mkdtempSync, readFileSync, readlinkSync, rmSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const { join } = await import('node:path')
  const folder = mkdtempSync(join(tmpdir(), 'shoal-tar-'))
  context.cleanup(() => rmSync(folder, { recursive: true, force: true }))
  const input = tar([
    { kind: 'folder', path: 'bin/' },
    { kind: 'file', path: 'bin/tool', bytes: Buffer.from('x'.repeat(1_000)) },
    { kind: 'link', path: 'bin/sh', target: 'tool' }
  ])
  const said = spawnSync('tar', ['-x', '-C', folder], { input, encoding: 'utf8' })
  equal([said.status, said.stderr], [0, ''])
  equal(readFileSync(join(folder, 'bin/tool'), 'utf8').length, 1_000)
  match(readlinkSync(join(folder, 'bin/sh')), /^tool$/)
})

test('what an operation did before is told as what has become of it', () => {
  const one = { project: 'demo', name: 'web', uid: 'u', change: 'repeated', replicas: 0 } as const
  const rest = { fields: [], seats: [], pending: [] }
  equal(planLines([{ ...one, ...rest, generation: '1.ab' }]), [
    'demo/web  was done before by this operation'
  ])
  equal(planLines([{ ...one, ...rest, generation: '' }]), [
    'demo/web  was done before by this operation; it is gone since'
  ])
})

test.run()
