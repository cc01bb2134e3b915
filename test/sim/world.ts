/**
 * A mesh of simulated hosts on one virtual clock. The same seed gives the same run: the hash of the
 * trace proves it. Holds no rule of any protocol.
 */
import { createHash } from 'node:crypto'
import { SeededRandom } from '../../gossip/core/random.ts'
import type { Submission, SubmitAnswer } from '../../node/agent/api.ts'
import type { Instance } from '../../node/reconcile/instance.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { Network } from './network.ts'
import { SimNode } from './node.ts'

export class World {
  readonly clock = new VirtualClock()
  readonly nodes = new Map<string, SimNode>()
  readonly lines: string[] = []
  readonly random: SeededRandom
  readonly network: Network
  readonly #seed: number
  readonly #hash = createHash('sha256')
  #settling = false
  #operations = 0

  constructor(init: { readonly seed: number }) {
    this.#seed = init.seed
    this.random = new SeededRandom(init.seed)
    this.network = new Network({ clock: this.clock, random: this.random })
  }

  /** Hash of everything that happened so far. */
  traceHash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16)
  }

  /** Adds hosts `n0`, `n1`, ... and starts them; all join by the first one's address. */
  grow(count: number): SimNode[] {
    const added: SimNode[] = []
    for (let index = 0; index < count; index++) {
      const first = this.nodes.values().next().value
      const node = new SimNode(
        {
          clock: this.clock,
          network: this.network,
          seed: this.#seed,
          trace: line => this.#trace(line),
          settle: () => {
            this.#settling = true
          }
        },
        `n${this.nodes.size}`
      )
      this.nodes.set(node.id, node)
      node.start(first === undefined ? [] : [first.address])
      added.push(node)
    }
    return added
  }

  node(id: string): SimNode {
    const found = this.nodes.get(id)
    if (found === undefined) throw new Error(`no node ${id}`)
    return found
  }

  /** Cuts every path between two groups, both ways. */
  partition(left: readonly string[], right: readonly string[]): void {
    this.#trace(`cut ${left} | ${right}`)
    for (const a of left) {
      for (const b of right) {
        this.network.cut(a, b)
        this.network.cut(b, a)
      }
    }
  }

  heal(): void {
    this.#trace('heal')
    this.network.heal()
  }

  /** Lets virtual time pass. */
  async run(ms: number): Promise<void> {
    const untilMs = this.clock.nowMs() + ms
    for (;;) {
      // Promises of the runtime end before the next event: their order is that of the events.
      if (this.#settling) {
        this.#settling = false
        await new Promise<void>(resolve => setImmediate(resolve))
        continue
      }
      if (!this.clock.step(untilMs)) return
    }
  }

  /** Lets time pass until a condition holds; returns how long it took. Throws at the limit. */
  async until(what: string, limitMs: number, condition: () => boolean): Promise<number> {
    const startMs = this.clock.nowMs()
    while (!condition()) {
      if (this.clock.nowMs() - startMs >= limitMs) {
        const last = this.lines.slice(-30).join('\n')
        throw new Error(`seed ${this.#seed}: not ${what} within ${limitMs} ms\n${last}`)
      }
      await this.run(20)
    }
    return this.clock.nowMs() - startMs
  }

  /** Submits at a node and waits for its answer. */
  async submit(id: string, submission: Submission): Promise<SubmitAnswer> {
    this.#operations += 1
    const operation = `op-${this.#operations}`
    const node = this.node(id)
    const wallMs = this.clock.nowMs()
    node.input({ kind: 'submit', operation, submission, waitMs: 2_000, wallMs })
    await this.until(`${operation} answered`, 5_000, () => node.replies.has(operation))
    const answer = node.replies.get(operation)
    if (answer === undefined) throw new Error('unreachable')
    return answer
  }

  /** What the engines run, by the true state of the hosts and not by anybody's word. */
  running(workload: string): readonly { readonly node: string; readonly slot: number }[] {
    const found: { node: string; slot: number }[] = []
    for (const node of this.nodes.values()) {
      for (const entry of node.engine.entries.values()) {
        const state: Instance['state'] = entry.state
        if (state !== 'running' || entry.mark.workload !== workload) continue
        found.push({ node: node.id, slot: entry.mark.slot })
      }
    }
    return found.sort((a, b) => a.slot - b.slot || (a.node < b.node ? -1 : 1))
  }

  /** True when every running daemon sees exactly these nodes alive. */
  agree(ids: readonly string[]): boolean {
    const wanted = [...ids].sort().join()
    return ids.every(id => {
      const view = this.node(id).agent?.view
      if (view === undefined) return false
      const alive = [...view.members.values()].filter(member => member.state === 'alive')
      return (
        alive
          .map(member => member.id)
          .sort()
          .join() === wanted
      )
    })
  }

  #trace(line: string): void {
    const text = `${this.clock.nowMs()} ${line}`
    this.lines.push(text)
    this.#hash.update(`${text}\n`)
  }
}
