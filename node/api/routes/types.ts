/** What the route files share. */
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { ShoalError } from '../../../src/errors.ts'
import type { Backend } from '../backend.ts'
import type { ReportBug } from '../failure.ts'
import type { ApiEnv } from '../guard.ts'
import type { Operations } from '../operations.ts'

export type App = OpenAPIHono<ApiEnv>

export interface RouteComponents {
  readonly backend: Backend
  readonly operations: Operations
  readonly report: ReportBug
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal
}

/** The backend's data is readonly, the schemas' types are not; JSON knows no difference. */
export type Mutable<T> = T extends string | number | boolean | null | undefined
  ? T
  : unknown extends T
    ? T
    : { -readonly [key in keyof T]: Mutable<T[key]> }

export function mutable<T>(value: T): Mutable<T> {
  return value as Mutable<T>
}

const READ_TIMEOUT_MS = 30_000
const WRITE_TIMEOUT_MS = 30_000

/** Aborts when the client is gone or the server stops. */
export function clientSignal(c: Context<ApiEnv>, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController()
  const { outgoing } = c.env
  if (outgoing.destroyed) gone.abort()
  else outgoing.once('close', () => gone.abort())
  return AbortSignal.any([gone.signal, stopping])
}

/** A read ends with its client, its deadline, or the server. */
export async function reading<T>(
  c: Context<ApiEnv>,
  components: RouteComponents,
  work: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  const deadline = AbortSignal.timeout(READ_TIMEOUT_MS)
  const signal = AbortSignal.any([clientSignal(c, components.stopping), deadline])
  return settle(work(signal), signal, () =>
    deadline.aborted
      ? new ShoalError('TIMEOUT', `no answer within ${READ_TIMEOUT_MS / 1_000} s`)
      : new ShoalError('UNAVAILABLE', 'the daemon is stopping')
  )
}

/** A write ends by itself, at its deadline, or with the server; never with its client. */
export async function writing<T>(
  components: RouteComponents,
  operation: string,
  body: unknown,
  work: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  const signal = AbortSignal.any([components.stopping, AbortSignal.timeout(WRITE_TIMEOUT_MS)])
  const late = (): ShoalError =>
    new ShoalError('UNKNOWN_OUTCOME', 'the write was not confirmed in time', {
      where: `operation ${operation}`,
      hint: 'retry with this operation id'
    })
  const once = (): Promise<T> => settle(work(signal), signal, late)
  return components.operations.run(operation, body, once, isDurable)
}

/** False for an answer that tells of too few disks: by now there may be more. */
function isDurable(answer: unknown): boolean {
  const acks = (answer as { acks?: { disks: number; wanted: number } } | undefined)?.acks
  return acks === undefined || acks.disks >= acks.wanted
}

/** `work`, or the error once the signal aborts: a backend that ignores its signal hangs nobody. */
async function settle<T>(
  work: Promise<T>,
  signal: AbortSignal,
  aborted: () => ShoalError
): Promise<T> {
  let stop = (): void => {}
  const abort = new Promise<never>((_, reject) => {
    stop = () => reject(aborted())
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
  })
  try {
    return await Promise.race([work, abort])
  } catch (error) {
    if (signal.aborted && !(error instanceof ShoalError)) throw aborted()
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
