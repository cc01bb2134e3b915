/**
 * Several hosts on one machine: each a network namespace with a real Docker engine in process,
 * mount and host-name namespaces of its own, and a shoald beside it. Needs root. Everything is
 * found and removed by the names of this bed, before and after, also on SIGINT.
 */

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { Daemon } from './cluster-daemon.ts'
import { Engine } from './testbed-engine.ts'
import { type ImageNames, importImage } from './testbed-image.ts'
import {
  type BedNames,
  bedNames,
  emptyNamespace,
  makeBridge,
  makeHostNet,
  nestedPids,
  pidsIn,
  removeBed,
  removeOrphans
} from './testbed-net.ts'
import { monotonicMs, must, signalAll, until } from './testbed-run.ts'

export const PORT = 7970
const ENGINE_START_TIMEOUT_MS = 30_000

export interface TestbedInit {
  readonly hosts: number
  /** Without engines the hosts only have their network, for the process runtime. */
  readonly engines?: boolean
  /** Flags that every daemon gets, as `--preset fast`. */
  readonly flags?: readonly string[]
  /** The name of the image that every engine has; `busybox:local` by default. */
  readonly image?: string
}

/** One host. `kill` is the power plug, `cut` the network cable. */
export class Host {
  readonly index: number
  readonly name: string
  readonly address: string
  readonly namespace: string
  readonly folder: string
  readonly engine: Engine
  readonly daemon: Daemon
  readonly #names: BedNames
  #drops: string[][] = []

  constructor(names: BedNames, index: number, init: TestbedInit) {
    this.#names = names
    this.index = index
    this.name = `h${index}`
    this.address = `10.88.0.${index}`
    this.namespace = `${names.id}-${index}`
    this.folder = join(names.folder, this.name)
    mkdirSync(join(this.folder, 'etc'), { recursive: true })
    this.engine = new Engine(join(this.folder, 'docker.sock'))
    this.daemon = new Daemon({
      name: this.name,
      folder: join(this.folder, 'shoal'),
      listen: `/ip4/${this.address}/tcp/${PORT}`,
      runtime: init.engines === false ? 'process' : 'docker',
      ...(init.engines === false ? {} : { dockerHost: `unix://${this.engine.socket}` }),
      flags: init.flags ?? [],
      prefix: this.inside
    })
  }

  /** What goes before a command to run it in this host's network. */
  get inside(): string[] {
    return ['nsenter', `--net=/run/netns/${this.namespace}`, '--']
  }

  /** Starts the engine, which keeps its data over a `kill`, and waits until it answers. */
  async startEngine(): Promise<void> {
    const dir = this.folder
    const script = `hostname ${this.name}; mount -t tmpfs tmpfs /run
mkdir -p /etc/docker; mount --bind ${dir}/etc /etc/docker
dockerd --data-root ${dir}/docker --exec-root /run/docker --pidfile /run/docker.pid \
 -H unix://${dir}/docker.sock --cgroup-parent /${this.namespace} --storage-driver overlay2 & wait`
    const log = openSync(join(dir, 'engine.log'), 'a')
    const spaces = ['--mount', '--uts', '--ipc', '--pid', '--fork', '--mount-proc']
    const argv = [...spaces, '--propagation', 'private', 'sh', '-c', script]
    spawn('nsenter', [...this.inside.slice(1), 'unshare', ...argv], {
      detached: true,
      stdio: ['ignore', log, log]
    }).unref()
    await until(
      `the engine of ${this.name} answers`,
      async () => ((await this.engine.ping()) ? true : undefined),
      { timeoutMs: ENGINE_START_TIMEOUT_MS, intervalMs: 50 }
    )
  }

  /** Every process that dies with this host: the first of the engine's namespace, and the rest. */
  async #hostPids(): Promise<number[]> {
    const pids = await pidsIn(this.namespace)
    return pids.filter(pid => {
      const nested = nestedPids(pid)
      return nested.length <= 1 || (nested.length === 2 && nested[1] === 1)
    })
  }

  /** Pulls the plug: SIGKILL to daemon, engine and all containers in one go. Returns when, ms. */
  async kill(): Promise<number> {
    const pids = await this.#hostPids()
    const atMs = monotonicMs()
    signalAll(pids, 'SIGKILL')
    await emptyNamespace(this.namespace)
    return atMs
  }

  async cut(): Promise<number> {
    const atMs = monotonicMs()
    await must(['ip', '-n', this.#names.bridge, 'link', 'set', this.name, 'down'])
    return atMs
  }

  async plug(): Promise<number> {
    await must(['ip', '-n', this.#names.bridge, 'link', 'set', this.name, 'up'])
    return monotonicMs()
  }

  /** Drops what comes from these hosts; one direction only. */
  async dropFrom(hosts: readonly Host[]): Promise<void> {
    for (const { address } of hosts) {
      const rule = ['INPUT', '-s', address, '-j', 'DROP']
      this.#drops.push(rule)
      await must([...this.inside, 'iptables', '-w', '-I', ...rule])
    }
  }

  async acceptAll(): Promise<void> {
    for (const rule of this.#drops.splice(0))
      await must([...this.inside, 'iptables', '-w', '-D', ...rule])
  }

  /** Traffic of this host's cable so far, both directions, in bytes. */
  async trafficBytes(): Promise<number> {
    const text = await must([...this.inside, 'cat', '/proc/net/dev'])
    const fields = /eth0:\s*(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/).map(Number) ?? []
    return (fields[0] ?? 0) + (fields[8] ?? 0)
  }
}

/** One running container of a workload. */
export interface Replica {
  readonly host: Host
  readonly id: string
  readonly slot: number
  readonly startedAt: string
}

/** Opens a bed; `close` (or a signal) takes it down. */
export class Testbed {
  readonly hosts: readonly Host[]
  readonly image: ImageNames
  readonly #names: BedNames
  readonly #onSignal: () => void

  private constructor(names: BedNames, init: TestbedInit) {
    this.#names = names
    this.image = { name: init.image ?? 'busybox:local' }
    this.hosts = Array.from({ length: init.hosts }, (_, i) => new Host(names, i + 1, init))
    this.#onSignal = () => {
      void removeBed(names.id).finally(() => process.exit(130))
    }
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, this.#onSignal)
  }

  static async open(init: TestbedInit): Promise<Testbed> {
    await removeOrphans()
    const names = bedNames()
    mkdirSync(names.folder, { recursive: true })
    const bed = new Testbed(names, init)
    try {
      await makeBridge(names)
      for (const host of bed.hosts) await makeHostNet(names, host.index, host.address)
      if (init.engines !== false) {
        await Promise.all(bed.hosts.map(host => host.startEngine()))
        await importImage(
          names.folder,
          bed.hosts.map(host => host.engine),
          bed.image.name
        )
      }
      return bed
    } catch (error) {
      await bed.close()
      throw error
    }
  }

  get folder(): string {
    return this.#names.folder
  }

  host(index: number): Host {
    const host = this.hosts[index - 1]
    if (host === undefined) throw new Error(`there is no host ${index}`)
    return host
  }

  /** One mesh of these hosts, each joined by the token of the first one. Returns the token. */
  async mesh(hosts: readonly Host[] = this.hosts): Promise<string> {
    const [first, ...others] = hosts
    if (first === undefined) throw new Error('a mesh needs a host')
    await first.daemon.up()
    const token = await first.daemon.token()
    await Promise.all(others.map(host => host.daemon.join(token)))
    const names = hosts.map(host => host.name)
    await Promise.all(hosts.map(host => host.daemon.client.sees(names)))
    return token
  }

  /** Cuts the hosts into sides that do not hear each other. */
  async partition(...sides: readonly (readonly Host[])[]): Promise<number> {
    const atMs = monotonicMs()
    await Promise.all(
      sides.flatMap(side =>
        side.map(host => host.dropFrom(sides.filter(other => other !== side).flat()))
      )
    )
    return atMs
  }

  async heal(): Promise<number> {
    await Promise.all(this.hosts.map(host => host.acceptAll()))
    for (const host of this.hosts) await host.plug()
    return monotonicMs()
  }

  /** Running containers of a workload on every host whose engine answers, by slot. */
  async replicas(project: string, workload: string): Promise<Replica[]> {
    const lists = await Promise.all(
      this.hosts.map(async host => {
        if (!existsSync(host.engine.socket) || !(await host.engine.ping())) return []
        const mine = (await host.engine.containers(false)).filter(
          ({ Labels }) =>
            Labels['shoal.project'] === project && Labels['shoal.workload'] === workload
        )
        return await Promise.all(
          mine.map(async ({ Id: id, Labels }) => {
            const { State } = await host.engine.inspect(id)
            return { host, id, slot: Number(Labels['shoal.slot']), startedAt: State.StartedAt }
          })
        )
      })
    )
    return lists.flat().sort((a, b) => a.slot - b.slot || a.host.index - b.host.index)
  }

  /** Waits until exactly this many replicas run on these hosts, by what their engines say. */
  async settled(
    workload: readonly [project: string, name: string],
    count: number,
    options: { readonly on?: readonly Host[]; readonly timeoutMs?: number } = {}
  ): Promise<Replica[]> {
    const on = options.on ?? this.hosts
    let seen = ''
    return await until(
      `${count} replicas of ${workload.join('/')} run`,
      async () => {
        const all = await this.replicas(...workload)
        const found = all.filter(({ host }) => on.includes(host))
        seen = all.map(({ host, slot }) => `${slot}@${host.name}`).join(' ')
        return found.length === count ? found : undefined
      },
      { timeoutMs: options.timeoutMs ?? 15_000, intervalMs: 150 },
      () => `; engines say ${seen}${on.map(host => host.daemon.log(8)).join('')}`
    )
  }

  async close(): Promise<void> {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#onSignal)
    await removeBed(this.#names.id)
  }
}
