/** A daemon's backend made of plain data, for tests of the server, the client and the CLI. */

import type { AllocationFilter, Backend, LogQuery } from '../../node/api/backend.ts'
import { EventLog } from '../../node/api/event-log.ts'
import type {
  AllocationView,
  ChangeAnswer,
  LogEntry,
  NodeView,
  StatusView,
  VolumeView,
  WorkloadRef
} from '../../src/api/types.ts'
import { ShoalError } from '../../src/errors.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { spec } from './workload.ts'

export const TIME = '2026-01-02T03:04:05.000Z'

export function nodeView(name: string, more: Partial<NodeView> = {}): NodeView {
  return {
    name,
    id: `12D3KooW${name}`,
    state: 'alive',
    phase: 'steady',
    self: false,
    addresses: [`/ip4/10.0.0.1/tcp/7970/p2p/12D3KooW${name}`],
    labels: { disk: 'ssd' },
    zone: 'a',
    capacity: { cpuMillis: 4_000, memoryMiB: 8_192 },
    platform: { os: 'linux', arch: 'x64' },
    runtimes: ['docker', 'process'],
    daemonGone: false,
    directPath: true,
    since: TIME,
    version: '0.1.0',
    ...more
  }
}

export function allocationView(slot: number, more: Partial<AllocationView> = {}): AllocationView {
  return {
    project: 'demo',
    workload: 'web',
    uid: 'u1',
    slot,
    node: 'mini-1',
    nodeId: '12D3KooWmini-1',
    state: 'healthy',
    reason: '',
    generation: '1.abc',
    runtime: 'docker',
    startedAt: TIME,
    instance: `c${slot}`,
    health: 'none',
    ...more
  }
}

export function workloadSpec(more: Partial<WorkloadSpec> = {}): WorkloadSpec {
  const fields = { runtime: 'docker', image: 'busybox:local', stopGraceMs: 10_000 } as const
  return spec({ ...fields, replicas: 2, ...more })
}

export const VOLUME: VolumeView = {
  project: 'demo',
  name: 'db_data',
  kind: 'volume',
  workload: 'db',
  slot: 0,
  node: 'mini-2',
  nodeId: '12D3KooWmini-2',
  nodeState: 'dead',
  state: 'waits',
  reason: 'its data is on mini-2 (dead 4 min)'
}

export const STATUS: StatusView = {
  converged: true,
  viewHash: 'abcdef0123456789',
  mesh: 'mesh-1',
  self: { name: 'mini-1', id: '12D3KooWmini-1' },
  version: '0.1.0',
  members: { alive: 2, suspect: 0, dead: 0 },
  workloads: { desired: 2, running: 2, pending: 0 },
  durable: { disks: 2, wanted: 2 },
  notOk: [],
  viewAgeMs: 1_500,
  brake: null,
  alarms: []
}

/** What a test may change; every list is answered as it is then. */
export class FakeBackend implements Backend {
  state: { isReady: boolean; status: StatusView; token: string } = {
    isReady: true,
    status: STATUS,
    token: 'shoal1-secret'
  }
  nodeList: NodeView[] = [nodeView('mini-1', { self: true }), nodeView('mini-2')]
  volumeList: VolumeView[] = [VOLUME]
  allocationList: AllocationView[] = [
    allocationView(0),
    allocationView(1, { node: 'mini-2', nodeId: '12D3KooWmini-2' })
  ]
  specs: WorkloadSpec[] = [workloadSpec()]
  removed = new Set<string>()
  logList: LogEntry[] = [
    logEntry({ slot: 0, line: 'hello' }),
    logEntry({ slot: 1, node: 'mini-2', line: 'world' })
  ]
  eventLog = new EventLog({ now: () => new Date(TIME) }, { boot: '0123456789abcdef' })
  /** Signals of the streams that are open now. */
  openStreams = 0
  deployCount = 0
  notes: string[] = []
  acks = { disks: 2, wanted: 2 }
  pendingNow: string[] = []
  /** Runs when a deploy is written, for example to let its replicas come up. */
  onWrite: (answer: ChangeAnswer) => void = () => {}
  /** Thrown by every read and write, when set. */
  fault: unknown
  /** Awaited by `status`, when set. */
  slow: Promise<void> | undefined

  ready() {
    return {
      ready: this.state.isReady,
      waits: this.state.isReady ? '' : 'joining',
      name: 'mini-1',
      id: '12D3KooWmini-1',
      mesh: 'mesh-1',
      addresses: ['/ip4/10.0.0.1/tcp/7970/p2p/12D3KooWmini-1'],
      runtimes: ['docker', 'process'] as const,
      version: '0.1.0',
      pid: process.pid,
      dataDir: '/data'
    }
  }

  async status() {
    this.#check()
    await this.slow
    return this.state.status
  }

  async nodes() {
    this.#check()
    return this.nodeList
  }

  async allocations(filter: AllocationFilter) {
    this.#check()
    return this.allocationList.filter(
      one =>
        (filter.project === undefined || one.project === filter.project) &&
        (filter.workload === undefined || one.workload === filter.workload) &&
        (filter.all || one.state !== 'stopping')
    )
  }

  async workloads() {
    this.#check()
    return this.specs.map(spec => this.#view(spec))
  }

  async workload(ref: WorkloadRef) {
    const spec = this.#find(ref)
    const mine = this.allocationList.filter(one => one.workload === ref.name)
    return {
      ...this.#view(spec),
      spec,
      conflicting: [],
      allocations: mine.map(one => ({ ...one, inspect: { Id: one.instance }, inspectError: '' }))
    }
  }

  async why(ref: WorkloadRef) {
    this.#find(ref)
    return {
      workload: { ...ref, uid: 'u1' },
      inputDigest: 'd1',
      viewHash: 'abcdef0123456789',
      lines: ['web/0 is on mini-1: best score of 2 nodes'],
      takeover: [{ slot: 0, node: 'mini-1', next: 'mini-2' }],
      explanation: { any: 'thing' }
    }
  }

  async volumes() {
    this.#check()
    return this.volumeList
  }

  async *events(after: string | undefined, signal: AbortSignal) {
    this.openStreams += 1
    try {
      yield* this.eventLog.read(after, signal)
    } finally {
      this.openStreams -= 1
    }
  }

  async logs(query: LogQuery, signal: AbortSignal) {
    this.#find(query)
    return this.#entries(query, signal)
  }

  async *#entries(query: LogQuery, signal: AbortSignal) {
    this.openStreams += 1
    try {
      for (const entry of this.logList)
        if (query.slot === undefined || entry.slot === query.slot) yield entry
      if (query.follow)
        await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    } finally {
      this.openStreams -= 1
    }
  }

  async deploy(request: Parameters<Backend['deploy']>[0]) {
    this.#check()
    if (!request.dryRun) this.deployCount += 1
    const changes = request.workloads.map(spec => {
      const known = this.specs.some(one => one.name === spec.name)
      return this.#change(spec, known ? 'changed' : 'created')
    })
    if (!request.dryRun) this.specs = [...request.workloads]
    return this.#answer(request.operation, request.dryRun, changes)
  }

  async scale(request: Parameters<Backend['scale']>[0]) {
    const spec = { ...this.#find(request), replicas: request.replicas }
    return this.#answer(request.operation, false, [this.#change(spec, 'changed')])
  }

  async remove(request: Parameters<Backend['remove']>[0]) {
    this.#check()
    const matches = (spec: WorkloadSpec): boolean =>
      spec.project === request.project && (request.name ?? spec.name) === spec.name
    const gone = this.specs.filter(matches)
    const key = `${request.project}/${request.name ?? ''}`
    if (gone.length === 0) {
      if (!this.removed.has(key)) throw new ShoalError('NOT_FOUND', `no workload ${key}`)
      return { ...this.#answer(request.operation, false, []), notes: ['was removed before'] }
    }
    this.removed.add(key)
    this.specs = this.specs.filter(spec => !matches(spec))
    this.allocationList = []
    return this.#answer(
      request.operation,
      false,
      gone.map(spec => this.#change(spec, 'removed'))
    )
  }

  async abandon(request: Parameters<Backend['abandon']>[0]) {
    this.#check()
    if (request.volume !== VOLUME.name)
      throw new ShoalError('NOT_FOUND', `no volume ${request.volume}`)
    return {
      operation: request.operation,
      abandoned: [{ project: 'demo', name: 'db', slot: 0, node: 'mini-2' }],
      acks: this.acks,
      notes: []
    }
  }

  async token() {
    return { token: this.state.token, mesh: 'mesh-1', addresses: this.ready().addresses }
  }

  async leave() {
    return { left: true, notes: ['2 replicas were stopped'] }
  }

  #check(): void {
    if (this.fault !== undefined) throw this.fault
  }

  #find(ref: WorkloadRef): WorkloadSpec {
    this.#check()
    const spec = this.specs.find(one => one.project === ref.project && one.name === ref.name)
    if (spec === undefined)
      throw new ShoalError('NOT_FOUND', `no workload ${ref.project}/${ref.name}`, {
        hint: 'see shoal ps'
      })
    return spec
  }

  #view(spec: WorkloadSpec) {
    return {
      project: spec.project,
      name: spec.name,
      uid: 'u1',
      generation: '1.abc',
      replicas: spec.replicas,
      running: spec.replicas,
      pending: 0,
      runtime: spec.runtime,
      image: spec.image ?? '',
      conflicts: 0
    }
  }

  #change(spec: WorkloadSpec, change: ChangeAnswer['changes'][number]['change']) {
    return {
      project: spec.project,
      name: spec.name,
      uid: 'u1',
      generation: '1.abc',
      change,
      replicas: spec.replicas,
      fields: change === 'changed' ? ['replicas'] : [],
      seats: [{ node: 'mini-1', replicas: spec.replicas }],
      pending: this.pendingNow
    }
  }

  #answer(operation: string, dryRun: boolean, changes: ChangeAnswer['changes']): ChangeAnswer {
    const answer = { operation, dryRun, changes, acks: this.acks, notes: this.notes }
    if (!dryRun) this.onWrite(answer)
    return answer
  }
}

export function logEntry(more: Partial<LogEntry>): LogEntry {
  return {
    kind: 'line',
    project: 'demo',
    workload: 'web',
    slot: 0,
    node: 'mini-1',
    stream: 'stdout',
    time: TIME,
    line: '',
    ...more
  }
}
