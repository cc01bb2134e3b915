/** One episode of silence of one member, as one observer sees it. Rules 3 and 4 as arithmetic. */
import type { NodeId } from '../types.ts'
import type { MembershipKnobs } from './config.ts'
import type { Evidence } from './message.ts'

export interface Watch {
  readonly subject: NodeId
  /** From when direct silence counts. Undefined: never heard, and no probe has failed yet. */
  quietMs: number | undefined
  /** It began without a link, for want of one: a first knock that is accepted ends it. */
  readonly unmet: boolean
  /** `waiting` for silence to grow, `asking` others, or `reported`: we suspect it. */
  stage: 'waiting' | 'asking' | 'reported'
  evidence: Evidence
  /** When the knocks that are refused without a break began. */
  refusedMs: number | undefined
  knockedMs: number
  knockToken: number
  /** The silent connection was given up for a new one, once an episode. */
  reset: boolean
  /** The last question to others. */
  nonce: string
  askedMs: number
  unanswered: Set<NodeId>
  /** When it is proven, by a signed answer, to have lived. */
  provenMs: number | undefined
  /** When others say they heard it. Believed for a while only. */
  freshMs: number | undefined
}

export const NEVER_MS = Number.NEGATIVE_INFINITY

export function newWatch(
  subject: NodeId,
  quietMs: number | undefined,
  unmet: boolean = false
): Watch {
  return {
    subject,
    quietMs,
    unmet,
    stage: 'waiting',
    evidence: 'silent',
    refusedMs: undefined,
    knockedMs: NEVER_MS,
    knockToken: 0,
    reset: false,
    nonce: '',
    askedMs: NEVER_MS,
    unanswered: new Set(),
    provenMs: undefined,
    freshMs: undefined
  }
}

/** How long there has been no sign that a liar could not have made. */
export function silentMs(watch: Watch, awakeMs: number): number {
  if (watch.quietMs === undefined) return 0
  return awakeMs - Math.max(watch.quietMs, watch.provenMs ?? NEVER_MS)
}

/**
 * Whether others' word still holds the alert back (rule 3). Unproven, it does so only in the
 * first half of the way from suspicion to death, so that a liar delays no death.
 */
export function heldBack(watch: Watch, knobs: MembershipKnobs, awakeMs: number): boolean {
  if (watch.freshMs === undefined) return false
  const believedMs = (knobs.silenceSuspectMs + knobs.silenceDeadMs) / 2
  if (silentMs(watch, awakeMs) >= believedMs) return false
  return awakeMs - watch.freshMs < knobs.silenceSuspectMs
}

/** Whether the limit of its evidence has passed (rule 4). */
export function isDue(watch: Watch, knobs: MembershipKnobs, awakeMs: number): boolean {
  if (watch.stage !== 'reported') return false
  switch (watch.evidence) {
    case 'refused':
      return awakeMs - (watch.refusedMs ?? awakeMs) >= knobs.restartGraceMs
    case 'frozen':
      return silentMs(watch, awakeMs) >= knobs.frozenMs
    case 'silent':
      return silentMs(watch, awakeMs) >= knobs.silenceDeadMs
  }
}
