/**
 * The total order in which items choose (`placement.md` C2). All of it but `promo` comes from
 * the spec, so membership never reorders; creation, not a hash, so that a newcomer displaces
 * nobody of its own kind.
 */
import { compareIds, itemSize } from './rank.ts'
import type { PlacementItem } from './types.ts'

/** Attributes that name one node. */
const ONE_NODE: ReadonlySet<string> = new Set(['node.id', 'node.name', 'node.hostname'])
const BIG_FROM_MILLIS = 2_000

export interface OrderKey {
  readonly class: number
  readonly promo: number
  readonly tight: number
  readonly big: number
  readonly created: number
  readonly uid: string
}

/** 0: bound to one node; 1: has a filter or host ports; 2: free. */
function tightness(item: PlacementItem): number {
  const one = item.requirements.some(
    each => each.operator === 'in' && each.values.length === 1 && ONE_NODE.has(each.attribute)
  )
  if (one) return 0
  return item.requirements.length > 0 || item.ports.length > 0 ? 1 : 2
}

function bigness(size: number): number {
  if (size < BIG_FROM_MILLIS) return 0
  return 31 - Math.clz32(Math.min(0x7fffffff, Math.floor(size / 1000)))
}

/** `promo` is 0 except in a rescue (C7): lower goes first, within its class only. */
export function orderKey(item: PlacementItem, promo: number): OrderKey {
  return {
    class: item.class,
    promo,
    tight: tightness(item),
    big: bigness(itemSize(item)),
    created: item.created,
    uid: item.uid
  }
}

function compareWithin(a: OrderKey, b: OrderKey): number {
  return a.tight - b.tight || b.big - a.big || a.created - b.created || compareIds(a.uid, b.uid)
}

/** Negative when `a` chooses first. Zero only for the same uid. */
export function compareOrder(a: OrderKey, b: OrderKey): number {
  return a.class - b.class || a.promo - b.promo || compareWithin(a, b)
}

/** The order of pins and globals: no rescue may change it. */
export function comparePreludeOrder(a: OrderKey, b: OrderKey): number {
  return a.class - b.class || compareWithin(a, b)
}

/** Up to this many newcomers are put in place one by one. */
const INSERT_ONE_BY_ONE_MAX = 64

/** The services in their order, and the position of each. */
export class Order {
  #list: number[] = []
  #fresh: number[] = []
  #gone = false

  get list(): readonly number[] {
    return this.#list
  }

  add(k: number): void {
    this.#fresh.push(k)
  }

  /** Items without a spec are left out at the next `settle`. */
  drop(): void {
    this.#gone = true
  }

  /** Puts newcomers in and takes the gone out; returns how many were there before and stay. */
  settle(keys: readonly OrderKey[], alive: (k: number) => boolean, position: Int32Array): number {
    if (this.#fresh.length === 0 && !this.#gone) return this.#list.length
    if (this.#gone) this.#list = this.#list.filter(alive)
    const known = this.#list.length
    const fresh = this.#fresh.filter(alive)
    if (fresh.length > INSERT_ONE_BY_ONE_MAX) {
      this.#list.push(...fresh)
      this.#list.sort((a, b) => compareOrder(keys[a]!, keys[b]!))
    } else {
      for (const k of fresh) this.#insert(k, keys)
    }
    for (let i = 0; i < this.#list.length; i++) position[this.#list[i]!] = i
    this.#fresh = []
    this.#gone = false
    return known
  }

  #insert(k: number, keys: readonly OrderKey[]): void {
    let low = 0
    let high = this.#list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareOrder(keys[this.#list[middle]!]!, keys[k]!) < 0) low = middle + 1
      else high = middle
    }
    this.#list.splice(low, 0, k)
  }
}
