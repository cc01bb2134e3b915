/** Takes signed statements, from floods and from roster pages, and passes on what is new. */
import { unreachable } from '../assert.ts'
import type { Signed } from '../signed.ts'
import type { NodeId } from '../types.ts'
import type { Alerts } from './alerts.ts'
import type { AliveBody, Member } from './api.ts'
import type { Context } from './context.ts'
import type { Dialer } from './dialer.ts'
import type { Identity } from './identity.ts'
import type { Links } from './links.ts'
import type { Roster } from './members.ts'
import type { AlertBody, ForgetBody, LeaveBody, MembershipMessage, RosterRow } from './message.ts'
import type { Suspicion } from './suspicion.ts'
import type { Verdict } from './verdict.ts'

type Flooded = Extract<
  MembershipMessage,
  { kind: 'alive' | 'leave' | 'forget' | 'alert' | 'obituary' }
>

export interface NewsComponents {
  readonly context: Context
  readonly roster: Roster
  readonly links: Links
  readonly identity: Identity
  readonly suspicion: Suspicion
  readonly alerts: Alerts
  readonly verdict: Verdict
  readonly dialer: Dialer
}

export class News {
  readonly #c: NewsComponents

  constructor(components: NewsComponents) {
    this.#c = components
  }

  /** What came by flood, from the originator or through others. */
  take(from: NodeId, message: Flooded): void {
    switch (message.kind) {
      case 'alive':
        return this.#alive(message.alive, [from])
      case 'leave':
        return this.#leave(message.leave, [from])
      case 'forget':
        return this.forget(message.forget, [from])
      case 'alert':
        return this.#alert(message.alert, from)
      case 'obituary':
        return this.#obituary(message, from)
      default:
        return unreachable(message)
    }
  }

  /** A page of a peer's roster. `relay`: others may not have it either. */
  rows(
    from: NodeId,
    rows: readonly RosterRow[],
    forgets: readonly Signed<ForgetBody>[],
    relay: boolean
  ): void {
    const except = relay ? [from] : undefined
    for (const row of rows) this.#row(from, row, except)
    for (const forget of forgets) this.forget(forget, except)
  }

  /** An operator's act, ours or another's. */
  forget(forget: Signed<ForgetBody>, except: readonly NodeId[] | undefined): void {
    const { context, roster, links, identity } = this.#c
    const { node, last } = forget.body
    if (node === context.self) return identity.forgotten(last.body.incarnation)
    if (!roster.takeForget(forget)) return
    this.#end(node)
    if (except !== undefined) links.relay({ kind: 'forget', forget }, except, [])
  }

  #row(from: NodeId, row: RosterRow, except: readonly NodeId[] | undefined): void {
    const { context, roster, links, identity, verdict } = this.#c
    const { alive, leave, state } = row
    const { node, incarnation } = alive.body
    if (node === context.self) {
      identity.observe(leave?.body.incarnation ?? incarnation)
      identity.seen(alive)
      if (state !== 'alive') identity.refute(leave?.body.incarnation ?? incarnation)
      return
    }
    const lived = roster.lives(node)
    this.#alive(alive, except)
    if (leave !== undefined) this.#leave(leave, except)
    if (state !== 'dead' || roster.get(node)?.incarnation !== incarnation) return
    for (const obituary of row.obituaries) verdict.told(obituary)
    // Whom we never knew alive we take as told: it loses nothing, for the dead are dialled.
    if (!lived && roster.lives(node) && !links.has(node)) {
      roster.kill(node)
      this.#end(node)
    } else roster.hold(node, from)
  }

  #alive(alive: Signed<AliveBody>, except: readonly NodeId[] | undefined): void {
    const { context, roster, links, identity, suspicion, verdict, alerts } = this.#c
    const { node, phase, restartMs } = alive.body
    if (node === context.self) return identity.seen(alive)
    const known = roster.get(node)
    const newcomer = known === undefined
    if (!roster.takeAlive(alive)) return this.#twin(alive, known)
    if (known?.boot !== alive.body.boot) alerts.begin(node, alive.body.incarnation)
    suspicion.refuted(node, phase === 'restarting' ? restartMs : undefined)
    verdict.end(node)
    if (except === undefined) return
    if (newcomer) links.introduce(alive, except)
    else links.relay({ kind: 'alive', alive }, [...except, node], alerts.reporters(node))
  }

  /**
   * Two lives of one key with the same incarnation, a clone's or one of an old backup: a digest
   * shows no difference, and neither learns of the other. Whoever is here is told, and outbids.
   */
  #twin({ body }: Signed<AliveBody>, known: Member | undefined): void {
    const { context, links } = this.#c
    if (known === undefined || known.state === 'left' || !links.has(body.node)) return
    const { alive } = known
    if (alive.body.incarnation !== body.incarnation || alive.body.boot === body.boot) return
    context.send(body.node, { kind: 'alive', alive })
  }

  #leave(leave: Signed<LeaveBody>, except: readonly NodeId[] | undefined): void {
    const { context, roster, links, identity } = this.#c
    const { node, incarnation } = leave.body
    if (node === context.self) return identity.refute(incarnation)
    if (!roster.takeLeave(leave)) return
    this.#end(node)
    if (except !== undefined) links.relay({ kind: 'leave', leave }, [...except, node], [])
  }

  #alert(alert: Signed<AlertBody>, from: NodeId): void {
    const { context, roster, links, identity, alerts, verdict } = this.#c
    if (!alerts.take(alert)) return
    for (const report of alert.body.reports) {
      const known = roster.get(report.node)
      if (report.node === context.self) identity.reported(report.incarnation)
      else if (known !== undefined && report.incarnation < known.alive.body.incarnation) {
        // It reports a life that is over: nobody can count that, and it waits for a repair.
        if (links.has(alert.author))
          context.send(alert.author, { kind: 'alive', alive: known.alive })
      } else verdict.doubt(report.node)
    }
    const unheard = alert.body.reports.map(report => report.node)
    const due = alert.body.reports.some(report => report.due)
    links.relay({ kind: 'alert', alert }, [from, alert.author], unheard, due)
  }

  #obituary(message: Extract<Flooded, { kind: 'obituary' }>, from: NodeId): void {
    const { context, links, identity, verdict } = this.#c
    const { obituary, alive } = message
    if (alive.author === context.self) return identity.refute(obituary.body.incarnation)
    if (obituary.author === context.self) return
    this.#alive(alive, [from])
    if (verdict.told(obituary)) links.relay(message, [from, obituary.author], [])
  }

  #end(node: NodeId): void {
    const { suspicion, alerts, verdict, dialer } = this.#c
    suspicion.end(node)
    alerts.end(node)
    verdict.end(node)
    dialer.end(node)
  }
}
