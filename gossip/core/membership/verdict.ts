/**
 * Judges: who is suspect and who is dead, by rules 5, 6 and 8. Every node decides for itself from
 * what the observers on its side report; nobody's verdict is taken on its word.
 */
import { assert } from '../assert.ts'
import type { Signed } from '../signed.ts'
import type { NodeId } from '../types.ts'
import type { Alerts } from './alerts.ts'
import { outsideMs } from './config.ts'
import type { Context } from './context.ts'
import type { Links } from './links.ts'
import type { Roster } from './members.ts'
import type { ObituaryBody } from './message.ts'
import type { Overlay } from './overlay.ts'
import {
  type Count,
  countReports,
  mySide,
  type Reports,
  reportsHolding,
  reportsNeeded
} from './side.ts'
import type { Survey } from './survey.ts'
import type { Suspicion } from './suspicion.ts'

export interface VerdictComponents {
  readonly context: Context
  readonly roster: Roster
  readonly links: Links
  readonly overlay: Overlay
  readonly suspicion: Suspicion
  readonly alerts: Alerts
  readonly survey: Survey
}

interface Candidate {
  readonly id: NodeId
  readonly count: Count
  readonly outside: boolean
  readonly ready: boolean
}

export class Verdict {
  readonly #c: VerdictComponents
  /** Since when (awake clock) each has been outside of my side, ready to die, or told dead. */
  readonly #outside = new Map<NodeId, number>()
  readonly #ready = new Map<NodeId, number>()
  readonly #told = new Map<NodeId, number>()

  constructor(components: VerdictComponents) {
    this.#c = components
  }

  /** `final`: deaths are declared too, not only suspicions. */
  judge(final: boolean): void {
    const { context, roster, overlay, suspicion, alerts } = this.#c
    const { graph } = overlay
    const reported = alerts.reported()
    const idle = suspicion.watches.size + reported.size + this.#outside.size + this.#told.size === 0
    // Some may be suspect, or said to be dead: repair may be all that we hear of it.
    if (idle && this.#ready.size === 0 && !roster.doubted) return
    const gone = (id: NodeId): boolean => !roster.lives(id)
    const heard = [context.self, ...alerts.originators()]
    const reports = this.#reports(reported)
    const side = mySide(graph, heard, gone, reports)
    const candidates: Candidate[] = []
    for (const id of roster.living()) {
      if (id === context.self) continue
      const calm =
        side.has(id) &&
        !reported.has(id) &&
        !suspicion.watches.has(id) &&
        roster.get(id)?.state === 'alive' &&
        !roster.mourned(id)
      if (calm) this.end(id)
      else candidates.push(this.#consider(id, side, countReports(graph, side, id, reports)))
    }
    if (final) this.#declare(candidates)
  }

  /** Alerts about it came: above full mesh most hear of a suspicion by them, before a tick. */
  doubt(id: NodeId): void {
    const { context, roster, overlay, suspicion, alerts } = this.#c
    if (!roster.lives(id) || suspicion.vouches(id)) return
    const observers = [...overlay.graph.observers(id)]
    const reports = observers.filter(by =>
      by === context.self ? suspicion.suspects(id) : alerts.grade(by, id) !== 'none'
    )
    if (isBelieved(reports.length, observers.length)) roster.opine(id, { suspect: true })
  }

  /** Another found a member dead: a report that is due, or news that we missed. */
  told(obituary: Signed<ObituaryBody>): boolean {
    return this.#c.roster.bury(obituary)
  }

  end(id: NodeId): void {
    for (const map of [this.#outside, this.#ready, this.#told]) map.delete(id)
    this.#c.survey.end(id)
  }

  #reports(reported: ReadonlySet<NodeId>): Reports {
    const { context, roster, suspicion, alerts } = this.#c
    // Asked of every edge of the graph, and most are calm.
    const noted = (subject: NodeId): boolean =>
      reported.has(subject) || suspicion.watches.has(subject) || roster.mourned(subject)
    return (observer, subject) => {
      if (!noted(subject)) return 'none'
      if (observer === context.self) return suspicion.grade(subject)
      if (roster.mourns(observer, subject)) return 'due'
      return alerts.grade(observer, subject)
    }
  }

  #consider(id: NodeId, side: ReadonlySet<NodeId>, count: Count): Candidate {
    const { context, roster, suspicion, survey, overlay } = this.#c
    const { awakeMs, config } = context
    const vouched = suspicion.vouches(id)
    const outside =
      count.observers === 0 && !side.has(id) && !vouched && overlay.graph.members.has(id)
    const believed = isBelieved(count.suspects + count.due, count.observers)
    const suspect = suspicion.suspects(id) || outside || (!vouched && believed)
    roster.opine(id, { suspect })
    if (outside) survey.doubt(id)
    else survey.end(id)
    const outsideSince = since(this.#outside, id, outside, awakeMs)
    const left = outside && awakeMs - outsideSince >= outsideMs(config) && !survey.holds(id)
    const agreed = count.observers > 0 && count.due >= reportsNeeded(count.observers) && !vouched
    return { id, count, outside, ready: left || agreed || this.#toldDead(id, vouched) }
  }

  /** Above full mesh a node may miss the alerts: two obituaries count, once it had its say. */
  #toldDead(id: NodeId, vouched: boolean): boolean {
    const { context, roster, links, suspicion } = this.#c
    const authors = roster.obituaries(id).filter(one => roster.lives(one.author)).length
    const others = roster.living().length - 2
    const enough = isBelieved(authors, others) && !vouched
    // A link may be as dead as its end, and none but subjects beat on it: ask the port.
    const linked = links.has(id)
    if (enough && linked && !suspicion.watches.has(id)) suspicion.broken(id, undefined)
    const told = enough && (!linked || suspicion.grade(id) === 'due')
    const toldSince = since(this.#told, id, told, context.awakeMs)
    return told && context.awakeMs - toldSince >= context.config.silenceSuspectMs
  }

  #declare(candidates: readonly Candidate[]): void {
    const { context, roster } = this.#c
    const { awakeMs, config } = context
    const pending = candidates.filter(({ id, count, outside, ready }) => {
      // One that said it restarts has half a minute: nobody else's death waits for that.
      if (ready || roster.get(id)?.phase === 'restarting') return false
      if (count.observers === 0) return outside
      return count.suspects > 0 && count.suspects >= reportsHolding(count.observers)
    })
    for (const candidate of candidates) {
      const readySince = since(this.#ready, candidate.id, candidate.ready, awakeMs)
      if (!candidate.ready) continue
      if (pending.length > 0 && awakeMs - readySince < config.batchMs) continue
      this.#kill(candidate)
    }
  }

  #kill({ id, count }: Candidate): void {
    const { context, roster, links, overlay, suspicion, alerts } = this.#c
    const alive = roster.get(id)?.alive
    assert(alive !== undefined, 'a candidate is a member')
    const firsthand = suspicion.grade(id) === 'due' && count.observers > 0
    roster.kill(id)
    if (firsthand && overlay.graph.observers(id).has(context.self)) {
      const { incarnation } = alive.body
      const obituary = context.sealer.seal<ObituaryBody>({
        kind: 'obituary',
        node: context.self,
        subject: id,
        incarnation
      })
      roster.bury(obituary)
      links.broadcast({ kind: 'obituary', obituary, alive })
    }
    suspicion.died(id)
    alerts.end(id)
    this.end(id)
    // Its streams are stale: whatever comes back comes on new ones.
    if (links.has(id)) context.emit({ kind: 'disconnect', peer: id })
  }
}

/** Two say so, or all that could. */
function isBelieved(say: number, could: number): boolean {
  return say >= Math.min(2, Math.max(1, could))
}

/** Since when `holds` has been true without a break; `nowMs` when it is not. */
function since(map: Map<NodeId, number>, id: NodeId, holds: boolean, nowMs: number): number {
  if (!holds) {
    map.delete(id)
    return nowMs
  }
  const before = map.get(id)
  if (before !== undefined) return before
  map.set(id, nowMs)
  return nowMs
}
