/**
 * Who a process is: boot id, pid and start time, never a pid alone. A pid that was given to another
 * process has another start time and is nobody to us.
 */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'

export interface ProcessIdentity {
  readonly bootId: string
  readonly pid: number
  /** Field 22 of `/proc/<pid>/stat`: clock ticks since boot. */
  readonly startTicks: number
}

/** `sysconf(_SC_CLK_TCK)`; 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100
const STATE_INDEX = 0
const START_TICKS_INDEX = 19

export interface ProcStat {
  readonly state: string
  readonly startTicks: number
}

/** Reads a `/proc/<pid>/stat` line; the program's name in it may hold anything. */
export function parseStat(line: string): ProcStat | undefined {
  const close = line.lastIndexOf(')')
  if (close < 0) return undefined
  const fields = line
    .slice(close + 1)
    .trim()
    .split(' ')
  const startTicks = Number(fields[START_TICKS_INDEX])
  const state = fields[STATE_INDEX]
  if (state === undefined || !Number.isSafeInteger(startTicks)) return undefined
  return { state, startTicks }
}

/** The kernel's view, so that tests can put another in its place. */
export interface Proc {
  readonly bootId: string
  stat(pid: number): ProcStat | undefined
  /** Milliseconds since boot, suspend included; moves with no wall clock. */
  uptimeMs(): number
  /** To one process, or with a negative pid to its group. False when there is none. */
  kill(pid: number, signal: NodeJS.Signals | number): boolean
}

/** The real one. Throws where there is no `/proc`. */
export function linuxProc(): Proc {
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return {
    bootId,
    stat: pid => {
      try {
        return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
      } catch {
        return undefined
      }
    },
    uptimeMs: () => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000,
    kill: (pid, signal) => {
      try {
        process.kill(pid, signal)
        return true
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
        throw error
      }
    }
  }
}

/** True while this very process lives; a zombie does not. */
export function isAlive(proc: Proc, identity: ProcessIdentity): boolean {
  if (identity.bootId !== proc.bootId) return false
  const stat = proc.stat(identity.pid)
  if (stat === undefined || stat.startTicks !== identity.startTicks) return false
  return stat.state !== 'Z' && stat.state !== 'X'
}

/** How long it has lived. */
export function ageMs(proc: Proc, identity: ProcessIdentity): number {
  return Math.max(0, proc.uptimeMs() - (identity.startTicks / TICKS_PER_S) * 1_000)
}

/** First and last real-time signal, as libc counts them; Node has no names for those. */
const SIGRTMIN = 34
const SIGRTMAX = 64
const REALTIME_PATTERN = /^SIGRT(MIN|MAX)(?:[+-](\d{1,2}))?$/

/** `SIGTERM`, `term`, `15`, `SIGRTMIN+3` as a number; SIGTERM for what is no signal, because a stop
 * must come to its end. */
export function signalNumber(name: string): number {
  const known = constants.signals
  if (/^\d{1,2}$/.test(name) && Number(name) >= 1 && Number(name) <= SIGRTMAX) return Number(name)
  const upper = name.toUpperCase()
  const whole = upper.startsWith('SIG') ? upper : `SIG${upper}`
  const realtime = REALTIME_PATTERN.exec(whole)
  if (realtime !== null) {
    const offset = Number(realtime[2] ?? 0)
    return realtime[1] === 'MIN' ? SIGRTMIN + offset : SIGRTMAX - offset
  }
  return known[whole as NodeJS.Signals] ?? known.SIGTERM
}

/** Signals the group that this process leads; nobody when it is not the same process any more. */
export function signalGroup(proc: Proc, identity: ProcessIdentity, signal: string): boolean {
  return isAlive(proc, identity) && proc.kill(-identity.pid, signalNumber(signal))
}
