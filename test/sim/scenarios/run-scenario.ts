/** Runs a scenario on a world of its own and gives the same text with what it gave this time. */
import { CALM_PUBSUB } from '../world/network.ts'
import { CALM_PATHS } from '../world/paths.ts'
import { World } from '../world/world.ts'
import { Acts } from './acts.ts'
import { readCondition, running } from './conditions.ts'
import { type Note, Notes, nameOf } from './notes.ts'
import { printNotes } from './print.ts'
import { Referee } from './referee.ts'
import {
  type Command,
  isHeading,
  type Part,
  readCommand,
  readScript,
  writeScript
} from './script.ts'
import { show } from './shows.ts'

/** All ways are as long and gossip is not lost: what a change moves is not hidden among chances. */
const STILL_PATHS = { ...CALM_PATHS, delayMinMs: 2, delaySpreadMs: 0 }
const STILL_PUBSUB = { ...CALM_PUBSUB, lossPerMille: 0, repeatPerMille: 0 }
const LOOK_MS = 10
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

export async function runScenario(text: string): Promise<string> {
  const script = readScript(text)
  const run = new ScenarioRun(script.seed)
  const parts: Part[] = []
  for (const part of script.parts) parts.push(await run.part(part))
  await run.end()
  return writeScript({ ...script, parts })
}

class ScenarioRun {
  readonly #world: World
  readonly #notes: Notes
  readonly #referee: Referee
  readonly #acts: Acts
  /** When the last part that did something began. */
  #zeroMs = 0
  #lines: string[] = []
  /** What was noted in this part. */
  #told: Note[] = []

  constructor(seed: number) {
    this.#world = new World({ seed, wire: 'objects' })
    this.#world.network.paths.faults = STILL_PATHS
    this.#world.network.pubsub = STILL_PUBSUB
    this.#notes = new Notes(this.#world)
    this.#referee = new Referee(this.#world)
    this.#acts = new Acts(this.#world, this.#referee, this.#notes)
  }

  async part(part: Part): Promise<Part> {
    if (isHeading(part)) return part
    this.#lines = []
    this.#told = []
    const [first] = part.commands
    if (this.#acts.has(first?.words[0] ?? '') || first?.words[0] === 'times') {
      this.#zeroMs = this.#world.clock.nowMs()
    }
    for (const command of part.commands) {
      try {
        await this.#command(command, command === first)
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        this.#flush()
        const given = this.#lines.map(line => `\n${line}`).join('')
        throw new Error(`line ${command.line}, ${command.text}: ${why}${given}`)
      }
    }
    this.#flush()
    return { ...part, output: this.#lines.length > 0 ? this.#lines : ['nothing'] }
  }

  async end(): Promise<void> {
    await this.#referee.finish()
  }

  async #command(command: Command, isFirst: boolean): Promise<void> {
    const [verb = '', ...words] = command.words
    if (verb === 'run') return this.#referee.pass(readMs(words[0] ?? ''))
    if (verb === 'times') return this.#times(command)
    if (verb === 'within') return this.#within(words)
    if (verb === 'show') {
      this.#flush()
      const shown = show(this.#world, words[0] ?? '', this.#told)
      return void this.#lines.push(...shown.map(line => `  ${line}`))
    }
    if (!this.#acts.has(verb)) throw new Error('no such command')
    if (!isFirst) {
      this.#flush()
      const atMs = this.#world.clock.nowMs() - this.#zeroMs
      this.#lines.push(`${`+${atMs} ms`.padStart(16)}  > ${command.text}`)
    }
    this.#acts.do([verb, ...words])
  }

  /** `times 3: kill n2; run 1s; start n2; run 3s` */
  async #times({ text, line }: Command): Promise<void> {
    const [, count = '', rest = ''] = /^times (\d+): (.*)$/.exec(text) ?? []
    for (let time = 0; time < Number(count); time += 1) {
      for (const one of rest.split(';')) await this.#command(readCommand(one.trim(), line), false)
    }
  }

  /** `within 200ms: n3 suspect`: lets time pass until it is so, and breaks when it takes longer. */
  async #within([limit = '', ...words]: readonly string[]): Promise<void> {
    const { clock } = this.#world
    const holds = readCondition(this.#world, words)
    const untilMs = this.#zeroMs + readMs(limit.replace(':', ''))
    for (;;) {
      const missing = holds()
      if (missing === undefined) return
      if (clock.nowMs() >= untilMs) throw new Error(`not yet: ${missing}`)
      await this.#referee.pass(Math.min(LOOK_MS, untilMs - clock.nowMs()))
    }
  }

  #flush(): void {
    const up = running(this.#world).map(nameOf)
    const notes = this.#notes.take()
    this.#told.push(...notes)
    this.#lines.push(...printNotes(notes, { zeroMs: this.#zeroMs, up }))
  }
}

function readMs(text: string): number {
  const [, count = '', unit = ''] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  if (unit === '') throw new Error(`no such time: ${text}`)
  return Number(count) * UNITS[unit as keyof typeof UNITS]
}
