/** Controls of what is written, acknowledged, ordered and removed. */
import type { Control } from './control.ts'

export const OF_STATE: readonly Control[] = [
  {
    name: 'what is sent and said does not wait for the disk',
    caughtBy: ['S1'],
    seed: 4,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/lanes.ts',
        find: "this.#lanes[lane].isWriting = effect.kind === 'persist'",
        replace: ''
      }
    ]
  },
  {
    name: 'batches are written without a sync',
    caughtBy: ['S1'],
    seed: 1,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/store/level-store.ts',
        find: `value: meta }], {
      sync
    })`,
        replace: 'value: meta }], { sync: false })'
      }
    ]
  },
  {
    name: 'an operation that two nodes have written is read twice',
    caughtBy: ['S2'],
    seed: 6,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/replication/register.ts',
        find: 'writes.filter(({ body }) => !isHidden(body, bodies))',
        replace: 'writes'
      }
    ]
  },
  {
    name: 'an operation that was done before does what it would do now beside it',
    caughtBy: ['S2'],
    seed: 106,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/repeats.ts',
        find: 'if (lacking <= 0) {',
        replace: "if (lacking <= 0 && 'ok' in prepared) {"
      },
      {
        file: 'node/agent/repeats.ts',
        find: 'if (named === undefined || !isClear) return incomplete(confirms.length, parts)',
        replace: ''
      }
    ]
  },
  {
    name: 'of concurrent edits only the one of the best rank is kept',
    caughtBy: ['S3'],
    seed: 23,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/replication/register.ts',
        find: 'joined.slice(0, SIBLINGS_MAX)',
        replace: 'joined.slice(0, 1)'
      }
    ]
  },
  {
    name: 'which of two writes is the later one is told by the wall clocks of their authors',
    caughtBy: ['S1', 'S3'],
    seed: 3,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/replication/register.ts',
        find: 'const wins = supersedes(incoming, held)',
        replace: "const wins = incoming.wroteAtMs > held.wroteAtMs ? 'seen' : undefined"
      },
      {
        file: 'gossip/core/replication/register.ts',
        find: 'const loses = supersedes(held, incoming)',
        replace: "const loses = held.wroteAtMs >= incoming.wroteAtMs ? 'seen' : undefined"
      }
    ]
  },
  {
    name: 'a removal is forgotten after a while, whoever has not heard of it',
    caughtBy: ['S3', 'S4'],
    seed: 1,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/replication/shared.ts',
        find: `if (removed === undefined || removed.changedAt > stable) break
      if (removed.changedAt > old && this.#tombstones.size <= EVIDENCE_MAX) break`,
        replace: `removed.looks = (removed.looks ?? 0) + 1
      if (removed.looks < 5) continue`
      },
      {
        file: 'gossip/core/replication/shared.ts',
        find: 'this.#removed.set(uid, { evidence: undefined, changedAt: removed.changedAt })',
        replace: `this.#removed.delete(uid)
      const bucket = this.#buckets[bucketOf(uid)]
      bucket.uids.delete(uid)
      bucket.sum.remove(removedHash(uid))
      this.#sum.remove(removedHash(uid))`
      },
      {
        file: 'gossip/core/replication/state.ts',
        find: 'this.#codec.encode(null), false)',
        replace: 'null, false)'
      }
    ]
  },
  {
    name: 'a late write of a removed life is taken in',
    caughtBy: ['S4'],
    seed: 1,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/replication/shared.ts',
        find: "if (this.#removed.has(uid)) return 'removed'",
        replace: ''
      }
    ]
  },
  {
    name: 'what gossip has lost is not repaired',
    caughtBy: ['L1'],
    seed: 2,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/replication/repair.ts',
        find: 'const running = this.#exchanges.get(peer)',
        replace: 'if (this.synced) return\n    const running = this.#exchanges.get(peer)'
      }
    ]
  },
  {
    name: 'a database that is gone is made anew',
    caughtBy: ['S13'],
    seed: 11,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/store/level-store.ts',
        find: "marker !== 'missing' || wasBegun ?",
        replace: 'medium.hasDatabase() ?'
      }
    ]
  },
  {
    name: 'a database that has lost its end is trusted',
    caughtBy: ['S13'],
    seed: 64,
    minutes: 3,
    nodes: 3,
    edits: [
      {
        file: 'node/store/opening.ts',
        find: 'const reason = found.damage ?? lossOf(medium, marker, found)',
        replace: 'const reason = found.damage'
      }
    ]
  },
  {
    name: 'the checksum of a record is not looked at',
    caughtBy: ['S13'],
    seed: 151,
    minutes: 3,
    nodes: 3,
    edits: [
      {
        file: 'node/store/checksum.ts',
        find: 'const same = sum.equals(bytes.subarray(0, CHECKSUM_BYTES))',
        replace: 'const same = true\n  sum.set(bytes.subarray(0, CHECKSUM_BYTES))'
      }
    ]
  },
  {
    name: 'a store that was filled again is never trusted',
    caughtBy: ['L6'],
    seed: 11,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/replication/replica.ts',
        find: 'if (this.#amnesiac && this.#repair.synced) this.#recover(out)',
        replace: ''
      }
    ]
  }
]
