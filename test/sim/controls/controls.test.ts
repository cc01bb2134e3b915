import { equal, is, throws } from 'uvu/assert'
import { filesBelow, readSource } from '../../helpers/source.ts'
import { suite } from '../../helpers/suite.ts'
import { allChecks } from '../checks/index.ts'
import { Atlas } from '../fuzz/atlas.ts'
import { Client } from '../fuzz/client.ts'
import { Faults } from '../fuzz/context.ts'
import { ALL_FAULTS } from '../fuzz/options.ts'
import { World } from '../world/world.ts'
import { edited } from './build.ts'
import { SEEDS_MAX } from './control.ts'
import { CONTROLS, CONTROLS_TABLE, rowOf } from './controls.ts'
import { noticeAll, TRIES } from './notice.ts'
import { OF_MEMBERS } from './of-members.ts'
import { OF_STATE } from './of-state.ts'

const test = suite('negative controls', { timeoutMs: 120_000 })

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

noticeAll(test, [...OF_STATE, ...OF_MEMBERS])

test.run()
