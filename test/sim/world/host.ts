/**
 * One machine: its power, its clocks, its disk, its engine, and the daemon that runs on it or does
 * not. What keeps a daemon running (systemd) is here as well: one that ends by itself is started
 * again.
 */
import type { NodeId } from '../../../gossip/core/types.ts'
import type { Agent } from '../../../node/agent/agent.ts'
import type { AgentInput, SubmitAnswer } from '../../../node/agent/api.ts'
import type { Clock } from '../../../node/clock.ts'
import { MemoryEngine } from '../../../node/runtime/memory.ts'
import { ShoalError } from '../../../src/errors.ts'
import { SimDisk } from './disk.ts'
import { calmEngine, type EngineFaults } from './engine.ts'
import { HostClock } from './host-clock.ts'
import { SimProcess } from './process.ts'
import type { SimTransport } from './transport.ts'
import type { World } from './world.ts'

const START_MS = 120
/** As in our systemd unit. */
const RESTART_MS = 1_000
/** As `node/daemon.ts` announces it. */
const RESTARTING_MS = 30_000
const GOODBYE_MS = 100

export class SimHost {
  readonly id: string
  readonly world: World
  readonly clock: HostClock
  readonly disk = new SimDisk()
  readonly engine: MemoryEngine
  readonly engineFaults: EngineFaults = calmEngine()
  readonly zone: string
  /** Of the data directory's key: another one after the directory was lost. */
  identity: NodeId
  address: string
  loadPerCore = 0
  /** Of the daemon that starts next. */
  version: 'sim' | 'next' = 'sim'
  hasMoved = false
  /** It was told to end, and the machine fell asleep before it did. */
  #endsAwake: SimProcess | undefined
  /** Others may know it at the address that a copy of it had. */
  hadClone = false
  /** Somebody told it to leave, and it has not got away yet. */
  isLeaving = false
  /** It never comes back. */
  isGone = false
  isOn = true
  process: SimProcess | undefined
  /** Answers of all its lives. */
  readonly replies = new Map<string, SubmitAnswer>()
  /** Why the last life ended by itself. */
  lastError: unknown
  #boots = 0
  #join: readonly string[] = []
  #identities = 0

  constructor(world: World, init: { readonly id: string; readonly zone: string }) {
    this.world = world
    this.id = init.id
    this.zone = init.zone
    this.identity = init.id
    this.clock = new HostClock(world.clock)
    const clock: Clock = {
      nowMs: () => this.clock.nowMs(),
      wallMs: () => this.clock.wallMs(),
      schedule: (afterMs, task) =>
        this.clock.schedule(afterMs, () => {
          world.touch()
          task()
        })
    }
    this.engine = new MemoryEngine(
      { clock },
      {
        behave: spec => {
          const broken = world.broken.get(this.id)
          return broken?.workload === spec.name ? broken.behaviour : { startLatencyMs: START_MS }
        }
      }
    )
    this.engine.subscribe(() => world.observe({ kind: 'engine', host: this }))
    this.address = ''
    const [, kind = '', number = ''] = /^(\D)(\d+)$/.exec(init.id) ?? []
    this.moveTo(`/ip4/10.${kind === 'n' ? 0 : 9}.0.${number}/tcp/7970`)
  }

  get agent(): Agent | undefined {
    return this.process?.agent
  }

  get transport(): SimTransport | undefined {
    return this.process?.transport
  }

  /** A copy of another one's data directory: it is to be found out, and goes again. */
  get isClone(): boolean {
    return this.id.startsWith('c')
  }

  get isUp(): boolean {
    return this.process !== undefined
  }

  /** Another address, at once: what a DHCP server does to a machine. Its daemon starts again. */
  moveTo(address: string): void {
    if (this.address !== '') {
      this.world.network.detach(this.address)
      this.hasMoved = true
    }
    this.address = address
    this.world.network.attach(address, this)
  }

  /** Starts the daemon, fresh or from what its disk holds. */
  start(join: readonly string[] = this.#join): void {
    if (this.process !== undefined || this.isGone) return
    this.isOn = true
    this.#join = join
    this.#boots += 1
    const { random } = this.world
    this.world.trace(`${this.id} starts`)
    this.process = new SimProcess(this, {
      boot: random.hex(32),
      join,
      seed: random.int(2 ** 31)
    })
    this.world.observe({ kind: 'start', host: this })
  }

  /** kill -9 of the daemon; what its engine runs goes on, unless the host dies with it. */
  kill(withHost: boolean): void {
    this.world.trace(`${this.id} ${withHost ? 'loses power' : 'killed'}`)
    this.#end(withHost)
  }

  /** For good: nothing starts here again by itself. */
  off(): void {
    if (this.isUp) this.kill(true)
    this.isOn = false
    this.isGone = true
    this.engine.crash()
  }

  /** A crash at a named point; somebody starts it again. */
  crashed(where: string): void {
    this.world.trace(`${this.id} killed ${where}`)
    this.#end(false)
    this.#startSoon()
  }

  /** The daemon ended by itself, with an error. */
  ended(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    this.lastError = error
    this.world.trace(`${this.id} ends: ${text}`)
    this.world.observe({ kind: 'ended', host: this, error })
    this.#end(false)
    // The one error that no restart mends (`RestartPreventExitStatus` of our unit).
    if (!(error instanceof ShoalError && error.code === 'CLONE')) this.#startSoon()
  }

  input(input: AgentInput): void {
    this.process?.input(input)
  }

  /** `shoal leave` on this host; it never comes back, unless it was refused. */
  async leave(): Promise<readonly string[] | 'refused'> {
    const { process } = this
    if (process === undefined) return 'refused'
    this.world.trace(`${this.id} leaves`)
    this.isLeaving = true
    try {
      const { notes } = await process.leave()
      if (this.process === process) this.off()
      return notes
    } catch {
      return 'refused'
    } finally {
      if (this.process === process) this.isLeaving = false
    }
  }

  pause(): void {
    this.world.trace(`${this.id} paused`)
    this.process?.pause()
  }

  resume(): void {
    this.world.trace(`${this.id} goes on`)
    this.process?.resume()
  }

  /** The whole machine sleeps; only wall clocks know. */
  suspend(): void {
    this.world.trace(`${this.id} suspended`)
    this.process?.pause()
    this.clock.suspend()
    this.isOn = false
  }

  wake(): void {
    this.world.trace(`${this.id} wakes`)
    this.isOn = true
    this.clock.wake()
    this.process?.resume()
    if (this.process === undefined || this.process !== this.#endsAwake) return
    this.#end(false)
    this.#startSoon()
  }

  /** Its disk is replaced by an empty one: the next start is that of a new member. */
  loseDisk(): void {
    this.world.trace(`${this.id} loses its disk`)
    this.world.observe({ kind: 'forgets', host: this })
    this.disk.wipe()
    this.engine.entries.clear()
    this.engine.volumes.clear()
    this.#identities += 1
    this.identity = `${this.id}.${this.#identities}`
    this.world.observe({ kind: 'lost', host: this })
  }

  /** As `systemctl restart` does: announced, and the daemon ends. */
  restartPlanned(): void {
    this.world.trace(`${this.id} restarts as planned`)
    this.input({ kind: 'membership', command: { kind: 'restarting', restartMs: RESTARTING_MS } })
    const { process } = this
    this.world.clock.schedule(GOODBYE_MS, () => {
      if (this.process !== process) return
      if (this.isOn) this.#end(false)
      else this.#endsAwake = process
    })
  }

  #startSoon(): void {
    const boots = this.#boots
    this.world.clock.schedule(RESTART_MS, () => {
      if (this.isOn && this.#boots === boots) this.start()
    })
  }

  #end(withHost: boolean): void {
    const ended = this.process
    this.process = undefined
    this.isLeaving = false
    if (withHost) {
      this.isOn = false
      // As on a real host: ended containers are still there when the engine comes back.
      this.engine.crash()
    }
    ended?.kill()
    if (withHost) this.disk.losePower(this.world.random)
    this.world.observe({ kind: 'stop', host: this, withHost })
  }
}
