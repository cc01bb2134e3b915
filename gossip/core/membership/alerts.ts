/**
 * Signed alerts: what every originator reports, ours among them (rules 3, 5 and 6). The newest of
 * each originator replaces the one before; repeated while something is silent it is a beacon.
 */
import type { Signed } from '../signed.ts'
import type { NodeId } from '../types.ts'
import type { Context } from './context.ts'
import type { Links } from './links.ts'
import type { Roster } from './members.ts'
import { type AlertBody, REPORTS_MAX, type Report } from './message.ts'
import type { Overlay } from './overlay.ts'
import type { ReportGrade } from './side.ts'
import type { Suspicion } from './suspicion.ts'

/** An episode of silence is beaconed at most so often (6 s at 1 s). */
const BEACONS_MAX = 6
/** Alerts of others that a new link is told. */
const GREETED_MAX = 64

interface Heard {
  readonly incarnation: number
  readonly sequence: number
  readonly reports: ReadonlyMap<NodeId, Report>
  /** Undefined: nothing of its present life yet. */
  readonly alert: Signed<AlertBody> | undefined
  readonly heardMs: number
}

export interface AlertsComponents {
  readonly context: Context
  readonly roster: Roster
  readonly links: Links
  readonly overlay: Overlay
  readonly suspicion: Suspicion
}

export class Alerts {
  readonly #c: AlertsComponents
  readonly #heard = new Map<NodeId, Heard>()
  /** Our last one: whoever missed that we take a report back hears it with the next link. */
  #own: Signed<AlertBody> | undefined
  #sequence = 0
  #said = ''
  #sentMs = Number.NEGATIVE_INFINITY
  #beacons = 0
  #flushToken = 0
  #flushing = false

  constructor(components: AlertsComponents) {
    this.#c = components
  }

  /** Takes another's alert. True when it is news to be relayed. */
  take(alert: Signed<AlertBody>): boolean {
    const { context, roster } = this.#c
    const { node, incarnation, sequence, reports } = alert.body
    if (node === context.self) return false
    if (!roster.lives(node)) {
      context.drop(roster.get(node) === undefined ? 'unknown' : 'stale')
      return false
    }
    const before = this.#heard.get(node)
    if (
      before !== undefined &&
      (before.incarnation - incarnation || before.sequence - sequence) >= 0
    )
      return false
    this.#heard.set(node, {
      incarnation,
      sequence,
      reports: new Map(reports.map(report => [report.node, report])),
      alert,
      heardMs: context.awakeMs
    })
    return true
  }

  /** What `observer` says of `subject` in its life that we know. */
  grade(observer: NodeId, subject: NodeId): ReportGrade {
    const report = this.#heard.get(observer)?.reports.get(subject)
    const incarnation = this.#c.roster.get(subject)?.incarnation ?? 0
    if (report === undefined || report.incarnation < incarnation) return 'none'
    return report.due ? 'due' : 'suspect'
  }

  /** Who reports a member, of its present life or an earlier one: they may not hear it. */
  reporters(subject: NodeId): NodeId[] {
    return [...this.#heard].filter(([, heard]) => heard.reports.has(subject)).map(([id]) => id)
  }

  /** Originators heard within `sideMs`: they are on my side. */
  originators(): NodeId[] {
    const { context } = this.#c
    const sinceMs = context.awakeMs - context.config.sideMs
    const recent = [...this.#heard].filter(([, heard]) => heard.heardMs >= sinceMs)
    return recent.map(([id]) => id)
  }

  /**
   * A link that opens in the middle of an episode, as those of a survey do: what is reported on
   * our side goes over it, or whoever counts us to its own takes our silence for calm. Whom we
   * hold dead is of another side, and comes back: our reports of that side are of the past.
   */
  greet(peer: NodeId): void {
    const { context, roster } = this.#c
    if (!roster.lives(peer)) return
    const sinceMs = context.awakeMs - context.config.sideMs
    const recent = [...this.#heard.values()].filter(({ heardMs }) => heardMs >= sinceMs)
    const others = context.sample(recent, GREETED_MAX).map(({ alert }) => alert)
    for (const alert of [this.#own, ...others]) {
      if (alert !== undefined && alert.author !== peer) context.send(peer, { kind: 'alert', alert })
    }
  }

  /** Everybody that anybody reports, in the life that we know. Unsorted. */
  reported(): Set<NodeId> {
    const subjects = new Set<NodeId>()
    for (const [observer, heard] of this.#heard) {
      for (const subject of heard.reports.keys()) {
        if (this.grade(observer, subject) !== 'none') subjects.add(subject)
      }
    }
    return subjects
  }

  /**
   * It lives anew: what it reported before counts no more, whoever tells it again, and whether we
   * had heard of it or not. It does not know of it, and so never takes it back.
   */
  begin(node: NodeId, incarnation: number): void {
    const before = this.#heard.get(node)
    if (before !== undefined && before.incarnation >= incarnation) return
    const heardMs = Number.NEGATIVE_INFINITY
    const nothing = { sequence: 0, reports: new Map(), alert: undefined, heardMs }
    this.#heard.set(node, { incarnation, ...nothing })
  }

  /** Its reports count no more: it died, left or was forgotten. */
  end(node: NodeId): void {
    this.#heard.delete(node)
  }

  /** Says what changed: at once when it is the first of an episode, else gathered. */
  update(): void {
    const { context, overlay, suspicion } = this.#c
    // After each input: mostly there is nothing to say, and nothing to take back.
    if (suspicion.calm && this.#said === '' && this.#beacons === 0) return
    const reports = suspicion.reports()
    if (!suspicion.troubled) this.#beacons = 0
    if (key(reports) !== this.#said) {
      // A daemon that is gone broke all its links at once: in a full mesh everybody knocks, and
      // nobody dies of it before a grace. Alerts would only take the cores from those who have not
      // noticed yet.
      const isNews = ({ evidence, due }: Report): boolean => due || evidence !== 'refused'
      const urgent = !overlay.fullMesh || reports.some(isNews)
      if (this.#said === '' && urgent) this.#send(reports)
      else if (!this.#flushing) {
        this.#flushing = true
        this.#flushToken += 1
        const timer = { kind: 'flush', token: this.#flushToken } as const
        const afterMs = urgent ? context.config.coalesceMs : context.config.restartGraceMs / 6
        context.emit({ kind: 'schedule', afterMs, timer })
      }
    } else if (
      suspicion.troubled &&
      this.#beacons < BEACONS_MAX &&
      context.nowMs - this.#sentMs >= context.config.beaconMs
    ) {
      this.#beacons += 1
      this.#send(reports)
    }
  }

  flush(token: number): void {
    if (token !== this.#flushToken || !this.#flushing) return
    this.#flushing = false
    const reports = this.#c.suspicion.reports()
    if (key(reports) !== this.#said) this.#send(reports)
  }

  #send(reports: readonly Report[]): void {
    const { context, roster, links } = this.#c
    const own = roster.get(context.self)
    if (own === undefined) return
    this.#sequence += 1
    this.#said = key(reports)
    this.#sentMs = context.nowMs
    context.stats.alerts += 1
    const body: AlertBody = {
      kind: 'alert',
      node: context.self,
      incarnation: own.incarnation,
      sequence: this.#sequence,
      reports: reports.slice(0, REPORTS_MAX)
    }
    const alert = context.sealer.seal(body)
    this.#own = alert
    links.broadcast({ kind: 'alert', alert })
  }
}

function key(reports: readonly Report[]): string {
  return reports
    .map(({ node, incarnation, evidence, due }) => `${node} ${incarnation} ${evidence} ${due}`)
    .join()
}
