/**
 * The nemesis: draws faults from a seeded generator and does them to real daemons. What it does to
 * whom, and when, goes into the history, so that the checkers know who was well.
 */
import type { SeededRandom } from '../../gossip/core/random.ts'
import { POINTS } from '../../node/points.ts'
import type { Cut, History } from './nemesis-history.ts'
import type { NemesisHost } from './nemesis-host.ts'
import type { Testbed } from './testbed.ts'
import { must, sleep } from './testbed-run.ts'

export interface Counts {
  /** Every SIGKILL of a daemon, those at failpoints and of whole hosts too. */
  readonly kills: number
  readonly failpoints: number
  readonly hosts: number
  readonly cuts: number
  readonly resets: number
  readonly pauses: number
  readonly disks: number
}

/** How much of each is to be done before it is enough. */
export type Wanted = Pick<Counts, 'kills' | 'cuts' | 'pauses'>

export interface FaultsInit {
  readonly bed: Testbed
  readonly hosts: readonly NemesisHost[]
  readonly history: History
  readonly random: SeededRandom
  readonly say: (text: string) => void
}

type Kind = 'kill' | 'host' | 'all' | 'pause' | 'cut' | 'reset' | 'disk'

const ARMED_PERCENT = 75
/** Two hosts are spared for all of so many phases but the last one. */
const SPARED_PHASES = 4
/** Points are passed at very different rates: so many passings at most. */
const PASSINGS: Readonly<Record<string, number>> = { write: 25, send: 80, reply: 2 }
const PASSINGS_OTHERS = 2

export class Faults {
  readonly #c: FaultsInit
  readonly #tasks = new Set<Promise<void>>()
  readonly #reviving = new Set<NemesisHost>()
  readonly #armed = new Set<NemesisHost>()
  readonly #busy = new Set<NemesisHost>()
  #isCut = false
  #isQuiet = true
  readonly #counts = { kills: 0, hosts: 0, cuts: 0, resets: 0, pauses: 0, disks: 0 }
  #phases = 0
  /** Left alone for some phases, for whoever is well must not be called dead. */
  #spared: readonly NemesisHost[] = []

  constructor(init: FaultsInit) {
    this.#c = init
  }

  get counts(): Counts {
    const failpoints = this.#c.hosts.reduce((sum, host) => sum + host.failpoints, 0)
    return { ...this.#counts, failpoints, kills: this.#counts.kills + failpoints }
  }

  /** Faults for so long, or until there were enough; some hosts are spared for the whole phase. */
  async phase(ms: number, wanted: Wanted): Promise<void> {
    const { random, hosts } = this.#c
    if (this.#phases % SPARED_PHASES === 0) this.#spared = this.#pick(hosts, 2)
    if (this.#phases % SPARED_PHASES === SPARED_PHASES - 1) this.#spared = []
    this.#phases += 1
    this.#c.say(`spared: ${this.#spared.map(host => host.name).join(' ') || 'nobody'}`)
    this.#isQuiet = false
    const endMs = Date.now() + ms
    while (Date.now() < endMs && !this.isEnough(wanted)) {
      this.#revive()
      this.#begin(this.#draw(wanted))
      await sleep(300 + random.int(1_500))
    }
  }

  isEnough({ kills, cuts, pauses }: Wanted): boolean {
    const done = this.counts
    return done.kills >= kills && done.cuts >= cuts && done.pauses >= pauses
  }

  /** Ends every fault and starts what is down; resolves when all daemons are ready. */
  async heal(): Promise<void> {
    const { hosts } = this.#c
    this.#isQuiet = true
    for (const host of hosts) host.stopFilling()
    await Promise.all(this.#tasks)
    // One that waits at its failpoint would die in the calm.
    for (const host of [...this.#armed].filter(one => one.isUp)) {
      await host.kill()
      this.#counts.kills += 1
    }
    for (let tries = 0; tries < 3 && hosts.some(host => host.isHarmed); tries++) {
      this.#revive()
      await Promise.all(this.#tasks)
    }
    for (const host of hosts.filter(one => one.isHarmed)) {
      await host.untilReady()
      host.heal()
    }
  }

  #pick(from: readonly NemesisHost[], count: number): NemesisHost[] {
    const left = [...from]
    const picked: NemesisHost[] = []
    while (picked.length < count && left.length > 0)
      picked.push(...left.splice(this.#c.random.int(left.length), 1))
    return picked
  }

  #task(work: () => Promise<void>): void {
    const task = work()
      .catch((error: unknown) => this.#c.say(`a fault failed: ${String(error)}`))
      .finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  #draw(wanted: Wanted): Kind {
    const done = this.counts
    const left = (name: keyof Wanted): number => Math.max(0, wanted[name] - done[name])
    const weights: readonly (readonly [Kind, number])[] = [
      ['kill', left('kills') * 4],
      ['host', left('kills')],
      ['all', this.#spared.length === 0 ? Math.ceil(left('kills') / 4) : 0],
      ['pause', left('pauses') * 8],
      ['cut', left('cuts') * 8],
      ['reset', left('cuts') * 2],
      ['disk', left('pauses') * 2]
    ]
    const sum = weights.reduce((total, [, weight]) => total + weight, 0)
    let dice = sum === 0 ? 0 : this.#c.random.int(sum)
    for (const [kind, weight] of weights) {
      if (dice < weight) return kind
      dice -= weight
    }
    return 'kill'
  }

  #victim(): NemesisHost | undefined {
    const able = this.#c.hosts.filter(
      host => host.isUp && !host.isHarmed && !this.#busy.has(host) && !this.#spared.includes(host)
    )
    return this.#pick(able, 1)[0]
  }

  #begin(kind: Kind): void {
    const { random, say, hosts } = this.#c
    if (kind === 'cut' || kind === 'reset') return this.#cutOnce(kind)
    if (kind === 'all') {
      say('kill all')
      for (const host of hosts.filter(one => one.isUp)) this.#kill(host, () => host.kill())
      return
    }
    const host = this.#victim()
    if (host === undefined) return
    const ms = 1_000 + random.int(9_000)
    say(`${kind} ${host.name}`)
    if (kind === 'kill') return this.#kill(host, () => host.kill())
    if (kind === 'host') {
      this.#counts.hosts += 1
      return this.#kill(host, () => host.killHost())
    }
    this.#counts[kind === 'pause' ? 'pauses' : 'disks'] += 1
    this.#busy.add(host)
    this.#task(async () => {
      await (kind === 'pause' ? host.pause(ms) : host.fill(ms))
      this.#busy.delete(host)
    })
  }

  #kill(host: NemesisHost, how: () => Promise<void>): void {
    this.#counts.kills += 1
    this.#busy.add(host)
    this.#task(async () => {
      await how()
      this.#busy.delete(host)
    })
  }

  /** Starts what is down, after a while; one that dies at its failpoint comes back here. */
  #revive(): void {
    const { hosts, random } = this.#c
    for (const host of hosts) {
      if (host.isUp || this.#reviving.has(host) || this.#busy.has(host)) continue
      this.#reviving.add(host)
      this.#armed.delete(host)
      const waitMs = this.#isQuiet ? 0 : random.int(random.int(3) === 0 ? 6_000 : 1_200)
      const armed =
        !this.#isQuiet && !this.#spared.includes(host) && random.int(100) < ARMED_PERCENT
      const point = POINTS[random.int(POINTS.length)] ?? ''
      const most = PASSINGS[point.split('.')[0] ?? ''] ?? PASSINGS_OTHERS
      const failpoint = armed ? `${point}:${1 + random.int(most)}:kill` : ''
      this.#task(async () => {
        await sleep(waitMs)
        const isArmed = failpoint !== '' && !this.#isQuiet
        if (isArmed) this.#armed.add(host)
        try {
          await host.startEngine()
          host.start({ failpoint: isArmed ? failpoint : '' })
          await host.untilReady()
          await host.decoy.add()
          host.heal()
        } catch (error) {
          // At its failpoint it may end before that.
          if (!isArmed) throw error
        } finally {
          this.#reviving.delete(host)
        }
      })
    }
  }

  #cutOnce(kind: 'cut' | 'reset'): void {
    const { hosts, random, say } = this.#c
    if (this.#isCut) return
    this.#isCut = true
    const shape = random.int(4)
    const order = this.#pick(hosts, hosts.length)
    const [one] = order
    if (one === undefined) return
    const rest = order.slice(1)
    const sides: readonly (readonly NemesisHost[])[] =
      shape < 2
        ? [[one], rest]
        : shape === 2
          ? [order.slice(0, 2), order.slice(2)]
          : [order.slice(0, 2), order.slice(3)]
    const [left = [], right = []] = sides
    // One direction only: what the left one hears of some of the right.
    const heard = shape === 1 ? this.#pick(right, 1 + random.int(right.length)) : right
    const names = (some: readonly NemesisHost[]): string => some.map(host => host.name).join(' ')
    const how = ['isolate', 'one-way', 'halves', 'bridge'][shape]
    say(`${kind} ${how}: ${names(left)} | ${names(heard)}`)
    this.#counts[kind === 'cut' ? 'cuts' : 'resets'] += 1
    const cuts: Cut[] = left.flatMap(a =>
      heard.map(b => ({
        between: [a.name, b.name] as const,
        fromMs: Date.now(),
        toMs: Number.POSITIVE_INFINITY
      }))
    )
    this.#c.history.cuts.push(...cuts)
    const ms = kind === 'cut' ? 1_500 + random.int(8_500) : 200 + random.int(1_000)
    this.#task(async () => {
      const action = kind === 'cut' ? ['DROP'] : ['REJECT', '--reject-with', 'tcp-reset']
      await this.#rules('-I', left, heard, action)
      if (shape !== 1) await this.#rules('-I', heard, left, action)
      await sleep(ms)
      await this.#rules('-D', left, heard, action)
      if (shape !== 1) await this.#rules('-D', heard, left, action)
      for (const cut of cuts) cut.toMs = Date.now()
      this.#isCut = false
    })
  }

  /** What these hosts do with packets from those. */
  async #rules(
    verb: '-I' | '-D',
    at: readonly NemesisHost[],
    from: readonly NemesisHost[],
    action: readonly string[]
  ): Promise<void> {
    await Promise.all(
      at.map(async ({ host }) => {
        for (const source of from) {
          const rule = ['INPUT', '-p', 'tcp', '-s', source.host.address, '-j', ...action]
          await must([...host.inside, 'iptables', '-w', verb, ...rule])
        }
      })
    )
  }
}
