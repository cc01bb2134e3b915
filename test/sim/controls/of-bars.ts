/** Controls of how fast things happen, and of what is never interrupted. */
import type { Control } from './control.ts'

export const OF_BARS: readonly Control[] = [
  {
    name: 'a broken link is no reason to knock',
    caughtBy: ['membership'],
    seed: 14,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/membership/suspicion.ts',
        find: 'if (watch.refusedMs === undefined) this.#knock(watch)',
        replace: ''
      }
    ]
  },
  {
    name: 'only the side with most of the observers may find anybody dead',
    caughtBy: ['cut'],
    seed: 3,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/membership/verdict.ts',
        find: 'count.due >= reportsNeeded(count.observers) &&',
        replace: 'count.due >= reportsNeeded(overlay.graph.observers(id).size) &&'
      }
    ]
  },
  {
    name: 'a slot of a dead node is left alone for long',
    caughtBy: ['L3'],
    seed: 68,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/claims.ts',
        find: 'const leftMs = (this.#memory.targetSinceMs ?? this.#in.nowMs) + waitMs',
        replace: 'const leftMs = (this.#memory.targetSinceMs ?? this.#in.nowMs) + 50 * waitMs'
      },
      {
        file: 'node/agent/no-claims.ts',
        find: 'const onceMs = silent ? config.ownerSilentMs : claimMs',
        replace: 'const onceMs = 60_000'
      }
    ]
  },
  {
    name: 'a daemon that starts clears its engine first',
    caughtBy: ['L5'],
    seed: 14,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/live-node.ts',
        find: '    executor.start()',
        replace: `    for (const runtime of this.#c.runtimes.values()) {
      const found = await runtime.list(signal).catch(() => [])
      for (const { id } of found) {
        await runtime.stop(id, { graceMs: 0, signal: 'SIGKILL' }, signal).catch(() => undefined)
      }
    }
    executor.start()`
      }
    ]
  },
  {
    name: 'takeovers are never braked',
    caughtBy: ['L8'],
    seed: 2,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/pacing.ts',
        find: 'if (this.#vanishedMs.size * 2 > before)',
        replace: 'if (this.#vanishedMs.size > before)'
      }
    ]
  },
  {
    name: 'a node that drains keeps what it has',
    caughtBy: ['leave'],
    seed: 4,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/mapping.ts',
        find: 'schedulable: !isDraining(view, id)',
        replace: 'schedulable: true'
      }
    ]
  },
  {
    name: 'a later version loses what an earlier one does not know',
    caughtBy: ['F54'],
    seed: 4,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/replication/state.ts',
        find: 'out.persist(siblingKey(key, sibling), this.#codec.encode(sibling.write), true)',
        replace: `const known = 'kind key uid dot vector remove value operation wroteAtMs order base ends past'
    const { write } = sibling
    const body = Object.fromEntries(known.split(' ').map(name => [name, write.body[name]]))
    const cut = Object.assign(Object.create(Object.getPrototypeOf(write)), write, {
      body,
      bytes: this.#codec.encode(body)
    })
    out.persist(siblingKey(key, sibling), this.#codec.encode(cut), true)`
      }
    ]
  },
  {
    name: 'a copy stops before its successor runs',
    caughtBy: ['make-before-break'],
    seed: 4,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/claims.ts',
        find: "if (state === 'healthy') return this.#release",
        replace: "if (state !== 'failed') return this.#release"
      }
    ]
  }
]
