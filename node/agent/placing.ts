/**
 * Keeps placement in step with the view: dirty nodes and items become changes of the incremental
 * placer; unchanged input is recognised and costs nothing.
 */
import type { NodeId } from '../../gossip/core/types.ts'
import { type Explanation, Placer, rank, slots as slotNumbers } from '../../placement/index.ts'
import type {
  ItemAssignment,
  PlacementChange,
  PlacementInput,
  PlacementItem,
  PlacementNode
} from '../../placement/types.ts'
import { canonical } from './generation.ts'
import { itemInput, nodeInput, slotClaims } from './mapping.ts'
import type { View, WorkloadView } from './view.ts'

/** The rules of placement; rises only when every rostered member knows the new ones. */
export const PLACEMENT_VERSION = 1

const NO_SEATS: ItemAssignment = { uid: '', seats: [], pending: [] }

export class Placing {
  readonly #view: View
  readonly #salt: string
  readonly #placer: Placer
  readonly #nodes = new Map<NodeId, { readonly input: PlacementNode; readonly text: string }>()
  readonly #items = new Map<string, { readonly input: PlacementItem; readonly text: string }>()

  constructor(components: { view: View }, init: { salt: string }) {
    this.#view = components.view
    this.#salt = init.salt
    this.#placer = new Placer({
      salt: init.salt,
      version: PLACEMENT_VERSION,
      nodes: [],
      items: []
    })
  }

  get viewHash(): string {
    return this.#placer.viewHash()
  }

  get digest(): string {
    return this.#placer.digest()
  }

  /** Whether a node says that it decides by the view that we decide by. */
  agrees(node: NodeId): boolean {
    return this.#view.views.get(node)?.viewHash === this.viewHash
  }

  /** Whole input, as `why` and an offline laptop need it. */
  input(): PlacementInput {
    return this.#placer.input()
  }

  /** Why an item is where it is, as placement recorded it. */
  explain(item: string): Explanation | undefined {
    return this.#placer.explain(item)
  }

  item(item: string): PlacementItem | undefined {
    return this.#items.get(item)?.input
  }

  /** Applies what is dirty in the view; returns the items whose seats or pending changed. */
  update(): readonly string[] {
    const { dirty } = this.#view
    const changes: PlacementChange[] = []
    for (const id of [...dirty.nodes].sort()) this.#nodeChange(id, changes)
    for (const uid of [...dirty.items].sort()) this.#itemChange(uid, changes)
    dirty.nodes.clear()
    dirty.items.clear()
    return changes.length === 0 ? [] : this.#placer.apply(changes)
  }

  seats(item: string): ItemAssignment {
    return this.#placer.of(item) ?? NO_SEATS
  }

  /** Slot -> node of one workload: placement's seats, numbered by the claims of the view. */
  targets(workload: WorkloadView): ReadonlyMap<number, NodeId> {
    const item = this.item(workload.item)
    if (item === undefined || workload.record.spec.replicas === 0) return new Map()
    const { seats } = this.seats(workload.item)
    const numbered = slotNumbers(item, seats, slotClaims(this.#view, workload.uid), this.#salt)
    return new Map(numbered.map(entry => [entry.slot, entry.node]))
  }

  /** Takeover order of an item over the nodes that placement may use, best first. */
  rank(item: string): readonly NodeId[] {
    const input = this.item(item)
    if (input === undefined) return []
    return rank(
      input,
      [...this.#nodes.values()].map(entry => entry.input),
      this.#salt
    )
  }

  #nodeChange(id: NodeId, changes: PlacementChange[]): void {
    const input = nodeInput(this.#view, id)
    const before = this.#nodes.get(id)
    if (input === undefined) {
      if (before === undefined) return
      this.#nodes.delete(id)
      changes.push({ kind: 'node-gone', id })
      return
    }
    const text = canonical(input)
    if (text === before?.text) return
    this.#nodes.set(id, { input, text })
    changes.push({ kind: 'node', node: input })
  }

  #itemChange(uid: string, changes: PlacementChange[]): void {
    const input = itemInput(this.#view, uid)
    const before = this.#items.get(uid)
    if (input === undefined) {
      if (before === undefined) return
      this.#items.delete(uid)
      changes.push({ kind: 'item-gone', uid })
      return
    }
    const text = canonical(input)
    if (text === before?.text) return
    this.#items.set(uid, { input, text })
    changes.push({ kind: 'item', item: input })
  }
}
