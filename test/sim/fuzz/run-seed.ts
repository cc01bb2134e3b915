/**
 * One seed: a mesh meets, faults and people come as planned while safety is checked, then faults
 * end for a core, which must converge (TigerBeetle's two phases).
 */
import { SeededRandom } from '../../../gossip/core/random.ts'
import { whyNotConverged } from '../checks/agreement.ts'
import { type Check, type Subject, Violation } from '../checks/check.ts'
import { allChecks } from '../checks/index.ts'
import { type Drill, Stage } from '../drills/drill.ts'
import { BLIPS, DRILLS } from '../drills/index.ts'
import type { SimHost } from '../world/host.ts'
import { World } from '../world/world.ts'
import { Atlas } from './atlas.ts'
import { FaultContext, Faults } from './context.ts'
import { dump } from './dump.ts'
import { ALL_FAULTS, type Planned, type SeedOptions } from './options.ts'
import { isIn, stayInReach } from './reach.ts'

export interface SeedResult {
  readonly seed: number
  readonly violation: { readonly check: string; readonly message: string } | undefined
  readonly traceHash: string
  readonly simulatedMs: number
  /** Fault rows -> times. */
  readonly faults: ReadonlyMap<string, number>
  /** Lives of daemons that ended, however. */
  readonly crashes: number
  /** Points passed, for coverage. */
  readonly points: ReadonlyMap<string, number>
  readonly convergedMs: number | undefined
  /** What its drill measured, the worst of each. */
  readonly figures: ReadonlyMap<string, number>
  readonly asked: number
  readonly lines: readonly string[]
  /** What every daemon believed in the end. */
  readonly beliefs: () => readonly string[]
}

const SAMPLE_MS = 1_000
/** How often it is looked whether all is as it should be: a view differs while news travel. */
const LOOK_MS = 100
/** Of `promises.md` 1.3, with room for what a fault leaves behind: retries, back-off, TCP. */
const CONVERGE_MS = 60_000
/** A start that failed everywhere, or a crash loop, is tried again after at most 5 minutes. */
const CONVERGE_AFTER_FAILURES_MS = 420_000
const STAYS_MS = 20_000
const CALM_AGAIN_MS = 20_000
const DEAD_FOR_EVER_ONE_IN = 4
const BLIP_ONE_IN = 3

export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const world = new World(options)
  const atlas = new Atlas(world)
  const faults = new Faults(world, atlas)
  const { client } = faults
  const subject = { world, faults, client }
  const checks = allChecks(subject)
  let crashes = 0
  let convergedMs: number | undefined
  let violation: SeedResult['violation']
  const figures = new Map<string, number>()
  const watch = new Watch(checks)
  world.watch(observation => {
    if (observation.kind === 'stop') crashes += 1
    watch.guard(check => check.observe?.(observation))
  })
  try {
    world.grow(options.nodes, options.zones)
    await pass(subject, watch, 5_000)
    schedule(subject, options.plan)
    await pass(subject, watch, options.safetyMs)
    const core = transition(subject, options.seed)
    await pass(subject, watch, SAMPLE_MS)
    // Clones may have left their addresses to all who knew the right ones. Then a person has to
    // tell them: what was promised holds, but without a beacon nobody finds anybody.
    const inReach = !world.hadClone || stayInReach(core.filter(isIn))
    if (inReach) convergedMs = await comeBack({ subject, watch, core, seed: options.seed, figures })
    else world.trace('clones have left nobody an address')
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    world.trace(`VIOLATION ${error.message}`)
    violation = { check: error.check, message: error.message }
  }
  return {
    ...{ seed: options.seed, violation, crashes, convergedMs, asked: client.history.size },
    traceHash: world.traceHash(),
    simulatedMs: world.clock.nowMs(),
    faults: faults.counts,
    points: world.points,
    figures,
    lines: world.lines,
    beliefs: () => dump(world)
  }
}

interface Return {
  readonly subject: Subject
  readonly watch: Watch
  readonly core: readonly SimHost[]
  readonly seed: number
  readonly figures: Map<string, number>
}

/** What must come true of a core without faults; how long it took at first. */
async function comeBack({ subject, watch, core, seed, figures }: Return): Promise<number> {
  const { faults } = subject
  // Of two clones the wrong one may have gone: a person starts it again.
  for (const host of core) if (!host.isUp) host.start()
  const convergedMs = await converge(subject, watch, core, limitOf(faults))
  // Ramps end and moves follow: never for long.
  await pass(subject, watch, STAYS_MS)
  await converge(subject, watch, core, CALM_AGAIN_MS)
  const stage = await drill(subject, watch, core, seed)
  for (const [what, value] of stage.figures) figures.set(what, value)
  await converge(subject, watch, stage.core, limitOf(faults))
  for (const check of watch.checks) check.finish?.(stage.core)
  return convergedMs
}

/** Violations inside of callbacks are kept: code under test must not catch them. */
class Watch {
  readonly checks: readonly Check[]
  #sampledMs = 0
  #violation: unknown

  constructor(checks: readonly Check[]) {
    this.checks = checks
  }

  guard(look: (check: Check) => void): void {
    if (this.#violation !== undefined) return
    try {
      for (const check of this.checks) look(check)
    } catch (error) {
      this.#violation = error
    }
  }

  sample(nowMs: number): void {
    if (nowMs < this.#sampledMs + SAMPLE_MS) return
    this.#sampledMs = nowMs
    this.guard(check => check.sample?.())
  }

  rethrow(): void {
    if (this.#violation !== undefined) throw this.#violation
  }
}

/** Lets time pass, and looks at everything once a second. */
async function pass({ world }: Subject, watch: Watch, ms: number): Promise<void> {
  const untilMs = world.clock.nowMs() + ms
  while (world.clock.nowMs() < untilMs) {
    await world.run(Math.min(SAMPLE_MS, untilMs - world.clock.nowMs()))
    watch.sample(world.clock.nowMs())
    watch.rethrow()
  }
}

function schedule({ world, faults, client }: Subject, plan: readonly Planned[]): void {
  const byName = new Map(ALL_FAULTS.map(fault => [fault.name, fault]))
  for (const planned of plan) {
    world.clock.schedule(planned.atMs, () => {
      if (planned.kind === 'ask') return client.act(planned.seed)
      const fault = faults.isOver ? undefined : byName.get(planned.name)
      if (fault?.begin(new FaultContext(faults, planned)) !== true) return
      world.trace(`${fault.ids.join()}: ${fault.name}`)
      faults.count(fault.ids)
    })
  }
}

/** Faults end for a core; whoever is not in it stays dead for ever. Gives the core. */
function transition({ world, faults }: Subject, seed: number): SimHost[] {
  world.trace('faults end')
  faults.endAll()
  world.heal()
  const random = new SeededRandom(seed + 1)
  const hosts = [...world.hosts.values()]
  const victim = hosts[random.int(hosts.length)] as SimHost
  const dies = hosts.length > 1 && random.int(DEAD_FOR_EVER_ONE_IN) === 0
  // Where a clone has been, the others may know its address only, and one that dies the right one.
  const { lost } = faults.atlas
  const rest = hosts.filter(host => host !== victim && !lost.has(host.id) && isIn(host))
  if (dies && !world.hadClone && faults.atlas.mayForget(victim) && stayInReach(rest)) {
    victim.off()
    lost.add(victim.id)
  }
  const core = hosts.filter(host => !lost.has(host.id))
  const member = core.find(isIn) ?? core.find(host => host.disk.isMember)
  for (const host of core) {
    // Whoever told it to leave thinks better of it.
    if (host.isLeaving) host.kill(false)
    const isKnown = host === member || isIn(host)
    if (host.isUp && isKnown) continue
    // Whoever never got in asks at an address that is still somebody's.
    if (host.isUp) host.kill(false)
    host.start(isKnown || member === undefined ? undefined : [member.address])
  }
  return core
}

/** One thing that is done to the core on purpose, in some seeds after one that must not count. */
async function drill(
  subject: Subject,
  watch: Watch,
  core: readonly SimHost[],
  seed: number
): Promise<Stage> {
  const random = new SeededRandom(seed + 2)
  const engineWasWell = limitOf(subject.faults) === CONVERGE_MS
  const stage = new Stage(
    { subject, pass: ms => pass(subject, watch, ms) },
    { core, engineWasWell }
  )
  const blips = new SeededRandom(seed + 3)
  if (blips.int(BLIP_ONE_IN) === 0) await runOne(stage, BLIPS, blips)
  await runOne(stage, DRILLS, random)
  return stage
}

async function runOne(stage: Stage, drills: readonly Drill[], random: SeededRandom): Promise<void> {
  const possible = drills.filter(({ hostsMin }) => stage.core.length >= hostsMin)
  if (possible.length === 0) return
  const chosen = possible[random.int(possible.length)] as Drill
  stage.subject.world.trace(`drill: ${chosen.name}`)
  await chosen.run(stage, random)
}

const FAILING: ReadonlySet<string> = new Set(['F43', 'F44', 'F45', 'F46', 'F48', 'F49', 'F51'])

function limitOf(faults: Faults): number {
  const failed = [...faults.counts.keys()].some(id => FAILING.has(id))
  return failed ? CONVERGE_AFTER_FAILURES_MS : CONVERGE_MS
}

/** Returns how long it took. */
async function converge(
  subject: Subject,
  watch: Watch,
  core: readonly SimHost[],
  limitMs: number
): Promise<number> {
  const startMs = subject.world.clock.nowMs()
  for (;;) {
    const reason = whyNotConverged(core)
    const tookMs = subject.world.clock.nowMs() - startMs
    if (reason === undefined) return tookMs
    if (tookMs > limitMs) {
      throw new Violation(reason.slice(0, 2), `not within ${limitMs / 1_000} s: ${reason}`)
    }
    await pass(subject, watch, LOOK_MS)
  }
}
