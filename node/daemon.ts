/**
 * The composition root: every part of a daemon is made and joined here, and nowhere else.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codec } from '../gossip/codec.ts'
import { membershipConfig } from '../gossip/core/membership/config.ts'
import { readReplicationMessage } from '../gossip/core/replication/message.ts'
import { ListenError, MeshHost } from '../gossip/libp2p/host.ts'
import type { LinkEvent } from '../gossip/libp2p/types.ts'
import { createSealer } from '../gossip/signer.ts'
import type { DaemonOptions } from '../src/api/daemon-flags.ts'
import { encodeToken } from '../src/api/token.ts'
import type { LeaveAnswer, ReadyView, TokenAnswer } from '../src/api/types.ts'
import { ShoalError } from '../src/errors.ts'
import { checkWorkload } from '../src/spec/schema.ts'
import type { RuntimeName, WorkloadSpec } from '../src/spec/workload.ts'
import { Agent } from './agent/agent.ts'
import type { AgentEvent, AgentInput } from './agent/api.ts'
import { AGENT_PRESETS } from './agent/config.ts'
import { PLACEMENT_VERSION } from './agent/placing.ts'
import type { NodeInfo } from './agent/records.ts'
import { EventLog } from './api/event-log.ts'
import { type ApiServer, startApiServer } from './api/server.ts'
import { NodeBackend } from './backend/backend.ts'
import { INSPECT_PROTOCOL, Inspect } from './backend/inspect.ts'
import { LOGS_PROTOCOL, Logs } from './backend/logs.ts'
import { Writes } from './backend/writes.ts'
import { type Clock, systemClock } from './clock.ts'
import { type Membership, nodeInfo, STORE_DIR, settleMembership } from './config.ts'
import { Driver } from './driver.ts'
import { eventRow } from './events.ts'
import { Executor } from './executor.ts'
import { MESH_FILE, saveMesh } from './identity.ts'
import { leaveMesh } from './leave.ts'
import type { Log } from './log.ts'
import { OwnShare } from './own-share.ts'
import { systemRandom } from './random.ts'
import { serveRemote } from './remote.ts'
import type { ReportContext } from './report/context.ts'
import { openRuntimes } from './runtime/index.ts'
import type { Runtime } from './runtime/runtime.ts'
import { LevelStore } from './store/level-store.ts'

const PROTOCOL_VERSIONS = [1]
const ALARMS_MAX = 32
/** How long a planned restart may take before others act on our silence. */
const RESTART_MS = 30_000
const GOODBYE_MS = 100
const TOKEN_ADDRESSES_MAX = 8

export interface DaemonComponents {
  readonly options: DaemonOptions
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
  #membership!: Membership
  #agent!: Agent
  #host!: MeshHost
  #store!: LevelStore
  #driver!: Driver
  #executor!: Executor
  #events!: EventLog
  #runtimes!: ReadonlyMap<RuntimeName, Runtime>
  #info!: NodeInfo
  #writes!: Writes
  #context!: ReportContext
  #share: OwnShare | undefined
  #api: ApiServer | undefined
  #viewSinceMs = 0
  #joinFailure = ''
  #linked = false
  #stopping = false

  constructor(components: DaemonComponents) {
    this.#c = components
  }

  /** Resolves when the API answers; the mesh may still be joining. Throws what forbids to run. */
  async start(): Promise<void> {
    const { options, version, log } = this.#c
    this.#membership = await settleMembership(options)
    const { identity, mesh, join: addresses } = this.#membership
    const boot = systemRandom.hex(32)
    this.#store = await LevelStore.open({
      dir: join(options.dataDir, STORE_DIR),
      node: identity.nodeId,
      mesh: mesh.meshId
    })
    const { runtimes, absent } = await openRuntimes(
      {
        dataDir: options.dataDir,
        mesh: mesh.meshId,
        node: identity.nodeId,
        wanted: options.runtime,
        dockerHost: options.dockerHost,
        log: message => log.info(message)
      },
      this.#abort.signal
    )
    this.#runtimes = runtimes
    const there = [...runtimes.keys()].filter(name => !absent.has(name))
    this.#info = nodeInfo(options, { runtimes: there, version })
    this.#events = new EventLog({ now: () => new Date(this.#clock.wallMs()) }, { boot })
    this.#compose(boot, absent)
    await this.#serve()
    await this.#listen()
    this.#driver.listen()
    const persisted = await this.#store.read('')
    this.#input({ kind: 'start', persisted, amnesiac: this.#store.amnesiac !== undefined })
    this.#share = new OwnShare(
      {
        agent: this.#agent,
        clock: this.#clock,
        executor: this.#executor,
        store: this.#store,
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
    this.#executor.start()
    log.info({ mesh: mesh.meshId, id: identity.nodeId, addresses: announced }, 'listening')
  }

  async #listen(): Promise<void> {
    try {
      await this.#host.start()
    } catch (error) {
      if (!(error instanceof ListenError)) throw error
      throw new ShoalError('USAGE', error.message, {
        where: '--listen',
        hint: 'the port is taken, or the address is not of this host; choose another one',
        cause: error
      })
    }
  }

  /** A planned stop of the daemon: workloads go on, nothing moves for a while. */
  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    this.#input({ kind: 'membership', command: { kind: 'restarting', restartMs: RESTART_MS } })
    await new Promise(resolve => setTimeout(resolve, GOODBYE_MS))
    await this.#close()
  }

  async #close(): Promise<void> {
    this.#abort.abort()
    this.#share?.stop()
    this.#executor.stop()
    await this.#driver.stop()
    await this.#api?.close()
    await this.#host.stop()
    for (const runtime of this.#runtimes.values()) await runtime.close()
    await this.#store.close()
  }

  #compose(boot: string, absent: ReadonlySet<RuntimeName>): void {
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
    this.#executor = new Executor({ ...engines, log, input })
    const context: ReportContext = { agent, clock: this.#clock, version: this.#c.version }
    const writes = new Writes({ agent, clock: this.#clock, input, context })
    this.#writes = writes
    this.#context = context
    this.#driver = new Driver(
      {
        agent,
        host: this.#host,
        store: this.#store,
        executor: this.#executor,
        clock: this.#clock,
        log
      },
      {
        onEvent: event => this.#event(event),
        onReply: (operation, answer) => writes.replied(operation, answer),
        onLink: event => this.#link(event),
        onFatal: error => this.#fatal(error)
      }
    )
  }

  async #serve(): Promise<void> {
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
      ready: () => this.#ready(),
      statusExtra: () => ({
        mesh: this.#membership.mesh.meshId,
        viewSinceMs: this.#viewSinceMs,
        alarms: this.#alarms,
        unavailable: this.#executor.unavailable
      }),
      token: () => this.#token(),
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

  #input(input: AgentInput): void {
    this.#driver.input(input)
  }

  #ready(): ReadyView {
    const { options, version } = this.#c
    const { identity, mesh } = this.#membership
    const suffix = `/p2p/${identity.nodeId}`
    return {
      ready: this.#agent.ready,
      waits: this.#agent.ready ? '' : this.#waits(),
      name: this.#info.name,
      id: identity.nodeId,
      mesh: mesh.meshId,
      addresses: this.#host.addresses().map(address => address + suffix),
      runtimes: this.#share?.info.runtimes ?? this.#info.runtimes,
      version,
      pid: process.pid,
      dataDir: options.dataDir
    }
  }

  #waits(): string {
    if (this.#agent.amnesiac) return 'its store was damaged; it fetches the state from its peers'
    if (this.#joinFailure !== '' && !this.#linked) return this.#joinFailure
    const [first] = this.#executor.unavailable
    if (first !== undefined) return `runtime ${first[0]} cannot be asked: ${first[1].reason}`
    return 'it meets its peers'
  }

  #token(): TokenAnswer {
    const { mesh, identity } = this.#membership
    const own = this.#host.addresses().map(address => `${address}/p2p/${identity.nodeId}`)
    const others = [...this.#agent.view.members.values()]
      .filter(member => member.id !== identity.nodeId && member.state === 'alive')
      .flatMap(member => member.addresses.slice(0, 1).map(address => `${address}/p2p/${member.id}`))
    const addresses = [...own, ...others].slice(0, TOKEN_ADDRESSES_MAX)
    const key = Buffer.from(mesh.key, 'hex')
    return {
      token: encodeToken({ mesh: mesh.meshId, key, addresses }),
      mesh: mesh.meshId,
      addresses
    }
  }

  async #leave(signal: AbortSignal): Promise<LeaveAnswer> {
    const { options, log, exit } = this.#c
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
    this.#stopping = true
    setTimeout(() => {
      void this.#close().then(async () => {
        await rm(join(options.dataDir, MESH_FILE), { force: true })
        await rm(join(options.dataDir, STORE_DIR), { recursive: true, force: true })
        exit()
      })
    }, GOODBYE_MS)
    return answer
  }

  #link(event: LinkEvent): void {
    const { log, options } = this.#c
    if (event.state === 'open') {
      if (this.#linked) return
      this.#linked = true
      const { mesh } = this.#membership
      // Only now is it certain that the token fits: a wrong one leaves nothing behind.
      saveMesh(options.dataDir, mesh).catch((error: unknown) => this.#fatal(error))
      return
    }
    if (event.state !== 'failed' && event.state !== 'refused') return
    log.debug({ failure: event.failure }, event.message)
    if (this.#linked) return
    this.#joinFailure = event.message
    const hopeless = ['WRONG_KEY', 'WRONG_MESH', 'VERSION'].includes(event.failure)
    if (hopeless && this.#membership.fresh) void this.#refusedByMesh(event.failure, event.message)
  }

  /** The first peer refuses us for good: say why, leave nothing behind, end. */
  async #refusedByMesh(failure: string, message: string): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    const code = failure === 'WRONG_KEY' ? 'WRONG_KEY' : 'WRONG_MESH'
    const error = new ShoalError(code, message, { hint: 'get a token of this mesh and join again' })
    await this.#close()
    await rm(join(this.#c.options.dataDir, STORE_DIR), { recursive: true, force: true })
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
    const stack = error instanceof Error ? error.stack : String(error)
    this.#c.log.fatal({ error: stack }, 'cannot go on')
    this.#c.fail(error)
  }
}

function readSpec(value: unknown): WorkloadSpec | undefined {
  const result = checkWorkload(value)
  return 'workload' in result ? result.workload : undefined
}
