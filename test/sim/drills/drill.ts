/**
 * Drills: once a core has converged after all faults, one thing is done to it on purpose, and what
 * was promised of a mesh that is otherwise well is measured. Bounds are those of `promises.md` 1.3
 * and `protocols.md` 2; the figures are kept.
 */
import { type Subject, Violation } from '../checks/check.ts'
import type { SimHost } from '../world/host.ts'
import type { Observation } from '../world/world.ts'

/** Letting time pass; checks look on. */
export type Pass = (ms: number) => Promise<void>

export interface StageComponents {
  readonly subject: Subject
  readonly pass: Pass
}

export interface Running {
  readonly host: SimHost
  readonly id: string
  readonly run: number
  readonly uid: string
  readonly slot: number
}

/** How often it is looked at what is waited for. */
const LOOK_MS = 10

export class Stage {
  readonly subject: Subject
  readonly pass: Pass
  readonly core: SimHost[]
  /** Whether every engine of this seed always started what it was asked to. */
  readonly engineWasWell: boolean
  readonly figures = new Map<string, number>()

  constructor(
    { subject, pass }: StageComponents,
    init: { readonly core: readonly SimHost[]; readonly engineWasWell: boolean }
  ) {
    this.subject = subject
    this.pass = pass
    this.core = [...init.core]
    this.engineWasWell = init.engineWasWell
  }

  get nowMs(): number {
    return this.subject.world.clock.nowMs()
  }

  /** What runs of stateless workloads on these hosts, by the engines. */
  running(hosts: readonly SimHost[]): Running[] {
    return hosts.flatMap(host =>
      [...host.engine.entries.values()]
        .filter(entry => entry.state === 'running' && this.stateless(entry.mark.uid))
        .map(({ id, run, mark }) => ({ host, id, run, uid: mark.uid, slot: mark.slot }))
    )
  }

  /** Known to the mesh, and without data that would bind it to a host. */
  stateless(uid: string): boolean {
    const view = this.core.find(host => host.agent !== undefined)?.agent?.view
    const workload = view?.workloads.get(uid)
    return workload !== undefined && workload.record.spec.volumes.length === 0
  }

  /** Whether an older template of it still runs somewhere. */
  rolls(uid: string): boolean {
    const view = this.core.find(host => host.agent !== undefined)?.agent?.view
    const wanted = view?.workloads.get(uid)?.generation
    const entries = this.core.flatMap(host => [...host.engine.entries.values()])
    return entries.some(
      ({ mark, state }) => mark.uid === uid && state === 'running' && mark.generation !== wanted
    )
  }

  /** How many slots of each workload run on these hosts, each once. */
  counts(hosts: readonly SimHost[]): Map<string, number> {
    const slots = new Map(this.running(hosts).map(one => [`${one.uid}/${one.slot}`, one.uid]))
    const counts = new Map<string, number>()
    for (const uid of slots.values()) counts.set(uid, (counts.get(uid) ?? 0) + 1)
    return counts
  }

  /** Milliseconds until it holds; a violation of `check` after `limitMs`. */
  async within(
    { check, what, limitMs, sinceMs }: Limit,
    holds: () => string | undefined
  ): Promise<number> {
    const startMs = sinceMs ?? this.nowMs
    for (;;) {
      const missing = holds()
      const tookMs = this.nowMs - startMs
      if (missing === undefined) {
        this.figure(what, tookMs)
        return tookMs
      }
      if (tookMs >= limitMs) throw new Violation(check, `${what}: not in ${limitMs} ms: ${missing}`)
      await this.pass(LOOK_MS)
    }
  }

  /** From now on these are not as promises assume them. Gives what ends it. */
  disturb(hosts: readonly SimHost[]): () => void {
    return this.subject.faults.disturbance.begin(hosts.map(host => host.id))
  }

  /** Lets a host leave; what it says of it, or `late`. */
  async leave(host: SimHost, limitMs: number): Promise<readonly string[] | 'refused' | 'late'> {
    let answer: readonly string[] | 'refused' | 'late' = 'late'
    void host.leave().then(said => {
      answer = said
    })
    const untilMs = this.nowMs + limitMs
    while (answer === 'late' && this.nowMs < untilMs) await this.pass(LOOK_MS)
    return answer
  }

  /** The worst of what was measured. */
  figure(what: string, value: number): void {
    this.figures.set(what, Math.max(value, this.figures.get(what) ?? 0))
  }

  /** Looks on until the function that it gives is called; that one throws what was found. */
  watch(watcher: (observation: Observation) => void): () => void {
    let found: unknown
    const end = this.subject.world.watch(observation => {
      try {
        if (found === undefined) watcher(observation)
      } catch (error) {
        // Code under test must not catch it.
        found = error
      }
    })
    return () => {
      end()
      if (found !== undefined) throw found
    }
  }
}

export interface Limit {
  readonly check: string
  readonly what: string
  readonly limitMs: number
  /** Now when absent. */
  readonly sinceMs?: number
}

export interface Drill {
  readonly name: string
  /** Hosts of the core that it needs. */
  readonly hostsMin: number
  readonly run: (stage: Stage, random: { int(below: number): number }) => Promise<void>
}

/** What `by` believes of `id`. */
export function stateOf(by: SimHost, id: string): string | undefined {
  return by.agent?.view.members.get(id)?.state
}

/** Who does not see all of `ids` in this state; undefined when nobody. */
export function whoDiffers(
  by: readonly SimHost[],
  ids: readonly string[],
  state: 'alive' | 'dead'
): string | undefined {
  for (const host of by) {
    const other = ids.find(id => stateOf(host, id) !== state)
    if (other !== undefined) return `${host.id} sees ${other} ${stateOf(host, other)}`
  }
  return undefined
}
