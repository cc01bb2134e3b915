/**
 * Two living copies of one slot that know nothing of each other (a heal, a returned daemon): which
 * one stays (`protocols.md` 4, "Returning nodes"). Both sides compute the same from what the
 * rivals themselves published; nobody stops before the winner has said that it won.
 */
import type { ReconcilePolicy } from '../../src/spec/workload.ts'
import type { AllocationRecord, DuelRecord } from './records.ts'

export type DuelVerdict = 'win' | 'lose' | 'wait'

export interface Rival {
  readonly node: string
  readonly record: AllocationRecord
  /** Place in the takeover order of the slot; lower is better. */
  readonly rank: number
}

export interface DuelInput {
  readonly policy: ReconcilePolicy
  readonly mine: Rival
  readonly theirs: Rival
  /** What each published about this pair, if it did. */
  readonly myWord: DuelRecord | undefined
  readonly theirWord: DuelRecord | undefined
  /** How long ago I published mine; undefined when I did not yet. */
  readonly waitedMs: number | undefined
  readonly silenceMs: number
  /** Whom placement chose for the slot, if it chose one of the two. */
  readonly chosen: string | undefined
}

/** Run time in log2 buckets: robust against the spread of a message's delay. */
export function runBucket(runningMs: number): number {
  return Math.max(0, 31 - Math.clz32(Math.min(runningMs, 0x7fffffff) | 1))
}

function byRank(input: DuelInput): DuelVerdict {
  const { mine, theirs } = input
  if (mine.rank !== theirs.rank) return mine.rank < theirs.rank ? 'win' : 'lose'
  return mine.node < theirs.node ? 'win' : 'lose'
}

function byRunTime(input: DuelInput): DuelVerdict {
  const { myWord, theirWord, waitedMs, silenceMs } = input
  if (myWord === undefined || waitedMs === undefined) return 'wait'
  if (theirWord === undefined) return waitedMs >= silenceMs ? byRank(input) : 'wait'
  if (myWord.bucket !== theirWord.bucket) return myWord.bucket > theirWord.bucket ? 'win' : 'lose'
  return byRank(input)
}

/** Who stays. Symmetric: the rival computes the opposite from the same records. */
export function duel(input: DuelInput): DuelVerdict {
  const difference = input.mine.record.sequence - input.theirs.record.sequence
  switch (input.policy) {
    case 'keep-running':
      return byRunTime(input)
    case 'ring-owner':
      if (input.chosen === input.mine.node) return 'win'
      if (input.chosen === input.theirs.node) return 'lose'
      return byRank(input)
    case 'oldest-claim':
      if (difference === 0) return byRank(input)
      return difference < 0 ? 'win' : 'lose'
    case 'newest-claim':
      if (difference === 0) return byRank(input)
      return difference > 0 ? 'win' : 'lose'
  }
}

/** One of the two knows of the other: a handover or a settled duel, not a new duplicate. */
export function related(mine: AllocationRecord, theirs: AllocationRecord): boolean {
  return (
    mine.replaces.includes(theirs.claim) ||
    theirs.replaces.includes(mine.claim) ||
    mine.beats.includes(theirs.claim) ||
    theirs.beats.includes(mine.claim)
  )
}

/** The words that we have said in duels about one slot, by rival. */
export class DuelWords {
  readonly #said = new Map<string, { readonly mine: string; readonly sinceMs: number }>()

  /** Since when our word for this pair of claims stands, or undefined. */
  sinceMs(mine: string, theirs: string): number | undefined {
    const said = this.#said.get(theirs)
    return said?.mine === mine ? said.sinceMs : undefined
  }

  say(mine: string, theirs: string, nowMs: number): void {
    this.#said.set(theirs, { mine, sinceMs: nowMs })
  }

  /** Takes back what is said about claims that are not there any more; returns those rivals. */
  withdraw(visible: (claim: string) => boolean): readonly string[] {
    const gone = [...this.#said]
      .filter(([theirs, { mine }]) => !visible(theirs) || !visible(mine))
      .map(([theirs]) => theirs)
    for (const theirs of gone) this.#said.delete(theirs)
    return gone
  }
}
