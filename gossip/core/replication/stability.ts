/**
 * What everybody holds. Shared changes are numbered as they reach us; when a peer's hash of the
 * shared state equals ours, it holds everything up to that number. A change that every rostered
 * node holds is stable: later writes need not list what it had seen (`base`), and a signed
 * removal may shrink to its uid.
 *
 * Kept in memory only: after a restart nothing counts as stable until each node was met again,
 * so a node that is away holds everything back, and a forgotten one does not.
 */
import type { NodeId } from '../types.ts'

/** How exactly the age of changes is known. */
const AGE_EVERY_MS = 10_000

export class Stability {
  readonly #self: NodeId
  readonly #heldBy = new Map<NodeId, number>()
  /** When there were how many changes, oldest first. */
  readonly #ages: { readonly atMs: number; readonly latest: number }[] = []
  #latest = 0

  constructor(self: NodeId) {
    this.#self = self
  }

  /** How many changes have reached us. */
  get latest(): number {
    return this.#latest
  }

  /** Numbers a change. */
  next(): number {
    this.#latest += 1
    return this.#latest
  }

  /** That peer holds all that we hold now. */
  equal(peer: NodeId): void {
    this.#heldBy.set(peer, this.#latest)
  }

  /** One of those that `counts` holds the first so many changes. */
  isHeld(changes: number, counts: (peer: NodeId) => boolean): boolean {
    if (changes === 0) return true
    return [...this.#heldBy].some(([peer, held]) => held >= changes && counts(peer))
  }

  /** Changes up to this one have reached us `ageMs` ago or earlier, to some seconds. */
  olderThan(ageMs: number, nowMs: number): number {
    const last = this.#ages.at(-1)
    if (last === undefined || nowMs - last.atMs >= AGE_EVERY_MS)
      this.#ages.push({ atMs: nowMs, latest: this.#latest })
    const young = this.#ages.findIndex(({ atMs }) => nowMs - atMs < ageMs)
    // The last of the old ones is what it takes.
    this.#ages.splice(0, Math.max(0, young - 1))
    const [first] = this.#ages
    return first !== undefined && nowMs - first.atMs >= ageMs ? first.latest : 0
  }

  forget(peer: NodeId): void {
    this.#heldBy.delete(peer)
  }

  /** Every rostered node holds the changes up to this one; -1 when one was not met yet. */
  stable(rostered: ReadonlySet<NodeId>): number {
    let stable = this.#latest
    for (const node of rostered) {
      if (node !== this.#self) stable = Math.min(stable, this.#heldBy.get(node) ?? -1)
    }
    return stable
  }
}
