/** A slot that was handed over and is ours again: a cut came in the middle of its move. */
import type { Random } from '../../gossip/core/types.ts'
import type { Claim } from './claim-book.ts'
import { type AllocationRecord, nextOrdinal } from './records.ts'

/** A healthy successor stands for our claim: for everybody it counts no more. */
export function isHandedOver(mine: AllocationRecord, rivals: readonly Claim[]): boolean {
  return rivals.some(
    ({ record }) => record.state === 'healthy' && record.replaces.includes(mine.claim)
  )
}

/** The slot under a new claim, which follows theirs; what runs here runs on. */
export function takenBack(
  mine: AllocationRecord,
  rivals: readonly Claim[],
  random: Random
): AllocationRecord {
  const sequence = nextOrdinal(mine.sequence, ...rivals.map(one => one.record.sequence))
  const replaces = rivals.map(rival => rival.record.claim)
  return { ...mine, claim: random.hex(16), sequence, replaces, beats: [], pinned: false }
}
