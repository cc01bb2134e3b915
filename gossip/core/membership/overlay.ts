/** The observer graph in force: rebuilt as members come and go, frozen while some are suspect. */
import type { NodeId } from '../types.ts'
import type { Context } from './context.ts'
import type { Roster } from './members.ts'
import { ObserverGraph } from './observers.ts'

export class Overlay {
  readonly #context: Context
  readonly #roster: Roster
  #graph = new ObserverGraph([])
  #revision = -1
  /** Since when there are suspects (awake clock). */
  #unresolvedMs: number | undefined

  constructor(context: Context, roster: Roster) {
    this.#context = context
    this.#roster = roster
  }

  get graph(): ObserverGraph {
    return this.#graph
  }

  /** Everybody keeps a link to everybody. */
  get fullMesh(): boolean {
    return this.#graph.members.size <= this.#context.config.fullMeshMax
  }

  /** Whom we keep a link to. */
  neighbours(): ReadonlySet<NodeId> {
    const { self } = this.#context
    if (this.fullMesh) return new Set([...this.#graph.members].filter(id => id !== self))
    return new Set([...this.#graph.observers(self), ...this.#graph.subjects(self)])
  }

  /** It observes us, or we observe it. */
  near(id: NodeId): boolean {
    const { self } = this.#context
    return this.#graph.observers(self).has(id) || this.#graph.subjects(self).has(id)
  }

  /** Rule 6. True when the graph changed. */
  refresh(): boolean {
    if (this.#revision === this.#roster.revision && this.#unresolvedMs === undefined) return false
    const living = this.#roster.living()
    const { awakeMs, config } = this.#context
    if (!living.some(id => this.#roster.get(id)?.state === 'suspect')) {
      this.#unresolvedMs = undefined
    } else {
      this.#unresolvedMs ??= awakeMs
      if (awakeMs - this.#unresolvedMs < config.freezeMs) return false
    }
    this.#revision = this.#roster.revision
    const { members } = this.#graph
    if (living.length === members.size && living.every(id => members.has(id))) return false
    this.#graph = this.#context.graphOf(living)
    return true
  }
}
