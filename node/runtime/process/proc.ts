/**
 * Who a process is: boot id, pid and start time, never a pid alone. A pid that was given to another
 * process has another start time and is nobody to us.
 */
import { readFileSync } from 'node:fs'

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
  kill(pid: number, signal: NodeJS.Signals): boolean
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

/** Signals the group that this process leads; nobody when it is not the same process any more. */
export function signalGroup(
  proc: Proc,
  identity: ProcessIdentity,
  signal: NodeJS.Signals
): boolean {
  return isAlive(proc, identity) && proc.kill(-identity.pid, signal)
}
