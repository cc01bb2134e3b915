/** `shoal up` and `shoal join`: a daemon on this host, in a new mesh, its own, or another's. */
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { checkAddress, DEFAULT_PORT } from '../../api/address.ts'
import { Client } from '../../api/client.ts'
import { type DaemonOptions, daemonOptions, type FlagValues } from '../../api/daemon-flags.ts'
import { limitedFile, limitedText, SMALL_FILE_BYTES_MAX, tokenTooLong } from '../../api/files.ts'
import { keepable, mergeOptions, readKeptOptions } from '../../api/kept-options.ts'
import { decodeToken } from '../../api/token.ts'
import type { ReadyView } from '../../api/types.ts'
import { ShoalError } from '../../errors.ts'
import { isMember, runInForeground, startDetached, tryReady, untilReady } from '../daemon.ts'
import { AlreadySaid } from '../failure.ts'
import { type Format, printData } from '../output.ts'
import { plainCause, type Terminal } from '../terminal.ts'
import { plain } from '../text.ts'

export interface UpOptions {
  readonly values: FlagValues
  readonly isForeground: boolean
  readonly timeoutMs: number
  readonly format: Format
}

export async function up(terminal: Terminal, options: UpOptions): Promise<void> {
  await run(terminal, options, undefined)
}

/** `target` is a token, or the address of a peer; then the token is in `tokenFile`. */
export async function join(
  terminal: Terminal,
  target: string,
  options: UpOptions & { readonly tokenFile: string | undefined }
): Promise<void> {
  const isAddress = target.startsWith('/')
  if (isAddress) checkAddress(target, 'join')
  else if (!/^\s*shoal\d*-/.test(target)) throw neither(target)
  if (isAddress && options.tokenFile === undefined)
    throw new ShoalError('USAGE', 'an address alone opens no mesh', {
      hint: `give the token too: shoal join ${target} --token-file FILE`
    })
  const text = isAddress ? await readToken(options.tokenFile ?? '-') : target
  const { mesh } = decodeToken(text)
  if (!isAddress && options.tokenFile !== undefined)
    throw new ShoalError('USAGE', 'a token and --token-file are one too many', {
      hint: 'give the token alone, or the address of a member with --token-file'
    })
  const values: FlagValues = isAddress ? { ...options.values, join: [target] } : options.values
  await run(terminal, { ...options, values }, { text: text.replace(/\s+/g, ''), mesh })
}

/** Repeats only what can be no part of a token. */
function neither(target: string): ShoalError {
  const [, host, port] = /^(\d+\.\d+\.\d+\.\d+)(?::(\d+))?$/.exec(target) ?? []
  const example = `/ip4/${host ?? '10.0.0.5'}/tcp/${port ?? DEFAULT_PORT}`
  const what = host === undefined ? 'this' : `"${target}"`
  return new ShoalError('USAGE', `${what} is neither an address nor a token`, {
    where: 'join',
    hint: `an address is like ${example} and goes with --token-file FILE; a token begins with shoal`
  })
}

async function readToken(path: string): Promise<string> {
  let text: string | undefined
  if (path === '-' && process.stdin.isTTY === true)
    throw new ShoalError('USAGE', 'standard input is a terminal, not the token file', {
      hint: 'give a file, or pipe into it'
    })
  try {
    text =
      path === '-'
        ? await limitedText(process.stdin, SMALL_FILE_BYTES_MAX)
        : await limitedFile(path, SMALL_FILE_BYTES_MAX)
  } catch (error) {
    const why = plainCause(error)
    throw new ShoalError('USAGE', `cannot read the token file: ${why}`, { where: path })
  }
  if (text === undefined) throw tokenTooLong(path)
  return text
}

interface Token {
  readonly text: string
  readonly mesh: string
}

async function run(terminal: Terminal, init: UpOptions, token: Token | undefined): Promise<void> {
  const uid = process.getuid?.() ?? 0
  const options = daemonOptions(init.values, { env: terminal.env, uid })
  const note = (text: string): void => void terminal.stderr.write(`note: ${plain(text)}\n`)
  for (const text of options.notes) note(text)
  const client = new Client({ socketPath: options.socket })
  const running = await tryReady(client, terminal.signal)
  if (running !== undefined) {
    const { 'data-dir': flag = terminal.env['SHOAL_DATA_DIR'] } = init.values
    if (flag !== undefined) sameNode(running, options)
    alreadyThere(terminal, running, token)
    const ready = await untilReady(running, { terminal, client }, init.timeoutMs)
    return show(terminal, init.format, ready)
  }
  const kept = readKeptOptions(options.dataDir)
  for (const text of mergeOptions(kept, keepable(init.values)).notes) note(text)
  const start = { values: init.values, options, token: token?.text }
  if (init.isForeground) {
    const code = await runInForeground(start, terminal)
    if (code !== 0) throw new AlreadySaid(code)
    return
  }
  const verb = isMember(options) ? 'resumed' : token === undefined ? 'created' : 'joined'
  const ready = await startDetached(start, { terminal, client }, init.timeoutMs)
  const isData = init.format === 'json' || init.format === 'yaml' || init.format === 'name'
  const output = isData ? terminal.stderr : terminal.stdout
  output.write(`${verb} mesh ${plain(ready.mesh)}\n`)
  return show(terminal, init.format, ready)
}

/** Of another data directory: to say that it runs would be about the wrong node. */
function sameNode(running: ReadyView, { dataDir, socket }: DaemonOptions): void {
  if (running.dataDir === '' || real(running.dataDir) === real(dataDir)) return
  const name = plain(running.name)
  throw new ShoalError('CONFLICT', `node ${name} answers there, of ${plain(running.dataDir)}`, {
    where: socket,
    hint: `give each daemon of a host its own --socket, this one too: ${plain(dataDir)}`
  })
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

/** B47: joining one's own mesh again is no fault; another's is refused, and so is a second try. */
function alreadyThere(terminal: Terminal, running: ReadyView, token: Token | undefined): void {
  const name = plain(running.name)
  if (running.mesh === '')
    throw new ShoalError(
      'CONFLICT',
      `node ${name} (pid ${running.pid}) is in no mesh yet and tries to join one: ` +
        plain(running.waits),
      { hint: 'end that first: shoal leave; then try again' }
    )
  if (token !== undefined && running.mesh !== token.mesh)
    throw new ShoalError('REFUSED', `node ${name} is a member of another mesh`, {
      where: `${plain(running.mesh)}, the token is for ${token.mesh}`,
      hint: 'leave it first: shoal leave'
    })
  const what = token === undefined ? 'runs already' : 'is a member already'
  terminal.stderr.write(`node ${name} ${what} (pid ${running.pid})\n`)
}

async function show(terminal: Terminal, format: Format, ready: ReadyView): Promise<void> {
  if (format === 'json' || format === 'yaml') return printData(terminal, format, ready)
  const { stdout } = terminal
  if (format === 'name') {
    stdout.write(`${plain(ready.name)}\n`)
    return
  }
  const runtimes = ready.runtimes.length === 0 ? 'nothing yet' : ready.runtimes.join(', ')
  stdout.write(`node ${plain(ready.name)} is up; it runs ${plain(runtimes)}\n`)
  for (const address of ready.addresses) stdout.write(`  ${plain(address)}\n`)
  const [best] = ready.addresses
  stdout.write('another host joins with a token from here (it holds the mesh key):\n')
  stdout.write('  shoal token create --out token\n')
  stdout.write(`  shoal join ${plain(best ?? 'ADDRESS')} --token-file token\n`)
}
