/**
 * Starting shoald from the CLI: as a child of its own session with its log in the data directory,
 * or in the foreground. The token goes through standard input, never through the argument list.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Client } from '../api/client.ts'
import { type DaemonOptions, type FlagValues, toArgv } from '../api/daemon-flags.ts'
import { makeDirectory, reasonOfPath } from '../api/files.ts'
import type { ReadyView } from '../api/types.ts'
import { ShoalError } from '../errors.ts'
import { AlreadySaid } from './failure.ts'
import { NODE_FLAGS } from './node-flags.ts'
import type { Terminal } from './terminal.ts'
import { plain } from './text.ts'

const POLL_MS = 50
/** A start that takes longer says what it waits for. */
const WAIT_NOTE_MS = 3_000
const STOP_TIMEOUT_MS = 10_000
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

/**
 * Starts shoald and waits until its API says ready. A join that nobody accepted in time ends the
 * daemon again, and it leaves nothing behind; any other one goes on trying.
 */
export async function startDetached(
  init: StartInit,
  components: { readonly terminal: Terminal; readonly client: Client },
  timeoutMs: number
): Promise<ReadyView> {
  const { terminal, client } = components
  const isJoin = init.token !== undefined && !isMember(init.options)
  const log = new DaemonLog(init.options)
  const child = start(init, terminal.env, log.output)
  log.close()
  const end = new ChildEnd(child)
  const waiting = new WaitNotes(terminal)
  const deadline = performance.now() + timeoutMs
  let view: ReadyView | undefined
  while (performance.now() < deadline) {
    await sleep(POLL_MS)
    if (terminal.signal.aborted) {
      await end.stop()
      log.remove()
      throw terminal.signal.reason
    }
    if (end.how !== undefined) throw failedStart(terminal, log, end)
    // A daemon that is about to end may hang up: its end says more.
    const said = await client.ready(terminal.signal).catch(() => undefined)
    if (said?.pid !== child.pid) continue
    view = said
    if (view?.ready === true) {
      child.unref()
      return view
    }
    waiting.say(view?.waits ?? '')
  }
  const waits = view?.waits ?? 'it does not answer yet'
  if (isJoin && (view === undefined || view.mesh === '')) {
    await end.stop()
    if (end.code !== 0 && end.code !== undefined) throw failedStart(terminal, log, end)
    log.remove()
    throw new ShoalError('TIMEOUT', `not joined within ${seconds(timeoutMs)}: ${plain(waits)}`, {
      hint: 'check the address, and that its port is open for this host; then join again'
    })
  }
  child.unref()
  log.show(terminal)
  throw new ShoalError('TIMEOUT', `not ready within ${seconds(timeoutMs)}: ${plain(waits)}`, {
    where: log.path,
    hint: `it goes on trying (pid ${child.pid}); see shoal status`
  })
}

/** Waits for a daemon that runs already. Throws TIMEOUT with what it waits for. */
export async function untilReady(
  first: ReadyView,
  components: { readonly terminal: Terminal; readonly client: Client },
  timeoutMs: number
): Promise<ReadyView> {
  const { terminal, client } = components
  const waiting = new WaitNotes(terminal)
  const deadline = performance.now() + timeoutMs
  let view = first
  while (!view.ready && performance.now() < deadline) {
    waiting.say(view.waits)
    await sleep(POLL_MS, undefined, { signal: terminal.signal })
    view = await client.ready(terminal.signal)
  }
  if (view.ready) return view
  const what = `node ${plain(view.name)} runs (pid ${view.pid}) but is not ready`
  throw new ShoalError('TIMEOUT', `${what}: ${plain(view.waits)}`, {
    hint: 'it goes on trying; see shoal status'
  })
}

/** The data directory belongs to a mesh, so that a start resumes it. */
export function isMember(options: DaemonOptions): boolean {
  return existsSync(join(options.dataDir, 'mesh.json'))
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`
}

/** Says what a start waits for, once that takes long and when it changes. */
class WaitNotes {
  readonly #terminal: Terminal
  #nextMs = performance.now() + WAIT_NOTE_MS
  #said = ''

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  say(waits: string): void {
    const nowMs = performance.now()
    if (waits === '' || waits === this.#said || nowMs < this.#nextMs) return
    this.#said = waits
    this.#nextMs = nowMs + WAIT_NOTE_MS
    this.#terminal.stderr.write(`waiting: ${plain(waits)}\n`)
  }
}

/** How a child ended, and ending it. */
class ChildEnd {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  how: string | undefined
  code: number | undefined

  constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = new Promise(resolve => {
      child.once('error', error => {
        this.how = error.message
        resolve()
      })
      child.once('exit', (code, signal) => {
        this.code = code ?? undefined
        this.how = code === null ? `ended by ${signal}` : `ended with code ${code}`
        resolve()
      })
    })
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#ended
    clearTimeout(timer)
  }
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

/** The log that a detached daemon writes, as far as this start is concerned. */
class DaemonLog {
  readonly path: string
  readonly output: number
  /** Where this start's lines begin. */
  readonly #from: number
  readonly #isNew: boolean
  /** The first directory that was made for it. */
  readonly #made: string | undefined

  constructor(options: DaemonOptions) {
    this.path = join(options.dataDir, 'shoald.log')
    try {
      this.#made = makeDirectory(options.dataDir, 0o700)
      const size = statSync(this.path, { throwIfNoEntry: false })?.size
      this.#isNew = size === undefined
      if (size !== undefined && size > LOG_BYTES_MAX) renameSync(this.path, `${this.path}.1`)
      this.output = openSync(this.path, 'a', 0o600)
      this.#from = fstatSync(this.output).size
    } catch (error) {
      throw new ShoalError('REFUSED', `cannot write the log: ${reasonOfPath(error)}`, {
        where: this.path,
        hint: 'run as root, or choose --data-dir and --socket'
      })
    }
  }

  /** The child has it. */
  close(): void {
    closeSync(this.output)
  }

  show(terminal: Terminal): void {
    for (const line of this.lines().slice(-TAIL_LINES)) terminal.stderr.write(`  ${plain(line)}\n`)
  }

  lines(): readonly string[] {
    const file = openSync(this.path, 'r')
    try {
      const { size } = fstatSync(file)
      const start = Math.max(this.#from, size - TAIL_BYTES)
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

  /** After a start that came to nothing: what it made goes, if nothing else is there. */
  remove(): void {
    if (!this.#isNew) return
    try {
      unlinkSync(this.path)
      if (this.#made === undefined) return
      for (let at = dirname(resolve(this.path)); ; at = dirname(at)) {
        rmdirSync(at)
        if (at === this.#made) return
      }
    } catch {
      // It is not empty, or gone already.
    }
  }
}

/** shoald's last word is its own error line; it and its exit code become this command's. */
function failedStart(terminal: Terminal, log: DaemonLog, end: ChildEnd): Error {
  const own = log.lines().findLast(line => line.startsWith('error['))
  if (own !== undefined && end.code !== undefined && end.code > 0) {
    terminal.stderr.write(`${plain(own)}\n`)
    log.remove()
    return new AlreadySaid(end.code)
  }
  log.show(terminal)
  return new ShoalError('UNAVAILABLE', `shoald ${end.how}`, { where: log.path })
}

function cannotRun(error: Error): ShoalError {
  return new ShoalError('INTERNAL', `cannot run shoald: ${error.message}`)
}
