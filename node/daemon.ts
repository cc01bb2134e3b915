/**
 * The composition root: every part of a daemon is made and joined here, and nowhere else.
 */
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { readReplicationMessage } from '../gossip/core/replication/message.ts'
import { MeshHost } from '../gossip/libp2p/host.ts'
import { createSealer } from '../gossip/signer.ts'
import type { DaemonOptions, FlagValues } from '../src/api/daemon-flags.ts'
import type { LeaveAnswer } from '../src/api/types.ts'
import { ShoalError } from '../src/errors.ts'
import { checkWorkload } from '../src/spec/schema.ts'
import type { RuntimeName, WorkloadSpec } from '../src/spec/workload.ts'
import type { AgentEvent, AgentInput } from './agent/api.ts'
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
import { eventRow } from './events.ts'
import { failpoint } from './failpoints.ts'
import { STORE_DIR } from './identity.ts'
import { Joining } from './joining.ts'
import { keepOptions } from './kept.ts'
import { forgetMesh, leaveMesh } from './leave.ts'
import { listenForPeers } from './listen.ts'
import { LiveNode } from './live-node.ts'
import { type Log, logFatal } from './log.ts'
import { systemRandom } from './random.ts'
import { serveRemote } from './remote.ts'
import type { ReportContext } from './report/context.ts'
import { openRuntimes } from './runtime/index.ts'
import type { Runtime } from './runtime/runtime.ts'
import { Storage } from './storage.ts'
import { onDisk } from './store/files.ts'
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
  #node!: LiveNode
  #host!: MeshHost
  #events!: EventLog
  #info!: NodeInfo
  #writes!: Writes
  #context!: ReportContext
  #answers!: Answers
  #joining!: Joining
  #storage: Storage | undefined
  #runtimes: ReadonlyMap<RuntimeName, Runtime> = new Map()
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
      { log, onResume: () => this.#node.resume() },
      {
        ...onDisk(join(options.dataDir, STORE_DIR)),
        node: identity.nodeId,
        mesh: mesh.meshId
      }
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
    this.#compose(boot, absent)
    await this.#serve()
    const store = await this.#storage.opened(signal)
    const listen = (): Promise<readonly string[]> => listenForPeers(this.#host)
    const around = { store, transport: this.#host, listen }
    const addresses = await this.#node.start(around, this.#membership, signal)
    log.info({ mesh: mesh.meshId, id: identity.nodeId, addresses }, 'listening')
    if (this.#joining.isMember) await this.#keep()
  }

  #keep(): Promise<void> {
    const { options, kept, log } = this.#c
    return keepOptions({ log }, options.dataDir, kept)
  }

  /** A planned stop of the daemon: workloads go on, nothing moves for a while. */
  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    if (this.#node?.takesPart !== true) {
      this.#abort.abort()
      await this.#starting?.catch(() => undefined)
    } else {
      this.#node.input({
        kind: 'membership',
        command: { kind: 'restarting', restartMs: RESTART_MS }
      })
      await new Promise(resolve => setTimeout(resolve, GOODBYE_MS))
    }
    // A mesh that never accepted us: nothing here is of any use, and it could be in the way.
    const isUseless = this.#joining?.isMember === false
    await this.#close(isUseless ? () => this.#traces.remove() : undefined)
  }

  /** The socket goes last: where no daemon answers, none has its hands on the directory. */
  async #close(last?: () => Promise<void>): Promise<void> {
    this.#abort.abort()
    await this.#node?.stop()
    await this.#host?.stop()
    for (const runtime of this.#runtimes.values()) await runtime.close()
    await this.#storage?.close()
    await last?.()
    await this.#api?.close()
  }

  #compose(boot: string, absent: ReadonlySet<RuntimeName>): void {
    const { options, log } = this.#c
    const { identity, mesh } = this.#membership
    const clock = this.#clock
    this.#node = new LiveNode(
      {
        random: systemRandom,
        sealer: createSealer(identity.privateKey),
        readSpec,
        runtimes: this.#runtimes,
        absent,
        loadPerCore: () => (loadavg()[0] ?? 0) / availableParallelism(),
        clock,
        log
      },
      {
        mesh: mesh.meshId,
        preset: options.preset,
        boot,
        info: this.#info,
        onEvent: event => this.#event(event),
        onReply: (operation, answer) => this.#writes.replied(operation, answer),
        onLink: event => this.#joining.link(event),
        onFatal: error => this.#fatal(error),
        onPoint: failpoint(process.env)
      }
    )
    const { agent, executor } = this.#node
    this.#host = new MeshHost(
      { privateKey: identity.privateKey, log },
      {
        meshId: mesh.meshId,
        meshKey: Buffer.from(mesh.key, 'hex'),
        boot,
        name: this.#info.name,
        protocolVersions: PROTOCOL_VERSIONS,
        placementVersion: PLACEMENT_VERSION,
        incarnation: () => this.#node.incarnation,
        listen: options.listen,
        validate: message => readReplicationMessage(message) !== undefined
      }
    )
    const context: ReportContext = { agent, clock, version: this.#c.version }
    const input = (value: AgentInput): void => this.#node.input(value)
    this.#writes = new Writes({ agent, clock, input, context })
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
      info: () => this.#node.info
    })
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
      ready: () => this.#answers.ready({ version, dataDir: options.dataDir }),
      trouble: () => this.#storage?.trouble,
      statusExtra: () => ({
        mesh: this.#answers.mesh,
        viewSinceMs: this.#viewSinceMs,
        alarms: [...this.#answers.alarms(), ...this.#alarms],
        unavailable: this.#node.executor.unavailable
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

  async #leave(signal: AbortSignal): Promise<LeaveAnswer> {
    const { log } = this.#c
    if (!this.#joining.isMember) {
      this.#endSoon()
      return { left: true, notes: ['this node was in no mesh yet; it has stopped trying'] }
    }
    if (!this.#node.isDriven)
      throw new ShoalError('UNAVAILABLE', `this node is not ready: ${this.#answers.waits()}`)
    const answer = await leaveMesh(
      {
        agent: this.#node.agent,
        clock: this.#clock,
        runtimes: this.#runtimes,
        log,
        input: input => this.#node.input(input),
        info: () => this.#node.info
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
