/** `shoal deploy`: a Compose file becomes what the mesh wants, and then what it runs. */
import type { ChangeAnswer, DeployRequest } from '../../api/types.ts'
import { ShoalError } from '../../errors.ts'
import type { ComposeOptions } from '../compose-file.ts'
import type { Context } from '../context.ts'
import { newOperation } from '../operation.ts'
import { type Format, printData } from '../output.ts'
import { planLines, showPlan, submitAndWait } from '../submit.ts'
import { confirm } from '../terminal.ts'
import { plain, plural } from '../text.ts'

export interface DeployOptions extends ComposeOptions {
  readonly isDetached: boolean
  readonly isDryRun: boolean
  readonly isSure: boolean
  readonly prune: boolean
  readonly timeoutMs: number
  readonly operation: string | undefined
}

export async function deploy(
  context: Context,
  format: Format,
  options: DeployOptions
): Promise<void> {
  const { client, signal, terminal } = context
  // The reader brings YAML and the support table along.
  const { readComposeFile } = await import('../compose-file.ts')
  const { project, workloads } = await readComposeFile(terminal, options)
  const operation = options.operation ?? newOperation()
  const { prune } = options
  const request: DeployRequest = { operation, project, workloads, prune, dryRun: false }
  if (!prune) await mentionOthers(context, project, new Set(workloads.map(one => one.name)))
  if (options.isDryRun) {
    const answer = await client.deploy(dry(request), signal)
    return showDryRun(context, format, answer)
  }
  if (prune && !options.isSure && process.stdin.isTTY === true)
    await confirmRemovals(context, request)
  await submitAndWait(context, () => client.deploy(request, signal), {
    operation,
    format,
    isDetached: options.isDetached,
    timeoutMs: options.timeoutMs,
    until: 'healthy'
  })
}

/** A dry run writes nothing and is no operation to come back to. */
function dry(request: DeployRequest): DeployRequest {
  return { ...request, operation: newOperation(), dryRun: true }
}

async function showDryRun(context: Context, format: Format, answer: ChangeAnswer): Promise<void> {
  const { terminal } = context
  if (format === 'json' || format === 'yaml') return printData(terminal, format, answer)
  showPlan(context, answer, format === 'name' ? 'table' : format)
  for (const note of answer.notes) terminal.stderr.write(`note: ${plain(note)}\n`)
  terminal.stderr.write('dry run: nothing was written\n')
}

/** What runs in the project and is not in the file stays, and people are told. */
async function mentionOthers(
  { client, signal, terminal }: Context,
  project: string,
  names: ReadonlySet<string>
): Promise<void> {
  const known = await client.workloads(signal)
  for (const one of known)
    if (one.project === project && !names.has(one.name))
      terminal.stderr.write(
        `note: ${plain(one.name)} is not in the file and goes on running; ` +
          `remove it with --prune or shoal rm ${plain(`${project}/${one.name}`)}\n`
      )
}

async function confirmRemovals(context: Context, request: DeployRequest): Promise<void> {
  const plan = await context.client.deploy(dry(request), context.signal)
  const removed = plan.changes.filter(one => one.change === 'removed')
  if (removed.length === 0) return
  for (const line of planLines(removed)) context.terminal.stderr.write(`${line}\n`)
  const question = `Remove ${plural(removed.length, 'workload')}?`
  if (!(await confirm(context.terminal, question, false)))
    throw new ShoalError('REFUSED', 'nothing was deployed')
}
