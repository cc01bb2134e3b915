/**
 * Executes what the agent decides: the only executor in production. Inputs are taken one at a
 * time; effects leave in the order of their lanes; nothing here decides anything.
 */
import type { MeshHost } from '../gossip/libp2p/host.ts'
import type { LinkEvent } from '../gossip/libp2p/types.ts'
import type { Agent } from './agent/agent.ts'
import type { AgentEffect, AgentEvent, AgentInput, SubmitAnswer } from './agent/api.ts'
import { type Lane, Lanes, type Released } from './agent/lanes.ts'
import type { Clock } from './clock.ts'
import type { Executor } from './executor.ts'
import type { Log } from './log.ts'
import type { Store } from './store/store.ts'

export interface DriverComponents {
  readonly agent: Agent
  readonly host: MeshHost
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
}

const CONNECT_TIMEOUT_MS = 5_000
const KNOCK_TIMEOUT_MS = 500

export class Driver {
  readonly #c: DriverComponents
  readonly #init: DriverInit
  readonly #lanes = new Lanes()
  readonly #timers = new Set<NodeJS.Timeout>()
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
    const { host } = this.#c
    host.onLink(event => {
      if (event.state === 'open') this.input({ kind: 'link', ...event })
      else if (event.peer !== undefined) {
        this.input({ kind: 'link', peer: event.peer, state: event.state })
      }
      this.#init.onLink(event)
    })
    host.onFrame((from, channel, message) => this.input({ kind: 'frame', from, channel, message }))
    host.onPublished(message => this.input({ kind: 'published', message }))
  }

  /** The disk takes writes again: what waited behind it goes out, but not old messages. */
  resume(): void {
    this.#lanes.shed()
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    for (const timer of this.#timers) clearTimeout(timer)
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
    const { host, executor } = this.#c
    switch (effect.kind) {
      case 'send':
        host.send(effect.to, effect.channel, effect.message)
        return
      case 'publish':
        host.publish(effect.message)
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
        host.disconnect(effect.peer)
        return
      case 'run':
        executor.run(effect.action)
        return
      case 'reply':
        return this.#init.onReply(effect.operation, effect.answer)
      case 'event':
        return this.#init.onEvent(effect.event)
    }
  }

  #schedule(effect: Extract<AgentEffect, { kind: 'schedule' }>): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.input({ kind: 'timer', timer: effect.timer })
    }, effect.afterMs)
    this.#timers.add(timer)
  }

  #persist(lane: Lane, effect: Extract<AgentEffect, { kind: 'persist' }>): void {
    this.#c.store.write(effect.records, effect.sync).then(
      () => {
        if (!this.#abort.signal.aborted) this.#execute(this.#lanes.written(lane))
      },
      // A failed write may still exist (`promises.md` finding 2): never go on as if it had not. A
      // full disk does not come here: its write stays under way, and its lane waits.
      (error: unknown) => this.#init.onFatal(error)
    )
  }

  #knock(effect: Extract<AgentEffect, { kind: 'knock' }>): void {
    const { peer, token } = effect
    this.#c.host.knock(effect.addresses, KNOCK_TIMEOUT_MS, this.#abort.signal).then(
      outcome => this.input({ kind: 'knocked', peer, token, outcome }),
      () => this.input({ kind: 'knocked', peer, token, outcome: 'nothing' })
    )
  }

  #connect(effect: Extract<AgentEffect, { kind: 'connect' }>): void {
    // Never rejects; the outcome comes as a link event.
    const options = { timeoutMs: CONNECT_TIMEOUT_MS, signal: this.#abort.signal }
    void this.#c.host.connect(effect.peer, effect.addresses, options)
  }
}
