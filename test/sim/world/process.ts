/**
 * One life of a daemon on a host: the daemon's own `LiveNode`, store and order of start, between a
 * clock, a network, a disk and an engine that are not real. Executes; decides nothing.
 */
import { encode } from '../../../gossip/codec.ts'
import { SeededRandom } from '../../../gossip/core/random.ts'
import { type Sealer, Signed } from '../../../gossip/core/signed.ts'
import type { NodeId } from '../../../gossip/core/types.ts'
import type { PeerHello } from '../../../gossip/libp2p/types.ts'
import type { Agent } from '../../../node/agent/agent.ts'
import type { AgentEvent, AgentInput, SubmitAnswer } from '../../../node/agent/api.ts'
import { PLACEMENT_VERSION } from '../../../node/agent/placing.ts'
import type { NodeInfo } from '../../../node/agent/records.ts'
import type { Clock } from '../../../node/clock.ts'
import { leaveMesh } from '../../../node/leave.ts'
import { LiveNode } from '../../../node/live-node.ts'
import type { Point } from '../../../node/points.ts'
import type { Runtime } from '../../../node/runtime/runtime.ts'
import { Storage } from '../../../node/storage.ts'
import type { LeaveAnswer } from '../../../src/api/types.ts'
import { ShoalError } from '../../../src/errors.ts'
import type { RuntimeName, WorkloadSpec } from '../../../src/spec/workload.ts'
import { SimRuntime } from './engine.ts'
import type { SimHost } from './host.ts'
import { type SimMedium, simMedium } from './medium.ts'
import { silentLog } from './silent-log.ts'
import { SimTransport } from './transport.ts'

export const SIM_MESH = '5ea0'.repeat(8)
const PROTOCOL_VERSION = 1
/** A field, and a kind, that only the next version knows. */
export const LATER = 'later'
export const LATER_MARK = new Uint8Array([1])

export interface SimProcessInit {
  readonly boot: string
  readonly join: readonly string[]
  readonly seed: number
}

export class SimProcess {
  readonly self: NodeId
  readonly boot: string
  readonly replies = new Map<string, SubmitAnswer>()
  readonly transport: SimTransport
  readonly node: LiveNode
  /** Ends the process at the n-th passing of a point. */
  crashAt: { readonly point: Point; left: number } | undefined
  /** That wait now. */
  timers = 0
  /** Its incarnation stands: from now on writes are made at once. */
  isSettled = false
  readonly #host: SimHost
  readonly #clock: Clock
  readonly #runtimes: ReadonlyMap<RuntimeName, Runtime>
  readonly #abort = new AbortController()
  readonly #medium: SimMedium
  readonly #storage: Storage
  #waiting: { readonly isTimer: boolean; readonly task: () => void }[] = []
  #isPaused = false
  /** The event loop gets the processor only every so many ms; 0: at once. */
  #starvedMs = 0
  #isLive = true
  #isDraining = false

  constructor(host: SimHost, init: SimProcessInit) {
    const { world, clock: hostClock, disk, engine } = host
    const random = new SeededRandom(init.seed)
    this.#host = host
    this.self = host.identity
    this.boot = init.boot
    const enter = (task: () => void): void => this.enter(task)
    const isLive = (): boolean => this.#isLive
    const clock: Clock = {
      nowMs: () => hostClock.nowMs(),
      wallMs: () => hostClock.wallMs(),
      schedule: (afterMs, task) => this.#schedule(afterMs, task)
    }
    this.#clock = clock
    const transportParts = { network: world.network, host, enter, isLive }
    this.transport = new SimTransport({ ...transportParts, hello: () => this.#hello() }, this.self)
    const touch = (): void => world.touch()
    const around = { clock: world.clock, random: world.random, enter, touch }
    this.#medium = simMedium({ ...around, disk }, host.id)
    this.#storage = new Storage(
      { log: silentLog, onResume: () => this.node.resume() },
      { medium: this.#medium, clock, node: this.self, mesh: SIM_MESH }
    )
    const runtime = new SimRuntime(
      { ...around, engine, faults: host.engineFaults, isLive },
      { mesh: SIM_MESH, node: this.self }
    )
    this.#runtimes = new Map([['memory', runtime]])
    this.node = new LiveNode(
      {
        random,
        sealer: keyless(host),
        readSpec: trusted,
        runtimes: this.#runtimes,
        absent: new Set(),
        loadPerCore: () => host.loadPerCore,
        clock,
        log: silentLog
      },
      {
        mesh: SIM_MESH,
        preset: world.preset,
        boot: init.boot,
        info: simInfo(host),
        onEvent: event => this.#event(event),
        onReply: (operation, answer) => this.#reply(operation, answer),
        onLink: event => {
          if (event.state === 'open') disk.isMember = true
        },
        onFatal: error => this.#fatal(error),
        onPoint: point => this.#point(point)
      }
    )
    world.touch()
    this.#begin(init.join).catch((error: unknown) => this.#fatal(error))
  }

  /** Undefined until it takes part. */
  get agent(): Agent | undefined {
    return this.node.takesPart ? this.node.agent : undefined
  }

  get isLive(): boolean {
    return this.#isLive
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Why it cannot write; undefined when it can. */
  get trouble(): string | undefined {
    return this.#storage.trouble
  }

  input(input: AgentInput): void {
    this.enter(() => this.node.input(input))
  }

  /** Runs a task in the event loop: now, or when the process runs again. */
  enter(task: () => void, isTimer = false): void {
    if (!this.#isLive) return
    if (!this.#isPaused && this.#starvedMs === 0) return task()
    this.#waiting.push({ isTimer, task })
    if (this.#isPaused || this.#isDraining) return
    this.#isDraining = true
    this.#host.world.clock.schedule(this.#starvedMs, () => this.#drain())
  }

  /** Says what this version has never heard of, in all the ways in which things are said. */
  speakLater(): void {
    const body = { kind: LATER, [LATER]: 1 }
    const record = new Signed(this.self, body, encode(body), LATER_MARK)
    this.transport.publish({ kind: 'delta', records: [record] })
    for (const { self } of this.transport.peers()) {
      this.transport.send(self, 'member', body)
      this.transport.send(self, 'sync', body)
    }
  }

  /** `shoal leave`, asked here. */
  leave(): Promise<LeaveAnswer> {
    const { node } = this
    const around = { clock: this.#clock, runtimes: this.#runtimes, log: silentLog }
    const input = (one: AgentInput): void => node.input(one)
    const components = { ...around, agent: node.agent, info: () => node.info, input }
    return leaveMesh(components, this.#abort.signal)
  }

  /** SIGSTOP. */
  pause(): void {
    this.#isPaused = true
  }

  /** SIGCONT. */
  resume(): void {
    this.#isPaused = false
    this.#drain()
  }

  starve(everyMs: number): void {
    this.#starvedMs = everyMs
  }

  /** SIGKILL. */
  kill(): void {
    if (!this.#isLive) return
    this.#isLive = false
    this.#waiting = []
    this.#medium.died()
    this.transport.died()
    this.#abort.abort()
    void this.node.stop()
  }

  async #begin(join: readonly string[]): Promise<void> {
    const { signal } = this.#abort
    const { disk, address } = this.#host
    await this.#storage.open({ member: disk.isMember })
    const store = await this.#storage.opened(signal)
    // Whoever was killed meanwhile trusts nothing.
    signal.throwIfAborted()
    const { amnesiac } = store
    if (amnesiac !== undefined) this.#host.world.trace(`${this.#host.id} amnesiac: ${amnesiac}`)
    this.#host.world.observe({ kind: 'opened', host: this.#host, amnesiac })
    if (join.length === 0) disk.isMember = true
    const listen = async (): Promise<readonly string[]> => {
      this.transport.isListening = this.#isLive
      return [address]
    }
    const around = { store, transport: this.transport, listen }
    const asks = disk.isMember ? { join: [], joined: join } : { join, joined: [] }
    await this.node.start(around, asks, signal)
  }

  #schedule(afterMs: number, task: () => void): () => void {
    let isOver = false
    const end = (): void => {
      if (!isOver) this.timers -= 1
      isOver = true
    }
    this.timers += 1
    const cancel = this.#host.clock.schedule(afterMs, () => {
      end()
      this.enter(task, true)
    })
    return () => {
      end()
      cancel()
    }
  }

  /** Timers that are overdue run before the sockets are read, as in libuv. */
  #drain(): void {
    this.#isDraining = false
    if (!this.#isLive || this.#isPaused) return
    const waiting = this.#waiting.splice(0)
    for (const { isTimer, task } of waiting) if (isTimer) task()
    for (const { isTimer, task } of waiting) if (!isTimer) task()
  }

  #hello(): PeerHello {
    return {
      boot: this.boot,
      incarnation: this.node.incarnation,
      name: this.#host.id,
      addresses: [this.#host.address],
      placementVersion: PLACEMENT_VERSION,
      version: PROTOCOL_VERSION
    }
  }

  #reply(operation: string, answer: SubmitAnswer): void {
    if (!this.#isLive) return
    this.replies.set(operation, answer)
    this.#host.world.observe({ kind: 'reply', host: this.#host, operation, answer })
  }

  #event(event: AgentEvent): void {
    if (!this.#isLive) return
    const { world } = this.#host
    world.observe({ kind: 'event', host: this.#host, event })
    if (event.kind === 'member' && event.event.kind === 'incarnation') this.isSettled = true
    // As the daemon does: the core has decided which of two clones goes.
    const isClone = event.kind === 'member' && event.event.kind === 'clone'
    if (isClone && event.event.yield) {
      this.#fatal(new ShoalError('CLONE', `${this.self} runs elsewhere`))
    }
  }

  #point(point: Point): void {
    if (!this.#isLive) return
    const { world } = this.#host
    world.points.set(point, (world.points.get(point) ?? 0) + 1)
    if (this.crashAt?.point !== point) return
    this.crashAt.left -= 1
    if (this.crashAt.left > 0) return
    this.crashAt = undefined
    this.#host.crashed(`at ${point}`)
  }

  #fatal(error: unknown): void {
    if (this.#isLive) this.#host.ended(error)
  }
}

/** Signs nothing: every simulated node is honest about who it is. What the next version says has
 * a field that this one cannot read, and a mark of it outside of the body. */
function keyless({ identity: self, version }: SimHost): Sealer {
  if (version === 'sim') {
    const none = new Uint8Array()
    return { self, seal: body => new Signed(self, body, encode(body), none) }
  }
  return {
    self,
    seal: body => {
      const said = { ...body, [LATER]: { since: version } }
      return new Signed(self, said, encode(said), LATER_MARK)
    }
  }
}

/** The simulator's specs come from its own tests. */
function trusted(value: unknown): WorkloadSpec {
  return value as WorkloadSpec
}

function simInfo(host: SimHost): NodeInfo {
  return {
    name: host.id,
    labels: {},
    zone: host.zone,
    cpuMillis: 4_000,
    memoryMiB: 8_192,
    os: 'linux',
    arch: 'amd64',
    runtimes: host.version === 'next' ? ['memory', LATER] : ['memory'],
    draining: false,
    version: host.version,
    ...(host.version === 'next' ? { [LATER]: [1, 2] } : {})
  }
}
