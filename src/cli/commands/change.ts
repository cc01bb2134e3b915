/** `shoal scale` and `shoal rm`. */
import type { ChangeAnswer } from '../../api/types.ts'
import { ShoalError } from '../../errors.ts'
import { REPLICAS_MAX } from '../../spec/workload.ts'
import { type Context, findWorkload } from '../context.ts'
import { newOperation } from '../operation.ts'
import type { Format } from '../output.ts'
import { submitAndWait } from '../submit.ts'
import { confirm } from '../terminal.ts'
import { plain, plural } from '../text.ts'

export interface ChangeOptions {
  readonly isDetached: boolean
  readonly timeoutMs: number
  readonly operation: string | undefined
}

/** `project/service=N`. */
export async function scale(
  context: Context,
  format: Format,
  text: string,
  options: ChangeOptions
): Promise<void> {
  const match = /^([^=]+)=(\d{1,9})$/.exec(text)
  const replicas = Number(match?.[2])
  if (match === null)
    throw new ShoalError('USAGE', `"${plain(text)}" is not project/service=N`, {
      hint: 'for example shoal scale demo/web=3'
    })
  if (replicas > REPLICAS_MAX)
    throw new ShoalError('LIMIT', `${replicas} replicas are more than ${REPLICAS_MAX}`)
  const { project, name, slot } = await findWorkload(context, match[1] ?? '')
  if (slot !== undefined)
    throw new ShoalError('USAGE', 'a slot cannot be scaled', { hint: 'leave the last part out' })
  const operation = options.operation ?? newOperation()
  const request = { operation, project, name, replicas }
  await submitAndWait(context, () => context.client.scale(request, context.signal), {
    ...options,
    operation,
    format,
    until: 'healthy'
  })
}

/** `project` or `project/service`. */
export async function remove(
  context: Context,
  format: Format,
  text: string,
  options: ChangeOptions & { readonly isSure: boolean }
): Promise<void> {
  const { client, signal, terminal } = context
  const [project = '', name, ...rest] = text.split('/')
  if (project === '' || name === '' || rest.length > 0)
    throw new ShoalError('USAGE', `"${plain(text)}" is not project or project/service`)
  if (!options.isSure && process.stdin.isTTY === true) {
    const known = await client.workloads(signal)
    const count = known.filter(
      one => one.project === project && (name === undefined || one.name === name)
    ).length
    const question = `Remove ${plural(count, 'workload')} of ${plain(project)}? Volumes stay.`
    if (count > 0 && !(await confirm(terminal, question, false)))
      throw new ShoalError('REFUSED', 'nothing was removed')
  }
  const operation = options.operation ?? newOperation()
  const request = { operation, project, ...(name === undefined ? {} : { name }) }
  const submit = async (): Promise<ChangeAnswer> => {
    try {
      return await client.remove(request, signal)
    } catch (error) {
      throw name === undefined ? await meantService(context, project, error) : error
    }
  }
  await submitAndWait(context, submit, {
    ...options,
    operation,
    format,
    until: 'gone'
  })
}

/** A service's name alone removes nothing, it could be meant as a project; people are told. */
async function meantService(context: Context, text: string, error: unknown): Promise<unknown> {
  if (!(error instanceof ShoalError) || error.code !== 'NOT_FOUND') return error
  const known = await context.client.workloads(context.signal)
  const found = known.filter(one => one.name === text)
  if (found.length === 0) return error
  const names = found.map(one => plain(`${one.project}/${one.name}`)).join(', or ')
  return new ShoalError('NOT_FOUND', `${plain(text)} is a service and no project`, {
    hint: `shoal rm ${names}`
  })
}
