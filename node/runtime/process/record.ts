/**
 * A process's record on disk, `<data-dir>/process/<name>/`, which is all that a later daemon knows:
 *
 * - `mark.json`  the mark, the owner and the spec, written whole before anything starts
 * - `shim`       run number and identity of the shim, written by the daemon before it says `go`
 * - `workload.N` identity of the workload of run N, written by itself before it begins
 * - `exit.N`     its exit status, written by the shim
 * - `health`     run number and last health state, written by the daemon
 *
 * Only what belongs to the current run counts.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { WorkloadSpec } from '../../../src/spec/workload.ts'
import type { Owner } from '../labels.ts'
import type { HealthState, InstanceMark } from '../runtime.ts'
import { type ProcessIdentity, parseStat } from './proc.ts'

const FORMAT = 1
const RECORDS_MAX = 10_000

export interface RecordFile {
  readonly format: number
  /** Tells this record from an earlier one of the same name. */
  readonly nonce: string
  readonly node: string
  readonly mark: InstanceMark
  readonly spec: WorkloadSpec
}

export interface ShimFile extends ProcessIdentity {
  readonly run: number
  /** Wall clock at the start, for display. ISO 8601. */
  readonly startedAt: string
}

export interface RecordState {
  readonly shim: ShimFile | undefined
  readonly workload: ProcessIdentity | undefined
  readonly exitCode: number | undefined
  readonly health: HealthState | undefined
}

/** Written beside, synced and renamed: read whole or not at all, also after a crash. */
export async function writeWhole(path: string, text: string, mode = 0o600): Promise<void> {
  const beside = `${path}.${randomBytes(4).toString('hex')}.new`
  const handle = await open(beside, 'w', mode)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(beside, path)
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined
    throw error
  }
}

export class Record {
  readonly name: string
  readonly directory: string
  readonly file: RecordFile

  private constructor(directory: string, name: string, file: RecordFile) {
    this.directory = directory
    this.name = name
    this.file = file
  }

  /** The instance's id: the name, and which record of that name. */
  get id(): string {
    return `${this.name}:${this.file.nonce}`
  }

  /** Undefined when there is none, or one that was never written whole. */
  static async read(root: string, name: string): Promise<Record | undefined> {
    const directory = join(root, name)
    const text = await readText(join(directory, 'mark.json'))
    if (text === undefined) return undefined
    try {
      const file = JSON.parse(text) as RecordFile
      const whole = file.format === FORMAT && typeof file.mark?.uid === 'string'
      return whole ? new Record(directory, name, file) : undefined
    } catch {
      return undefined
    }
  }

  /** Makes the directory and the file. What was there under this name must be gone. */
  static async create(
    root: string,
    name: string,
    init: { readonly owner: Owner; readonly mark: InstanceMark; readonly spec: WorkloadSpec }
  ): Promise<Record> {
    const directory = join(root, name)
    const nonce = randomBytes(4).toString('hex')
    const { mark, spec } = init
    const file: RecordFile = { format: FORMAT, nonce, node: init.owner.node, mark, spec }
    await mkdir(directory, { mode: 0o711 })
    await mkdir(join(directory, 'work'), { mode: 0o755 })
    await writeWhole(join(directory, 'mark.json'), JSON.stringify(file))
    return new Record(directory, name, file)
  }

  /** Every record under `root` that was written whole. */
  static async readAll(root: string): Promise<Record[]> {
    const names = (await readdir(root, { withFileTypes: true }))
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name)
      .sort()
      .slice(0, RECORDS_MAX)
    const records = await Promise.all(names.map(name => Record.read(root, name)))
    return records.flatMap(record => record ?? [])
  }

  isOf(owner: Owner): boolean {
    return this.file.mark.mesh === owner.mesh && this.file.node === owner.node
  }

  path(file: string): string {
    return join(this.directory, file)
  }

  /** As the files say it; who of them still lives is another question. */
  async state(): Promise<RecordState> {
    const shim = parseShim(await readText(this.path('shim')))
    if (shim === undefined)
      return { shim, workload: undefined, exitCode: undefined, health: undefined }
    const [exit, workload, health] = await Promise.all([
      readText(this.path(`exit.${shim.run}`)),
      readText(this.path(`workload.${shim.run}`)),
      readText(this.path('health'))
    ])
    return {
      shim,
      workload: parseWorkload(workload),
      exitCode: parseExit(exit),
      health: parseHealth(health, shim.run)
    }
  }

  /** From here on run `shim.run` is the current one. */
  async writeShim(shim: ShimFile): Promise<void> {
    await writeWhole(this.path('shim'), JSON.stringify(shim))
    await rm(this.path(`exit.${shim.run - 1}`), { force: true })
    await rm(this.path(`workload.${shim.run - 1}`), { force: true })
  }

  async writeHealth(run: number, state: HealthState): Promise<void> {
    await writeWhole(this.path('health'), `${run} ${state}\n`)
  }

  async remove(): Promise<void> {
    // The mark goes first: a removal that a crash cuts short leaves no instance.
    await rm(this.path('mark.json'), { force: true })
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

function parseShim(text: string | undefined): ShimFile | undefined {
  if (text === undefined) return undefined
  try {
    const shim = JSON.parse(text) as ShimFile
    return Number.isSafeInteger(shim.pid) && Number.isSafeInteger(shim.run) ? shim : undefined
  } catch {
    return undefined
  }
}

const EXIT_PATTERN = /^(\d+)\n$/
const WORKLOAD_PATTERN = /^(\d+) (\S+) (.*)\n$/
const HEALTH_PATTERN = /^(\d+) (starting|healthy|unhealthy)\n$/

function parseExit(text: string | undefined): number | undefined {
  const match = EXIT_PATTERN.exec(text ?? '')
  return match === null ? undefined : Number(match[1])
}

function parseWorkload(text: string | undefined): ProcessIdentity | undefined {
  const match = WORKLOAD_PATTERN.exec(text ?? '')
  const stat = match === null ? undefined : parseStat(match[3] as string)
  if (match === null || stat === undefined) return undefined
  return { pid: Number(match[1]), bootId: match[2] as string, startTicks: stat.startTicks }
}

function parseHealth(text: string | undefined, run: number): HealthState | undefined {
  const match = HEALTH_PATTERN.exec(text ?? '')
  return match !== null && Number(match[1]) === run ? (match[2] as HealthState) : undefined
}
