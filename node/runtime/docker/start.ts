/**
 * Starting a container that exists, and what an engine's refusal to do so means.
 */
import { RuntimeFailure } from '../runtime.ts'
import { type Engine, EngineFailure, statusOf } from './engine.ts'
import { removeContainer } from './stop.ts'

/** What would fail again here: the command, a mount, a host port that a stranger holds. Engines
 * answer these with 400, 404 or 500, as the version has it, so their words decide. */
const PERMANENT_WORDS = new RegExp(
  [
    'executable file not found',
    'no such file or directory',
    'permission denied',
    'exec format error',
    'is a directory',
    'not a directory',
    'already allocated',
    'already in use',
    'oci runtime create failed',
    'invalid mount'
  ].join('|'),
  'i'
)
const NETWORK_WORDS = /network [^ ]+ not found/i

/**
 * Starts it; one that runs already is fine. A container that cannot be started is removed (its
 * volumes stay), so that it does not stand in the way of a later try, unless `keep` is set.
 */
export async function startContainer(
  engine: Engine,
  id: string,
  signal: AbortSignal,
  options: { readonly keep?: boolean } = {}
): Promise<void> {
  try {
    await engine.call(
      'start',
      signal,
      (docker, abortSignal) => docker.getContainer(id).start({ abortSignal }),
      engine.timeouts.createMs
    )
  } catch (error) {
    if (statusOf(error) === 304) return
    if (signal.aborted) throw error
    const failure = startFailure(error)
    if (failure.kind === 'permanent' && options.keep !== true)
      await removeContainer(engine, id, signal).catch(() => undefined)
    throw failure
  }
}

/** An engine's refusal to start, with the kind that its words mean. */
export function startFailure(error: unknown): RuntimeFailure {
  if (!(error instanceof EngineFailure)) {
    if (error instanceof RuntimeFailure) return error
    return new RuntimeFailure('transient', `docker: start: ${String(error)}`, error)
  }
  const { status, message } = error
  if (status === undefined) return error
  if (NETWORK_WORDS.test(message))
    return new EngineFailure(
      'transient',
      `${message}; its network was removed: stop the replica to have it made anew`,
      status,
      error
    )
  const permanent = PERMANENT_WORDS.test(message) || status === 400 || status === 403
  return new EngineFailure(permanent ? 'permanent' : 'transient', message, status, error)
}
