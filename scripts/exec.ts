/** Child processes for the scripts: with a budget, in a group of their own, never left behind. */
import { spawn, spawnSync } from 'node:child_process'

export interface StepOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** Twice this and the whole group is ended: TERM first, so that tests can clean up. */
  readonly budgetMs: number
  /** Shown when it has ended, in one piece: for a command that runs beside another. */
  readonly isHeldBack?: boolean
}

const KILL_AFTER_TERM_MS = 20_000

/** Runs a command with its output shown. Resolves to its exit code, 128 when it was ended. */
export function runStep(argv: readonly string[], options: StepOptions): Promise<number> {
  return new Promise(resolve => {
    const child = spawn(argv[0] ?? 'false', argv.slice(1), {
      cwd: options.cwd,
      env: options.env,
      stdio:
        options.isHeldBack === true ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
      detached: true
    })
    const held: Buffer[] = []
    for (const output of [child.stdout, child.stderr]) {
      output?.on('data', (chunk: Buffer) => held.push(chunk))
    }
    const signalGroup = (signal: NodeJS.Signals): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal)
      } catch {
        // the group is gone
      }
    }
    const interrupted = (): void => signalGroup('SIGTERM')
    process.on('SIGINT', interrupted)
    process.on('SIGTERM', interrupted)
    let hardTimer: NodeJS.Timeout | undefined
    const timer = setTimeout(() => {
      process.stdout.write(`ended: took more than twice its budget: ${argv.join(' ')}\n`)
      signalGroup('SIGTERM')
      hardTimer = setTimeout(() => signalGroup('SIGKILL'), KILL_AFTER_TERM_MS)
    }, options.budgetMs * 2)
    const done = (code: number): void => {
      clearTimeout(timer)
      clearTimeout(hardTimer)
      process.off('SIGINT', interrupted)
      process.off('SIGTERM', interrupted)
      process.stdout.write(Buffer.concat(held))
      resolve(code)
    }
    child.on('error', error => {
      process.stdout.write(`cannot run ${argv.join(' ')}: ${error.message}\n`)
      done(127)
    })
    // `close`: after the last of its output.
    child.on('close', code => done(code ?? 128))
  })
}

/** The standard output of a short command, empty when it cannot run. */
export function capture(argv: readonly string[], cwd?: string): string {
  const result = spawnSync(argv[0] ?? 'false', argv.slice(1), {
    ...(cwd === undefined ? {} : { cwd }),
    encoding: 'utf8',
    timeout: 30_000,
    maxBuffer: 64 * 1024 * 1024
  })
  return result.stdout ?? ''
}
