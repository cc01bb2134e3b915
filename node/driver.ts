/**
 * Executes what the agent decides, in the daemon and in the simulator. Inputs are taken one at a
 * time; effects leave in the order of their lanes; nothing here decides anything.
 */
import type { Channel } from '../gossip/core/effect.ts'
import type { NodeId } from '../gossip/core/types.ts'
import type {
  FrameListener,
  KnockOutcome,
  LinkEvent,
  LinkListener,
  PublishedListener
} from '../gossip/libp2p/types.ts'
import type { Agent } from './agent/agent.ts'
import type { AgentEffect, AgentEvent, AgentInput, SubmitAnswer } from './agent/api.ts'
import { type Lane, Lanes, type Released } from './agent/lanes.ts'
import type { Clock } from './clock.ts'
import type { Executor } from './executor.ts'
import type { Log } from './log.ts'
import type { OnPoint } from './points.ts'
import type { Store } from './store/store.ts'

/** The network as the driver needs it: `MeshHost` in production. */
export interface Transport {
  onLink(listener: LinkListener): unknown
  onFrame(listener: FrameListener): unknown
  onPublished(listener: PublishedListener): unknown
  /** False when it was dropped. */
  send(peer: NodeId, channel: Channel, message: unknown): boolean
  publish(message: unknown): boolean
  knock(addresses: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<KnockOutcome>
  /** Never rejects; the outcome comes as one link event. */
  connect(
    peer: NodeId | undefined,
    addresses: readonly string[],
    options: { readonly timeoutMs: number; readonly signal: AbortSignal }
  ): Promise<unknown>
  disconnect(peer: NodeId): void
}

export interface DriverComponents {
  readonly agent: Agent
  readonly transport: Transport
  readonly store: Store
  readonly executor: Executor
  readonly clock: Clock
  readonly log: Log
}

export interface DriverInit {
  /** Every link event, after the agent had it: for logs, and for who waits to join. */
  readonly onLink: (event: LinkEvent) => void
  readonly onEvent: (event: AgentEvent) => void
  readonly onReply: (operation: string, answer: SubmitAnswer) => void
  /** The store failed or the agent broke: this process must end and start again. */
  readonly onFatal: (error: unknown) => void
  readonly onPoint: OnPoint
}

const CONNECT_TIMEOUT_MS = 5_000
const KNOCK_TIMEOUT_MS = 500

export class Driver {
  readonly #c: DriverComponents
  readonly #init: DriverInit
  readonly #lanes = new Lanes()
  readonly #timers = new Set<() => void>()
  #wake: (() => void) | undefined
  readonly #abort = new AbortController()
  #queue: AgentInput[] = []
  #running = false

  constructor(components: DriverComponents, init: DriverInit) {
    this.#c = components
    this.#init = init
  }

  /** Hands one input to the agent; inputs that arrive meanwhile follow in order. */
  input(input: AgentInput): void {
    if (this.#abort.signal.aborted) return
    this.#queue.push(input)
    if (this.#running) return
    this.#running = true
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const effects = this.#c.agent.handle(next, this.#c.clock.nowMs())
        this.#execute(this.#lanes.push(effects))
      }
    } catch (error) {
      // A bug asserts: going on would act on a broken state.
      this.#init.onFatal(error)
    } finally {
      this.#running = false
    }
  }

  /** Connects the host's events to the agent. Call once, before the host starts. */
  listen(): void {
    const { transport } = this.#c
    transport.onLink(event => {
      if (event.state === 'open') this.input({ kind: 'link', ...event })
      else if (event.peer !== undefined) {
        this.input({ kind: 'link', peer: event.peer, state: event.state })
      }
      this.#init.onLink(event)
    })
    transport.onFrame((from, channel, message) =>
      this.input({ kind: 'frame', from, channel, message })
    )
    transport.onPublished(message => this.input({ kind: 'published', message }))
  }

  /** The disk takes writes again: what waited behind it goes out, but not old messages. */
  resume(): void {
    this.#lanes.shed()
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    this.#queue = []
  }

  #execute(released: Released): void {
    if (released.overflow) {
      this.#init.onFatal(new Error('the disk does not take writes any more'))
      return
    }
    for (const { lane, effect } of released.effects) this.#perform(lane, effect)
  }

  #perform(lane: Lane, effect: AgentEffect): void {
    const { transport, executor } = this.#c
    switch (effect.kind) {
      case 'send':
        return this.#at('send', () => {
          transport.send(effect.to, effect.channel, effect.message)
        })
      case 'publish':
        transport.publish(effect.message)
        return
      case 'schedule':
        return this.#schedule(effect)
      case 'persist':
        return this.#persist(lane, effect)
      case 'knock':
        return this.#knock(effect)
      case 'connect':
        return this.#connect(effect)
      case 'disconnect':
        transport.disconnect(effect.peer)
        return
      case 'run':
        executor.run(effect.action)
        return
      case 'reply':
        return this.#at('reply', () => this.#init.onReply(effect.operation, effect.answer))
      case 'event':
        return this.#init.onEvent(effect.event)
    }
  }

  #at(what: 'send' | 'reply', perform: () => void): void {
    this.#init.onPoint(`${what}.before`)
    perform()
    this.#init.onPoint(`${what}.after`)
  }

  #schedule(effect: Extract<AgentEffect, { kind: 'schedule' }>): void {
    // The agent has one wake-up: an earlier one would fall through by its token.
    const isWake = effect.timer.core === 'agent'
    if (isWake && this.#wake !== undefined) {
      this.#wake()
      this.#timers.delete(this.#wake)
    }
    const cancel = this.#c.clock.schedule(effect.afterMs, () => {
      this.#timers.delete(cancel)
      this.input({ kind: 'timer', timer: effect.timer })
    })
    this.#timers.add(cancel)
    if (isWake) this.#wake = cancel
  }

  #persist(lane: Lane, effect: Extract<AgentEffect, { kind: 'persist' }>): void {
    this.#init.onPoint('write.before')
    this.#c.store.write(effect.records, effect.sync).then(
      () => {
        this.#init.onPoint('write.after')
        if (!this.#abort.signal.aborted) this.#execute(this.#lanes.written(lane))
      },
      // A failed write may still exist (`promises.md` finding 2): never go on as if it had not. A
      // full disk does not come here: its write stays under way, and its lane waits.
      (error: unknown) => this.#init.onFatal(error)
    )
  }

  #knock(effect: Extract<AgentEffect, { kind: 'knock' }>): void {
    const { peer, token } = effect
    this.#c.transport.knock(effect.addresses, KNOCK_TIMEOUT_MS, this.#abort.signal).then(
      outcome => this.input({ kind: 'knocked', peer, token, outcome }),
      () => this.input({ kind: 'knocked', peer, token, outcome: 'nothing' })
    )
  }

  #connect(effect: Extract<AgentEffect, { kind: 'connect' }>): void {
    // Never rejects; the outcome comes as a link event.
    const options = { timeoutMs: CONNECT_TIMEOUT_MS, signal: this.#abort.signal }
    void this.#c.transport.connect(effect.peer, effect.addresses, options)
  }
}
