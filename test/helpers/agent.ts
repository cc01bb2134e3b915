/** Makers of view content for tests of the agent's parts: short and explicit. */
import type { Member } from '../../gossip/core/membership/api.ts'
import { Signed } from '../../gossip/core/signed.ts'
import type { MemberState } from '../../gossip/core/types.ts'
import type { AllocationRecord, NodeInfo, WorkloadRecord } from '../../node/agent/records.ts'
import { View } from '../../node/agent/view.ts'
import type { Instance, InstanceMark } from '../../node/reconcile/instance.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'

export { spec } from './workload.ts'

export const DATA_VOLUME = {
  kind: 'volume',
  name: 'data',
  target: '/data',
  readOnly: false,
  shared: false
} as const

export function member(id: string, state: MemberState = 'alive', boot = `boot-${id}`): Member {
  const body = {
    kind: 'alive' as const,
    node: id,
    incarnation: 1,
    boot,
    name: id,
    addresses: [],
    phase: 'steady' as const
  }
  return {
    ...body,
    id,
    state,
    sinceMs: 0,
    directPath: true,
    daemonGone: false,
    alive: new Signed(id, body, new Uint8Array(), new Uint8Array())
  }
}

export function info(name: string, fields: Partial<NodeInfo> = {}): NodeInfo {
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
    version: '0',
    ...fields
  }
}

export function allocation(fields: Partial<AllocationRecord> = {}): AllocationRecord {
  return {
    project: 'demo',
    workload: 'web',
    claim: 'claim',
    sequence: 1,
    state: 'healthy',
    reason: '',
    generation: '',
    runtime: 'memory',
    replaces: [],
    beats: [],
    pinned: false,
    paced: false,
    ran: true,
    data: [],
    instance: 'i',
    health: 'none',
    startedAt: '',
    ...fields
  }
}

export function mark(uid: string, slot: number, generation: string): InstanceMark {
  return { mesh: 'm', uid, slot, generation, project: 'demo', workload: 'web', claim: 'claim' }
}

export function instance(given: InstanceMark, fields: Partial<Instance> = {}): Instance {
  return {
    id: 'i',
    runtime: 'memory',
    mark: given,
    state: 'running',
    health: 'none',
    exitCode: undefined,
    runningMs: 5_000,
    startedAt: '2026-01-01T00:00:00.000Z',
    ...fields
  }
}

/** A view of living nodes, each with its info, and the given workloads under uids `u0`, `u1`... */
export function viewOf(nodes: readonly string[], specs: readonly WorkloadSpec[] = []): View {
  const view = new View({ readSpec: value => value as WorkloadSpec })
  for (const id of nodes) {
    view.setMember(member(id))
    view.setOwn(id, 'info', info(id))
  }
  for (const [index, one] of specs.entries()) {
    const value: WorkloadRecord = { spec: one, generation: 1, created: index + 1 }
    const key = `workload/${one.project}/${one.name}`
    view.setShared({ key, uid: `u${index}`, value, losers: [], conflicts: 0 })
  }
  return view
}
