/**
 * Chaos against real daemons, checked from outside: what was acknowledged is on the disks, nothing
 * runs twice or for nobody, and nobody well is called dead. `npm run nemesis` is the long form.
 */
import { randomInt } from 'node:crypto'
import { equal, ok } from 'uvu/assert'
import { nemesis } from '../helpers/nemesis.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('nemesis', { requires: ['root', 'linux'], timeoutMs: 120_000 })

test('kills, cuts, pauses and full disks lose nothing that was acknowledged', async () => {
  const seed = Number(process.env['SHOAL_NEMESIS_SEED'] ?? randomInt(2 ** 24))
  process.stdout.write(`\n  nemesis seed ${seed}\n`)
  const { acks, counts, kept, summary, violations } = await nemesis({
    ...{ seed, faultsMs: 26_000, phaseMs: 12_000, sampleOneIn: 1, say: () => undefined },
    wanted: { kills: 14, cuts: 4, pauses: 3 }
  })
  process.stdout.write(`  ${summary}\n`)
  equal(violations, [], `again with SHOAL_NEMESIS_SEED=${seed}; kept in ${kept}`)
  ok(acks > 5 && counts.kills > 2 && counts.cuts > 0, 'too little happened to say anything')
})

test.run()
