/** What every report reads: the agent, and the wall clock for display. */
import type { NodeId } from '../../gossip/core/types.ts'
import type { Agent } from '../agent/agent.ts'
import type { Clock } from '../clock.ts'

export interface ReportContext {
  readonly agent: Agent
  readonly clock: Clock
  readonly version: string
}

/** The name people gave a node; a short id where nothing is known of it. */
export function nodeName(context: ReportContext, id: NodeId): string {
  const { view } = context.agent
  const name = view.infos.get(id)?.name ?? view.members.get(id)?.name ?? ''
  return name === '' ? `node-${id.slice(-8)}` : name
}

/** `4 min`, `12 s`: an age as people say it. */
export function ageText(ageMs: number): string {
  const seconds = Math.max(0, Math.round(ageMs / 1_000))
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
}
