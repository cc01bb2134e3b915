/** Errors as answers: status and `{ code, message, hint, where }`. Never a stack trace. */
import { HTTPException } from 'hono/http-exception'
import type { ErrorBody } from '../../src/api/types.ts'
import { ERRORS, type ErrorCode, ShoalError } from '../../src/errors.ts'

/** Statuses that HTTP itself asks for, where the table's is not exact. */
export interface Failure {
  readonly status: number
  readonly body: ErrorBody
  readonly headers?: Readonly<Record<string, string>>
}

/** Where bugs are written; people see only that one happened. */
export type ReportBug = (error: unknown) => void

export function failureOf(error: unknown, report: ReportBug): Failure {
  if (error instanceof ShoalError) {
    return failure(error.code, error.message, {
      status: error.httpStatus,
      hint: error.hint,
      where: error.where
    })
  }
  // What the HTTP library itself refuses, such as a body that a route needs and did not get.
  if (error instanceof HTTPException && error.status < 500)
    return failure('INVALID', error.message, { status: error.status })
  report(error)
  return failure('INTERNAL', 'a bug in the daemon', { hint: 'its log has the details' })
}

export function failure(
  code: ErrorCode,
  message: string,
  more: {
    readonly status?: number
    readonly hint?: string | undefined
    readonly where?: string | undefined
    readonly headers?: Readonly<Record<string, string>>
  } = {}
): Failure {
  const result = {
    // 202 is for answers, not for faults: a thrown NOT_CONVERGED is a conflict with the present.
    status: more.status === 202 ? 409 : (more.status ?? ERRORS[code].http),
    body: { code, message, hint: more.hint ?? null, where: more.where ?? null }
  }
  return more.headers === undefined ? result : { ...result, headers: more.headers }
}

export function toResponse(given: Failure): Response {
  return new Response(JSON.stringify(given.body), {
    status: given.status,
    headers: { 'content-type': 'application/json', ...given.headers }
  })
}
