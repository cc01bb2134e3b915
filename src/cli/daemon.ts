/**
 * Starting shoald from the CLI: as a child of its own session with its log in the data directory,
 * or in the foreground. The token goes through standard input, never through the argument list.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Client } from '../api/client.ts'
import { type DaemonOptions, type FlagValues, toArgv } from '../api/daemon-flags.ts'
import type { ReadyView } from '../api/types.ts'
import { ShoalError } from '../errors.ts'
import { AlreadySaid } from './failure.ts'
import { NODE_FLAGS } from './node-flags.ts'
import type { Terminal } from './terminal.ts'
import { plain } from './text.ts'

const POLL_MS = 50
const LOG_BYTES_MAX = 10 * 1024 * 1024
const TAIL_BYTES = 16 * 1024
const TAIL_LINES = 10
const EXIT_TERM_SIGNAL = 143

/** Beside the bundle, then in the build, then the sources. */
const PROGRAMS = ['./shoald.js', '../../node/main.js', '../../node/main.ts']

export interface StartInit {
  readonly values: FlagValues
  readonly options: DaemonOptions
  /** Undefined: create a mesh, or resume. */
  readonly token: string | undefined
}

/** The command that runs shoald. `SHOALD` names another program (tests, packagers). */
function daemonCommand(env: Terminal['env']): readonly string[] {
  const given = env['SHOALD']
  if (given !== undefined && given !== '') return [given]
  const path = PROGRAMS.map(name => fileURLToPath(new URL(name, import.meta.url))).find(existsSync)
  if (path === undefined)
    throw new ShoalError('INTERNAL', 'shoald is not beside this program', {
      hint: 'install shoal again, or name it with SHOALD'
    })
  const loader = path.endsWith('.ts') ? ['--import', 'tsx'] : []
  return [process.execPath, ...NODE_FLAGS, ...loader, path]
}

function start(init: StartInit, env: Terminal['env'], output: 'inherit' | number): ChildProcess {
  const [program = '', ...first] = daemonCommand(env)
  const { dataDir, socket } = init.options
  const values: FlagValues = { ...init.values, 'data-dir': dataDir, socket }
  if (init.token !== undefined) values['token-file'] = '-'
  const child = spawn(program, [...first, ...toArgv(values)], {
    stdio: [init.token === undefined ? 'ignore' : 'pipe', output, output],
    detached: output !== 'inherit',
    env: { ...env } as NodeJS.ProcessEnv
  })
  // A daemon that ends before it reads is reported by its exit, not by this pipe.
  child.stdin?.on('error', () => {})
  child.stdin?.end(init.token === undefined ? undefined : `${init.token}\n`)
  return child
}

/** Runs shoald as this command's child until it ends; gives its exit code. */
export function runInForeground(init: StartInit, terminal: Terminal): Promise<number> {
  const child = start(init, terminal.env, 'inherit')
  const stop = (): void => void child.kill('SIGTERM')
  terminal.signal.addEventListener('abort', stop, { once: true })
  return new Promise((resolve, reject) => {
    child.once('error', error => reject(cannotRun(error)))
    child.once('exit', code => {
      terminal.signal.removeEventListener('abort', stop)
      resolve(code ?? EXIT_TERM_SIGNAL)
    })
  })
}

/** Starts shoald and waits until its API says ready. */
export async function startDetached(
  init: StartInit,
  components: { readonly terminal: Terminal; readonly client: Client },
  timeoutMs: number
): Promise<ReadyView> {
  const { terminal, client } = components
  const log = logPath(init.options)
  const output = openLog(init.options)
  const from = fstatSync(output).size
  const child = start(init, terminal.env, output)
  closeSync(output)
  let ended: string | undefined
  let exitCode: number | undefined
  child.once('error', error => {
    ended = error.message
  })
  child.once('exit', (code, signal) => {
    exitCode = code ?? undefined
    ended = code === null ? `ended by ${signal}` : `ended with code ${code}`
  })
  const deadline = performance.now() + timeoutMs
  let waits = 'it does not answer yet'
  while (performance.now() < deadline) {
    await sleep(POLL_MS)
    if (terminal.signal.aborted) {
      child.kill('SIGTERM')
      throw terminal.signal.reason
    }
    if (ended !== undefined) throw failedStart(terminal, { log, from, ended, exitCode })
    // A daemon that is about to end may hang up: its end says more.
    const view = await client.ready(terminal.signal).catch(() => undefined)
    if (view?.ready === true && view.pid === child.pid) {
      child.unref()
      return view
    }
    if (view !== undefined) waits = view.waits
  }
  child.unref()
  showTail(terminal, log, from)
  throw new ShoalError('TIMEOUT', `not ready within ${timeoutMs / 1_000} s: ${plain(waits)}`, {
    where: log,
    hint: `it goes on trying (pid ${child.pid}); see shoal status`
  })
}

/** Undefined when nobody answers; a daemon that may not be asked is an error. */
export async function tryReady(
  client: Client,
  signal: AbortSignal
): Promise<ReadyView | undefined> {
  try {
    return await client.ready(signal)
  } catch (error) {
    if (!(error instanceof ShoalError) || error.code !== 'NO_DAEMON') throw error
    const code = (error.cause as NodeJS.ErrnoException | undefined)?.code
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') return undefined
    throw error
  }
}

export function logPath(options: DaemonOptions): string {
  return join(options.dataDir, 'shoald.log')
}

function openLog(options: DaemonOptions): number {
  const path = logPath(options)
  try {
    mkdirSync(options.dataDir, { recursive: true, mode: 0o700 })
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    if (size > LOG_BYTES_MAX) renameSync(path, `${path}.1`)
    return openSync(path, 'a', 0o600)
  } catch (error) {
    throw new ShoalError('REFUSED', `cannot write ${(error as Error).message}`, {
      where: path,
      hint: 'run as root, or choose --data-dir and --socket'
    })
  }
}

interface Ended {
  readonly log: string
  /** Where this start's lines begin in the log. */
  readonly from: number
  readonly ended: string
  readonly exitCode: number | undefined
}

/** shoald's last word is its own error line; it and its exit code become this command's. */
function failedStart(terminal: Terminal, { log, from, ended, exitCode }: Ended): Error {
  const lines = tail(log, from)
  const own = lines.findLast(line => line.startsWith('error['))
  if (own !== undefined && exitCode !== undefined && exitCode > 0) {
    terminal.stderr.write(`${plain(own)}\n`)
    return new AlreadySaid(exitCode)
  }
  showTail(terminal, log, from)
  return new ShoalError('UNAVAILABLE', `shoald ${ended}`, { where: log })
}

function showTail(terminal: Terminal, log: string, from: number): void {
  for (const line of tail(log, from).slice(-TAIL_LINES)) terminal.stderr.write(`  ${plain(line)}\n`)
}

function tail(path: string, from: number): readonly string[] {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const start = Math.max(from, size - TAIL_BYTES)
    const bytes = Buffer.alloc(Math.max(0, size - start))
    readSync(file, bytes, 0, bytes.length, start)
    return bytes
      .toString('utf8')
      .split('\n')
      .filter(line => line !== '')
  } finally {
    closeSync(file)
  }
}

function cannotRun(error: Error): ShoalError {
  return new ShoalError('INTERNAL', `cannot run shoald: ${error.message}`)
}
