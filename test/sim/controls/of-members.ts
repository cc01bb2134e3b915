/** Controls of who is believed to live. */
import type { Control } from './control.ts'

export const OF_MEMBERS: readonly Control[] = [
  {
    name: 'nobody refutes what is said of its death',
    caughtBy: ['L6'],
    seed: 2,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/membership/identity.ts',
        find: 'if (!this.settled || this.#left || incarnation !== this.#incarnation) return\n    this.#c',
        replace: 'return\n    this.#c'
      }
    ]
  },
  {
    name: 'whom somebody suspects is placed as if it were dead',
    caughtBy: ['L5', 'L7'],
    seed: 27,
    minutes: 1,
    edits: [
      {
        file: 'node/agent/view.ts',
        find: "return state === 'alive' || state === 'suspect'",
        replace: "return state === 'alive'"
      }
    ]
  },
  {
    name: 'one report is enough, whatever others hear',
    caughtBy: ['L7'],
    seed: 5,
    minutes: 1,
    nodes: 7,
    edits: [
      {
        file: 'gossip/core/membership/side.ts',
        find: 'return Math.max(Math.ceil((3 * observers) / 4), Math.min(2, observers))',
        replace: 'return Math.min(1, observers)'
      },
      {
        file: 'gossip/core/membership/verdict.ts',
        find: 'count.due >= reportsNeeded(count.observers) && !vouched',
        replace: 'count.due >= reportsNeeded(count.observers)'
      },
      {
        file: 'gossip/core/membership/suspicion.ts',
        find: '    this.#prove(watch, watch.askedMs)',
        replace: ''
      },
      {
        file: 'gossip/core/membership/suspicion.ts',
        find: 'if (watch !== undefined) this.#prove(watch, context.awakeMs)',
        replace: ''
      }
    ]
  },
  {
    name: 'who slept takes its own silence for that of the others',
    caughtBy: ['L7'],
    seed: 3,
    minutes: 3,
    nodes: 2,
    edits: [
      {
        file: 'gossip/core/membership/awareness.ts',
        find: 'context.awakeMs += Math.min(gapMs, AWAKE_STEP_MAX_MS)',
        replace: 'context.awakeMs += gapMs'
      },
      {
        file: 'gossip/core/membership/awareness.ts',
        find: 'const judges = !this.#lagging || this.#lagged',
        replace: 'const judges = true'
      }
    ]
  },
  {
    name: 'a restarted daemon does not raise its incarnation',
    caughtBy: ['incarnation'],
    seed: 25,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/membership/identity.ts',
        find: `this.#settledMs = this.#c.context.nowMs
    this.#raise(this.#incarnation)`,
        replace: `this.#settledMs = this.#c.context.nowMs
    this.#incarnation = Math.max(0, this.#incarnation - 1)
    this.#raise(this.#incarnation)`
      }
    ]
  },
  {
    name: 'a word of an earlier life is believed again',
    caughtBy: ['incarnation'],
    seed: 1,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/membership/members.ts',
        find: "if (!supersedes({ state: 'alive', incarnation }, this.#claim(known))) return false",
        replace: 'if (known?.incarnation === incarnation) return false'
      }
    ]
  },
  {
    name: 'the dead are buried one life too late',
    caughtBy: ['obituary'],
    seed: 1,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/membership/members.ts',
        find: "this.#put({ ...known, state: 'dead' })",
        replace: "this.#put({ ...known, state: 'dead', incarnation: known.incarnation + 1 })"
      }
    ]
  },
  {
    name: 'a restarted daemon forgets who is dead, and believes nobody who says so',
    caughtBy: ['L2', 'L6'],
    seed: 47,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/membership/members.ts',
        find: 'const known = this.#members.get(subject)\n    if (known',
        replace: 'const known = undefined\n    if (known'
      },
      {
        file: 'gossip/core/membership/members.ts',
        find: 'if (!this.lives(id) || papers.held.has(peer)) return',
        replace: 'return'
      },
      {
        file: 'gossip/core/membership/members.ts',
        find: 'this.#put({ ...this.#member(alive), state, incarnation })',
        replace: "this.#put({ ...this.#member(alive), state: 'alive', incarnation })"
      }
    ]
  },
  {
    name: 'the dead are not dialled again',
    caughtBy: ['L6'],
    seed: 2,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'gossip/core/membership/dialer.ts',
        find: 'if (context.nowMs < this.#healNextMs) return',
        replace: 'return'
      }
    ]
  }
]
