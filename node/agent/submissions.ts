/**
 * What people ask for, as writes of shared registers, and the answer once enough disks hold them.
 * Uids, generations and creation order are drawn here, from the view of the node that was asked.
 */
import type { Codec } from '../../gossip/core/effect.ts'
import type { ReplicationCommand, ReplicationEvent } from '../../gossip/core/replication/api.ts'
import type { Replica } from '../../gossip/core/replication/replica.ts'
import type {
  AgentEffect,
  AgentInput,
  Prepared,
  Refusal,
  Submission,
  SubmitAnswer,
  SubmittedChange
} from './api.ts'
import { prepare } from './prepare.ts'
import { withoutRepeats } from './repeats.ts'
import type { View } from './view.ts'

interface PendingSubmission {
  readonly changes: readonly SubmittedChange[]
  /** Part operation -> what is known of it. */
  readonly parts: Map<string, { disks: number; wanted: number; final: boolean }>
}

/** Submissions that wait for disks; more are refused. */
const PENDING_MAX = 256

const LEAVING: Refusal = {
  ok: false,
  code: 'UNAVAILABLE',
  message: 'this node is leaving the mesh',
  hint: 'ask another node'
}
const UNDECIDED: Refusal = {
  ok: false,
  code: 'UNKNOWN_OUTCOME',
  message: 'this node left the mesh before enough disks held it',
  hint: 'ask another node, with the same operation id'
}

export interface SubmissionsComponents {
  readonly codec: Codec
  readonly view: View
  readonly replica: Pick<Replica, 'repeated' | 'isForgetful'>
}

export class Submissions {
  readonly #c: SubmissionsComponents
  readonly #pending = new Map<string, PendingSubmission>()
  #isLeaving = false
  #hasLeft = false

  constructor(components: SubmissionsComponents) {
    this.#c = components
  }

  /** What a submission would change, without doing it. */
  preview(submission: Submission, operation: string): Prepared | Refusal {
    const prepared = prepare(this.#c.view, submission, operation)
    return withoutRepeats(this.#c, submission, prepared, operation)
  }

  submit(input: Extract<AgentInput, { kind: 'submit' }>): {
    commands: readonly ReplicationCommand[]
    effects: readonly AgentEffect[]
  } {
    const { operation } = input
    const reply = (answer: SubmitAnswer): { commands: []; effects: readonly AgentEffect[] } => ({
      commands: [],
      effects: [{ kind: 'reply', operation, answer }]
    })
    if (this.#isLeaving || this.#hasLeft) return reply(LEAVING)
    if (this.#pending.has(operation)) return { commands: [], effects: [] }
    if (this.#pending.size >= PENDING_MAX) {
      return reply({ ok: false, code: 'LIMIT', message: 'too many submissions wait for disks' })
    }
    const prepared = this.preview(input.submission, operation)
    if ('ok' in prepared) return reply(prepared)
    const { changes, confirms, writes } = prepared
    if (writes.length + confirms.length === 0)
      return reply({ ok: true, changes, disks: 0, wanted: 0 })
    const parts: PendingSubmission['parts'] = new Map()
    const partOf = (key: string): string => {
      const part = `${operation}#${key}`
      parts.set(part, { disks: 0, wanted: 0, final: false })
      return part
    }
    const { waitMs } = input
    const again = confirms.map(
      (key): ReplicationCommand => ({ kind: 'confirm', operation: partOf(key), key, waitMs })
    )
    const commands = writes.map((write): ReplicationCommand => {
      return {
        kind: 'write',
        operation: partOf(write.key),
        key: write.key,
        uid: write.uid,
        remove: write.remove,
        value: write.value === null ? null : this.#c.codec.encode(write.value),
        parts: prepared.parts,
        request: prepared.request,
        wroteAtMs: input.wallMs,
        waitMs
      }
    })
    this.#pending.set(operation, { changes, parts })
    return { commands: [...again, ...commands], effects: [] }
  }

  /** This node is about to leave, or stays after all: nothing new is taken meanwhile. */
  leave(isLeaving: boolean): void {
    this.#isLeaving = isLeaving
  }

  /** It has left: its disk counts for nobody any more, and it answers for no others. */
  end(): readonly AgentEffect[] {
    this.#hasLeft = true
    const open = [...this.#pending.keys()]
    this.#pending.clear()
    return open.map(operation => ({ kind: 'reply', operation, answer: UNDECIDED }))
  }

  /** A write was acknowledged or refused; gives the answer once all parts are final. */
  answered(event: Extract<ReplicationEvent, { kind: 'ack' | 'refused' }>): readonly AgentEffect[] {
    const operation = event.operation.split('#', 1)[0] ?? ''
    const pending = this.#pending.get(operation)
    const part = pending?.parts.get(event.operation)
    if (pending === undefined || part === undefined) return []
    if (event.kind === 'refused') {
      this.#pending.delete(operation)
      return [{ kind: 'reply', operation, answer: refusal(event.reason) }]
    }
    Object.assign(part, { disks: event.disks, wanted: event.wanted, final: event.final })
    const parts = [...pending.parts.values()]
    if (!parts.every(entry => entry.final)) return []
    this.#pending.delete(operation)
    const least = parts.reduce((low, entry) => (entry.disks < low.disks ? entry : low))
    const { disks, wanted } = least
    const answer: SubmitAnswer = { ok: true, changes: pending.changes, disks, wanted }
    return [{ kind: 'reply', operation, answer }]
  }
}

function refusal(reason: Extract<ReplicationEvent, { kind: 'refused' }>['reason']): Refusal {
  switch (reason) {
    case 'stale':
      return { ok: false, code: 'CONFLICT', message: 'the workload was changed meanwhile' }
    case 'removed':
      return { ok: false, code: 'NOT_FOUND', message: 'the workload was removed meanwhile' }
    case 'amnesiac':
      return {
        ok: false,
        code: 'UNAVAILABLE',
        message: 'this node has found its store damaged and fetches the state from its peers',
        hint: 'ask another node, or wait until shoal status is OK'
      }
    case 'limit':
      return { ok: false, code: 'LIMIT', message: 'a limit of the replicated state was reached' }
    case 'body':
      return {
        ok: false,
        code: 'CONFLICT',
        message: 'the operation id was used before for something else'
      }
  }
}
