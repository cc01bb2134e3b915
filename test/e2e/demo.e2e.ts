/** The demo as people start it: ends in one line, in under a minute, and leaves nothing behind. */
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { equal, match, ok } from 'uvu/assert'
import { shoalProgram } from '../helpers/cluster-cli.ts'
import { suite } from '../helpers/suite.ts'
import { commandLine } from '../helpers/testbed-net.ts'
import { monotonicMs, run, until } from '../helpers/testbed-run.ts'

const test = suite('demo', { requires: ['linux'], timeoutMs: 90_000 })

const daemons = (): string[] =>
  readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .map(entry => commandLine(Number(entry)))
    .filter(line => /(?:node\/main\.js|shoald\.js) /.test(line) && line.includes('demo'))

test('the demo shows a takeover and cleans up', async () => {
  const folders = (): string[] => readdirSync(tmpdir()).filter(name => /shoal.*demo/.test(name))
  const before = folders()
  const startMs = monotonicMs()
  const said = await run([...shoalProgram(), 'demo'], {
    timeoutMs: 80_000,
    env: { NO_COLOR: '1', DOCKER_HOST: 'unix:///nonexistent.sock' }
  })
  const tookMs = monotonicMs() - startMs
  equal(said.code, 0, said.stdout + said.stderr)
  const lines = said.stdout.trim().split('\n')
  match(
    lines.at(-1) ?? '',
    /^demo: ok, \d+ replicas back in \d+(\.\d+)? s after killing \S+$/,
    said.stdout + said.stderr
  )
  match(said.stdout + said.stderr, /^runtime: plain processes, because /m)
  ok(tookMs < 60_000, `took ${tookMs} ms`)
  await until('no daemon is left', () => (daemons().length === 0 ? true : undefined))
  equal(folders(), before)
})

test.run()
