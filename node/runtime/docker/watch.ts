/**
 * The engine's event stream, followed for good. Level-triggered: an event only says "look again",
 * and so does every new connection, because something may have happened in between.
 */
import { filterOf, type Owner, ownerLabels } from '../labels.ts'
import { pause } from '../wait.ts'
import type { Engine } from './engine.ts'

const BACKOFF_MIN_MS = 100
const BACKOFF_MAX_MS = 5_000
/** A stream that lasted so long resets the back-off. */
const STEADY_MS = 5_000

/** What changes an instance; health checks' own execs stay out. */
const EVENTS = [
  'create',
  'start',
  'die',
  'oom',
  'pause',
  'unpause',
  'rename',
  'destroy',
  'health_status'
]

/** Resolves when the signal aborts. `changed` must not throw. */
export async function watchEvents(
  engine: Engine,
  owner: Owner,
  changed: () => void,
  signal: AbortSignal
): Promise<void> {
  const filters = { type: ['container'], event: EVENTS, label: filterOf(ownerLabels(owner)) }
  const request = { path: '/events', method: 'GET', query: { filters: JSON.stringify(filters) } }
  let backoffMs = BACKOFF_MIN_MS
  while (!signal.aborted) {
    const beganMs = performance.now()
    try {
      const body = await engine.stream('events', { ...request, method: 'GET' }, signal)
      changed()
      for await (const chunk of body) {
        if (signal.aborted) return
        if ((chunk as Buffer).length > 0) changed()
      }
    } catch {
      // Why does not matter here: whoever asks the engine next is told.
    }
    if (signal.aborted) return
    // It may come back as another version.
    engine.forget()
    if (performance.now() - beganMs > STEADY_MS) backoffMs = BACKOFF_MIN_MS
    changed()
    await pause(backoffMs, signal)
    backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)
  }
}
