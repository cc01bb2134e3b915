/**
 * One simulated host: the daemon's own agent on a virtual clock, a disk that keeps what was synced,
 * and an engine that outlives the daemon. Executes effects; decides nothing.
 */
import { codec, decode, encode } from '../../gossip/codec.ts'
import type { Channel } from '../../gossip/core/effect.ts'
import { membershipConfig } from '../../gossip/core/membership/config.ts'
import { SeededRandom } from '../../gossip/core/random.ts'
import { type Sealer, Signed } from '../../gossip/core/signed.ts'
import type { NodeId } from '../../gossip/core/types.ts'
import { Agent } from '../../node/agent/agent.ts'
import type { AgentEffect, AgentInput, SubmitAnswer } from '../../node/agent/api.ts'
import { AGENT_PRESETS } from '../../node/agent/config.ts'
import { type Lane, Lanes, type Released } from '../../node/agent/lanes.ts'
import type { Outcome } from '../../node/agent/slots.ts'
import type { Action } from '../../node/reconcile/action.ts'
import { MemoryEngine, MemoryRuntime } from '../../node/runtime/memory.ts'
import { type Runtime, RuntimeFailure } from '../../node/runtime/runtime.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import type { VirtualClock } from '../helpers/virtual-clock.ts'
import type { Endpoint, Network } from './network.ts'

export const SIM_MESH = '5ea0'.repeat(8)
const DISK_MS = 2
const START_MS = 120
const RESYNC_MS = 10_000
const OBSERVE_MS = 5

export interface SimContext {
  readonly clock: VirtualClock
  readonly network: Network
  readonly seed: number
  /** A line of the trace; the same seed gives the same lines. */
  readonly trace: (line: string) => void
  /** Runtime calls are promises: the world lets them settle before virtual time goes on. */
  readonly settle: () => void
}

export class SimNode implements Endpoint {
  readonly id: NodeId
  readonly address: string
  readonly engine: MemoryEngine
  readonly replies = new Map<string, SubmitAnswer>()
  agent: Agent | undefined
  readonly #c: SimContext
  readonly #synced = new Map<string, Uint8Array>()
  #runtime: Runtime | undefined
  #lanes = new Lanes()
  #boot = ''
  #boots = 0
  #host = true
  #observing = false
  #busy = false
  #queue: AgentInput[] = []

  constructor(context: SimContext, id: NodeId) {
    this.#c = context
    this.id = id
    this.address = `/sim/${id}`
    const { clock } = context
    this.engine = new MemoryEngine(
      {
        clock: {
          nowMs: () => clock.nowMs(),
          wallMs: () => clock.nowMs(),
          schedule: (afterMs, task) =>
            clock.schedule(afterMs, () => {
              task()
              context.settle()
            })
        }
      },
      { behave: () => ({ startLatencyMs: START_MS }) }
    )
    this.engine.subscribe(() => this.#observeSoon())
    context.network.attach(this)
  }

  isUp(): boolean {
    return this.agent !== undefined
  }

  hostIsUp(): boolean {
    return this.#host
  }

  hello(): ReturnType<Endpoint['hello']> {
    const incarnation = this.agent?.membership.self().incarnation ?? 0
    return { boot: this.#boot, incarnation, name: this.id, addresses: [this.address] }
  }

  /** Starts the daemon, fresh or from what its disk holds. */
  start(join: readonly string[]): void {
    const random = new SeededRandom(this.#c.seed * 1_009 + this.#boots * 31 + hash(this.id))
    this.#boots += 1
    this.#host = true
    this.#boot = random.hex(32)
    this.#lanes = new Lanes()
    this.#runtime = new MemoryRuntime({ engine: this.engine }, { mesh: SIM_MESH, node: this.id })
    const components = { random, sealer: keyless(this.id), codec, readSpec: trusted }
    this.agent = new Agent(components, {
      mesh: SIM_MESH,
      membership: membershipConfig('lan', {
        boot: this.#boot,
        name: this.id,
        addresses: [this.address]
      }),
      agent: AGENT_PRESETS.lan
    })
    const persisted = [...this.#synced].map(([key, value]) => ({ key, value }))
    this.input({ kind: 'start', persisted, amnesiac: false })
    this.input({ kind: 'info', info: simInfo(this.id), eighths: 8 })
    if (join.length > 0) {
      this.input({ kind: 'membership', command: { kind: 'join', addresses: join } })
    }
    this.#observeSoon()
    this.#resync(this.#boot)
  }

  /** kill -9 of the daemon; what its engine runs goes on, unless the host dies with it. */
  kill(withHost: boolean): void {
    this.#c.trace(`${this.id} killed${withHost ? ' with its host' : ''}`)
    this.agent = undefined
    this.#queue = []
    if (withHost) {
      this.#host = false
      // As on a real host: ended containers are still there when the engine comes back.
      this.engine.crash()
    }
    this.#c.network.died(this.id, withHost)
  }

  input(input: AgentInput): void {
    if (this.agent === undefined) return
    this.#queue.push(input)
    if (this.#busy) return
    this.#busy = true
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const effects = this.agent?.handle(next, this.#c.clock.nowMs()) ?? []
      this.#execute(this.#lanes.push(effects))
    }
    this.#busy = false
  }

  opened(peer: Endpoint): void {
    this.input({ kind: 'link', peer: peer.id, state: 'open', ...peer.hello() })
  }

  closed(peer: NodeId): void {
    this.input({ kind: 'link', peer, state: 'closed' })
  }

  dialFailed(peer: NodeId | undefined, outcome: 'refused' | 'failed'): void {
    if (peer !== undefined) this.input({ kind: 'link', peer, state: outcome })
  }

  frame(from: NodeId, channel: Channel, bytes: Uint8Array): void {
    this.input({ kind: 'frame', from, channel, message: decode(bytes) })
  }

  published(bytes: Uint8Array): void {
    this.input({ kind: 'published', message: decode(bytes) })
  }

  #execute(released: Released): void {
    for (const { lane, effect } of released.effects) this.#perform(lane, effect)
  }

  #perform(lane: Lane, effect: AgentEffect): void {
    const { clock, network } = this.#c
    const boot = this.#boot
    const alive = (task: () => void) => () => {
      if (this.agent !== undefined && this.#boot === boot) task()
    }
    switch (effect.kind) {
      case 'send':
        return network.send(this.id, effect.to, effect.channel, encode(effect.message))
      case 'publish':
        return network.publish(this.id, encode(effect.message))
      case 'schedule': {
        const { timer } = effect
        return void clock.schedule(
          effect.afterMs,
          alive(() => this.input({ kind: 'timer', timer }))
        )
      }
      case 'persist':
        return void clock.schedule(
          DISK_MS,
          alive(() => {
            for (const { key, value } of effect.records) {
              if (value === null) this.#synced.delete(key)
              else this.#synced.set(key, value)
            }
            this.#execute(this.#lanes.written(lane))
          })
        )
      case 'knock': {
        const { peer, token } = effect
        const outcome = network.knock(this.id, effect.addresses)
        const afterMs = outcome === 'nothing' ? 500 : 2
        return void clock.schedule(
          afterMs,
          alive(() => this.input({ kind: 'knocked', peer, token, outcome }))
        )
      }
      case 'connect':
        return network.connect(this, effect.peer, effect.addresses)
      case 'disconnect':
        return network.disconnect(this.id, effect.peer)
      case 'run':
        return this.#run(effect.action, alive)
      case 'reply':
        this.replies.set(effect.operation, effect.answer)
        return
      case 'event':
        return this.#traceEvent(effect)
    }
  }

  #traceEvent(effect: Extract<AgentEffect, { kind: 'event' }>): void {
    const { event } = effect
    if (event.kind === 'member' && event.event.kind === 'member') {
      const { id, state, incarnation } = event.event.member
      this.#c.trace(`${this.id} sees ${id} ${state} ${incarnation}`)
    } else if (event.kind === 'allocation') {
      const { workload, slot, state, reason } = event
      this.#c.trace(`${this.id} ${workload}/${slot} ${state} ${reason}`)
    }
  }

  #run(action: Action, alive: (task: () => void) => () => void): void {
    const runtime = this.#runtime
    if (runtime === undefined) return
    const end = (outcome: Outcome): void =>
      alive(() => {
        this.input({ kind: 'done', action, outcome })
        this.#observeSoon()
      })()
    const { signal } = new AbortController()
    const work = async (): Promise<Outcome> => {
      if (action.kind === 'start') {
        return { ok: true, instance: await runtime.start(action.spec, action.mark, signal) }
      }
      if (action.kind === 'restart') await runtime.restart(action.instance, signal)
      else await runtime.stop(action.instance, action, signal)
      return { ok: true, instance: undefined }
    }
    work().then(end, (error: unknown) =>
      end({
        ok: false,
        failure: error instanceof RuntimeFailure ? error.kind : 'transient',
        message: String(error)
      })
    )
    this.#c.settle()
  }

  #observeSoon(): void {
    if (this.#observing) return
    this.#observing = true
    this.#c.clock.schedule(OBSERVE_MS, () => {
      this.#observing = false
      const runtime = this.#runtime
      if (this.agent === undefined || runtime === undefined) return
      const beganMs = this.#c.clock.nowMs()
      runtime.list(new AbortController().signal).then(
        instances => this.input({ kind: 'observed', runtimes: ['memory'], instances, beganMs }),
        () => {}
      )
      this.#c.settle()
    })
  }

  #resync(boot: string): void {
    this.#c.clock.schedule(RESYNC_MS, () => {
      if (this.agent === undefined || this.#boot !== boot) return
      this.#observeSoon()
      this.#resync(boot)
    })
  }
}

/** A signature that proves nothing: every simulated node is honest about who it is. */
function keyless(self: NodeId): Sealer {
  const none = new Uint8Array()
  return { self, seal: body => new Signed(self, body, encode(body), none) }
}

/** The simulator's specs come from its own tests. */
function trusted(value: unknown): WorkloadSpec {
  return value as WorkloadSpec
}

function simInfo(name: string): Extract<AgentInput, { kind: 'info' }>['info'] {
  return {
    name,
    labels: {},
    zone: '',
    cpuMillis: 4_000,
    memoryMiB: 8_192,
    os: 'linux',
    arch: 'amd64',
    runtimes: ['memory'],
    draining: false,
    version: 'sim'
  }
}

function hash(text: string): number {
  let value = 7
  for (const letter of text) value = (value * 31 + letter.charCodeAt(0)) % 65_521
  return value
}
