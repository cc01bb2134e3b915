/** The specs of a deploy: each as its schema has it, all of one project, no name twice. */
import { ShoalError } from '../../src/errors.ts'
import { errorOf } from '../../src/spec/problem.ts'
import { checkWorkload } from '../../src/spec/schema.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'

/** Throws what the first problem says, with the index in the list before its field. */
export function checkSpecs(body: {
  readonly project: string
  readonly workloads: readonly unknown[]
}): readonly WorkloadSpec[] {
  const names = new Set<string>()
  return body.workloads.map((value, index) => {
    const where = `body.workloads[${index}]`
    const spec = checked(value, where)
    if (spec.project !== body.project)
      throw new ShoalError('INVALID', `project "${spec.project}" is not "${body.project}"`, {
        where: `${where}.project`
      })
    if (names.has(spec.name))
      throw new ShoalError('INVALID', `"${spec.name}" is there twice`, { where: `${where}.name` })
    names.add(spec.name)
    return spec
  })
}

function checked(value: unknown, where: string): WorkloadSpec {
  const result = checkWorkload(value)
  if ('workload' in result) return result.workload
  const error = errorOf(result.problems)
  throw new ShoalError(error?.code ?? 'INVALID', error?.message ?? 'not a workload spec', {
    where,
    ...(error?.hint === undefined ? {} : { hint: error.hint })
  })
}
