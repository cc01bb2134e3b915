/**
 * `shoal leave`: hand over what can run elsewhere, stop the rest, say goodbye. Volumes stay on this
 * host's disk; nothing that shoal did not make is touched.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { OPTIONS_FILE } from '../src/api/kept-options.ts'
import type { LeaveAnswer } from '../src/api/types.ts'
import { ShoalError } from '../src/errors.ts'
import type { Agent } from './agent/agent.ts'
import type { AgentInput } from './agent/api.ts'
import { EIGHTHS_FULL } from './agent/load-factor.ts'
import { volumeNames } from './agent/prepare.ts'
import type { NodeInfo } from './agent/records.ts'
import { type Clock, pause, within } from './clock.ts'
import { MESH_FILE, STORE_DIR } from './identity.ts'
import type { Log } from './log.ts'
import type { Runtime } from './runtime/runtime.ts'

const HANDOVER_WAIT_MS = 20_000
/** Two repairs with another node, each of which shows whether it has all that we have. */
const SHARED_WAIT_MS = 12_000
const POLL_MS = 50
const STOP_TIMEOUT_MS = 60_000
/** Long enough for the last frames to leave. */
const GOODBYE_MS = 300

export interface LeaveComponents {
  readonly agent: Agent
  readonly clock: Clock
  readonly runtimes: ReadonlyMap<string, Runtime>
  readonly log: Log
  readonly input: (input: AgentInput) => void
  readonly info: () => NodeInfo
}

/** What of ours still runs and could run elsewhere. */
function movable(agent: Agent): number {
  const { view } = agent
  let count = 0
  for (const [uid, workload] of view.workloads) {
    if (workload.sticky) continue
    count += view.claims(uid).filter(claim => claim.node === agent.self).length
  }
  return count
}

/** Workloads whose local data is on this node and nowhere else, with their volumes. */
function dataHere(agent: Agent): readonly string[] {
  const found: string[] = []
  for (const workload of agent.view.workloads.values()) {
    const volumes = volumeNames(workload.record.spec)
    const here = agent.view
      .claims(workload.uid)
      .some(claim => claim.node === agent.self && claim.record.ran)
    if (!here || volumes.length === 0) continue
    found.push(`${workload.key.slice('workload/'.length)} (${volumes.join(', ')})`)
  }
  return found.sort()
}

export async function leaveMesh(
  components: LeaveComponents,
  signal: AbortSignal
): Promise<LeaveAnswer> {
  const { agent, input } = components
  const held = dataHere(agent)
  if (held.length > 0) {
    // Without us its claims would be forgotten, and it would start elsewhere on empty data.
    throw new ShoalError('REFUSED', `this node holds the only data of ${held.join(', ')}`, {
      hint: 'remove these workloads first (shoal rm), their volumes stay on this disk'
    })
  }
  // No change may come after those that others have by then.
  input({ kind: 'leaving', leaving: true })
  try {
    await allShared(components, signal)
    return await handOver(components, signal)
  } catch (error) {
    input({ kind: 'leaving', leaving: false })
    throw error
  }
}

async function handOver(components: LeaveComponents, signal: AbortSignal): Promise<LeaveAnswer> {
  const { agent, clock, input } = components
  const notes: string[] = []
  input({ kind: 'membership', command: { kind: 'phase', phase: 'draining' } })
  input({ kind: 'info', info: { ...components.info(), draining: true }, eighths: EIGHTHS_FULL })
  const others = [...agent.view.members.keys()].some(
    id => id !== agent.self && agent.view.living(id)
  )
  const untilMs = clock.nowMs() + HANDOVER_WAIT_MS
  while (others && movable(agent) > 0 && clock.nowMs() < untilMs && !signal.aborted) {
    await pause(clock, POLL_MS, signal)
  }
  if (others && movable(agent) > 0) {
    notes.push(`${movable(agent)} replicas were stopped before another node had them healthy`)
  }
  input({ kind: 'membership', command: { kind: 'leave' } })
  for (const runtime of components.runtimes.values()) {
    await stopAll(components, runtime, signal)
  }
  await pause(clock, GOODBYE_MS, signal)
  return { left: true, notes }
}

/** What was written here while nobody else was in reach would go with this disk. */
async function allShared({ agent, clock }: LeaveComponents, signal: AbortSignal): Promise<void> {
  const { replica, self, view } = agent
  const isOther = (id: string): boolean => id !== self && view.members.get(id)?.state !== 'left'
  if (![...view.members.keys()].some(isOther)) return
  const { changes } = replica
  const isHeld = (): boolean => replica.isHeld(changes, id => isOther(id) && view.living(id))
  const untilMs = clock.nowMs() + SHARED_WAIT_MS
  while (!isHeld()) {
    if (clock.nowMs() >= untilMs) {
      throw new ShoalError('REFUSED', 'no other node has all that was changed here', {
        hint: 'bring another node back first, or end the daemon and delete its data directory'
      })
    }
    await pause(clock, POLL_MS, signal)
    signal.throwIfAborted()
  }
}

async function stopAll(
  { clock, log }: Pick<LeaveComponents, 'clock' | 'log'>,
  runtime: Runtime,
  signal: AbortSignal
): Promise<void> {
  try {
    await within(clock, { ms: STOP_TIMEOUT_MS, parent: signal }, async limited => {
      const instances = await runtime.list(limited)
      const stops = instances.map(instance =>
        runtime.stop(instance.id, { graceMs: 10_000, signal: 'SIGTERM' }, limited)
      )
      await Promise.allSettled(stops)
      await runtime.sweep(limited)
    })
  } catch (error) {
    log.warn({ runtime: runtime.name, error: String(error) }, 'could not stop what runs here')
  }
}

/** The next start in this data directory is that of a new member; its identity and volumes stay. */
export async function forgetMesh(dataDir: string): Promise<void> {
  for (const name of [MESH_FILE, OPTIONS_FILE, STORE_DIR]) {
    await rm(join(dataDir, name), { recursive: true, force: true })
  }
}
