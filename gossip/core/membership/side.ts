/**
 * Rule 5: who is on my side of a cut, and whose reports count. Pure. Where SWIM confirms after a
 * time-out of its own and Rapid needs 3/4 of all observers, only the observers that can be heard
 * are asked here, so that every side of a cut decides by itself.
 */
import type { NodeId } from '../types.ts'
import type { ObserverGraph } from './observers.ts'

/** Whether `observer` reports `subject`, and whether the limit of its evidence has passed. */
export type ReportGrade = 'none' | 'suspect' | 'due'
export type Reports = (observer: NodeId, subject: NodeId) => ReportGrade

/** `max(ceil(3/4 |O|), min(2, |O|))`: so many due reports are a death. `observers` above 0. */
export function reportsNeeded(observers: number): number {
  return Math.max(Math.ceil((3 * observers) / 4), Math.min(2, observers))
}

/** `min(3, ceil(|O|/2))`: so many early reports hold other deaths for a batch (rule 6). */
export function reportsHolding(observers: number): number {
  return Math.min(3, Math.ceil(observers / 2))
}

/**
 * C: me, the originators heard of late, and, again and again, every member with an observer in C
 * that does not report it.
 */
export function mySide(
  graph: ObserverGraph,
  heard: Iterable<NodeId>,
  excluded: (id: NodeId) => boolean,
  reports: Reports
): Set<NodeId> {
  const side = new Set<NodeId>()
  for (const id of heard) {
    if (graph.members.has(id) && !excluded(id)) side.add(id)
  }
  // A Set is walked in order of insertion, and what is added while walking is walked too.
  for (const observer of side) {
    for (const subject of graph.subjects(observer)) {
      if (side.has(subject) || excluded(subject)) continue
      if (reports(observer, subject) === 'none') side.add(subject)
    }
  }
  return side
}

export interface Count {
  /** |O|: observers of the subject on my side. */
  readonly observers: number
  readonly suspects: number
  readonly due: number
}

/** The reports about one subject by its observers on my side. */
export function countReports(
  graph: ObserverGraph,
  side: ReadonlySet<NodeId>,
  subject: NodeId,
  reports: Reports
): Count {
  let observers = 0
  let suspects = 0
  let due = 0
  for (const observer of graph.observers(subject)) {
    if (!side.has(observer)) continue
    observers += 1
    const grade = reports(observer, subject)
    if (grade === 'due') due += 1
    else if (grade === 'suspect') suspects += 1
  }
  return { observers, suspects, due }
}
