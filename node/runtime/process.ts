/**
 * Plain programs, supervised: the embedded default. A shell shim around each, no Node process; they
 * outlive the daemon, and the next one finds them by what is written in their records. Identity is
 * always (boot id, pid, start time): a pid that was given away is never signalled.
 */
import { existsSync, watch as watchFile } from 'node:fs'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { makeDirectory } from '../../src/api/files.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { instanceName, type Owner } from './labels.ts'
import { findCloser } from './process/closer.ts'
import { HealthMonitors } from './process/health.ts'
import { launch, settled } from './process/launch.ts'
import { readProcessLogs } from './process/logs.ts'
import { observe, requireTools, shimLives } from './process/observe.ts'
import { baseEnv, type Prepared, prepare, unenforced } from './process/prepare.ts'
import { linuxProc, type Proc } from './process/proc.ts'
import { Record, type RecordState, writeWhole } from './process/record.ts'
import { LOG_BYTES_MAX, LOG_FILES_MAX, SHIM, SHIM_FILE } from './process/shim.ts'
import { stopRecord } from './process/stop.ts'
import { Vigil } from './process/vigil.ts'
import { ownVolumes } from './process/volume.ts'
import {
  type HealthState,
  type Instance,
  type InstanceMark,
  type LogLine,
  type LogOptions,
  type Runtime,
  RuntimeFailure,
  type RuntimeStatus
} from './runtime.ts'
import { KeyedLock, pause } from './wait.ts'

export interface ProcessRuntimeInit extends Owner {
  readonly dataDir: string
  /** Words without spaces in them. */
  readonly shell?: readonly string[]
  readonly logBytesMax?: number
  readonly logFilesMax?: number
}

export interface ProcessRuntimeComponents {
  readonly log: (message: string) => void
  /** Default: the kernel's. */
  readonly proc?: Proc
}

export interface ProcessInspection {
  readonly id: string
  readonly directory: string
  readonly node: string
  readonly mark: InstanceMark
  readonly state: RecordState
  readonly command: readonly string[]
  /** Names only. */
  readonly environment: readonly string[]
  readonly notEnforced: readonly string[]
}

export const DEFAULT_SHELL = ['/bin/sh'] as const
/** How often the watch looks for ends that nobody rang the bell for (a shim that was killed). */
const WATCH_POLL_MS = 1_000
/** Nothing runs that could end without ringing. */
const WATCH_IDLE_MS = 5_000

export class ProcessRuntime implements Runtime {
  readonly name = 'process'
  readonly #log: (message: string) => void
  readonly #owner: Owner
  readonly #root: string
  readonly #volumeRoot: string
  readonly #shell: readonly string[]
  readonly #logBytesMax: number
  readonly #logFilesMax: number
  readonly #lock = new KeyedLock()
  readonly #health: HealthMonitors
  readonly #listeners = new Set<() => void>()
  readonly #vigil = new Vigil()
  #proc: Proc | undefined
  #closer: readonly string[] = []
  #why = 'not opened yet'

  constructor(components: ProcessRuntimeComponents, init: ProcessRuntimeInit) {
    this.#log = components.log
    this.#proc = components.proc
    this.#owner = { mesh: init.mesh, node: init.node }
    this.#root = join(resolve(init.dataDir), 'process')
    this.#volumeRoot = join(resolve(init.dataDir), 'volumes')
    this.#shell = init.shell ?? DEFAULT_SHELL
    this.#logBytesMax = init.logBytesMax ?? LOG_BYTES_MAX
    this.#logFilesMax = init.logFilesMax ?? LOG_FILES_MAX
    this.#health = new HealthMonitors((id, run, state) => this.#healthChanged(id, run, state))
  }

  async open(signal: AbortSignal): Promise<void> {
    try {
      if (process.platform !== 'linux') throw new Error('the process runtime needs Linux')
      this.#proc ??= linuxProc()
      await requireTools()
      this.#closer = await findCloser(this.#shell, signal)
      makeDirectory(this.#root, 0o711)
      if (!existsSync(this.#path(SHIM_FILE))) await writeWhole(this.#path(SHIM_FILE), SHIM)
      await writeFile(this.#bell, '', { flag: 'a', mode: 0o600 })
      this.#why = ''
      await this.list(signal)
    } catch (error) {
      this.#why = error instanceof Error ? error.message : String(error)
    }
  }

  async close(): Promise<void> {
    this.#health.stop()
    this.#listeners.clear()
  }

  async status(): Promise<RuntimeStatus> {
    return this.#why === ''
      ? { available: true, detail: 'process (memory and cpu limits are not enforced)' }
      : { available: false, detail: `process: ${this.#why}` }
  }

  get #bell(): string {
    return this.#path('changed')
  }

  #path(name: string): string {
    return join(this.#root, name)
  }

  #kernel(): Proc {
    if (this.#proc === undefined || this.#why !== '')
      throw new RuntimeFailure('transient', `the process runtime is not available: ${this.#why}`)
    return this.#proc
  }

  async list(_signal: AbortSignal): Promise<readonly Instance[]> {
    const proc = this.#kernel()
    const records = (await Record.readAll(this.#root)).filter(record => record.isOf(this.#owner))
    this.#vigil.keep(new Set(records.map(({ id }) => id)))
    return Promise.all(records.map(async record => this.#instance(proc, record)))
  }

  /** The record as it is now; begins its health checks when they are not under way. */
  async #instance(proc: Proc, record: Record, known?: RecordState): Promise<Instance> {
    let state = known ?? (await record.state())
    let seen = observe(proc, state)
    if (seen.state === 'exited' && seen.exitCode === undefined) {
      // It ended between the reads: the shim has written its status by now, or is about to.
      state = await record.state()
      seen = observe(proc, state)
    }
    const { mark } = record.file
    const instance = { id: record.id, runtime: this.name, mark, ...seen } as const
    if (seen.state === 'running') {
      this.#vigil.watch(proc, record.id, [state.workload, state.shim])
      return { ...instance, health: this.#track(record, state, seen) }
    }
    this.#vigil.end(record.id)
    this.#health.untrack(record.id)
    return { ...instance, health: 'none' }
  }

  #track(record: Record, state: RecordState, seen: { readonly runningMs: number }): HealthState {
    const check = record.file.spec.health
    const run = state.shim?.run
    if (check === undefined || run === undefined) return 'none'
    this.#health.track({
      id: record.id,
      run,
      check,
      argv: [...this.#closer, ...this.#shell, record.path('health.sh')],
      env: baseEnv(),
      workingDir: record.file.spec.workingDir ?? record.path('work'),
      ageMs: seen.runningMs,
      initial: state.health ?? 'starting'
    })
    return this.#health.state(record.id, run) ?? 'starting'
  }

  #healthChanged(id: string, run: number, state: HealthState): void {
    void this.#find(id)
      .then(record => record?.writeHealth(run, state))
      .catch(error => this.#log(`process ${id}: health ${state} is not written: ${String(error)}`))
    this.#changed()
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    this.#listeners.add(changed)
    let bell: ReturnType<typeof watchFile> | undefined
    let first = true
    try {
      while (!signal.aborted) {
        try {
          if (bell === undefined) {
            bell = watchFile(this.#bell, { persistent: false }, changed)
            bell.on('error', () => {
              bell?.close()
              bell = undefined
            })
          }
          if (first || this.#vigil.isBroken(this.#kernel())) changed()
          first = false
        } catch {
          // Whoever lists next is told why.
          changed()
        }
        await pause(this.#vigil.size === 0 ? WATCH_IDLE_MS : WATCH_POLL_MS, signal)
      }
    } finally {
      bell?.close()
      this.#listeners.delete(changed)
    }
  }

  start(spec: WorkloadSpec, mark: InstanceMark, signal: AbortSignal): Promise<Instance> {
    const name = instanceName(mark)
    return this.#lock.run(name, signal, async () => {
      const proc = this.#kernel()
      const adopted = await this.#adopt(proc, name, mark, signal)
      if (adopted !== undefined) return adopted
      // Left behind by a crash before anything could start here, or after everything had ended.
      await rm(this.#path(name), { recursive: true, force: true })
      const prepared = await this.#prepare(spec, mark, name)
      const loose = unenforced(spec)
      if (loose.length > 0)
        this.#log(`process ${name}: not enforced by the process runtime: ${loose.join(', ')}`)
      const owner = this.#owner
      const record = await Record.create(this.#root, name, { owner, mark, spec })
      return this.#launch(proc, record, prepared, signal)
    })
  }

  async #adopt(
    proc: Proc,
    name: string,
    mark: InstanceMark,
    signal: AbortSignal
  ): Promise<Instance | undefined> {
    const record = await Record.read(this.#root, name)
    if (record === undefined) return undefined
    if (!record.isOf(this.#owner))
      throw new RuntimeFailure(
        'permanent',
        `the record ${record.directory} belongs to another node or mesh`
      )
    const instance = await this.#instance(proc, record)
    if (record.file.mark.generation === mark.generation && record.file.mark.uid === mark.uid) {
      if (instance.state !== 'created') return instance
      // The daemon died in between: either it begins by itself now, or never.
      const state = await settled(record, proc, signal)
      if (state.workload !== undefined || state.exitCode !== undefined)
        return this.#instance(proc, record, state)
      const prepared = await this.#prepare(record.file.spec, record.file.mark, name)
      return this.#launch(proc, record, prepared, signal)
    }
    if (instance.state !== 'exited')
      throw new RuntimeFailure(
        'transient',
        `slot ${mark.slot} of ${mark.project}/${mark.workload} still runs generation ` +
          `${record.file.mark.generation}; stop it first`
      )
    await stopRecord(record, proc, { graceMs: 0, signal: 'SIGKILL' }, signal)
    return undefined
  }

  #prepare(spec: WorkloadSpec, mark: InstanceMark, name: string): Promise<Prepared> {
    return prepare({
      spec,
      mark,
      owner: this.#owner,
      directory: this.#path(name),
      volumeRoot: this.#volumeRoot
    })
  }

  async #launch(
    proc: Proc,
    record: Record,
    prepared: Prepared,
    signal: AbortSignal
  ): Promise<Instance> {
    const run = ((await record.state()).shim?.run ?? 0) + 1
    const state = await launch(
      {
        record,
        prepared,
        proc,
        run,
        shimPath: this.#path(SHIM_FILE),
        bell: this.#bell,
        shell: this.#shell,
        closer: this.#closer,
        logBytesMax: this.#logBytesMax,
        logFilesMax: this.#logFilesMax
      },
      signal
    )
    return this.#instance(proc, record, state)
  }

  /** The record with this id, if it is still that one and ours. */
  async #find(id: string): Promise<Record | undefined> {
    const name = id.slice(0, Math.max(0, id.lastIndexOf(':')))
    if (name === '' || name.includes('/') || name.startsWith('.')) return undefined
    const record = await Record.read(this.#root, name)
    return record?.id === id && record.isOf(this.#owner) ? record : undefined
  }

  async #need(id: string): Promise<Record> {
    const record = await this.#find(id)
    if (record === undefined) throw new RuntimeFailure('transient', `process ${id} is gone`)
    return record
  }

  async stop(
    id: string,
    options: { readonly graceMs: number; readonly signal: string },
    signal: AbortSignal
  ): Promise<void> {
    const proc = this.#kernel()
    const found = await this.#find(id)
    if (found === undefined) return
    await this.#lock.run(found.name, signal, async () => {
      const record = await this.#find(id)
      if (record === undefined) return
      this.#health.untrack(id)
      await stopRecord(record, proc, options, signal)
    })
    this.#changed()
  }

  async restart(id: string, signal: AbortSignal): Promise<void> {
    const proc = this.#kernel()
    const { name } = await this.#need(id)
    await this.#lock.run(name, signal, async () => {
      const record = await this.#need(id)
      if ((await this.#instance(proc, record)).state === 'running') return
      const { spec, mark } = record.file
      await settled(record, proc, signal)
      const prepared = await this.#prepare(spec, mark, name)
      await this.#launch(proc, record, prepared, signal)
    })
  }

  /** Old shim programs that no record can still be reading; there is no network to free. */
  async sweep(signal: AbortSignal): Promise<void> {
    if ((await this.list(signal)).length > 0) return
    for (const name of await readdir(this.#root)) {
      if (/^shim-[0-9a-f]{8}\.sh$/.test(name) && name !== SHIM_FILE)
        await rm(this.#path(name), { force: true })
    }
  }

  async *logs(id: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<LogLine> {
    const proc = this.#kernel()
    const record = await this.#need(id)
    const source = {
      stdout: record.path('stdout.log'),
      stderr: record.path('stderr.log'),
      ended: async () => {
        const state = await record.state()
        return observe(proc, state).state === 'exited' && !shimLives(proc, state)
      }
    }
    yield* readProcessLogs(source, options, signal)
  }

  /** The record as it is on disk, without the values of environment variables. */
  async inspect(id: string): Promise<ProcessInspection> {
    const record = await this.#need(id)
    const { spec, mark, node } = record.file
    return {
      id,
      directory: record.directory,
      node,
      mark,
      state: await record.state(),
      command: [...(spec.entrypoint ?? []), ...(spec.command ?? [])],
      environment: Object.keys(spec.env).sort(),
      notEnforced: unenforced(spec)
    }
  }

  volumes(
    _signal: AbortSignal
  ): Promise<readonly { readonly name: string; readonly project: string }[]> {
    return ownVolumes(this.#volumeRoot, this.#owner)
  }
}
