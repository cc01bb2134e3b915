/** Controls of who runs what. */
import type { Control } from './control.ts'

export const OF_SLOTS: readonly Control[] = [
  {
    name: 'a new template starts beside the old one',
    caughtBy: ['S7'],
    seed: 3,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/reconcile/plan.ts',
        find: 'if (stale !== undefined) return',
        replace: 'if (stale === null) return'
      },
      {
        file: 'node/reconcile/plan.ts',
        find: 'const instance = instances[0]',
        replace: 'const instance = instances.find(one => one !== stale)'
      },
      {
        file: 'node/runtime/memory.ts',
        find: "if (other.state !== 'exited')",
        replace: "if (other.state === 'running') continue\n      if (other.state !== 'exited')"
      }
    ]
  },
  {
    name: 'what an engine runs is taken for ours whatever its labels say',
    caughtBy: ['S8'],
    seed: 29,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/runtime/memory.ts',
        find: '.filter(entry => entry.owner.mesh === mesh && entry.owner.node === node)',
        replace: ''
      }
    ]
  },
  {
    name: 'what belongs to no workload runs on',
    caughtBy: ['S9'],
    seed: 331,
    minutes: 1,
    nodes: 2,
    edits: [
      {
        file: 'node/agent/slots.ts',
        find: 'if (!input.removed && leftMs > 0) return',
        replace: 'if (!input.removed) return'
      }
    ]
  },
  {
    name: 'a data slot starts on a volume that is gone',
    caughtBy: ['data'],
    seed: 128,
    minutes: 3,
    nodes: 3,
    edits: [
      {
        file: 'node/executor.ts',
        find: 'if (gone.length === 0) return',
        replace: 'return'
      }
    ]
  },
  {
    name: 'local data is started elsewhere while its host is away',
    caughtBy: ['data'],
    seed: 3,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/mapping.ts',
        find: 'if (workload.sticky) return true',
        replace: 'if (workload.sticky) return view.living(node)'
      },
      {
        file: 'node/agent/wanted.ts',
        find: '|| !isElsewhere(view, self, action)',
        replace: '|| true'
      }
    ]
  },
  {
    name: 'seats depend on the order in which a node met the others',
    caughtBy: ['S14'],
    seed: 1,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'placement/tables.ts',
        find: 'this.hash[n] = idHash(node.id, key)',
        replace: 'this.hash[n] = idHash(String(n), key)'
      }
    ]
  },
  {
    name: 'no copy is ever taken for one of the present template',
    caughtBy: ['S15'],
    seed: 3,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/reconcile/plan.ts',
        find: 'instance.runtime === runtime && instance.mark.generation === generation',
        replace: 'instance.runtime === runtime && instance.mark.claim === generation'
      }
    ]
  },
  {
    name: 'nobody claims a slot that a dead node had',
    caughtBy: ['L2'],
    seed: 14,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/claims.ts',
        find: 'const unheardMs = isNew ?',
        replace: 'if (!isNew) return\n    const unheardMs = isNew ?'
      }
    ]
  },
  {
    name: 'a copy that was beaten runs on',
    caughtBy: ['L4'],
    seed: 6,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/claims.ts',
        find: "else if (this.#beaten(mine)) this.#release(mine, 'another copy runs longer')",
        replace: ''
      }
    ]
  },
  {
    name: 'two copies that meet after a cut leave each other alone',
    caughtBy: ['L4'],
    seed: 3,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/claims.ts',
        find: 'if (!ACTIVE.has(mine.state)) return mine\n    let record = mine',
        replace: 'return mine\n    let record = mine'
      }
    ]
  },
  {
    name: 'a copy whose workload was removed runs on',
    caughtBy: ['S9'],
    seed: 5,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/claims.ts',
        find: "if (this.#in.removed) return this.#release(mine, 'removed')",
        replace: 'if (this.#in.removed) return'
      },
      {
        file: 'node/agent/slots.ts',
        find: "const wanted = record.state !== 'stopping' && spec !== undefined",
        replace: `if (spec === undefined && record.state !== 'stopping') return followed
    const wanted = record.state !== 'stopping'`
      }
    ]
  },
  {
    name: 'a start does not wait until its claim is on the disk',
    caughtBy: ['S9'],
    seed: 28,
    minutes: 2,
    edits: [
      {
        file: 'node/agent/agent.ts',
        find: "if (result.actions.length > 0) this.#command({ kind: 'flush' })",
        replace: ''
      }
    ]
  },
  {
    name: 'a node numbers slots in a way of its own',
    caughtBy: ['slots'],
    seed: 3,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/placing.ts',
        find: 'const numbered = slotNumbers(item, seats, slotClaims(this.#view, workload.uid), this.#salt)',
        replace:
          'const numbered = slotNumbers(item, seats, [], [...this.#view.members.keys()].join())'
      }
    ]
  },
  {
    name: 'what may only fail over is moved like all else',
    caughtBy: ['pins'],
    seed: 34,
    minutes: 1,
    nodes: 3,
    edits: [
      {
        file: 'node/agent/mapping.ts',
        find: "if (sticky || spec.rebalance === 'failover')",
        replace: 'if (sticky)'
      }
    ]
  }
]
