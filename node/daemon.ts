/**
 * The composition root: every part of a daemon is made and joined here, and nowhere else.
 */
import { join } from 'node:path'
import { codec } from '../gossip/codec.ts'
import { membershipConfig } from '../gossip/core/membership/config.ts'
import { readReplicationMessage } from '../gossip/core/replication/message.ts'
import { MeshHost } from '../gossip/libp2p/host.ts'
import { createSealer } from '../gossip/signer.ts'
import type { DaemonOptions, FlagValues } from '../src/api/daemon-flags.ts'
import type { LeaveAnswer } from '../src/api/types.ts'
import { ShoalError } from '../src/errors.ts'
import { checkWorkload } from '../src/spec/schema.ts'
import type { RuntimeName, WorkloadSpec } from '../src/spec/workload.ts'
import { Agent } from './agent/agent.ts'
import type { AgentEvent, AgentInput } from './agent/api.ts'
import { AGENT_PRESETS } from './agent/config.ts'
import { PLACEMENT_VERSION } from './agent/placing.ts'
import type { NodeInfo } from './agent/records.ts'
import { Answers } from './answers.ts'
import { EventLog } from './api/event-log.ts'
import { type ApiServer, startApiServer } from './api/server.ts'
import { NodeBackend } from './backend/backend.ts'
import { INSPECT_PROTOCOL, Inspect } from './backend/inspect.ts'
import { LOGS_PROTOCOL, Logs } from './backend/logs.ts'
import { Writes } from './backend/writes.ts'
import { type Clock, systemClock } from './clock.ts'
import { type Membership, nodeInfo, settleMembership } from './config.ts'
import { Driver } from './driver.ts'
import { eventRow } from './events.ts'
import { Executor } from './executor.ts'
import { STORE_DIR } from './identity.ts'
import { Joining } from './joining.ts'
import { keepOptions } from './kept.ts'
import { forgetMesh, leaveMesh } from './leave.ts'
import { listenForPeers } from './listen.ts'
import { type Log, logFatal } from './log.ts'
import { OwnShare } from './own-share.ts'
import { systemRandom } from './random.ts'
import { serveRemote } from './remote.ts'
import type { ReportContext } from './report/context.ts'
import { openRuntimes } from './runtime/index.ts'
import type { Runtime } from './runtime/runtime.ts'
import { Storage } from './storage.ts'
import type { LevelStore } from './store/level-store.ts'
import type { StoredRecord } from './store/store.ts'
import { Traces } from './traces.ts'

const PROTOCOL_VERSIONS = [1]
const ALARMS_MAX = 32
/** How long a planned restart may take before others act on our silence. */
const RESTART_MS = 30_000
const GOODBYE_MS = 100

export interface DaemonComponents {
  readonly options: DaemonOptions
  /** Those of the options that are kept for the next start. */
  readonly kept: FlagValues
  readonly version: string
  readonly log: Log
  /** Ends the process well. */
  readonly exit: () => void
  /** Ends it with one line that says why, and the exit code of the error. */
  readonly fail: (error: unknown) => void
}

export class Daemon {
  readonly #c: DaemonComponents
  readonly #clock: Clock = systemClock
  readonly #abort = new AbortController()
  readonly #alarms: string[] = []
  readonly #traces: Traces
  #membership!: Membership
  #agent!: Agent
  #host!: MeshHost
  #events!: EventLog
  #info!: NodeInfo
  #writes!: Writes
  #context!: ReportContext
  #answers!: Answers
  #joining!: Joining
  #executor: Executor | undefined
  #storage: Storage | undefined
  #driver: Driver | undefined
  #runtimes: ReadonlyMap<RuntimeName, Runtime> = new Map()
  #share: OwnShare | undefined
  #api: ApiServer | undefined
  #starting: Promise<void> | undefined
  #viewSinceMs = 0
  #stopping = false

  constructor(components: DaemonComponents) {
    this.#c = components
    this.#traces = new Traces(components.options.dataDir)
  }

  /**
   * Resolves when the node takes part; the mesh may still be joining. The API answers before, so
   * that a full disk can be told. Throws what forbids to run, and then leaves nothing behind.
   */
  async start(): Promise<void> {
    this.#starting = this.#begin()
    try {
      await this.#starting
    } catch (error) {
      if (this.#stopping) return
      this.#stopping = true
      await this.#close(() => this.#traces.remove())
      throw error
    }
  }

  async #begin(): Promise<void> {
    const { options, version, log } = this.#c
    const { signal } = this.#abort
    this.#membership = await settleMembership(options, this.#traces)
    const { mesh, identity } = this.#membership
    const boot = systemRandom.hex(32)
    this.#storage = new Storage(
      { log, onResume: () => this.#driver?.resume() },
      { dir: join(options.dataDir, STORE_DIR), node: identity.nodeId, mesh: mesh.meshId }
    )
    await this.#storage.open({ member: this.#traces.wasMember })
    this.#traces.ownsStore()
    const { runtimes, absent } = await openRuntimes(
      {
        dataDir: options.dataDir,
        mesh: mesh.meshId,
        node: identity.nodeId,
        wanted: options.runtime,
        dockerHost: options.dockerHost,
        isFirst: !this.#traces.wasMember,
        log: message => log.info(message)
      },
      signal
    )
    this.#runtimes = runtimes
    const there = [...runtimes.keys()].filter(name => !absent.has(name))
    this.#info = nodeInfo(options, { runtimes: there, version })
    this.#events = new EventLog({ now: () => new Date(this.#clock.wallMs()) }, { boot })
    const executor = this.#compose(boot, absent)
    await this.#serve(executor)
    const store = await this.#storage.opened(signal)
    this.#driver = this.#drive(executor, store)
    const persisted = await store.read('')
    await listenForPeers(this.#host)
    signal.throwIfAborted()
    this.#driver.listen()
    this.#takePart(executor, store, persisted)
    if (this.#joining.isMember) await this.#keep()
  }

  #takePart(executor: Executor, store: LevelStore, persisted: readonly StoredRecord[]): void {
    const { log } = this.#c
    const { identity, mesh, join: addresses } = this.#membership
    this.#input({ kind: 'start', persisted, amnesiac: store.amnesiac !== undefined })
    this.#share = new OwnShare(
      {
        agent: this.#agent,
        clock: this.#clock,
        executor,
        store,
        input: input => this.#input(input),
        onFailure: error => this.#fatal(error)
      },
      { info: this.#info, persisted }
    )
    this.#share.start()
    const announced = this.#host.addresses()
    this.#input({ kind: 'membership', command: { kind: 'addresses', addresses: announced } })
    if (addresses.length > 0) {
      this.#input({ kind: 'membership', command: { kind: 'join', addresses } })
    }
    executor.start()
    log.info({ mesh: mesh.meshId, id: identity.nodeId, addresses: announced }, 'listening')
  }

  #keep(): Promise<void> {
    const { options, kept, log } = this.#c
    return keepOptions({ log }, options.dataDir, kept)
  }

  /** A planned stop of the daemon: workloads go on, nothing moves for a while. */
  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    if (this.#share === undefined) {
      this.#abort.abort()
      await this.#starting?.catch(() => undefined)
    } else {
      this.#input({ kind: 'membership', command: { kind: 'restarting', restartMs: RESTART_MS } })
      await new Promise(resolve => setTimeout(resolve, GOODBYE_MS))
    }
    // A mesh that never accepted us: nothing here is of any use, and it could be in the way.
    const isUseless = this.#joining?.isMember === false
    await this.#close(isUseless ? () => this.#traces.remove() : undefined)
  }

  /** The socket goes last: where no daemon answers, none has its hands on the directory. */
  async #close(last?: () => Promise<void>): Promise<void> {
    this.#abort.abort()
    this.#share?.stop()
    this.#executor?.stop()
    await this.#driver?.stop()
    await this.#host?.stop()
    for (const runtime of this.#runtimes.values()) await runtime.close()
    await this.#storage?.close()
    await last?.()
    await this.#api?.close()
  }

  #compose(boot: string, absent: ReadonlySet<RuntimeName>): Executor {
    const { options, log } = this.#c
    const { identity, mesh } = this.#membership
    const agent = new Agent(
      {
        random: systemRandom,
        sealer: createSealer(identity.privateKey),
        codec,
        readSpec
      },
      {
        mesh: mesh.meshId,
        membership: membershipConfig(options.preset, {
          boot,
          name: this.#info.name,
          addresses: []
        }),
        agent: AGENT_PRESETS[options.preset]
      }
    )
    this.#agent = agent
    this.#host = new MeshHost(
      { privateKey: identity.privateKey, log },
      {
        meshId: mesh.meshId,
        meshKey: Buffer.from(mesh.key, 'hex'),
        boot,
        name: this.#info.name,
        protocolVersions: PROTOCOL_VERSIONS,
        placementVersion: PLACEMENT_VERSION,
        incarnation: () => agent.membership.self().incarnation,
        listen: options.listen,
        validate: message => readReplicationMessage(message) !== undefined
      }
    )
    const input = (value: AgentInput): void => this.#input(value)
    const engines = { runtimes: this.#runtimes, absent, clock: this.#clock }
    const executor = new Executor({ ...engines, log, input })
    this.#executor = executor
    const context: ReportContext = { agent, clock: this.#clock, version: this.#c.version }
    this.#writes = new Writes({ agent, clock: this.#clock, input, context })
    this.#context = context
    this.#joining = new Joining(
      {
        log,
        onAccepted: () => void this.#keep(),
        onRefused: error => void this.#refusedByMesh(error),
        onFatal: error => this.#fatal(error)
      },
      { dataDir: options.dataDir, membership: this.#membership }
    )
    this.#answers = new Answers({
      agent,
      host: this.#host,
      executor,
      joining: this.#joining,
      membership: this.#membership,
      trouble: () => this.#storage?.trouble,
      info: () => this.#share?.info ?? this.#info
    })
    return executor
  }

  #drive(executor: Executor, store: LevelStore): Driver {
    const { log } = this.#c
    const shared = { agent: this.#agent, host: this.#host, clock: this.#clock }
    return new Driver(
      { ...shared, store, executor, log },
      {
        onEvent: event => this.#event(event),
        onReply: (operation, answer) => this.#writes.replied(operation, answer),
        onLink: event => this.#joining.link(event),
        onFatal: error => this.#fatal(error)
      }
    )
  }

  async #serve(executor: Executor): Promise<void> {
    const { options, version, log } = this.#c
    const shared = { context: this.#context, host: this.#host, runtimes: this.#runtimes }
    const logs = new Logs(shared)
    const inspect = new Inspect(shared)
    await serveRemote(this.#host, LOGS_PROTOCOL, (value, signal) => logs.serve(value, signal))
    await serveRemote(this.#host, INSPECT_PROTOCOL, (value, signal) => inspect.serve(value, signal))
    const backend = new NodeBackend({
      context: this.#context,
      events: this.#events,
      inspect,
      logs,
      writes: this.#writes,
      ready: () => this.#answers.ready({ version, dataDir: options.dataDir }),
      trouble: () => this.#storage?.trouble,
      statusExtra: () => ({
        mesh: this.#answers.mesh,
        viewSinceMs: this.#viewSinceMs,
        alarms: [...this.#answers.alarms(), ...this.#alarms],
        unavailable: executor.unavailable
      }),
      token: () => this.#answers.token(),
      leave: signal => this.#leave(signal)
    })
    this.#api = await startApiServer(
      {
        backend,
        report: error => log.error({ error: String(error) }, 'a bug in the API')
      },
      { socket: options.socket, version }
    )
  }

  /** Before the store is open nothing is taken in, and nothing can be. */
  #input(input: AgentInput): void {
    this.#driver?.input(input)
  }

  async #leave(signal: AbortSignal): Promise<LeaveAnswer> {
    const { log } = this.#c
    if (!this.#joining.isMember) {
      this.#endSoon()
      return { left: true, notes: ['this node was in no mesh yet; it has stopped trying'] }
    }
    if (this.#driver === undefined)
      throw new ShoalError('UNAVAILABLE', `this node is not ready: ${this.#answers.waits()}`)
    const answer = await leaveMesh(
      {
        agent: this.#agent,
        runtimes: this.#runtimes,
        log,
        input: input => this.#input(input),
        info: () => this.#share?.info ?? this.#info
      },
      signal
    )
    this.#endSoon()
    return answer
  }

  /** Ends for good, once the answer is out: the next start here is a new one. */
  #endSoon(): void {
    if (this.#stopping) return
    this.#stopping = true
    const { dataDir } = this.#c.options
    setTimeout(() => {
      void this.#close(() => forgetMesh(dataDir)).then(this.#c.exit, this.#c.fail)
    }, GOODBYE_MS)
  }

  /** The first peer refuses us for good: say why, leave nothing behind, end. */
  async #refusedByMesh(error: ShoalError): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    await this.#close(() => this.#traces.remove())
    this.#c.fail(error)
  }

  #event(event: AgentEvent): void {
    const row = eventRow(this.#context, event)
    if (event.kind === 'view') this.#viewSinceMs = this.#clock.nowMs()
    if (event.kind === 'alarm') {
      this.#alarms.push(row?.text ?? event.event.reason)
      if (this.#alarms.length > ALARMS_MAX) this.#alarms.shift()
    }
    if (event.kind === 'member' && event.event.kind === 'clone' && event.event.yield) {
      const other = event.event.addresses.join(', ')
      this.#fatal(
        new ShoalError('CLONE', `another daemon with this node's identity is live at ${other}`, {
          hint: 'stop one of the two; a copied data directory needs a new identity'
        })
      )
    }
    if (row === undefined) return
    this.#events.append(row)
    this.#c.log.info({ kind: row.kind }, row.text)
  }

  #fatal(error: unknown): void {
    if (this.#stopping) return
    this.#stopping = true
    logFatal(this.#c.log, error)
    this.#c.fail(error)
  }
}

function readSpec(value: unknown): WorkloadSpec | undefined {
  const result = checkWorkload(value)
  return 'workload' in result ? result.workload : undefined
}
