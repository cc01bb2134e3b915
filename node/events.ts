/** Agent events as rows for people: `shoal events`, logs, waiting clients. */
import type { AgentEvent } from './agent/api.ts'
import type { NewEvent } from './api/event-log.ts'
import { nodeName, type ReportContext } from './report/context.ts'

const NONE = { node: null, project: null, workload: null, slot: null } as const

/** Undefined for events that say nothing to people. */
export function eventRow(context: ReportContext, event: AgentEvent): NewEvent | undefined {
  switch (event.kind) {
    case 'member':
      return memberRow(context, event.event)
    case 'alarm':
      return { ...NONE, kind: 'alarm', text: `${event.event.key}: ${event.event.reason}` }
    case 'ready':
      return { ...NONE, kind: 'ready', text: 'this node takes part' }
    case 'allocation': {
      const { project, workload, slot, state } = event
      const reason = event.reason === '' ? '' : ` (${event.reason})`
      const text = `${project}/${workload}/${slot} ${state}${reason}`
      const node = nodeName(context, context.agent.self)
      return { kind: 'allocation', text, node, project, workload, slot }
    }
    case 'action': {
      const text = event.failure === undefined ? event.text : `${event.text}: ${event.failure}`
      return { ...NONE, kind: 'action', text }
    }
    case 'view':
      return { ...NONE, kind: 'view', text: `view ${event.viewHash}` }
    case 'brake':
      return {
        ...NONE,
        kind: 'brake',
        text: event.on
          ? 'more than half of the mesh vanished: takeovers are paced'
          : 'takeovers are no longer paced'
      }
  }
}

function memberRow(
  context: ReportContext,
  event: Extract<AgentEvent, { kind: 'member' }>['event']
): NewEvent | undefined {
  switch (event.kind) {
    case 'member': {
      const { member, previous } = event
      if (previous?.state === member.state && previous.phase === member.phase) return undefined
      const name = nodeName(context, member.id)
      const gone = member.daemonGone ? ', its host answers' : ''
      const phase = member.phase === 'steady' ? '' : ` (${member.phase})`
      return { ...NONE, kind: 'member', text: `${name} ${member.state}${phase}${gone}`, node: name }
    }
    case 'forgotten':
      return { ...NONE, kind: 'member', text: `${nodeName(context, event.node)} forgotten` }
    case 'clone':
      return { ...NONE, kind: 'alarm', text: `our identity is live at ${event.addresses.join()}` }
    case 'paused':
      return { ...NONE, kind: 'paused', text: `not scheduled for ${event.pausedMs} ms` }
    case 'incarnation':
    case 'joined':
      return undefined
  }
}
