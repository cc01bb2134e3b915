/**
 * The view's assignment, kept while the view changes. After any history it is what `assign`
 * gives for the input of that moment.
 */
import { assert } from './assert.ts'
import { AssignmentDigest, ViewHash } from './digest.ts'
import { type Explanation, explainItem } from './explain.ts'
import { Fold } from './fold.ts'
import { compareIds } from './rank.ts'
import { needsRescue, RESCUE_REPLICAS_MAX, rescue } from './rescue.ts'
import { sameAssignment } from './result.ts'
import type { Assignment, ItemAssignment, PlacementChange, PlacementInput } from './types.ts'

function additions(input: Pick<PlacementInput, 'nodes' | 'items'>): PlacementChange[] {
  return [
    ...input.nodes.map(node => ({ kind: 'node', node }) as const),
    ...input.items.map(item => ({ kind: 'item', item }) as const)
  ]
}

export class Placer {
  readonly #salt: string
  readonly #version: number
  readonly #base: Fold
  /** The fold that counts: the base, or the best round of its rescue. */
  #fold: Fold
  /** Made when first asked for, then kept. */
  #viewHash: ViewHash | undefined
  #digest: AssignmentDigest | undefined
  readonly #results = new Map<string, ItemAssignment>()
  #sortedUids: readonly string[] | undefined

  /** Throws on two nodes or two items with one id, and on sizes that are not whole numbers. */
  constructor(input: PlacementInput) {
    const ids = new Set(input.nodes.map(node => node.id))
    const uids = new Set(input.items.map(item => item.uid))
    assert(ids.size === input.nodes.length, 'two nodes with one id')
    assert(uids.size === input.items.length, 'two items with one uid')
    this.#salt = input.salt
    this.#version = input.version
    this.#base = new Fold(input.salt)
    this.#base.apply(additions(input))
    this.#fold = this.#rescued()
  }

  /**
   * Applies changes as one step (the last change of a node or item counts; taking away what is
   * not there does nothing). Returns the uids, sorted, whose seats or pending changed.
   */
  apply(changes: readonly PlacementChange[]): readonly string[] {
    this.#viewHash?.apply(changes)
    const before = this.#mayRescue(changes) ? this.#snapshot() : undefined
    let changed: readonly string[] = this.#base.apply(changes)
    if (changes.some(change => change.kind === 'item' || change.kind === 'item-gone')) {
      this.#sortedUids = undefined
    }
    this.#fold = this.#rescued()
    if (before !== undefined) changed = this.#differences(before)
    for (const uid of changed) {
      this.#results.delete(uid)
      this.#digest?.set(uid, this.#fold.of(uid))
    }
    return changed
  }

  /** What one item holds; undefined when there is no such item. */
  of(uid: string): ItemAssignment | undefined {
    let result = this.#results.get(uid)
    if (result === undefined) {
      result = this.#fold.of(uid)
      if (result !== undefined) this.#results.set(uid, result)
    }
    return result
  }

  assignment(): Assignment {
    return { items: this.#uids().map(uid => this.of(uid)!) }
  }

  /** As `viewHash` of the present input. */
  viewHash(): string {
    this.#viewHash ??= new ViewHash(this.input())
    return this.#viewHash.value()
  }

  /** As `assignmentDigest` of the present assignment. */
  digest(): string {
    if (this.#digest === undefined) {
      this.#digest = new AssignmentDigest()
      for (const uid of this.#uids()) this.#digest.set(uid, this.of(uid))
    }
    return this.#digest.value()
  }

  /** Why the item is where it is; undefined when there is no such item. */
  explain(uid: string): Explanation | undefined {
    return explainItem(this.#fold, uid)
  }

  /** The present input; lists in no particular order. */
  input(): PlacementInput {
    const { nodes, items } = this.#base
    return {
      salt: this.#salt,
      version: this.#version,
      nodes: nodes.spec.filter(node => node !== undefined),
      items: items.spec.filter(item => item !== undefined)
    }
  }

  #uids(): readonly string[] {
    this.#sortedUids ??= [...this.#base.items.byUid.keys()].sort(compareIds)
    return this.#sortedUids
  }

  /** Where a rescue was or may follow, the base's own account of changes is not the answer. */
  #mayRescue(changes: readonly PlacementChange[]): boolean {
    let least = this.#base.replicas
    for (const change of changes) {
      if (change.kind !== 'item' && change.kind !== 'item-gone') continue
      const k = this.#base.items.byUid.get(change.kind === 'item' ? change.item.uid : change.uid)
      if (k !== undefined) least -= this.#base.items.spec[k]!.replicas
    }
    return this.#fold !== this.#base || least <= RESCUE_REPLICAS_MAX
  }

  #snapshot(): ReadonlyMap<string, ItemAssignment> {
    const before = new Map<string, ItemAssignment>()
    for (const uid of this.#base.items.byUid.keys()) before.set(uid, this.of(uid)!)
    return before
  }

  #rescued(): Fold {
    if (!needsRescue(this.#base)) return this.#base
    return rescue(this.#base, this.#salt, additions(this.input()))
  }

  #differences(before: ReadonlyMap<string, ItemAssignment>): readonly string[] {
    const changed: string[] = []
    for (const uid of new Set([...before.keys(), ...this.#uids()])) {
      const old = before.get(uid)
      const now = this.#fold.of(uid)
      if (old === undefined || now === undefined || !sameAssignment(old, now)) changed.push(uid)
    }
    return changed.sort(compareIds)
  }
}
