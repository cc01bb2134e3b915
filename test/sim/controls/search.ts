/**
 * Which seed notices a control first: `npm run sim:controls -- [parts of a name] [--first N]
 * [--runs N] [--minutes N] [--nodes N] [--renew]`; `--renew` writes it to where the control is,
 * and to its row of the table.
 * Exit code 1 when one is not noticed.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { filesBelow, ROOT, readSource } from '../../helpers/source.ts'
import { type Control, SEEDS_MAX } from './control.ts'
import { CONTROLS, CONTROLS_TABLE, rowOf } from './controls.ts'
import { runBundle } from './run-bundle.ts'

const USAGE = `npm run sim:controls -- [parts of a name] [--first N] [--runs N] [--minutes N] [--nodes N]
                        [--renew]`

function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        first: { type: 'string', default: '1' },
        runs: { type: 'string', default: String(SEEDS_MAX) },
        minutes: { type: 'string' },
        nodes: { type: 'string' },
        renew: { type: 'boolean', default: false }
      }
    })
  } catch (error) {
    process.stderr.write(`error[USAGE]: ${(error as Error).message}\n${USAGE}\n`)
    process.exit(2)
  }
}

const { values, positionals } = commandLine()

function renew(control: Control, seed: number): void {
  const { name } = control
  const row = rowOf({ ...control, seed })
  const table = readSource(CONTROLS_TABLE)
  const renewed = table.replace(rowOf(control), row)
  if (!renewed.includes(row)) process.stdout.write(`add to ${CONTROLS_TABLE}:\n${row}\n`)
  writeFileSync(join(ROOT, CONTROLS_TABLE), renewed)
  for (const path of filesBelow('test/sim/controls')) {
    const text = readSource(path)
    const at = text.indexOf(`name: '${name}'`)
    if (at < 0) continue
    const renewed = text.slice(at).replace(/seed: \d+/, `seed: ${seed}`)
    writeFileSync(join(ROOT, path), text.slice(0, at) + renewed)
  }
}

const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text)

const { signal } = new AbortController()

/** The first seed from `first` on that notices; and what others noticed before. */
async function search(control: Control): Promise<boolean> {
  const { name, caughtBy, edits } = control
  const minutes = number(values.minutes) ?? control.minutes
  const nodes = number(values.nodes) ?? control.nodes
  const end = Number(values.first) + Number(values.runs)
  const startMs = performance.now()
  for (let first = Number(values.first); first < end; ) {
    const range = { first, runs: end - first, minutes, nodes, until: caughtBy }
    const last = (await runBundle({ edits, ranges: [range], signal })).at(-1)
    if (last?.check === undefined || !caughtBy.includes(last.check)) break
    const same = { ...range, first: last.seed, runs: 1, until: [] }
    const [unbroken] = await runBundle({ edits: [], ranges: [same], signal })
    first = last.seed + 1
    if (unbroken?.check !== undefined) {
      process.stdout.write(`unbroken, seed ${last.seed}: ${unbroken.message}\n`)
      continue
    }
    const tookS = ((performance.now() - startMs) / 1_000).toFixed(1)
    process.stdout.write(`${name} [${caughtBy}]: seed ${last.seed}: ${last.message} (${tookS} s)\n`)
    if (values.renew) renew(control, last.seed)
    return true
  }
  process.stdout.write(`${name} [${caughtBy}]: NOT within ${values.runs} seeds\n`)
  return false
}

const chosen = CONTROLS.filter(({ name }) => positionals.every(part => name.includes(part)))
if (chosen.length === 0) {
  process.stderr.write(`error[USAGE]: no control's name has ${positionals.join(' and ')} in it\n`)
  process.exit(2)
}
let missed = 0
for (const control of chosen) if (!(await search(control))) missed += 1
process.exit(missed > 0 ? 1 : 0)
