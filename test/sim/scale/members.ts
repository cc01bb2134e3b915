/** Membership machines alone: thousands of them, with what they send to each other. */
import { encode } from '../../../gossip/codec.ts'
import type { MembershipMessage } from '../../../gossip/core/membership/message.ts'
import type { MemberState } from '../../../gossip/core/types.ts'
import { World } from '../../helpers/membership-world.ts'
import { OVERHEAD_BYTES } from '../world/transport.ts'
import type { Mesh, OnChange, Traffic } from './mesh.ts'

const STEP_MS = 10
const START_SPREAD_MS = 1_000
const MEET_MAX_MS = 120_000

export class MemberMesh implements Mesh {
  readonly world: World
  readonly #running: string[] = []
  #onChange: OnChange = () => undefined

  constructor(seed: number) {
    this.world = new World({ seed, many: true })
    this.world.onChange = ({ by, member, state }) => this.#onChange(by, member, state)
  }

  get nowMs(): number {
    return this.world.nowMs
  }

  nodes(): readonly string[] {
    return this.#running
  }

  /** All start within a second, as they were: each knows who belongs to the mesh. */
  async meet(count: number): Promise<readonly number[]> {
    const ids = Array.from({ length: count }, (_, index) => `n${String(index).padStart(4, '0')}`)
    const startMs = this.nowMs
    this.world.know(ids)
    for (const id of ids) {
      this.world.later(this.world.random.int(START_SPREAD_MS), () => this.start(id))
    }
    const times: number[] = []
    const missing = new Map(ids.map(id => [id, count - 1]))
    this.world.onLife = by => {
      const left = (missing.get(by) ?? 0) - 1
      missing.set(by, left)
      if (left === 0) times.push(this.nowMs - startMs)
    }
    while (times.length < count) {
      if (this.nowMs - startMs > MEET_MAX_MS) throw new Error(`${times.length} see all`)
      this.world.run(STEP_MS)
    }
    this.world.onLife = () => undefined
    return times
  }

  async pass(ms: number): Promise<void> {
    this.world.run(ms)
  }

  silence(node: string): void {
    this.world.silence(node)
    this.#stopped(node)
  }

  kill(node: string): void {
    this.world.kill(node)
    this.#stopped(node)
  }

  start(node: string): void {
    this.world.start(node)
    this.#running.push(node)
    this.#running.sort()
  }

  starve(node: string, everyMs: number): void {
    this.world.host(node).starvedMs = everyMs
  }

  lose(perMille: number): void {
    this.world.lossPerMille = perMille
  }

  stateOf(by: string, of: string): MemberState | undefined {
    return this.world.stateOf(by, of)
  }

  /** A node's word about itself: it drains. */
  change(): (node: string) => boolean {
    const [first = ''] = this.#running
    this.world.command(first, { kind: 'phase', phase: 'draining' })
    return node => this.world.machine(node).members().get(first)?.phase === 'draining'
  }

  watch(onChange: OnChange): () => void {
    this.#onChange = onChange
    return () => {
      this.#onChange = () => undefined
    }
  }

  async traffic(run: () => Promise<void>): Promise<Traffic> {
    const count = { messages: 0, bytes: 0 }
    // The same few objects go to many.
    const sizes = new WeakMap<MembershipMessage, number>()
    this.world.onSend = message => {
      const size = sizes.get(message) ?? encode(message).byteLength
      sizes.set(message, size)
      count.messages += 1
      count.bytes += size + OVERHEAD_BYTES
    }
    await run()
    this.world.onSend = () => undefined
    return count
  }

  #stopped(node: string): void {
    this.#running.splice(this.#running.indexOf(node), 1)
  }
}
