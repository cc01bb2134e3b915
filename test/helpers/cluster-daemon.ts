/** One shoald: started and joined by the command line, found and signalled by process id. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ShoalClient } from './cluster-cli.ts'
import { commandLine } from './testbed-net.ts'
import { isAlive, type Ran, signalAll, until } from './testbed-run.ts'

export interface DaemonInit {
  readonly name: string
  /** Holds the data directory, the socket and the log. */
  readonly folder: string
  /** `/ip4/10.88.0.1/tcp/7970` */
  readonly listen: string
  readonly runtime: 'docker' | 'process' | 'auto'
  readonly dockerHost?: string
  /** Further flags of `up` and `join`. */
  readonly flags?: readonly string[]
  /** Runs the command inside a host: `nsenter --net=...`. */
  readonly prefix?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const START_TIMEOUT_MS = 20_000

export class Daemon {
  readonly init: DaemonInit
  readonly client: ShoalClient
  readonly dataDir: string

  constructor(init: DaemonInit) {
    this.init = init
    this.dataDir = join(init.folder, 'data')
    this.client = new ShoalClient(init.name, join(init.folder, 's.sock'), init.prefix ?? [])
    mkdirSync(init.folder, { recursive: true })
  }

  get name(): string {
    return this.init.name
  }

  #flags(): string[] {
    const { name, listen, runtime, dockerHost, flags } = this.init
    const engine = dockerHost === undefined ? [] : ['--docker-host', dockerHost]
    const where = ['--data-dir', this.dataDir, '--socket', this.client.socket]
    return ['--name', name, ...where, '--listen', listen, '--runtime', runtime, ...engine].concat(
      flags ?? []
    )
  }

  #start(args: readonly string[]): Promise<Ran> {
    const env = this.init.env ?? {}
    return this.client.run(args, { timeoutMs: START_TIMEOUT_MS, env })
  }

  async #mustStart(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#start(args)
    if (code !== 0)
      throw new Error(
        `${this.name}: shoal ${args[0]}: exit ${code}\n${stdout}${stderr}${this.log()}`
      )
    return stdout
  }

  /** Makes a mesh, or resumes the one in the data directory. */
  up(): Promise<string> {
    return this.#mustStart(['up', ...this.#flags()])
  }

  /** Joins by a token, or by an address with a token file. */
  join(...where: readonly string[]): Promise<string> {
    return this.#mustStart(['join', ...where, ...this.#flags()])
  }

  /** As `join`, for joins that must fail. */
  tryJoin(...where: readonly string[]): Promise<Ran> {
    return this.#start(['join', ...where, ...this.#flags()])
  }

  async token(): Promise<string> {
    return (await this.client.must(['token', 'create'])).trim()
  }

  /** Its address with its peer id, as another host would be told it. */
  async address(): Promise<string> {
    const self = (await this.client.nodes()).find(node => node.self)
    if (self === undefined) throw new Error(`${this.name} does not list itself`)
    return `${this.init.listen}/p2p/${self.id}`
  }

  /** The process ids of the daemon alone, without the workloads of the process runtime. */
  pids(): number[] {
    return readdirSync('/proc')
      .filter(entry => /^\d+$/.test(entry))
      .map(Number)
      .filter(pid => {
        if (!/(?:node\/main\.js|shoald(?:\.js)?)(?: |$)/.test(commandLine(pid))) return false
        return `${commandLine(pid)} ${environment(pid)}`.includes(this.dataDir)
      })
  }

  /** SIGKILL to the daemon alone; what it runs lives on. */
  async kill(): Promise<void> {
    const pids = this.pids()
    if (pids.length === 0) throw new Error(`${this.name} has no daemon to kill${this.log()}`)
    signalAll(pids, 'SIGKILL')
    await until(`${this.name} is gone`, () => (pids.some(isAlive) ? undefined : true), {
      intervalMs: 10
    })
  }

  pause(): void {
    signalAll(this.pids(), 'SIGSTOP')
  }

  resume(): void {
    signalAll(this.pids(), 'SIGCONT')
  }

  /** Files the daemon wrote as logs, newest lines last; for messages of failing tests. */
  log(lines = 25): string {
    const paths = [this.init.folder, this.dataDir].filter(existsSync).flatMap(folder =>
      readdirSync(folder)
        .filter(name => name.endsWith('.log'))
        .map(name => join(folder, name))
    )
    return paths
      .map(path => {
        const tail = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines)
        return `\n--- ${this.name}: ${path}\n${tail.join('\n')}`
      })
      .join('')
  }
}

function environment(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return ''
  }
}
