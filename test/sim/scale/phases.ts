/** What is measured of a mesh of many, one phase after the other. */
import type { Figure } from './figure.ts'
import type { Mesh } from './mesh.ts'

const STEP_MS = 10
const CALM_MS = 20_000
const IDLE_MS = 10_000
const LIMIT_MS = 60_000
const LOSS_PER_MILLE = 50
/** A starved daemon gets the processor this often. */
const STARVED_MS = 700
/** On both sides of the decision: what hangs on it is counted too. */
const AFTER_MS = 2_000

export class Phases {
  readonly figures: Figure[] = []
  readonly #mesh: Mesh

  constructor(mesh: Mesh) {
    this.#mesh = mesh
  }

  async meet(count: number): Promise<void> {
    this.#note('start of all: each sees all', 'ms', await this.#mesh.meet(count))
    await this.#mesh.pass(CALM_MS)
  }

  /** What a node sends while nothing happens. */
  async idle(): Promise<void> {
    const { messages, bytes } = await this.#mesh.traffic(() => this.#mesh.pass(IDLE_MS))
    const share = (this.#mesh.nodes().length * IDLE_MS) / 1_000
    this.#note('idle: messages sent', '/s a node', [messages / share])
    this.#note('idle: bytes sent', 'B/s a node', [bytes / share])
  }

  async change(): Promise<void> {
    const startMs = this.#mesh.nowMs
    const knows = this.#mesh.change()
    const times = await this.#each(this.#mesh.nodes(), startMs, knows)
    this.#note('a change: known by each', 'ms', times)
    await this.#mesh.pass(CALM_MS)
  }

  /** A host falls silent. */
  async silent(): Promise<void> {
    const victim = this.#last()
    const startMs = this.#mesh.nowMs
    this.#mesh.silence(victim)
    const dead = (node: string): boolean => this.#mesh.stateOf(node, victim) === 'dead'
    const times = await this.#each(this.#mesh.nodes(), startMs, dead)
    this.#note('a host falls silent: dead on each', 'ms', times)
    await this.#back([victim])
  }

  /** A daemon is killed, its host lives. */
  async killed(): Promise<void> {
    const victim = this.#last()
    const startMs = this.#mesh.nowMs
    this.#mesh.kill(victim)
    const seen = (node: string): boolean => this.#mesh.stateOf(node, victim) !== 'alive'
    const times = await this.#each(this.#mesh.nodes(), startMs, seen)
    this.#note('a daemon is killed: suspected by each', 'ms', times)
    await this.#back([victim])
  }

  /** Segments are lost and two daemons starve: who is suspected, who dies. */
  async doubt(ms: number): Promise<void> {
    const nodes = this.#mesh.nodes()
    const starved = nodes.slice(1, 3)
    const counts = { suspect: 0, dead: 0 }
    this.#mesh.lose(LOSS_PER_MILLE)
    for (const node of starved) this.#mesh.starve(node, STARVED_MS)
    const end = this.#mesh.watch((_, __, state) => {
      if (state === 'suspect' || state === 'dead') counts[state] += 1
    })
    await this.#mesh.pass(ms)
    end()
    this.#mesh.lose(0)
    for (const node of starved) this.#mesh.starve(node, 0)
    const hours = (nodes.length * ms) / 3_600_000
    this.#note('5 % lost, 2 starved: observed', 'node-hours', [hours])
    this.#note('5 % lost, 2 starved: suspicions', '/node-hour', [counts.suspect / hours])
    this.#note('5 % lost, 2 starved: false deaths', '', [counts.dead])
    await this.#mesh.pass(CALM_MS)
  }

  /** As in Rapid's measurement of 1,000 processes, of which ten crash. */
  async ten(): Promise<void> {
    const gone = await this.#fall(10, '10 fall silent')
    await this.#back(gone)
  }

  async quarter(): Promise<void> {
    const count = Math.max(1, Math.floor(this.#mesh.nodes().length / 4))
    await this.#fall(count, '25 % fall silent')
  }

  /** So many fall silent at once; gives whom. */
  async #fall(count: number, what: string): Promise<readonly string[]> {
    const nodes = this.#mesh.nodes()
    const gone = nodes.slice(-count)
    const rest = nodes.slice(0, nodes.length - gone.length)
    const startMs = this.#mesh.nowMs
    const views = new Map<string, Set<number>>()
    const end = this.#mesh.watch((by, _, state) => {
      if (state !== 'dead') return
      views.set(by, (views.get(by) ?? new Set()).add(this.#mesh.nowMs))
    })
    let times: number[] = []
    const { messages, bytes } = await this.#mesh.traffic(async () => {
      for (const node of gone) this.#mesh.silence(node)
      const dead = (node: string): boolean =>
        gone.every(one => this.#mesh.stateOf(node, one) === 'dead')
      times = await this.#each(rest, startMs, dead)
      await this.#mesh.pass(AFTER_MS)
    })
    end()
    const share = (rest.length * (this.#mesh.nowMs - startMs)) / 1_000
    this.#note(`${what}: all dead on each`, 'ms', times)
    const changes = [...views.values()].map(set => set.size)
    this.#note(`${what}: changes of view`, '', changes)
    this.#note(`${what}: messages sent`, '/s a node', [messages / share])
    this.#note(`${what}: bytes sent`, 'B/s a node', [bytes / share])
    return gone
  }

  #note(what: string, unit: string, values: readonly number[]): void {
    this.figures.push({ what, unit, values })
  }

  #last(): string {
    const last = this.#mesh.nodes().at(-1)
    if (last === undefined) throw new Error('nobody runs')
    return last
  }

  async #back(nodes: readonly string[]): Promise<void> {
    for (const node of nodes) this.#mesh.start(node)
    const alive = (by: string): boolean =>
      nodes.every(node => this.#mesh.stateOf(by, node) === 'alive')
    await this.#each(this.#mesh.nodes(), this.#mesh.nowMs, alive)
    await this.#mesh.pass(CALM_MS)
  }

  /** When each of them first met the condition, in ms from `startMs`; throws when one does not. */
  async #each(
    nodes: readonly string[],
    startMs: number,
    holds: (node: string) => boolean
  ): Promise<number[]> {
    const times: number[] = []
    let open = nodes
    for (;;) {
      const left = open.filter(node => !holds(node))
      for (let done = left.length; done < open.length; done += 1) {
        times.push(this.#mesh.nowMs - startMs)
      }
      open = left
      if (open.length === 0) return times
      if (this.#mesh.nowMs > startMs + LIMIT_MS) {
        throw new Error(`${open.length} of ${nodes.length} not within ${LIMIT_MS} ms: ${open[0]}`)
      }
      await this.#mesh.pass(STEP_MS)
    }
  }
}
