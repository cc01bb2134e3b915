import { spawnSync } from 'node:child_process'
import { build } from 'esbuild'
import { equal, is, match } from 'uvu/assert'
import { ROOT } from '../helpers/source.ts'
import { suite } from '../helpers/suite.ts'
import { simulatedFiles } from './fuzz/tally.ts'

const test = suite('simulator: command lines')

function run(file: string, ...args: string[]): { code: number | null; out: string; error: string } {
  const argv = ['--import', 'tsx', 'scripts/sim.ts', file, ...args]
  const ended = spawnSync(process.execPath, argv, { cwd: ROOT, encoding: 'utf8' })
  return { code: ended.status, out: ended.stdout, error: ended.stderr }
}

test('a wrong word is said in one line, and nothing runs', () => {
  const lines = [
    run('run.ts', '--seed', 'x'),
    run('run.ts', '--runs', '0'),
    run('run.ts', '--log', 'foo'),
    run('run.ts', '--sum', '/nowhere'),
    run('scale/run.ts', '--nodes', '1'),
    run('scale/run.ts', '--phases', 'idle,foo')
  ]
  equal(
    lines.map(({ code }) => code),
    lines.map(() => 2)
  )
  match(lines[0]?.error ?? '', /^error\[USAGE\]: --seed x: a whole number from 0 on\n/)
  match(lines[5]?.error ?? '', /^error\[USAGE\]: --phases foo: one of idle, /)
})

test('a seed that was run says what it kept', () => {
  const { code, out } = run('run.ts', '--seed', '5', '--minutes', '0.2')
  is(code, 0)
  match(
    out,
    /^seed 5: every promise kept, converged \d+ ms after the last fault, trace [0-9a-f]{16}\n/
  )
  match(out, /1 runs, .* 0 violations\n$/)
})

test('seeds are summed up as long as no file that the simulator runs has changed', async () => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['test/sim/run.ts'],
    outfile: 'dist/sim/unwritten.mjs',
    ...{ bundle: true, write: false, metafile: true, packages: 'external' },
    ...{ platform: 'node', format: 'esm' }
  })
  const bundled = Object.keys(metafile.inputs).filter(path => !path.startsWith('test/'))
  const counted = new Set(simulatedFiles())
  equal(
    bundled.filter(path => !counted.has(path)),
    []
  )
  is(counted.has('gossip/libp2p/host.ts'), false)
})

test.run()
