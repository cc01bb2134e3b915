/**
 * A host for the nemesis: a namespace of a testbed, a data directory on a file system of its own
 * that can be filled, a daemon as our child (so that every end of it is seen), and decoys.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '../../src/api/client.ts'
import { NODE_FLAGS } from '../../src/cli/node-flags.ts'
import { ShoalClient, shoalProgram } from './cluster-cli.ts'
import { namespaceOf } from './nemesis-census.ts'
import { ContainerDecoy, type Decoy, ProcessDecoy } from './nemesis-decoy.ts'
import type { Harm, History } from './nemesis-history.ts'
import { type Host, PORT } from './testbed.ts'
import { isAlive, must, run, sleep, until } from './testbed-run.ts'

const PREFIX = 'shoalnem'
/** Room for the store's ballast, so that it is laid in. */
const DISK = 'size=150m,mode=700'
const READY_MS_MAX = 25_000
const REFILL_MS = 150

/** Folders of runs whose process is gone: their disks are unmounted. */
export async function removeOrphanDisks(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^shoalnem-(?:copy-)?(\d+)(?:-|$)/.exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    await removeDisks(join(tmpdir(), name))
  }
}

export async function removeDisks(folder: string): Promise<void> {
  if (!existsSync(folder)) return
  for (const host of readdirSync(folder)) await run(['umount', '-l', join(folder, host, 'data')])
  rmSync(folder, { recursive: true, force: true })
}

export const diskFolder = (): string => join(tmpdir(), `${PREFIX}-${process.pid}`)

export class NemesisHost {
  readonly host: Host
  readonly folder: string
  readonly dataDir: string
  readonly socket: string
  readonly client: Client
  readonly cli: ShoalClient
  readonly network: string
  readonly decoy: Decoy
  readonly #image: string
  readonly #history: History
  #child: ChildProcess | undefined
  #harm: Harm | undefined
  #failpoint = ''
  /** We are about to end it ourselves. */
  #isAsked = false
  #isFilling = false
  /** Ended at a failpoint, so far. */
  failpoints = 0

  /** `image`: what its engine runs; '' for the process runtime. */
  constructor(host: Host, history: History, image: string) {
    this.host = host
    this.#history = history
    this.#image = image
    this.folder = join(diskFolder(), host.name)
    this.dataDir = join(this.folder, 'data')
    this.socket = join(this.folder, 's.sock')
    this.client = new Client({ socketPath: this.socket })
    this.cli = new ShoalClient(host.name, this.socket, host.inside)
    this.network = namespaceOf(host.namespace)
    this.decoy =
      image === '' ? new ProcessDecoy(host, this.dataDir) : new ContainerDecoy(host, image)
  }

  get name(): string {
    return this.host.name
  }

  get isUp(): boolean {
    return this.#child !== undefined
  }

  /** Killed, stopped, starting or on a full disk, just now. */
  get isHarmed(): boolean {
    return this.#harm !== undefined || !this.isUp
  }

  async mount(): Promise<void> {
    mkdirSync(this.dataDir, { recursive: true, mode: 0o700 })
    await must(['mount', '-t', 'tmpfs', '-o', DISK, 'tmpfs', this.dataDir])
  }

  harm(kind: Harm['kind']): void {
    if (this.#harm !== undefined) return
    this.#harm = { host: this.name, kind, fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY }
    this.#history.harms.push(this.#harm)
  }

  heal(): void {
    if (this.#harm !== undefined) this.#harm.toMs = Date.now()
    this.#harm = undefined
  }

  /** Starts the daemon; `failpoint` is a `SHOAL_FAILPOINT`. */
  start(init: { readonly failpoint?: string; readonly join?: readonly string[] } = {}): void {
    if (this.#child !== undefined) return
    this.harm('start')
    const program = shoalProgram().map(part =>
      part.replace(/src\/cli\/main\.js$/, 'node/main.js').replace(/shoal\.js$/, 'shoald.js')
    )
    const flags = [
      ...['--name', this.name, '--data-dir', this.dataDir, '--socket', this.socket],
      ...['--listen', `/ip4/${this.host.address}/tcp/${PORT}`],
      ...(this.#image === ''
        ? ['--runtime', 'process']
        : ['--runtime', 'docker', '--docker-host', `unix://${this.host.engine.socket}`]),
      ...(init.join ?? [])
    ]
    const argv = [...this.host.inside, ...program.slice(0, 1), ...NODE_FLAGS, ...program.slice(1)]
    const log = openSync(join(this.folder, 'shoald.log'), 'a')
    this.#isAsked = false
    this.#failpoint = init.failpoint ?? ''
    const env = { ...process.env, SHOAL_FAILPOINT: this.#failpoint }
    const child = spawn(argv[0] ?? '', [...argv.slice(1), ...flags], {
      stdio: ['ignore', log, log],
      env
    })
    this.#child = child
    child.once('exit', (code, signal) => this.#ended(child, code, signal))
  }

  #ended(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#child === child) this.#child = undefined
    if (this.#isAsked) return
    this.harm('kill')
    if (signal === 'SIGKILL' && this.#failpoint !== '') {
      this.failpoints += 1
      return
    }
    const how = signal ?? `exit code ${code}`
    this.#history.exits.push({ atMs: Date.now(), host: this.name, how })
  }

  /** Throws at once when the daemon ends before it is ready. */
  async untilReady(): Promise<void> {
    const child = this.#child
    const isReady = await until(
      `${this.name} is ready`,
      async () => {
        if (child === undefined || this.#child !== child) return false
        return (await this.client.ready(AbortSignal.timeout(1_000))).ready ? true : undefined
      },
      { timeoutMs: READY_MS_MAX, intervalMs: 50 }
    )
    if (!isReady) throw new Error(`${this.name} has ended before it was ready`)
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#isAsked = true
    child.kill(signal)
    await until(`${this.name} is gone`, () => (this.#child === child ? undefined : true), {
      intervalMs: 5
    })
  }

  /** After `killHost` there is none, where there should be one. */
  async startEngine(): Promise<void> {
    if (this.#image !== '' && !(await this.host.engine.ping())) await this.host.startEngine()
  }

  /** SIGKILL to the daemon; what it runs lives on. */
  async kill(): Promise<void> {
    this.harm('kill')
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    this.harm('kill')
    await this.#end('SIGTERM')
  }

  /** The power plug: the daemon, what it runs, and the decoys. */
  async killHost(): Promise<void> {
    this.harm('host')
    this.#isAsked = true
    this.decoy.forget()
    await this.host.kill()
    await until(`${this.name} is gone`, () => (this.isUp ? undefined : true), { intervalMs: 5 })
  }

  async pause(ms: number): Promise<void> {
    this.harm('pause')
    const child = this.#child
    child?.kill('SIGSTOP')
    await sleep(ms)
    child?.kill('SIGCONT')
    if (this.isUp) this.heal()
  }

  /** Takes every free byte of the disk again and again, then gives all back. */
  async fill(ms: number): Promise<void> {
    this.harm('disk')
    this.#isFilling = true
    const fillers: string[] = []
    const endMs = Date.now() + ms
    while (this.#isFilling && Date.now() < endMs) {
      const { bavail, bsize } = statfsSync(this.dataDir)
      const filler = join(this.dataDir, `filler.${fillers.length}`)
      if (bavail > 0) {
        await run(['fallocate', '-l', String(bavail * bsize), filler])
        fillers.push(filler)
      }
      await sleep(REFILL_MS)
    }
    for (const filler of fillers) rmSync(filler, { force: true })
    this.#isFilling = false
    if (this.isUp) this.heal()
  }

  stopFilling(): void {
    this.#isFilling = false
  }
}
