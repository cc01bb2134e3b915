/** Small things every e2e test needs: run a command, wait for a condition, stamp a time. */
import { spawn } from 'node:child_process'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly input?: string
  readonly timeoutMs?: number
}

const DEFAULT_TIMEOUT_MS = 30_000

/** Runs a command to its end. Never throws for an exit code; code 128 when a signal ended it. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0] ?? 'false', argv.slice(1), {
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL'
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (signal !== null) stderr += `\n(ended by ${signal}, limit ${timeoutMs} ms)`
      resolve({ code: code ?? 128, stdout, stderr })
    })
    // The command may end without reading its input.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** As `run`, and throws with the output unless it exits 0. Returns what it printed. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options)
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}\n${stdout}${stderr}`)
  return stdout
}

export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Milliseconds of CLOCK_MONOTONIC: the same clock in every process of this machine. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6

export interface UntilOptions {
  readonly timeoutMs?: number
  readonly intervalMs?: number
  readonly signal?: AbortSignal
}

/**
 * Asks until the answer is not undefined, and returns it. On the deadline it throws with `what`
 * and the last thing that went wrong, or what `last` tells of the state.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  options: UntilOptions = {},
  last?: () => string
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 15_000
  const startMs = monotonicMs()
  let wrong = ''
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined) return answer
      wrong = ''
    } catch (error) {
      wrong = `: ${error instanceof Error ? error.message : String(error)}`
    }
    options.signal?.throwIfAborted()
    if (monotonicMs() - startMs > timeoutMs)
      throw new Error(`not within ${timeoutMs} ms: ${what}${wrong}${last?.() ?? ''}`)
    await sleep(options.intervalMs ?? 100)
  }
}

/** True while a process with this id exists and is not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Signals processes in one go; one that is already gone is no error. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // gone
    }
  }
}
