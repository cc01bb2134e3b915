/**
 * One node of the mesh without its process: the agent, what executes its decisions, and what it
 * says of itself, put together the same way in the daemon and in the simulator. Who makes it
 * brings the clock, the network, the disk and the engines.
 */
import { codec } from '../gossip/codec.ts'
import { type MembershipPreset, membershipConfig } from '../gossip/core/membership/config.ts'
import type { Sealer } from '../gossip/core/signed.ts'
import type { BootId, Random } from '../gossip/core/types.ts'
import type { LinkEvent } from '../gossip/libp2p/types.ts'
import type { RuntimeName, WorkloadSpec } from '../src/spec/workload.ts'
import { Agent } from './agent/agent.ts'
import type { AgentEvent, AgentInput, SubmitAnswer } from './agent/api.ts'
import { AGENT_PRESETS } from './agent/config.ts'
import type { NodeInfo } from './agent/records.ts'
import { isWanted } from './agent/wanted.ts'
import type { Clock } from './clock.ts'
import { Driver, type Transport } from './driver.ts'
import { Executor } from './executor.ts'
import type { Log } from './log.ts'
import { OwnShare } from './own-share.ts'
import type { OnPoint } from './points.ts'
import type { Action } from './reconcile/action.ts'
import type { Runtime } from './runtime/runtime.ts'
import type { Store } from './store/store.ts'

export interface LiveNodeComponents {
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly readSpec: (value: unknown) => WorkloadSpec | undefined
  readonly runtimes: ReadonlyMap<RuntimeName, Runtime>
  /** Runtimes that are not there, which is no trouble until they once were. */
  readonly absent: ReadonlySet<RuntimeName>
  /** The host's load average over its cores. */
  readonly loadPerCore: () => number
  readonly log: Log
}

export interface LiveNodeInit {
  readonly mesh: string
  readonly preset: MembershipPreset
  readonly boot: BootId
  readonly info: NodeInfo
  readonly onEvent: (event: AgentEvent) => void
  readonly onReply: (operation: string, answer: SubmitAnswer) => void
  /** Every link event, after the agent had it. */
  readonly onLink: (event: LinkEvent) => void
  /** The store failed or the agent broke: this process must end and start again. */
  readonly onFatal: (error: unknown) => void
  /** Told before and after what a crash must not break. */
  readonly onPoint: OnPoint
}

export interface Surroundings {
  readonly store: Store
  readonly transport: Transport
  /** Opens the door; gives the addresses that others are told. */
  readonly listen: () => Promise<readonly string[]>
}

export class LiveNode {
  readonly agent: Agent
  readonly executor: Executor
  readonly #c: LiveNodeComponents
  readonly #init: LiveNodeInit
  #driver: Driver | undefined
  #share: OwnShare | undefined

  constructor(components: LiveNodeComponents, init: LiveNodeInit) {
    const { boot, info, mesh, onPoint, preset } = init
    this.#c = components
    this.#init = init
    this.agent = new Agent(
      { ...components, codec },
      {
        mesh,
        membership: membershipConfig(preset, { boot, name: info.name, addresses: [] }),
        agent: AGENT_PRESETS[preset]
      }
    )
    const input = (value: AgentInput): void => this.input(value)
    const wants = (action: Action): boolean => isWanted(this.agent.view, this.agent.self, action)
    this.executor = new Executor({ ...components, input, wants, onPoint })
  }

  /** It drives its agent: a submission is taken in. */
  get isDriven(): boolean {
    return this.#driver !== undefined
  }

  /** It has told the mesh of itself. */
  get takesPart(): boolean {
    return this.#share !== undefined
  }

  /** For the hello: 0 in the moment between an open door and the first input. */
  get incarnation(): number {
    return this.takesPart ? this.agent.membership.self().incarnation : 0
  }

  /** What it says of itself, or will. */
  get info(): NodeInfo {
    return this.#share?.info ?? this.#init.info
  }

  /** Before the store is open nothing is taken in, and nothing can be. */
  input(input: AgentInput): void {
    this.#driver?.input(input)
  }

  /**
   * Resolves when it takes part; the mesh may still be joining. `join`: addresses that somebody
   * gave now; `joined`: gave once, for a member that a crash left without a roster. Throws the
   * signal's reason.
   */
  async start(
    surroundings: Surroundings,
    { join, joined }: { readonly join: readonly string[]; readonly joined: readonly string[] },
    signal: AbortSignal
  ): Promise<readonly string[]> {
    const { store, transport, listen } = surroundings
    const { agent, executor } = this
    const parts = { ...this.#c, agent, executor, store }
    this.#driver = new Driver({ ...parts, transport }, this.#init)
    const persisted = await store.read('')
    const addresses = await listen()
    signal.throwIfAborted()
    this.#driver.listen()
    this.input({ kind: 'start', persisted, amnesiac: store.amnesiac !== undefined })
    const input = (value: AgentInput): void => this.input(value)
    this.#share = new OwnShare(
      { ...parts, input, onFailure: this.#init.onFatal },
      { info: this.#init.info, persisted }
    )
    this.#share.start()
    this.input({ kind: 'membership', command: { kind: 'addresses', addresses } })
    const knowsNobody = this.agent.membership.members().size < 2
    const ask = join.length === 0 && knowsNobody ? joined : join
    if (ask.length > 0) {
      this.input({ kind: 'membership', command: { kind: 'join', addresses: ask } })
    }
    executor.start()
    return addresses
  }

  /** The disk takes writes again: what waited behind it goes out, but not old messages. */
  resume(): void {
    this.#driver?.resume()
  }

  /** Workloads go on. */
  async stop(): Promise<void> {
    this.#share?.stop()
    this.executor.stop()
    await this.#driver?.stop()
  }
}
