/**
 * A smaller plan that still breaks the same promise: whole kinds of faults are left out first, then
 * parts of the plan (delta debugging, Zeller and Hildebrandt 2002, section 3).
 */
import type { Planned, SeedOptions } from './options.ts'
import { runSeed, type SeedResult } from './run-seed.ts'

/** Runs that a search may take. */
const RUNS_MAX = 200

export interface Minimised {
  readonly options: SeedOptions
  readonly runs: number
}

/** How it is found out what a plan breaks. */
export type RunPlan = (options: SeedOptions) => Promise<Pick<SeedResult, 'violation'>>

/** Gives the smallest plan found; the same options when the seed breaks nothing. */
export async function minimise(options: SeedOptions, run: RunPlan = runSeed): Promise<Minimised> {
  const { violation } = await run(options)
  if (violation === undefined) return { options, runs: 1 }
  let runs = 1
  let best = options
  const breaks = async (plan: readonly Planned[]): Promise<boolean> => {
    if (runs >= RUNS_MAX) return false
    runs += 1
    const smaller = { ...options, plan }
    const result = await run(smaller)
    if (result.violation?.check !== violation.check) return false
    best = smaller
    return true
  }
  for (const name of options.faults) {
    const rest = best.plan.filter(planned => planned.kind !== 'fault' || planned.name !== name)
    if (rest.length < best.plan.length) await breaks(rest)
  }
  for (let size = Math.ceil(best.plan.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < best.plan.length; ) {
      const rest = [...best.plan.slice(0, from), ...best.plan.slice(from + size)]
      if (!(await breaks(rest))) from += size
    }
  }
  return { options: best, runs }
}

/** One line an action, for people. */
export function planText(plan: readonly Planned[]): string {
  return plan
    .map(planned =>
      planned.kind === 'ask'
        ? `${planned.atMs} people ask (${planned.seed})`
        : `${planned.atMs} ${planned.name} for ${planned.durationMs} ms (${planned.seed})`
    )
    .join('\n')
}
