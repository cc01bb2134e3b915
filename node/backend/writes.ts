/** Deploy, scale, rm, volume abandon: a submission, its forecast, and how many disks hold it. */
import type { AbandonAnswer, ChangeAnswer, ChangeView } from '../../src/api/types.ts'
import { ShoalError } from '../../src/errors.ts'
import type { Agent } from '../agent/agent.ts'
import type {
  AgentInput,
  Prepared,
  Refusal,
  Submission,
  SubmitAnswer,
  SubmittedChange
} from '../agent/api.ts'
import { type Forecast, forecast } from '../agent/forecast.ts'
import type { WorkloadRecord } from '../agent/records.ts'
import type { Clock } from '../clock.ts'
import { nodeName, type ReportContext } from '../report/context.ts'
import { pendingTexts } from '../report/reasons.ts'

/** How long a write waits for its second disk before it is told as `not durable yet`. */
const DURABLE_WAIT_MS = 2_000
/** And for each register of it: many are written, sent and synced one after the other. */
const DURABLE_WAIT_PART_MS = 10
/** So long after that an answer must have come from our own disk at least. */
const ANSWER_TIMEOUT_MS = 8_000

type Answered = Extract<SubmitAnswer, { ok: true }>

export interface WritesComponents {
  readonly agent: Agent
  readonly clock: Clock
  readonly input: (input: AgentInput) => void
  readonly context: ReportContext
}

export class Writes {
  readonly #c: WritesComponents
  readonly #waiting = new Map<string, (answer: SubmitAnswer) => void>()

  constructor(components: WritesComponents) {
    this.#c = components
  }

  /** The driver's `reply` effects end here. */
  replied(operation: string, answer: SubmitAnswer): void {
    this.#waiting.get(operation)?.(answer)
    this.#waiting.delete(operation)
  }

  async change(
    operation: string,
    submission: Submission,
    dryRun: boolean,
    signal: AbortSignal
  ): Promise<ChangeAnswer> {
    const prepared = this.#prepare(submission, operation)
    const changes = this.#forecast(prepared)
    const notes = this.#notes(prepared)
    if (dryRun) return { operation, dryRun, changes, acks: { disks: 0, wanted: 0 }, notes }
    const { parts } = prepared
    const answer = await this.#submit(operation, { submission, parts }, signal)
    const acks = { disks: answer.disks, wanted: answer.wanted }
    return { operation, dryRun, changes, acks, notes: [...notes, ...durableNotes(acks)] }
  }

  async abandon(
    operation: string,
    submission: Extract<Submission, { kind: 'abandon' }>,
    signal: AbortSignal
  ): Promise<AbandonAnswer> {
    const { parts } = this.#prepare(submission, operation)
    const answer = await this.#submit(operation, { submission, parts }, signal)
    const acks = { disks: answer.disks, wanted: answer.wanted }
    const abandoned = answer.changes.map(change => ({
      project: change.project,
      name: change.name,
      slot: change.slot ?? 0,
      node: change.node === undefined ? null : nodeName(this.#c.context, change.node)
    }))
    return { operation, abandoned, acks, notes: durableNotes(acks) }
  }

  #prepare(submission: Submission, operation: string): Prepared {
    const prepared = this.#c.agent.preview(submission, operation)
    if ('ok' in prepared) throw refused(prepared)
    return prepared
  }

  async #submit(
    operation: string,
    { submission, parts }: { readonly submission: Submission; readonly parts: number },
    signal: AbortSignal
  ): Promise<Answered> {
    const waitMs = DURABLE_WAIT_MS + parts * DURABLE_WAIT_PART_MS
    const answer = await new Promise<SubmitAnswer>((resolve, reject) => {
      const lost = (): void => {
        this.#waiting.delete(operation)
        reject(
          new ShoalError('UNKNOWN_OUTCOME', 'the write may or may not have happened', {
            hint: `retry with the same operation id ${operation}`
          })
        )
      }
      const timeout = AbortSignal.any([signal, AbortSignal.timeout(waitMs + ANSWER_TIMEOUT_MS)])
      timeout.addEventListener('abort', lost, { once: true })
      this.#waiting.set(operation, value => {
        timeout.removeEventListener('abort', lost)
        resolve(value)
      })
      this.#c.input({
        kind: 'submit',
        operation,
        submission,
        waitMs,
        wallMs: this.#c.clock.wallMs()
      })
    })
    if (!answer.ok) throw refused(answer)
    return answer
  }

  #forecast(prepared: Prepared): readonly ChangeView[] {
    const { agent, context } = this.#c
    const writes = prepared.writes
      .filter(write => write.key.startsWith('workload/'))
      .map(write => ({
        key: write.key,
        uid: write.uid,
        record: write.remove ? undefined : (write.value as WorkloadRecord)
      }))
    const seats = forecast(agent, writes)
    return prepared.changes.map((change): ChangeView => {
      const found = seats.get(change.uid) ?? this.#current(change)
      const { seats: chosen = [], pending = [] } = found?.assignment ?? {}
      return {
        project: change.project,
        name: change.name,
        uid: change.uid,
        generation: change.generation,
        change: change.change === 'abandoned' ? 'changed' : change.change,
        replicas: change.replicas,
        fields: change.fields,
        seats:
          change.change === 'removed'
            ? []
            : chosen.map(seat => ({
                node: nodeName(context, seat.node),
                replicas: seat.seats
              })),
        pending:
          change.change === 'removed' || found === undefined
            ? []
            : pendingTexts(context, found.workload, pending, found.explain)
      }
    })
  }

  /** What is not written stays where it is. */
  #current(change: SubmittedChange): Forecast | undefined {
    const { view, placing } = this.#c.agent
    const workload = view.workloads.get(change.uid)
    if (workload === undefined) return undefined
    const assignment = placing.seats(workload.item)
    return { workload, assignment, explain: () => placing.explain(workload.item) }
  }

  #notes(prepared: Prepared): readonly string[] {
    const created = new Set(
      prepared.changes.filter(change => change.change === 'created').map(change => change.uid)
    )
    const policies = prepared.writes
      .filter(write => created.has(write.uid))
      .map(write => policyNote(write.value as WorkloadRecord))
    const unmapped = prepared.writes
      .filter(write => !write.remove && write.key.startsWith('workload/'))
      .flatMap(write => portsNote(write.value as WorkloadRecord))
    const rolled = prepared.changes.filter(
      change => change.change === 'changed' && change.fields.length > 0
    )
    const fields = rolled.map(
      change => `${change.project}/${change.name}: ${change.fields.join(', ')} changed`
    )
    return [...policies, ...unmapped, ...fields]
  }
}

/** What a cut of the mesh means for it (`protocols.md` 5); printed at submit. */
function policyNote(record: WorkloadRecord): string {
  const { project, name, partition } = record.spec
  return partition === 'manual'
    ? `${project}/${name}: partition manual: it stays where it ran and waits there for its node`
    : `${project}/${name}: partition any-partition: in a cut every side runs it, ` +
        'the surplus stops within about 10 s of the heal'
}

/** The process runtime maps no ports: `ports` only keeps two of them off one node. */
function portsNote(record: WorkloadRecord): readonly string[] {
  const { project, name, ports, runtime } = record.spec
  if (runtime !== 'process' || ports.length === 0) return []
  return [
    `${project}/${name}: ports: it runs as a process, which maps no ports: ` +
      'it is reached on the ports that it listens on itself'
  ]
}

function durableNotes(acks: { disks: number; wanted: number }): readonly string[] {
  return acks.disks < acks.wanted ? [`not durable yet (${acks.disks}/${acks.wanted})`] : []
}

function refused(refusal: Refusal): ShoalError {
  const hint = refusal.hint === undefined ? {} : { hint: refusal.hint }
  return new ShoalError(refusal.code, refusal.message, hint)
}
