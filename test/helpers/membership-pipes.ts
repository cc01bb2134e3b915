/** Connections between hosts of a membership world, and their kernels, which answer knocks. */
import type { MembershipEffect, MembershipInput } from '../../gossip/core/membership/api.ts'
import type { NodeId } from '../../gossip/core/types.ts'
import { type Host, nameOf } from './membership-host.ts'

const DIAL_TIMEOUT_MS = 5_000
const KNOCK_TIMEOUT_MS = 500

/** A connection between two lives of two hosts. */
export interface Pipe {
  readonly ends: readonly [NodeId, NodeId]
  readonly lives: readonly [number, number]
  /** In order: nothing overtakes. By sender. */
  readonly lastMs: Map<NodeId, number>
}

export interface PipesComponents {
  readonly host: (id: NodeId) => Host
  readonly at: (address: string) => Host | undefined
  readonly later: (afterMs: number, run: () => void) => void
  readonly delayMs: () => number
  readonly input: (host: Host, input: MembershipInput) => void
}

export class Pipes {
  readonly #c: PipesComponents
  readonly #pipes = new Map<string, Pipe>()
  readonly #cuts = new Set<string>()

  constructor(components: PipesComponents) {
    this.#c = components
  }

  of(a: NodeId, b: NodeId): Pipe | undefined {
    return this.#pipes.get(nameOf(a, b))
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from} ${to}`)
  }

  heal(): void {
    for (const pipe of [...this.#pipes.values()]) {
      const [a, b] = pipe.ends
      if (!this.passes(a, b) || !this.passes(b, a)) this.break(pipe, undefined)
    }
    this.#cuts.clear()
  }

  passes(from: NodeId, to: NodeId): boolean {
    const { host } = this.#c
    if (host(from).silent || host(to).silent) return false
    return this.#cuts.size === 0 || !this.#cuts.has(`${from} ${to}`)
  }

  knock(host: Host, effect: Extract<MembershipEffect, { kind: 'knock' }>): void {
    const { life } = host
    const target = this.#c.at(effect.addresses[0] ?? '')
    const both = target !== undefined && this.#reaches(host, target)
    const outcome = !both ? 'nothing' : target.machine === undefined ? 'refused' : 'accepted'
    const afterMs = outcome === 'nothing' ? KNOCK_TIMEOUT_MS : this.#c.delayMs() + this.#c.delayMs()
    this.#c.later(afterMs, () => {
      if (host.life !== life) return
      const { peer, token } = effect
      this.#c.input(host, { kind: 'knocked', peer, token, outcome })
    })
  }

  connect(host: Host, effect: Extract<MembershipEffect, { kind: 'connect' }>): void {
    const { life } = host
    const target = this.#c.at(effect.addresses[0] ?? '')
    const peer = effect.peer ?? target?.id
    const end = (state: 'refused' | 'failed'): void => {
      if (host.life === life && peer !== undefined && effect.peer !== undefined)
        this.#c.input(host, { kind: 'link', peer, state })
    }
    const reach = (): boolean => target !== undefined && this.#reaches(host, target)
    if (target === undefined || !reach()) return this.#c.later(DIAL_TIMEOUT_MS, () => end('failed'))
    const attempt = (leftMs: number): void => {
      if (host.life !== life) return
      if (!reach() || leftMs <= 0) return end('failed')
      if (target.machine === undefined) return end('refused')
      // A paused daemon's kernel accepts; its hello comes when it runs again.
      if (target.paused || host.paused) return this.#c.later(100, () => attempt(leftMs - 100))
      this.#open(host, target)
    }
    this.#c.later(4 * this.#c.delayMs(), () => attempt(DIAL_TIMEOUT_MS))
  }

  #open(a: Host, b: Host): void {
    if (a.id === b.id) return
    const name = nameOf(a.id, b.id)
    const before = this.#pipes.get(name)
    if (before !== undefined) {
      const [x, y] = before.ends
      if (before.lives[0] === this.#c.host(x).life && before.lives[1] === this.#c.host(y).life)
        return
      this.break(before, undefined)
    }
    const pipe = { ends: [a.id, b.id], lives: [a.life, b.life], lastMs: new Map() } as const
    this.#pipes.set(name, pipe)
    const hello = (host: Host): MembershipInput => ({
      kind: 'link',
      peer: host.id,
      state: 'open',
      boot: host.boot,
      incarnation: host.machine?.self().incarnation ?? 0,
      name: host.id,
      addresses: [host.address]
    })
    const [toA, toB] = [hello(b), hello(a)]
    this.#c.input(a, toA)
    this.#c.input(b, toB)
  }

  /** `by`: its kernel closed; undefined: both sides notice. */
  break(pipe: Pipe, by: NodeId | undefined): void {
    const [a, b] = pipe.ends
    const name = nameOf(a, b)
    if (this.#pipes.get(name) !== pipe) return
    this.#pipes.delete(name)
    for (const [index, id] of pipe.ends.entries()) {
      const host = this.#c.host(id)
      const other = pipe.ends[1 - index] as NodeId
      if (id === by || host.life !== pipe.lives[index]) continue
      if (by !== undefined && !this.passes(by, id)) continue
      this.#c.later(this.#c.delayMs(), () => {
        if (host.life !== pipe.lives[index] || this.#pipes.has(name)) return
        this.#c.input(host, { kind: 'link', peer: other, state: 'closed' })
      })
    }
  }

  /** Its kernel closes all that it has. */
  closeAll(id: NodeId): void {
    for (const pipe of [...this.#pipes.values()]) {
      if (pipe.ends.includes(id)) this.break(pipe, id)
    }
  }

  #reaches(a: Host, b: Host): boolean {
    return this.passes(a.id, b.id) && this.passes(b.id, a.id)
  }
}
