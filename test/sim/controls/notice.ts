/** Tests that each control is noticed by a check that is named for it, and that nothing else is. */
import { equal, is, ok } from 'uvu/assert'
import type { Suite } from '../../helpers/suite.ts'
import type { Control } from './control.ts'
import { runBundle, type SeedRange } from './run-bundle.ts'

/** Other changes move what a seed does a little: so many seeds from the known one may be needed. */
export const TRIES = 12

function nodesOf({ nodes }: Control): { nodes?: number } {
  return nodes === undefined ? {} : { nodes }
}

export function noticeAll(test: Suite, controls: readonly Control[]): void {
  /** Where each was noticed, for the same seeds without it. */
  const noticed: SeedRange[] = []
  for (const control of controls) {
    const { name, edits, caughtBy, seed, minutes } = control
    test(`noticed by ${caughtBy.join(' or ')}: ${name}`, async ({ signal }) => {
      const range = { first: seed, runs: TRIES, minutes, ...nodesOf(control), until: caughtBy }
      const lines = await runBundle({ edits, ranges: [range], signal })
      const last = lines.at(-1)
      const said = lines.map(line => `${line.seed} ${line.message ?? 'clean'}`).join('; ')
      ok(last?.check !== undefined && caughtBy.includes(last.check), said)
      noticed.push({ ...range, first: last.seed, runs: 1, until: [] })
    })
  }

  test('the same seeds are clean when nothing is broken', async ({ signal }) => {
    const ranges = new Map(noticed.map(range => [JSON.stringify(range), range]))
    const lines = await runBundle({ edits: [], ranges: [...ranges.values()], signal })
    is(lines.length, ranges.size)
    equal(
      lines.flatMap(({ seed, message }) => (message === undefined ? [] : [`${seed} ${message}`])),
      []
    )
  })
}
