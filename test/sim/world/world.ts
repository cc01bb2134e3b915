/**
 * A mesh of simulated hosts on one virtual clock. The same seed gives the same run: the hash of the
 * trace proves it. Holds no rule of any protocol.
 */
import { createHash } from 'node:crypto'
import type { MembershipPreset } from '../../../gossip/core/membership/config.ts'
import { SeededRandom } from '../../../gossip/core/random.ts'
import type { AgentEvent, Submission, SubmitAnswer } from '../../../node/agent/api.ts'
import type { MemoryBehaviour } from '../../../node/runtime/memory.ts'
import { VirtualClock } from '../../helpers/virtual-clock.ts'
import { SimHost } from './host.ts'
import { Network } from './network.ts'

/** What somebody who sees everything can see happen. */
export type Observation =
  | { readonly kind: 'start'; readonly host: SimHost }
  | { readonly kind: 'stop'; readonly host: SimHost; readonly withHost: boolean }
  /** Its disk is about to lose some of what it holds. */
  | { readonly kind: 'forgets'; readonly host: SimHost }
  /** Its disk is empty now, and its identity another one. */
  | { readonly kind: 'lost'; readonly host: SimHost }
  /** The store was opened, and is trusted or not. */
  | { readonly kind: 'opened'; readonly host: SimHost; readonly amnesiac: string | undefined }
  /** A daemon ended by itself. */
  | { readonly kind: 'ended'; readonly host: SimHost; readonly error: unknown }
  | { readonly kind: 'event'; readonly host: SimHost; readonly event: AgentEvent }
  | {
      readonly kind: 'reply'
      readonly host: SimHost
      readonly operation: string
      readonly answer: SubmitAnswer
    }
  /** What an engine runs may have changed. */
  | { readonly kind: 'engine'; readonly host: SimHost }

export interface WorldInit {
  readonly seed: number
  readonly preset?: MembershipPreset
  /** Messages as bytes, or by reference: faster, and the same trace. */
  readonly wire?: 'bytes' | 'objects'
}

/** From a timer to the first call of a disk or an engine, in turns of the microtask queue. */
const TURNS = 8

export type Watcher = (observation: Observation) => void

export class World {
  readonly clock = new VirtualClock()
  readonly hosts = new Map<string, SimHost>()
  readonly lines: string[] = []
  readonly random: SeededRandom
  readonly network: Network
  readonly preset: MembershipPreset
  /** Sizes are known while messages are bytes. */
  wire: 'bytes' | 'objects'
  /** How often each point of `node/points.ts` was passed. */
  readonly points = new Map<string, number>()
  /** Starts of one workload that go wrong on one host, by its id. */
  readonly broken = new Map<
    string,
    { readonly workload: string; readonly behaviour: MemoryBehaviour }
  >()
  readonly #seed: number
  readonly #hash = createHash('sha256')
  readonly #watchers = new Set<Watcher>()
  /** Somebody has copied a data directory to another host. */
  hadClone = false
  /** Clones that are gone: what they held, they held as their originals. */
  readonly discarded: SimHost[] = []
  /** When a disk first went back to an older state of itself. */
  restoredMs = Number.POSITIVE_INFINITY
  #operations = 0
  #numbers = 0
  #isTouched = false

  constructor(init: WorldInit) {
    this.#seed = init.seed
    this.preset = init.preset ?? 'lan'
    this.wire = init.wire ?? 'bytes'
    this.random = new SeededRandom(init.seed)
    this.network = new Network({ clock: this.clock, random: this.random })
  }

  /** Hash of everything that happened so far. */
  traceHash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16)
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  observe(observation: Observation): void {
    if (observation.kind === 'event') this.#traceEvent(observation.host, observation.event)
    for (const watcher of this.#watchers) watcher(observation)
  }

  nextNumber(): number {
    return this.#numbers++
  }

  /** Adds hosts `n0`, `n1`, ... and starts them; all join by the first one's address. */
  grow(count: number, zones = 1): SimHost[] {
    const added: SimHost[] = []
    for (let index = 0; index < count; index++) {
      const first = this.hosts.values().next().value
      added.push(this.add(first === undefined ? [] : [first.address], zones))
    }
    return added
  }

  /** One more host, which joins by these addresses. */
  add(join: readonly string[], zones = 1): SimHost {
    const number = this.nextNumber()
    const zone = zones > 1 ? `z${number % zones}` : ''
    const host = new SimHost(this, { id: `n${number}`, zone })
    this.hosts.set(host.id, host)
    host.start(join)
    return host
  }

  host(id: string): SimHost {
    const found = this.hosts.get(id)
    if (found === undefined) throw new Error(`no host ${id}`)
    return found
  }

  /** Cuts every path between two groups, both ways. */
  partition(left: readonly string[], right: readonly string[]): void {
    this.trace(`cut ${left} | ${right}`)
    for (const a of left) {
      for (const b of right) {
        this.network.paths.cut(a, b)
        this.network.paths.cut(b, a)
      }
    }
  }

  heal(): void {
    this.trace('heal')
    this.network.paths.heal()
  }

  /** Lets virtual time pass. Promises end before the next event: their order is that of events. */
  async run(ms: number): Promise<void> {
    const untilMs = this.clock.nowMs() + ms
    do {
      // So many turns, and a promise that a task began has reached what it waits for, or ended.
      for (let turn = 0; turn < TURNS; turn += 1) await undefined
      if (!this.#isTouched) continue
      this.#isTouched = false
      await drained()
    } while (this.clock.step(untilMs))
  }

  /** A disk, an engine or the network holds promises now: they go first. */
  touch(): void {
    this.#isTouched = true
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

  /** Submits at a host and waits for its answer. */
  async submit(id: string, submission: Submission): Promise<SubmitAnswer> {
    this.#operations += 1
    const operation = `op-${this.#operations}`
    const process = this.host(id).process
    if (process === undefined) throw new Error(`${id} does not run`)
    const wallMs = this.clock.wallMs()
    process.input({ kind: 'submit', operation, submission, waitMs: 2_000, wallMs })
    await this.until(`${operation} answered`, 5_000, () => process.replies.has(operation))
    return process.replies.get(operation) as SubmitAnswer
  }

  /** What the engines run, by the true state of the hosts and not by anybody's word. */
  running(workload: string): readonly { readonly node: string; readonly slot: number }[] {
    const found: { node: string; slot: number }[] = []
    for (const host of this.hosts.values()) {
      for (const entry of host.engine.entries.values()) {
        if (entry.state !== 'running' || entry.mark.workload !== workload) continue
        found.push({ node: host.id, slot: entry.mark.slot })
      }
    }
    return found.sort((a, b) => a.slot - b.slot || (a.node < b.node ? -1 : 1))
  }

  /** True when every one of these daemons sees exactly them alive. */
  agree(ids: readonly string[]): boolean {
    const wanted = ids
      .map(id => this.host(id).identity)
      .sort()
      .join()
    return ids.every(id => {
      const view = this.host(id).agent?.view
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

  trace(line: string): void {
    const text = `${Math.floor(this.clock.nowMs())} ${line}`
    this.lines.push(text)
    this.#hash.update(`${text}\n`)
  }

  #traceEvent(host: SimHost, event: AgentEvent): void {
    if (event.kind === 'member' && event.event.kind === 'member') {
      const { id, state, incarnation } = event.event.member
      this.trace(`${host.id} sees ${id} ${state} ${incarnation}`)
    } else if (event.kind === 'allocation') {
      const { workload, slot, state, reason } = event
      this.trace(`${host.id} ${workload}/${slot} ${state} ${reason}`)
    } else if (event.kind === 'alarm') {
      this.trace(`${host.id} ALARM ${event.event.key} ${event.event.reason}`)
    }
  }
}

/** Everything that promises still have to do is done. */
function drained(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
