/**
 * Every command of the README works as it is written there. Blocks marked `host-a` and `host-b` are
 * run on two hosts, in order; those marked `checkout` are what the check list itself is started by.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { equal, match, ok } from 'uvu/assert'
import { shoalProgram } from '../helpers/cluster-cli.ts'
import { ROOT, readSource } from '../helpers/source.ts'
import { suite } from '../helpers/suite.ts'
import { type Host, Testbed } from '../helpers/testbed.ts'
import { must, run } from '../helpers/testbed-run.ts'

const test = suite('readme')

interface Block {
  readonly language: string
  readonly marks: readonly string[]
  readonly text: string
}

const readme = readSource('README.md')
const blocks: readonly Block[] = [...readme.matchAll(/^```(\S*) *(.*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = '', marks = '', text = '']) => ({
    language,
    marks: marks.split(' ').filter(Boolean),
    text
  })
)
const commands = blocks.filter(block => block.language === 'sh')

test('every block of commands says where it is run', () => {
  ok(commands.length >= 5)
  const known = new Set(['checkout', 'host-a', 'host-b'])
  const strays = commands.filter(block => !known.has(block.marks[0] ?? ''))
  equal(strays, [])
})

test('commands in a checkout are those that the check list runs', {
  timeoutMs: 60_000
}, async () => {
  const lines = commands
    .filter(block => block.marks[0] === 'checkout')
    .flatMap(block => block.text.trim().split('\n'))
  const scripts = lines.filter(line => line.startsWith('./'))
  for (const script of scripts) ok((statSync(join(ROOT, script)).mode & 0o111) !== 0, script)
  match(readSource('scripts/install'), /\bnpm ci\b/)
  match(readSource('scripts/test.ts'), /'npm', 'run', '--silent', 'build'/)
  equal(
    lines.filter(line => !line.startsWith('./')),
    ['npm ci', 'npm run build', 'npm link']
  )
  const prefix = mkdtempSync(join(tmpdir(), 'shoal-link-'))
  try {
    const env = { npm_config_prefix: prefix, npm_config_offline: 'true' }
    await must(['npm', 'link', '--no-audit', '--no-fund'], { cwd: ROOT, env, timeoutMs: 50_000 })
    const manifest = JSON.parse(readSource('package.json')) as { version: string }
    equal((await must([join(prefix, 'bin/shoal'), '--version'])).trim(), manifest.version)
  } finally {
    rmSync(prefix, { recursive: true, force: true })
  }
})

test('every command that the README names is in the help', async () => {
  const help = await must([...shoalProgram(), '--help'])
  const typed = commands.map(block => block.text).join('\n')
  const inline = [...readme.matchAll(/`shoal [^`]*`/g)].map(found => found[0])
  const verbs = [...`${typed}\n${inline.join('\n')}`.matchAll(/(?:`|^)shoal ([a-z]+)/gm)].map(
    found => found[1] ?? ''
  )
  ok(verbs.length > 5)
  const missing = [...new Set(verbs)].filter(verb => !new RegExp(`^  ${verb}\\b`, 'm').test(help))
  equal(missing, [])
})

/** A shell on a host, as a person would have it: a name, a home, `shoal` on the PATH. */
async function typed(bed: Testbed, host: Host, name: string, text: string): Promise<string> {
  const home = join(bed.folder, name)
  mkdirSync(home, { recursive: true })
  const script = `hostname ${name}; cd ${home}; set -e\n${text}`
  const env = {
    HOME: home,
    PATH: `${join(bed.folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    DOCKER_HOST: `unix://${host.engine.socket}`,
    SHOAL_DATA_DIR: join(home, 'data'),
    SHOAL_SOCKET: join(home, 's.sock'),
    NO_COLOR: '1'
  }
  const argv = [...host.inside, 'unshare', '--uts', 'sh', '-c', script]
  const said = await run(argv, { env, timeoutMs: 60_000 })
  equal(said.code, 0, `${name}$ ${text}\n${said.stdout}${said.stderr}`)
  return said.stdout
}

const hosts = { requires: ['root', 'docker'], timeoutMs: 120_000 } as const

test('the sixty seconds on two machines', hosts, async ({ cleanup }) => {
  const bed = await Testbed.open({ hosts: 2, image: 'busybox:latest' })
  cleanup(() => bed.close())
  mkdirSync(join(bed.folder, 'bin'))
  const [node = '', program = ''] = shoalProgram()
  const command = join(bed.folder, 'bin/shoal')
  writeFileSync(command, `#!/bin/sh\nexec ${node} ${program} "$@"\n`, { mode: 0o755 })
  const compose = blocks.find(block => block.marks[0] === 'compose.yaml')
  const homes = ['host-a', 'host-b'].map(name => join(bed.folder, name))
  for (const home of homes) {
    mkdirSync(home)
    writeFileSync(join(home, 'compose.yaml'), compose?.text ?? '')
  }
  // "Carry the file to the second one."
  symlinkSync(join(homes[0] ?? '', 'token'), join(homes[1] ?? '', 'token'))
  const [a, b] = [bed.host(1), bed.host(2)]
  for (const block of commands) {
    const [name = '', state] = block.marks
    if (name === 'checkout') continue
    if (state === 'host-a-dead') {
      await a.kill()
      await bed.settled(['hello', 'web'], 4, { on: [b] })
    }
    if (state === 'host-a-back') await a.startEngine()
    const said = await typed(bed, name === 'host-a' ? a : b, name, block.text)
    if (block.text.includes('shoal status')) match(said, /^OK: 2 nodes, 4 replicas/m)
    if (block.text.includes('shoal scale')) await bed.settled(['hello', 'web'], 6, { on: [b] })
  }
  await bed.settled(['hello', 'web'], 0)
})

test.run()
