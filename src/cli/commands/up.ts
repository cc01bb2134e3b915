/** `shoal up` and `shoal join`: a daemon on this host, in a new mesh, its own, or another's. */
import { checkAddress } from '../../api/address.ts'
import { Client } from '../../api/client.ts'
import { daemonOptions, type FlagValues } from '../../api/daemon-flags.ts'
import { decodeToken } from '../../api/token.ts'
import type { ReadyView } from '../../api/types.ts'
import { ShoalError } from '../../errors.ts'
import { runInForeground, startDetached, tryReady } from '../daemon.ts'
import { AlreadySaid } from '../failure.ts'
import { type Format, printData } from '../output.ts'
import { readInput, type Terminal } from '../terminal.ts'
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
  if (isAddress && options.tokenFile === undefined)
    throw new ShoalError('USAGE', 'an address alone opens no mesh', {
      hint: `give the token too: shoal join ${target} --token-file FILE`
    })
  if (!isAddress && options.tokenFile !== undefined)
    throw new ShoalError('USAGE', 'a token and --token-file are one too many')
  const text = isAddress ? await readInput(options.tokenFile ?? '-', 'the token file') : target
  const { mesh } = decodeToken(text)
  const values: FlagValues = isAddress ? { ...options.values, join: [target] } : options.values
  await run(terminal, { ...options, values }, { text: text.replace(/\s+/g, ''), mesh })
}

interface Token {
  readonly text: string
  readonly mesh: string
}

async function run(terminal: Terminal, init: UpOptions, token: Token | undefined): Promise<void> {
  const uid = process.getuid?.() ?? 0
  const options = daemonOptions(init.values, { env: terminal.env, uid })
  for (const note of options.notes) terminal.stderr.write(`note: ${plain(note)}\n`)
  const client = new Client({ socketPath: options.socket })
  const running = await tryReady(client, terminal.signal)
  if (running !== undefined) {
    alreadyThere(terminal, running, token)
    return show(terminal, init.format, running)
  }
  const start = { values: init.values, options, token: token?.text }
  if (init.isForeground) {
    const code = await runInForeground(start, terminal)
    if (code !== 0) throw new AlreadySaid(code)
    return
  }
  const ready = await startDetached(start, { terminal, client }, init.timeoutMs)
  return show(terminal, init.format, ready)
}

/** B47: joining one's own mesh again is no fault; another's is refused. */
function alreadyThere(terminal: Terminal, running: ReadyView, token: Token | undefined): void {
  if (token !== undefined && running.mesh !== '' && running.mesh !== token.mesh)
    throw new ShoalError('REFUSED', `node ${plain(running.name)} is a member of another mesh`, {
      where: `${plain(running.mesh)}, the token is for ${token.mesh}`,
      hint: 'leave it first: shoal leave'
    })
  const what = token === undefined ? 'runs already' : 'is a member already'
  terminal.stderr.write(`node ${plain(running.name)} ${what} (pid ${running.pid})\n`)
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
  stdout.write('  shoal token create > token\n')
  stdout.write('  shoal join "$(cat token)"\n')
  if (best !== undefined) stdout.write(`  or: shoal join ${plain(best)} --token-file token\n`)
}
