/** The demonstration's local daemons, each driven by `shoal` commands as people type them. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '../../api/client.ts'
import type { ReadyView, TokenAnswer } from '../../api/types.ts'
import { AlreadySaid } from '../failure.ts'

export interface DemoNode {
  readonly name: string
  readonly socket: string
  readonly client: Client
  readonly ready: ReadyView
}

export interface DemoRuntime {
  readonly name: 'docker' | 'process'
  readonly dockerHost: string | undefined
}

const STOP_TIMEOUT_MS = 10_000
const POLL_MS = 50

export interface ShoalRun {
  readonly args: readonly string[]
  readonly input?: string
  readonly signal: AbortSignal
  /** Shown as it comes, instead of given back. */
  readonly isShown?: boolean
}

/** Runs this very program with other arguments. Throws, with its exit code, when it fails. */
export function shoal(run: ShoalRun): Promise<string> {
  const [, program = ''] = process.argv
  const output = run.isShown === true ? 'inherit' : 'pipe'
  const { SHOAL_SOCKET: _, SHOAL_DATA_DIR: __, ...env } = process.env
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, program, ...run.args], {
      stdio: ['pipe', output, 'inherit'],
      // Ctrl-C reaches it through us alone: a second signal would end it before it has ended its
      // daemon.
      detached: true,
      env
    })
    const stop = (): void => void child.kill('SIGTERM')
    run.signal.addEventListener('abort', stop, { once: true })
    child.stdin?.on('error', () => {})
    child.stdin?.end(run.input ?? '')
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8')
    })
    child.once('error', reject)
    child.once('close', code => {
      run.signal.removeEventListener('abort', stop)
      if (run.signal.aborted) reject(run.signal.reason)
      else if (code === 0) resolve(text)
      else reject(new AlreadySaid(code ?? 1))
    })
  })
}

/** `up` for the first, `join` with the first one's token for the others. */
export async function startNode(
  init: {
    readonly name: string
    readonly folder: string
    readonly runtime: DemoRuntime
    readonly first: DemoNode | undefined
  },
  signal: AbortSignal
): Promise<DemoNode> {
  const { name, folder, runtime, first } = init
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const socket = socketOf(folder)
  const flags = [
    `--name=${name}`,
    `--data-dir=${folder}`,
    `--socket=${socket}`,
    '--listen=/ip4/127.0.0.1/tcp/0',
    `--runtime=${runtime.name}`,
    ...(runtime.dockerHost === undefined ? [] : [`--docker-host=${runtime.dockerHost}`]),
    '--output=json'
  ]
  const text =
    first === undefined
      ? await shoal({ args: ['up', ...flags], signal })
      : await joined(first, flags, signal)
  const ready = JSON.parse(text) as ReadyView
  return { name, socket, client: new Client({ socketPath: socket }), ready }
}

async function joined(
  first: DemoNode,
  flags: readonly string[],
  signal: AbortSignal
): Promise<string> {
  const args = ['token', 'create', '--output=json', `--socket=${first.socket}`]
  const { token } = JSON.parse(await shoal({ args, signal })) as TokenAnswer
  const address = first.ready.addresses[0] ?? ''
  return shoal({ args: ['join', address, '--token-file=-', ...flags], input: token, signal })
}

export function socketOf(folder: string): string {
  return join(folder, 's')
}

/** Ends the daemon that answers on a socket, if one does: TERM, then KILL. */
export async function stopNode(socket: string): Promise<void> {
  const signal = AbortSignal.timeout(STOP_TIMEOUT_MS)
  let pid: number
  try {
    pid = (await new Client({ socketPath: socket }).ready(signal)).pid
    process.kill(pid, 'SIGTERM')
  } catch {
    return
  }
  const deadline = performance.now() + STOP_TIMEOUT_MS
  while (isAlive(pid) && performance.now() < deadline) await sleep(POLL_MS)
  if (isAlive(pid)) process.kill(pid, 'SIGKILL')
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
