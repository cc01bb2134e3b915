/**
 * Health checks of processes, run by the daemon: the command with the workload's environment, a
 * timeout, and Docker's rules for counting. While no daemon lives none are run; the last state is
 * in the record and holds until the next check.
 */
import { spawn } from 'node:child_process'
import type { HealthCheck } from '../../../src/spec/workload.ts'
import type { HealthState } from '../runtime.ts'

export interface HealthTarget {
  readonly id: string
  readonly run: number
  readonly check: HealthCheck
  /** Program and arguments that run the check once. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string
  /** How long it had been running when it was first seen. */
  readonly ageMs: number
  readonly initial: HealthState
}

type Changed = (id: string, run: number, state: HealthState) => void

/** Docker's rules as a function: what one result makes of the state. */
export function nextHealth(
  before: { readonly state: HealthState; readonly failures: number },
  ok: boolean,
  rule: { readonly retries: number; readonly inStartPeriod: boolean }
): { readonly state: HealthState; readonly failures: number } {
  if (ok) return { state: 'healthy', failures: 0 }
  // A failure while it starts says nothing, until it has been healthy once.
  if (rule.inStartPeriod && before.state === 'starting') return before
  const failures = before.failures + 1
  return { state: failures >= rule.retries ? 'unhealthy' : before.state, failures }
}

class Monitor {
  readonly #target: HealthTarget
  readonly #changed: Changed
  readonly #zeroMs: number
  #now: { state: HealthState; failures: number }
  #timer: NodeJS.Timeout | undefined
  #child: { readonly kill: () => void } | undefined
  #stopped = false

  constructor(target: HealthTarget, changed: Changed) {
    this.#target = target
    this.#changed = changed
    this.#zeroMs = performance.now() - target.ageMs
    this.#now = { state: target.initial, failures: 0 }
    this.#schedule()
  }

  get run(): number {
    return this.#target.run
  }

  get state(): HealthState {
    return this.#now.state
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#child?.kill()
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => this.#check(), this.#target.check.intervalMs)
    this.#timer.unref()
  }

  #check(): void {
    const { argv, env, workingDir, check } = this.#target
    const child = spawn(argv[0] as string, argv.slice(1), {
      cwd: workingDir,
      env: { ...env },
      detached: true,
      stdio: 'ignore'
    })
    let over = false
    const kill = (): void => {
      // Its pid is its own until we have been told of its end.
      if (over || child.pid === undefined) return
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // Ended in this very moment.
      }
    }
    const timer = setTimeout(kill, check.timeoutMs)
    const finish = (ok: boolean): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      this.#child = undefined
      this.#took(ok)
    }
    this.#child = { kill }
    child.once('error', () => finish(false))
    child.once('exit', code => finish(code === 0))
  }

  #took(ok: boolean): void {
    if (this.#stopped) return
    const { check, id, run } = this.#target
    const inStartPeriod = performance.now() - this.#zeroMs < check.startPeriodMs
    const before = this.#now.state
    this.#now = nextHealth(this.#now, ok, { retries: check.retries, inStartPeriod })
    if (this.#now.state !== before) this.#changed(id, run, this.#now.state)
    this.#schedule()
  }
}

/** One monitor a running instance with a check. */
export class HealthMonitors {
  readonly #changed: Changed
  readonly #monitors = new Map<string, Monitor>()

  constructor(changed: Changed) {
    this.#changed = changed
  }

  /** Begins when it is new or has been started again. */
  track(target: HealthTarget): void {
    const known = this.#monitors.get(target.id)
    if (known?.run === target.run) return
    known?.stop()
    this.#monitors.set(target.id, new Monitor(target, this.#changed))
  }

  /** Undefined when it is not tracked. */
  state(id: string, run: number): HealthState | undefined {
    const monitor = this.#monitors.get(id)
    return monitor?.run === run ? monitor.state : undefined
  }

  untrack(id: string): void {
    this.#monitors.get(id)?.stop()
    this.#monitors.delete(id)
  }

  stop(): void {
    for (const id of [...this.#monitors.keys()]) this.untrack(id)
  }
}
