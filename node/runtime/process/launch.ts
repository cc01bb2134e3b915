/**
 * One start of one record: the wrapper's text, the shim as a session of its own, and the order in
 * which things are written down (see `shim.ts`).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { RuntimeFailure } from '../runtime.ts'
import { pause } from '../wait.ts'
import { baseEnv, type Prepared } from './prepare.ts'
import { isAlive, type Proc } from './proc.ts'
import { type Record, type RecordState, writeWhole } from './record.ts'
import { commandScript, wrapperScript } from './shim.ts'

/** How long a shell and a rename may take on a starved machine. */
const BEGIN_TIMEOUT_MS = 10_000
const BEGIN_POLL_MS = 5

export interface LaunchInit {
  readonly record: Record
  readonly prepared: Prepared
  readonly proc: Proc
  readonly run: number
  /** The shim's file, the file whose change is watched, the shell in words. */
  readonly shimPath: string
  readonly bell: string
  readonly shell: readonly string[]
  /** See `closer.ts`. */
  readonly closer: readonly string[]
  readonly logBytesMax: number
  readonly logFilesMax: number
}

/** Resolves when the workload has begun (it may have ended again by then). */
export async function launch(init: LaunchInit, signal: AbortSignal): Promise<RecordState> {
  const { record, prepared, proc, run } = init
  await writeScripts(init)
  for (const path of prepared.tmpfs) {
    await rm(path, { recursive: true, force: true })
    await mkdir(path, { mode: 0o755 })
    if (prepared.account !== undefined)
      await chown(path, prepared.account.uid, prepared.account.gid)
  }
  signal.throwIfAborted()
  const child = await spawnShim(init)
  const pid = child.pid as number
  const stat = proc.stat(pid)
  if (stat === undefined) throw new RuntimeFailure('transient', 'the process shim ended at once')
  await record.writeShim({
    run,
    pid,
    bootId: proc.bootId,
    startTicks: stat.startTicks,
    startedAt: new Date().toISOString()
  })
  child.stdin?.end('go\n')
  child.unref()
  // From `go` on it runs whatever becomes of the caller, so its signal does not count any more.
  return settled(record, proc, new AbortController().signal)
}

/**
 * Waits until the current run has begun, or can never begin because its shim is gone. Throws a
 * transient failure when neither happens: a shim that hangs may still begin at any time.
 */
export async function settled(
  record: Record,
  proc: Proc,
  signal: AbortSignal
): Promise<RecordState> {
  const deadlineMs = performance.now() + BEGIN_TIMEOUT_MS
  for (;;) {
    const alive = await shimAlive(record, proc)
    const state = await record.state()
    if (state.workload !== undefined || state.exitCode !== undefined || !alive) return state
    if (performance.now() > deadlineMs)
      throw new RuntimeFailure('transient', `no process began within ${BEGIN_TIMEOUT_MS} ms`)
    await pause(BEGIN_POLL_MS, signal)
    signal.throwIfAborted()
  }
}

/** Asked before the files are read: what a shim did before it ended is then seen. */
async function shimAlive(record: Record, proc: Proc): Promise<boolean> {
  const { shim } = await record.state()
  return shim !== undefined && isAlive(proc, shim)
}

async function writeScripts(init: LaunchInit): Promise<void> {
  const { record, prepared, proc, bell } = init
  const { env, workingDir } = prepared
  const argv = [...prepared.prefix, ...prepared.argv]
  const wrapper = { directory: record.directory, bootId: proc.bootId, env, workingDir, argv, bell }
  await writeWhole(record.path('wrapper.sh'), wrapperScript(wrapper))
  const health = record.file.spec.health
  if (health === undefined) return
  const check = commandScript({ env, argv: [...prepared.prefix, ...health.command] })
  await writeWhole(record.path('health.sh'), check)
  if (prepared.account !== undefined && record.file.spec.workingDir === undefined)
    await chown(join(record.directory, 'work'), prepared.account.uid, prepared.account.gid)
}

async function spawnShim(init: LaunchInit): Promise<ChildProcess> {
  const { record, run, proc, shell, closer } = init
  const bootWallMs = Math.round(Date.now() - proc.uptimeMs())
  const [program, ...args] = [
    ...closer,
    ...shell,
    init.shimPath,
    record.directory,
    String(run),
    String(bootWallMs),
    String(init.logBytesMax),
    String(init.logFilesMax),
    init.bell,
    shell.join(' ')
  ]
  const child = spawn(program as string, args, {
    cwd: '/',
    env: baseEnv(),
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore']
  })
  child.stdin?.on('error', () => undefined)
  try {
    await once(child, 'spawn')
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error)
    throw new RuntimeFailure('transient', `the process shim does not start: ${words}`, error)
  }
  child.on('error', () => undefined)
  return child
}
