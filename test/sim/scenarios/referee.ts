/** The checks of the fuzzer look on in a scenario too: no update may bless a broken promise. */
import { whyNotConverged } from '../checks/agreement.ts'
import { type Check, Violation } from '../checks/check.ts'
import { allChecks } from '../checks/index.ts'
import { Atlas } from '../fuzz/atlas.ts'
import { Faults } from '../fuzz/context.ts'
import type { SimHost } from '../world/host.ts'
import type { World } from '../world/world.ts'

const SAMPLE_MS = 1_000
const LOOK_MS = 100
/** As the fuzzer gives its core. */
const CONVERGE_MS = 60_000

export class Referee {
  readonly faults: Faults
  readonly #world: World
  readonly #checks: readonly Check[]
  #sampledMs = 0
  #found: unknown

  constructor(world: World) {
    this.#world = world
    this.faults = new Faults(world, new Atlas(world))
    this.#checks = allChecks({ world, faults: this.faults, client: this.faults.client })
    world.watch(observation => this.#guard(check => check.observe?.(observation)))
  }

  /** Lets time pass; throws what was broken meanwhile. */
  async pass(ms: number): Promise<void> {
    const { clock } = this.#world
    const untilMs = clock.nowMs() + ms
    while (clock.nowMs() < untilMs) {
      const leftMs = untilMs - clock.nowMs()
      // While nobody runs and nothing is to come, days pass at once.
      await this.#world.run(clock.size === 0 ? leftMs : Math.min(SAMPLE_MS, leftMs))
      if (clock.nowMs() >= this.#sampledMs + SAMPLE_MS) {
        this.#sampledMs = clock.nowMs()
        this.#guard(check => check.sample?.())
      }
      if (this.#found !== undefined) throw this.#found
    }
  }

  /** Whoever is up must agree in time, and everything that was acknowledged must be there. */
  async finish(): Promise<void> {
    const { clock, hosts } = this.#world
    const core = [...hosts.values()].filter(host => host.isUp && !host.isClone)
    await this.#converged(core, clock.nowMs() + CONVERGE_MS)
    for (const check of this.#checks) check.finish?.(core)
  }

  async #converged(core: readonly SimHost[], untilMs: number): Promise<void> {
    for (;;) {
      const missing = whyNotConverged(core)
      if (missing === undefined) return
      if (this.#world.clock.nowMs() >= untilMs) {
        throw new Violation(missing.slice(0, 2), `not within ${CONVERGE_MS} ms: ${missing}`)
      }
      await this.pass(LOOK_MS)
    }
  }

  /** Code under test must not catch what is found while it runs. */
  #guard(look: (check: Check) => void): void {
    if (this.#found !== undefined) return
    try {
      for (const check of this.#checks) look(check)
    } catch (error) {
      this.#found = error
    }
  }
}
