/** One node's side of one workload, for tests of what it decides as time goes on. */
import { SeededRandom } from '../../gossip/core/random.ts'
import { decide } from '../../node/agent/claims.ts'
import { DEFAULT_AGENT_CONFIG as CONFIG } from '../../node/agent/config.ts'
import type { DecideInput, Decision, SlotMemory } from '../../node/agent/decision.ts'
import type { AllocationRecord } from '../../node/agent/records.ts'
import type { View } from '../../node/agent/view.ts'
import type { Instance } from '../../node/reconcile/instance.ts'
import { allocation, instance, mark, spec, viewOf } from './agent.ts'

/** One node's side of one workload `u0`, decided again and again as time goes on. */
export class Side {
  readonly view: View
  readonly memory = new Map<number, SlotMemory>()
  readonly instances = new Map<number, Instance>()
  targets = new Map<number, string>()
  rank: string[] = ['a', 'b', 'c']
  fits = true
  moveWaitMs = 0
  takeoverWaitMs = 0
  removed = false
  readonly #random = new SeededRandom(1)

  constructor(view: View) {
    this.view = view
  }

  get generation(): string {
    return this.view.workloads.get('u0')?.generation ?? ''
  }

  runs(slot: number, generation = this.generation, runningMs = 5_000): void {
    this.instances.set(slot, instance(mark('u0', slot, generation), { runningMs }))
  }

  claim(node: string, slot: number, fields: Partial<AllocationRecord> = {}): void {
    const record = allocation({
      claim: `c-${node}-${slot}`,
      generation: this.generation,
      ...fields
    })
    this.view.setOwn(node, `alloc/u0/${slot}`, record)
  }

  decide(nowMs: number): Decision {
    const input: DecideInput = {
      self: 'a',
      nowMs,
      config: CONFIG,
      random: this.#random,
      view: this.view,
      uid: 'u0',
      workload: this.view.workloads.get('u0'),
      removed: this.removed,
      targets: this.targets,
      rank: () => this.rank,
      memory: this.memory,
      instance: slot => this.instances.get(slot),
      fits: () => this.fits,
      takeoverWaitMs: () => this.takeoverWaitMs,
      moveWaitMs: () => this.moveWaitMs
    }
    const decision = decide(input)
    for (const [key, value] of decision.publish) this.view.setOwn('a', key, value)
    return decision
  }

  mine(slot: number): AllocationRecord | undefined {
    return this.view.claim('u0', slot, 'a')
  }
}

export function side(replicas = 3, fields: Parameters<typeof spec>[0] = {}): Side {
  return new Side(viewOf(['a', 'b', 'c'], [spec({ replicas, ...fields })]))
}
