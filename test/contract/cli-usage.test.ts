/** Mistakes on the command line, help, and what is loaded at start (promises B41, B42). */
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Metafile } from 'esbuild'
import { equal, match, ok } from 'uvu/assert'
import { startApiServer } from '../../node/api/server.ts'
import { FakeBackend } from '../helpers/api-backend.ts'
import { buildCli, shoal } from '../helpers/api-cli.ts'
import { tempFolder } from '../helpers/api-server.ts'
import { filesBelow, readSource } from '../helpers/source.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('cli usage')
/** Where a command is named: at the start of a text, or after what leads to one. */
const COMMAND = /(?:^|[`'":(;,|\n]\s*|\b(?:see|use|with|run|or|and|by|again)\s+)shoal ([a-z]+)\b/g
const MARKDOWN_CODE = /```[\s\S]*?```|`[^`\n]+`/g
const COMMENT = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm
/** What shoal itself does in a message: `shoal needs 1.41`. */
const SENTENCE_VERBS = new Set(['here', 'needs', 'restarts', 'speaks', 'starts', 'uses'])
const QUOTED = /'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g

test('unknown commands, flags and values are one line with the nearest name, exit 2', async () => {
  const cases: [string[], RegExp][] = [
    [['dpeloy'], /unknown command 'dpeloy'; did you mean deploy\?/],
    [['pss'], /did you mean ps\?/],
    [['xyzzy'], /unknown command 'xyzzy'; see shoal --help/],
    [['ps', '--sokcet', 'x'], /unknown option '--sokcet'; did you mean --socket\?/],
    [['ps', '-o', 'xml'], /'xml' is invalid.*table, wide, json, yaml, name/],
    [['ps', '--socket'], /option '--socket <path>' argument missing/],
    [['logs'], /missing required argument 'workload'/],
    [['logs', 'a', 'b'], /too many arguments/],
    [['volume'], /volume needs a command; one of: volume ls, volume abandon/],
    [['token'], /one of: token create/],
    [['volume', 'lss'], /did you mean ls\?/],
    [['deploy', '--timeout', 'soon'], /'soon' is invalid/],
    [['logs', 'web', '--tail', 'all'], /'all' is invalid/]
  ]
  await Promise.all(
    cases.map(async ([argv, expected]) => {
      const said = await shoal(argv)
      equal(said.code, 2, argv.join(' '))
      equal(said.stdout, '')
      match(said.stderr, /^error\[USAGE\]: [^\n]+\n$/)
      match(said.stderr, expected)
    })
  )
})

test('help names every command that works, and no other', async () => {
  const help = await shoal(['--help'])
  equal(help.code, 0)
  const listed = [...help.stdout.matchAll(/^ {2}([a-z]+) /gm)].map(found => found[1])
  const commands = 'up join leave token demo deploy scale rm volume ps nodes status inspect why'
  equal(listed, [...commands.split(' '), 'logs', 'version', 'help'])
  match(help.stdout, /Exit codes: 0 ok/)
  const deploy = await shoal(['deploy', '--help'])
  for (const flag of ['-f', '-p', '-d', '--timeout', '--dry-run', '--allow-unsupported', '-y'])
    ok(deploy.stdout.includes(` ${flag}`), flag)
  const up = await shoal(['up', '--help'])
  const flags =
    'name data-dir socket listen runtime docker-host label zone cpus memory preset foreground'
  for (const flag of [...flags.split(' '), 'log-format']) ok(up.stdout.includes(`--${flag}`), flag)
  equal((await shoal([])).stdout, help.stdout)
})

test('no hint, message or README names a command that does not exist', async () => {
  const help = (await shoal(['--help'])).stdout
  const known = new Set([...help.matchAll(/^ {2}([a-z]+) /gm)].map(found => found[1]))
  const named: string[] = []
  const collect = (path: string, text: string): void => {
    for (const [, name] of text.matchAll(COMMAND)) named.push(`${path}: shoal ${name}`)
  }
  for (const path of ['README.md', 'src/cli/README.md', 'src/README.md'])
    for (const [span] of readSource(path).matchAll(MARKDOWN_CODE)) collect(path, span)
  for (const folder of ['src', 'node'])
    for (const path of filesBelow(folder).filter(path => path.endsWith('.ts')))
      for (const [text] of readSource(path).replace(COMMENT, '').matchAll(QUOTED))
        collect(path, text)
  ok(named.length > 40, String(named.length))
  const isWrong = (one: string): boolean => {
    const name = one.split(' ').at(-1) ?? ''
    return !known.has(name) && !SENTENCE_VERBS.has(name)
  }
  equal(named.filter(isWrong), [])
})

test('no socket, a stale one, another file, none of ours: four different messages, exit 5', async context => {
  const folder = await tempFolder(context)
  const stale = join(folder, 'stale')
  // A listener that closes without unlinking leaves what a killed daemon leaves.
  const { spawnSync } = await import('node:child_process')
  spawnSync(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`
  ])
  const rude = join(folder, 'rude')
  const server = createServer(socket => socket.destroy())
  await new Promise<void>(resolve => server.listen(rude, resolve))
  context.cleanup(() => server.close())
  const all = await Promise.all([
    shoal(['ps', '--socket', join(folder, 'none')]),
    shoal(['ps', '--socket', stale]),
    shoal(['ps', '--socket', process.execPath]),
    shoal(['ps', '--socket', rude])
  ])
  const expected = [/does not exist/, /left behind/, /no socket/, /hung up/]
  for (const [at, said] of all.entries()) {
    equal(said.code, 5)
    match(said.stderr, /^error\[NO_DAEMON\]: /)
    match(said.stderr, expected[at] ?? /never/)
  }
})

test('a socket of another user is said to be one', async context => {
  if (process.getuid?.() !== 0) return
  const folder = await tempFolder(context)
  const { chmodSync } = await import('node:fs')
  const { spawnSync } = await import('node:child_process')
  chmodSync(folder, 0o755)
  const socket = join(folder, 's')
  const server = await startApiServer(
    { backend: new FakeBackend(), report: () => {} },
    { socket, version: '0.1.0' }
  )
  context.cleanup(() => server.close())
  const { main } = await buildCli()
  const { dirname } = await import('node:path')
  chmodSync(dirname(main), 0o755)
  const { stderr, status } = await new Promise<{ stderr: string; status: number | null }>(
    resolve => {
      const said = spawnSync(process.execPath, [main, 'ps', '--socket', socket], {
        uid: 65_534,
        gid: 65_534,
        encoding: 'utf8',
        env: {}
      })
      resolve(said)
    }
  )
  equal(status, 5)
  match(stderr, /this user may not open the socket/)
})

/** Every file that is loaded before a command's lazy imports, by package or path. */
function loadedAtStart(metafile: Metafile, entry: string): ReadonlySet<string> {
  const loaded = new Set<string>()
  const seen = new Set<string>()
  const walk = (path: string): void => {
    const output = metafile.outputs[path]
    if (output === undefined || seen.has(path)) return
    seen.add(path)
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs))
      if (bytesInOutput > 0) loaded.add(input)
    for (const imported of output.imports) {
      if (imported.kind === 'dynamic-import') continue
      if (imported.external === true) loaded.add(imported.path)
      else walk(imported.path)
    }
  }
  const path = Object.keys(metafile.outputs).find(
    name => metafile.outputs[name]?.entryPoint === entry
  )
  ok(path, entry)
  walk(path ?? '')
  return loaded
}

test('ps, nodes and status load no schema, no YAML, no server and no commander', async () => {
  const { metafile } = await buildCli()
  const loaded = [
    ...loadedAtStart(metafile, 'src/cli/main.ts'),
    ...loadedAtStart(metafile, 'src/cli/fast-run.ts')
  ]
  ok(loaded.includes('src/cli/commands/ps.ts'))
  const packages = loaded.filter(path => path.includes('node_modules/'))
  equal(
    packages.filter(path => !path.includes('/picocolors/')),
    []
  )
  const heavy = loaded.filter(path =>
    /crypto|child_process|readline|src\/spec\/(?!nearest)/.test(path)
  )
  equal(heavy, [])
})

test('the CLI reaches a daemon over HTTP alone', async () => {
  const { metafile } = await buildCli()
  const foreign = Object.keys(metafile.inputs).filter(path =>
    /^(node|gossip|placement)\//.test(path)
  )
  equal(foreign, [])
})

test.run()
