/**
 * What many seeds come to. Each may leave a line in a file, so that long ranges are run in parts,
 * on several cores and days, and summed up afterwards.
 */
import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { importsOf, readSource } from '../../helpers/source.ts'
import type { SeedResult } from './run-seed.ts'

/** One seed, as a line of a tally file has it. */
interface Entry {
  readonly product: string
  readonly seed: number
  /** How it was asked for: the same seed counts once for each. */
  readonly asked: string
  readonly simulatedMs: number
  readonly realMs: number
  readonly crashes: number
  readonly requests: number
  readonly faults: readonly (readonly [string, number])[]
  readonly figures: readonly (readonly [string, number])[]
  readonly violation?: string | undefined
}

/** Figures that are no times. */
const COUNTS = ['view changes', 'braked starts']

/** Where the simulator begins. */
const ENTRY = 'test/sim/fuzz/run-seed.ts'
const TYPE_IMPORT = /^(?:import|export) type [^']*'[^']*'$/gm

/** The product's files that the simulator runs: what it imports, and what these import. */
export function simulatedFiles(): readonly string[] {
  const met = new Set([ENTRY])
  for (const path of met) {
    for (const to of importsOf(readSource(path).replace(TYPE_IMPORT, ''))) {
      if (to.startsWith('.')) met.add(join(dirname(path), to))
    }
  }
  return [...met].filter(path => !path.startsWith('test/')).sort()
}

/** Eight hex digits that change with the code that is simulated. */
export function productHash(): string {
  const hash = createHash('sha256')
  for (const path of simulatedFiles()) {
    hash.update(path).update('\0').update(readSource(path)).update('\0')
  }
  return hash.digest('hex').slice(0, 8)
}

export function entryOf(
  result: SeedResult,
  of: Pick<Entry, 'product' | 'asked' | 'realMs'>
): Entry {
  return {
    ...of,
    seed: result.seed,
    simulatedMs: result.simulatedMs,
    crashes: result.crashes,
    requests: result.asked,
    faults: [...result.faults],
    figures: [...result.figures],
    violation: result.violation?.message
  }
}

export function append(path: string, entry: Entry): void {
  appendFileSync(path, `${JSON.stringify(entry)}\n`)
}

function unitOf(what: string): string {
  return COUNTS.some(count => what.startsWith(count)) ? '' : ' ms'
}

export class Tally {
  readonly #seeds = new Set<string>()
  readonly #faults = new Map<string, number>()
  readonly #figures = new Map<string, number[]>()
  #simulatedMs = 0
  #realMs = 0
  #crashes = 0
  #requests = 0
  #violations = 0

  get seeds(): number {
    return this.#seeds.size
  }

  get violations(): number {
    return this.#violations
  }

  /** False: it was counted before. */
  add(entry: Entry): boolean {
    const key = `${entry.asked} ${entry.seed}`
    if (this.#seeds.has(key)) return false
    this.#seeds.add(key)
    this.#simulatedMs += entry.simulatedMs
    this.#realMs += entry.realMs
    this.#crashes += entry.crashes
    this.#requests += entry.requests
    if (entry.violation !== undefined) this.#violations += 1
    for (const [id, count] of entry.faults) {
      this.#faults.set(id, (this.#faults.get(id) ?? 0) + count)
    }
    for (const [what, value] of entry.figures) {
      const values = this.#figures.get(what) ?? []
      values.push(value)
      this.#figures.set(what, values)
    }
    return true
  }

  /** Adds every line of a file that is of this product; a line that was cut short is passed over.
   * Returns what was violated, and how many lines are of another product. */
  read(path: string, product: string): { said: readonly string[]; others: number } {
    const said: string[] = []
    let others = 0
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      if (!line.endsWith('}')) continue
      const entry = JSON.parse(line) as Entry
      if (entry.product !== product) others += 1
      if (entry.product !== product || !this.add(entry)) continue
      if (entry.violation === undefined) continue
      said.push(`seed ${entry.seed} (${entry.asked}): VIOLATION ${entry.violation}`)
    }
    return { said, others }
  }

  /** What drills measured: n, min/median/max over the seeds that had this one. */
  bars(): string {
    const lines = [...this.#figures]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, values]) => {
        const sorted = values.sort((a, b) => a - b)
        const at = [0, sorted.length >> 1, sorted.length - 1].map(index => sorted[index])
        return `${what}: n ${sorted.length}, ${at.join('/')}${unitOf(what)}\n`
      })
    return lines.join('')
  }

  /** One line. */
  summary(): string {
    const hours = this.#simulatedMs / 3_600_000
    const kinds = [...this.#faults].sort(([a], [b]) => Number(a.slice(1)) - Number(b.slice(1)))
    const sum = kinds.reduce((count, [, more]) => count + more, 0)
    return (
      `${this.#seeds.size} runs, ${hours.toFixed(1)} cluster-hours, ${sum} faults ` +
      `(${kinds.map(([id, count]) => `${id}:${count}`).join(' ')}), ${this.#crashes} crashes, ` +
      `${this.#requests} requests, ${Math.round(this.#simulatedMs / this.#realMs)} x real time, ` +
      `${this.#violations} violations`
    )
  }
}
