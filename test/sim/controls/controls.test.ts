import { equal, is, ok, throws } from 'uvu/assert'
import { filesBelow, readSource } from '../../helpers/source.ts'
import { suite } from '../../helpers/suite.ts'
import { allChecks } from '../checks/index.ts'
import { Atlas } from '../fuzz/atlas.ts'
import { Client } from '../fuzz/client.ts'
import { Faults } from '../fuzz/context.ts'
import { ALL_FAULTS } from '../fuzz/options.ts'
import { World } from '../world/world.ts'
import { edited } from './build.ts'
import { type Control, SEEDS_MAX } from './control.ts'
import { CONTROLS, CONTROLS_TABLE, rowOf } from './controls.ts'
import { runBundle, type SeedRange } from './run-bundle.ts'

const test = suite('negative controls', { timeoutMs: 120_000 })
/** Other changes move what a seed does a little: so many seeds from the known one may be needed. */
const TRIES = 12

/** Where each control was noticed, for the same seeds without it. */
const noticed: SeedRange[] = []

function nodesOf({ nodes }: Control): { nodes?: number } {
  return nodes === undefined ? {} : { nodes }
}

/** Names of all checks: of the objects, of what must come true in the end, and of drills. */
function checkNames(): string[] {
  const world = new World({ seed: 1 })
  const atlas = new Atlas(world)
  const faults = new Faults(world, atlas)
  const subject = { world, faults, client: new Client(world, atlas) }
  const texts = ['checks', 'drills'].flatMap(room => filesBelow(`test/sim/${room}`)).map(readSource)
  const form = /[`']([SL]\d+)\b|(?:check: |violate\()'([\w-]+)'/g
  const reasons = texts.flatMap(text => [...text.matchAll(form)])
  const names = allChecks(subject).map(check => check.name)
  return [...new Set([...names, ...reasons.map(match => match[1] ?? match[2] ?? '')])].sort()
}

test('every check has a control that makes it fail', () => {
  const controlled = new Set(CONTROLS.flatMap(control => control.caughtBy))
  equal(
    checkNames().filter(name => !controlled.has(name)),
    []
  )
})

test('every check and every fault is explained in a line, and nothing else is', () => {
  const text = readSource('test/sim/PROMISES.md')
  const named = [...text.matchAll(/^\| ([\w-]+) \| (?!is|says)/gm)].map(match => match[1] ?? '')
  const faults = ALL_FAULTS.flatMap(({ ids }) => ids)
  equal(
    [...new Set(named)].filter(name => name !== '---').sort(),
    [...new Set([...checkNames(), ...faults])].sort()
  )
})

test('every control says one thing of its own, and where it is noticed', () => {
  is(new Set(CONTROLS.map(control => control.name)).size, CONTROLS.length)
  const far = CONTROLS.filter(({ seed }) => seed + TRIES > SEEDS_MAX).map(({ name }) => name)
  equal(far, [])
  const odd = CONTROLS.filter(({ edits }) => edits.length === 0).map(({ name }) => name)
  equal(odd, [])
})

test('every control is in the table that people read, with the seed that notices it', () => {
  const text = readSource(CONTROLS_TABLE)
  const missing = CONTROLS.map(rowOf).filter(row => !text.includes(`\n${row}\n`))
  equal(missing, [])
})

test('an edit fits exactly once, or is refused', () => {
  const edit = { file: 'a.ts', find: 'b', replace: '$&c' }
  is(edited('abd', [edit]), 'a$&cd')
  throws(() => edited('abb', [edit]), /a\.ts has 2 times/)
  throws(() => edited('add', [edit]), /a\.ts has 0 times/)
})

for (const control of CONTROLS) {
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

test.run()
