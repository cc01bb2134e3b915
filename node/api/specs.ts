/** The specs of a deploy: each as its schema has it, all of one project, no name twice. */
import { ShoalError } from '../../src/errors.ts'
import { SPEC_BYTES_MAX, type WorkloadSpec } from '../../src/spec/workload.ts'

/** `src/spec/schema.ts`: gives the spec, or throws INVALID that names the field. */
export type CheckWorkload = (value: unknown) => WorkloadSpec

export function checkSpecs(
  body: { readonly project: string; readonly workloads: readonly unknown[] },
  check: CheckWorkload
): readonly WorkloadSpec[] {
  const names = new Set<string>()
  return body.workloads.map((value, index) => {
    const where = `workloads[${index}]`
    const spec = checked(value, where, check)
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

function checked(value: unknown, where: string, check: CheckWorkload): WorkloadSpec {
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes > SPEC_BYTES_MAX)
    throw new ShoalError('LIMIT', `the spec has ${bytes} bytes, more than ${SPEC_BYTES_MAX}`, {
      where
    })
  try {
    return check(value)
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    throw new ShoalError(error.code, error.message, {
      where: error.where === undefined ? where : `${where}.${error.where}`,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error
    })
  }
}
