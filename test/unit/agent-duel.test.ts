import * as fc from 'fast-check'
import { equal, ok } from 'uvu/assert'
import { type DuelInput, duel, type Rival, runBucket } from '../../node/agent/duel.ts'
import { allocation } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: duels')

function rival(node: string, rank: number, sequence: number): Rival {
  return { node, rank, record: allocation({ claim: `c-${node}`, sequence }) }
}

function input(fields: Partial<DuelInput>): DuelInput {
  return {
    policy: 'keep-running',
    mine: rival('a', 0, 1),
    theirs: rival('b', 1, 2),
    myWord: { mine: 'c-a', theirs: 'c-b', bucket: 10 },
    theirWord: { mine: 'c-b', theirs: 'c-a', bucket: 10 },
    waitedMs: 0,
    silenceMs: 3_000,
    chosen: undefined,
    ...fields
  }
}

test('the copy that runs longer stays, whatever its rank', () => {
  const theirWord = { mine: 'c-b', theirs: 'c-a', bucket: 14 }
  equal(duel(input({ theirWord })), 'lose')
})

test('equal run times fall to the better rank', () => {
  equal(duel(input({})), 'win')
  equal(duel(input({ mine: rival('a', 2, 1) })), 'lose')
})

test('a silent rival is waited for, then the rank decides', () => {
  equal(duel(input({ theirWord: undefined, waitedMs: 2_999 })), 'wait')
  equal(duel(input({ theirWord: undefined, waitedMs: 3_000 })), 'win')
})

test('nothing is decided before we have said our own word', () => {
  equal(duel(input({ myWord: undefined, waitedMs: undefined })), 'wait')
})

test('ring-owner follows placement, oldest and newest follow the claims', () => {
  equal(duel(input({ policy: 'ring-owner', chosen: 'b' })), 'lose')
  equal(duel(input({ policy: 'oldest-claim' })), 'win')
  equal(duel(input({ policy: 'newest-claim' })), 'lose')
})

test('both sides compute the opposite from the same words, for every policy', () => {
  const word = fc.integer({ min: 0, max: 31 })
  const small = fc.integer({ min: 0, max: 3 })
  const policies = ['keep-running', 'ring-owner', 'oldest-claim', 'newest-claim'] as const
  void fc.assert(
    fc.property(
      fc.constantFrom(...policies),
      word,
      word,
      small,
      small,
      small,
      small,
      fc.constantFrom('a', 'b', 'c', undefined),
      (policy, mine, theirs, rankA, rankB, sequenceA, sequenceB, chosen) => {
        const a = rival('a', rankA, sequenceA)
        const b = rival('b', rankB, sequenceB)
        const wordA = { mine: 'c-a', theirs: 'c-b', bucket: mine }
        const wordB = { mine: 'c-b', theirs: 'c-a', bucket: theirs }
        const base = { policy, chosen, waitedMs: 1, silenceMs: 3_000 }
        const first = duel({ ...base, mine: a, theirs: b, myWord: wordA, theirWord: wordB })
        const second = duel({ ...base, mine: b, theirs: a, myWord: wordB, theirWord: wordA })
        equal(new Set([first, second]), new Set(['win', 'lose']))
      }
    )
  )
})

test('buckets double: a second is far from a minute, a minute is a minute and a half', () => {
  ok(runBucket(1_000) < runBucket(60_000))
  equal(runBucket(0), 0)
  equal(runBucket(70_000), runBucket(90_000))
})

test.run()
