/** Whole daemons: membership, replication, placement, reconcile, on disks and engines. */
import type { MemberState } from '../../../gossip/core/types.ts'
import { spec } from '../../helpers/agent.ts'
import { stateOf } from '../drills/drill.ts'
import type { SimHost } from '../world/host.ts'
import { CALM_PATHS } from '../world/paths.ts'
import { World } from '../world/world.ts'
import type { Mesh, OnChange, Traffic } from './mesh.ts'

const STEP_MS = 10
const MEET_MAX_MS = 120_000
const STARTS_MAX_MS = 600_000

export class DaemonMesh implements Mesh {
  readonly world: World
  #asked = 0

  constructor(seed: number) {
    this.world = new World({ seed, wire: 'objects' })
  }

  get nowMs(): number {
    return this.world.clock.nowMs()
  }

  nodes(): readonly string[] {
    return [...this.world.hosts.values()].filter(host => host.isUp).map(host => host.id)
  }

  /** All start at once by the address of the first. */
  async meet(count: number): Promise<readonly number[]> {
    const startMs = this.nowMs
    this.world.grow(count)
    const times: number[] = []
    let open = [...this.world.hosts.values()]
    while (open.length > 0) {
      if (this.nowMs - startMs > MEET_MAX_MS) throw new Error(`${open.length} do not see all`)
      await this.world.run(STEP_MS)
      const left = open.filter(host => !seesSoMany(host, count))
      for (let done = left.length; done < open.length; done += 1) times.push(this.nowMs - startMs)
      open = left
    }
    return times
  }

  async pass(ms: number): Promise<void> {
    await this.world.run(ms)
  }

  silence(node: string): void {
    this.world.host(node).kill(true)
  }

  kill(node: string): void {
    this.world.host(node).kill(false)
  }

  start(node: string): void {
    this.world.host(node).start()
  }

  starve(node: string, everyMs: number): void {
    this.world.host(node).process?.starve(everyMs)
  }

  lose(perMille: number): void {
    this.world.network.paths.faults = { ...CALM_PATHS, lossPerMille: perMille }
  }

  stateOf(by: string, of: string): MemberState | undefined {
    return stateOf(this.world.host(by), this.world.host(of).identity) as MemberState | undefined
  }

  change(): (node: string) => boolean {
    this.#submit('changed', 3)
    return node => {
      const { agent } = this.world.host(node)
      return agent?.replica.entry('workload/demo/changed') !== undefined
    }
  }

  watch(onChange: OnChange): () => void {
    return this.world.watch(observation => {
      if (observation.kind !== 'event' || observation.event.kind !== 'member') return
      const { event } = observation.event
      if (event.kind !== 'member' || event.member.state === event.previous?.state) return
      onChange(observation.host.id, event.member.id, event.member.state)
    })
  }

  async traffic(run: () => Promise<void>): Promise<Traffic> {
    const sum = (): Traffic => {
      let [messages, bytes] = [0, 0]
      for (const { transport } of this.world.hosts.values()) {
        messages += transport?.traffic.messages ?? 0
        bytes += transport?.traffic.bytes ?? 0
      }
      return { messages, bytes }
    }
    const { wire } = this.world
    this.world.wire = 'bytes'
    const before = sum()
    await run()
    const after = sum()
    this.world.wire = wire
    return { messages: after.messages - before.messages, bytes: after.bytes - before.bytes }
  }

  /** Replicas of one workload that start a second, until all run. */
  async starts(replicas: number): Promise<number> {
    const startMs = this.nowMs
    this.#submit('many', replicas)
    const running = (): number => this.world.running('many').length
    while (running() < replicas) {
      if (this.nowMs - startMs > STARTS_MAX_MS) throw new Error(`${running()} of ${replicas} run`)
      await this.pass(100)
    }
    return replicas / ((this.nowMs - startMs) / 1_000)
  }

  #submit(name: string, replicas: number): void {
    this.#asked += 1
    const [first] = this.world.hosts.values()
    first?.input({
      kind: 'submit',
      operation: `scale-${this.#asked}`,
      submission: {
        kind: 'apply',
        project: 'demo',
        workloads: [spec({ name, replicas })],
        prune: false
      },
      waitMs: 2_000,
      wallMs: this.world.clock.wallMs()
    })
  }
}

function seesSoMany({ agent }: SimHost, count: number): boolean {
  if (agent === undefined || agent.view.members.size < count) return false
  let alive = 0
  for (const { state } of agent.view.members.values()) if (state === 'alive') alive += 1
  return alive === count
}
