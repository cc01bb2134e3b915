/**
 * A stranger that looks as ours do (S8): whoever goes by names, environments, labels or pids alone
 * takes it for a workload. It dies with its host, and by nobody else.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DECOY_LABEL, DECOY_VARIABLE, PROGRAM } from './nemesis-census.ts'
import type { Host } from './testbed.ts'
import { isAlive } from './testbed-run.ts'

export interface Decoy {
  /** Makes it, unless it is there. */
  add(): Promise<void>
  /** It is about to die with its host. */
  forget(): void
  /** What of it is gone; '' when all is there. */
  lost(): Promise<string>
}

const SUFFIX = 'dec0dec0'
const MESH = 'f'.repeat(32)
const NODE = '12D3KooWGRUVh5cT8Jzpnoc3GcZTdRmwGFGb2nZtKTWkTxvHqvZp'
const MARK = {
  ...{ mesh: MESH, uid: `${SUFFIX}${'0'.repeat(24)}`, slot: 0, claim: 'decoy' },
  ...{ generation: '1.decoy', project: 'p0', workload: 'a' }
}
const NAME = `shoal-${MARK.project}-${MARK.workload}-${MARK.slot}-${SUFFIX}`

/** A process, and a record beside the daemon's own that names it. */
export class ProcessDecoy implements Decoy {
  readonly #host: Host
  readonly #root: string
  #pid: number | undefined

  constructor(host: Host, dataDir: string) {
    this.#host = host
    this.#root = join(dataDir, 'process')
  }

  async add(): Promise<void> {
    if (this.#pid !== undefined) return
    const { project, workload } = MARK
    const env = {
      ...{ PATH: process.env['PATH'] ?? '', SHOAL_PROJECT: project, SHOAL_WORKLOAD: workload },
      ...{ SHOAL_SLOT: '0', SHOAL_NODE: this.#host.name, [DECOY_VARIABLE]: '1' }
    }
    const directory = join(this.#root, NAME)
    const cwd = join(directory, 'work')
    mkdirSync(cwd, { recursive: true })
    const argv = [...this.#host.inside, ...PROGRAM]
    const child = spawn(argv[0] ?? '', argv.slice(1), {
      ...{ env, cwd, detached: true, stdio: 'ignore' as const }
    })
    child.unref()
    const pid = child.pid ?? 0
    this.#pid = pid
    const file = { format: 1, nonce: SUFFIX, node: NODE, mark: MARK, spec: {} }
    writeFileSync(join(directory, 'mark.json'), JSON.stringify(file))
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').trim()
    const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    const shim = { run: 1, pid, bootId, startTicks, startedAt: new Date().toISOString() }
    writeFileSync(join(directory, 'shim'), JSON.stringify(shim))
    writeFileSync(join(directory, 'workload.1'), `${pid} ${bootId} ${stat}\n`)
  }

  forget(): void {
    this.#pid = undefined
  }

  async lost(): Promise<string> {
    if (this.#pid === undefined) return ''
    if (!isAlive(this.#pid)) return `the stranger's process ${this.#pid}`
    return readdirSync(this.#root).includes(NAME) ? '' : `the stranger's record`
  }
}

/** A container with a name and labels as ours have them, of another mesh. */
export class ContainerDecoy implements Decoy {
  readonly #host: Host
  readonly #image: string
  #id: string | undefined

  constructor(host: Host, image: string) {
    this.#host = host
    this.#image = image
  }

  async add(): Promise<void> {
    if (this.#id !== undefined) return
    const { engine } = this.#host
    const name = `${NAME}-${SUFFIX.slice(0, 6)}`
    // It is there, and ended, when its host was killed.
    await engine.remove(name).catch(() => undefined)
    const { project, workload, slot, uid, generation, claim } = MARK
    const marks = { project, workload, slot: String(slot), uid, generation, claim, mesh: MESH }
    const labels = Object.entries({ ...marks, node: NODE, managed: 'true' })
    const made = await engine.call('POST', `/containers/create?name=${name}`, {
      ...{ Image: this.#image, Cmd: PROGRAM, HostConfig: { Init: true } },
      Labels: {
        ...Object.fromEntries(labels.map(([key, value]) => [`shoal.${key}`, value])),
        [DECOY_LABEL]: 'true'
      }
    })
    const { Id } = JSON.parse(made) as { readonly Id: string }
    await engine.call('POST', `/containers/${Id}/start`)
    this.#id = Id
  }

  forget(): void {
    this.#id = undefined
  }

  async lost(): Promise<string> {
    const id = this.#id
    if (id === undefined) return ''
    const found = (await this.#host.engine.containers(false)).some(one => one.Id === id)
    // Its host may have been killed while the engine was asked.
    return found || this.#id === undefined ? '' : `the stranger's container ${id.slice(0, 12)}`
  }
}
