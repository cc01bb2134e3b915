/**
 * A write and what follows: the plan, the acknowledgement, the replicas as they come up or go.
 * Deploy, scale and rm differ only in what they ask for.
 */
import type { AllocationView, ChangeAnswer, ChangeView } from '../api/types.ts'
import { EXIT, ShoalError } from '../errors.ts'
import type { Context } from './context.ts'
import { AlreadySaid } from './failure.ts'
import { type Format, printData } from './output.ts'
import { Interrupted } from './terminal.ts'
import { plain, plural } from './text.ts'
import { type Outcome, targetsOf, waitFor } from './wait.ts'

export interface SubmitOptions {
  readonly operation: string
  readonly format: Format
  /** Leave once the write is acknowledged. */
  readonly isDetached: boolean
  readonly timeoutMs: number
  /** What waiting waits for: `healthy`, or `gone`. */
  readonly until: 'healthy' | 'gone'
}

const LOG_LINES = 10
const LOG_TIMEOUT_MS = 3_000
const REASONS_SHOWN_MAX = 5

export async function submitAndWait(
  context: Context,
  submit: () => Promise<ChangeAnswer>,
  options: SubmitOptions
): Promise<void> {
  const { terminal } = context
  const answer = await submitted(context, submit, options.operation)
  showPlan(context, answer, options.format)
  for (const note of answer.notes) terminal.stderr.write(`note: ${plain(note)}\n`)
  if (options.isDetached) {
    terminal.stderr.write(`${acked(answer)}; not waiting\n`)
    return finish(context, answer, options.format)
  }
  const startMs = performance.now()
  const outcome = await waited(context, answer, options)
  await judge(context, answer, outcome, options)
  const isTable = options.format === 'table' || options.format === 'wide'
  if (isTable && answer.changes.length > 0) {
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1)
    terminal.stdout.write(`${summary(answer, options.until)} in ${seconds} s\n`)
  }
  return finish(context, answer, options.format)
}

async function submitted(
  { terminal }: Context,
  submit: () => Promise<ChangeAnswer>,
  operation: string
): Promise<ChangeAnswer> {
  try {
    return await submit()
  } catch (error) {
    if (error instanceof Interrupted)
      terminal.stderr.write(
        `interrupted: it is not known whether this was written; ` +
          `retry with --operation ${operation}\n`
      )
    throw error
  }
}

async function waited(
  context: Context,
  answer: ChangeAnswer,
  options: SubmitOptions
): Promise<Outcome> {
  try {
    const { timeoutMs, format } = options
    const quiet = format === 'json' || format === 'yaml'
    return await waitFor(context, targetsOf(answer), { timeoutMs, quiet })
  } catch (error) {
    if (error instanceof Interrupted)
      context.terminal.stderr.write(
        `interrupted: ${acked(answer)}; the mesh goes on with it, see shoal ps\n`
      )
    throw error
  }
}

function acked(answer: ChangeAnswer): string {
  const { disks, wanted } = answer.acks
  return `written on ${disks} of ${plural(wanted, 'disk')} as operation ${plain(answer.operation)}`
}

/** The text of the plan: the same for `--dry-run` and for what is then done. */
export function planLines(changes: readonly ChangeView[]): readonly string[] {
  return changes.map(one => {
    if (one.change === 'repeated') {
      const end = one.generation === '' ? '; it is gone since' : ''
      return plain(`${one.project}/${one.name}  was done before by this operation${end}`)
    }
    const fields = one.fields.length === 0 ? '' : ` (${one.fields.join(', ')})`
    const seats = one.seats.map(
      seat => `${seat.node}${seat.replicas > 1 ? ` x${seat.replicas}` : ''}`
    )
    const where = seats.length === 0 ? '' : ` on ${seats.join(', ')}`
    const size = one.change === 'removed' ? '' : `  ${plural(one.replicas, 'replica')}${where}`
    const lacks = one.pending.length === 0 ? '' : `; no place for ${one.pending.join(', ')}`
    return plain(`${one.project}/${one.name}  ${one.change}${fields}${size}${lacks}`)
  })
}

export function showPlan({ terminal }: Context, answer: ChangeAnswer, format: Format): void {
  if (format === 'json' || format === 'yaml' || format === 'name') return
  for (const line of planLines(answer.changes)) terminal.stdout.write(`${line}\n`)
}

async function finish({ terminal }: Context, answer: ChangeAnswer, format: Format): Promise<void> {
  if (format === 'json' || format === 'yaml') return printData(terminal, format, answer)
  if (format === 'name')
    for (const one of answer.changes)
      terminal.stdout.write(`${plain(`${one.project}/${one.name}`)}\n`)
}

function summary(answer: ChangeAnswer, until: 'healthy' | 'gone'): string {
  const count = answer.changes.length
  if (until === 'gone') return `${plural(count, 'workload')} gone`
  const replicas = answer.changes.reduce(
    (sum, one) => sum + (one.change === 'removed' ? 0 : one.replicas),
    0
  )
  return `${plural(count, 'workload')}, ${plural(replicas, 'replica')} healthy`
}

/** Throws for every outcome but `done`. */
async function judge(
  context: Context,
  answer: ChangeAnswer,
  outcome: Outcome,
  options: SubmitOptions
): Promise<void> {
  switch (outcome.kind) {
    case 'done':
    case 'waiting':
      return
    case 'failed':
      await showLastLines(context, outcome.allocation)
      throw failedError(outcome.allocation)
    case 'unplaceable': {
      const reasons = outcome.pending.map(one => `${one.workload}/${one.slot}: ${one.reason}`)
      const more =
        reasons.length > REASONS_SHOWN_MAX ? `; and ${reasons.length - REASONS_SHOWN_MAX} more` : ''
      for (const reason of reasons.slice(0, REASONS_SHOWN_MAX))
        context.terminal.stderr.write(`pending  ${plain(reason)}\n`)
      throw new ShoalError(
        'NOT_CONVERGED',
        `${plural(reasons.length, 'replica')} cannot be placed${more}`,
        { hint: 'they start as soon as a node fits; see shoal why' }
      )
    }
    case 'timeout':
      throw new ShoalError(
        'TIMEOUT',
        `not ${options.until} within ${options.timeoutMs / 1_000} s`,
        {
          where: `operation ${answer.operation}`,
          hint: 'the mesh goes on with it; see shoal ps'
        }
      )
  }
}

function failedError(one: AllocationView): ShoalError {
  const where = `${one.project}/${one.workload}/${one.slot} on ${one.node ?? 'no node'}`
  return new ShoalError('RUNTIME', one.reason === '' ? 'it failed' : one.reason, {
    where,
    hint: `see shoal logs ${one.project}/${one.workload}`
  })
}

/** Best effort: the log of what failed may be what people need, or may be gone. */
async function showLastLines(context: Context, one: AllocationView): Promise<void> {
  const { client, terminal } = context
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(LOG_TIMEOUT_MS)])
  const { project, workload: name, slot } = one
  try {
    const query = { project, name, slot, tail: LOG_LINES, follow: false }
    for await (const entry of client.logs(query, signal))
      terminal.stderr.write(`  ${plain(`${name}/${slot} | ${entry.line}`)}\n`)
  } catch {
    if (context.signal.aborted) throw new AlreadySaid(EXIT.interrupted)
  }
}
