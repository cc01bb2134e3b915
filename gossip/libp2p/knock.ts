/**
 * A knock: a TCP connection that closes as soon as it is open, to ask a host's kernel whether the
 * port of a silent member is open (`protocols.md` 2.4).
 */
import { connect } from 'node:net'
import type { Endpoint } from './addresses.ts'
import type { KnockOutcome } from './types.ts'

/** The kernel here has no way to such an address: it says nothing about the other host. */
const NOT_OURS_TO_USE = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'])

/**
 * A process that dies takes its listening socket down a moment after its connections; a knock in
 * between is accepted by the kernel and reset. So an accepted knock waits so long for that, and
 * is repeated: ECONNREFUSED alone is believed.
 */
const LINGER_MS = 25
const TRIES_MAX = 4

type Answer = KnockOutcome | 'unusable'

async function knockOne(target: Endpoint, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const answer = await knockOnce(target, timeoutMs, signal)
    if (answer !== 'accepted, then closed') return answer
    if (tries === TRIES_MAX) return 'accepted'
  }
}

function knockOnce(
  target: Endpoint,
  timeoutMs: number,
  signal: AbortSignal
): Promise<Answer | 'accepted, then closed'> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve('nothing')
    const socket = connect({ ...target, noDelay: true })
    let isAccepted = false
    const settle = (answer: Answer | 'accepted, then closed'): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(answer)
    }
    const onAbort = (): void => settle('nothing')
    let timer = setTimeout(onAbort, timeoutMs)
    signal.addEventListener('abort', onAbort)
    socket.once('connect', () => {
      isAccepted = true
      clearTimeout(timer)
      timer = setTimeout(() => settle('accepted'), LINGER_MS)
    })
    socket.once('end', () => settle('accepted, then closed'))
    socket.resume()
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Reset before we heard that we were connected: the same, seen later.
      if (isAccepted || error.code === 'ECONNRESET') settle('accepted, then closed')
      else if (error.code === 'ECONNREFUSED') settle('refused')
      else settle(NOT_OURS_TO_USE.has(error.code ?? '') ? 'unusable' : 'nothing')
    })
  })
}

/**
 * Knocks at all endpoints at once. `accepted` when any accepts; `refused` only when all that could
 * be used answer ECONNREFUSED, so that one wrong address never declares a daemon gone.
 */
export async function knock(
  targets: readonly Endpoint[],
  timeoutMs: number,
  signal: AbortSignal
): Promise<KnockOutcome> {
  const answers = await Promise.all(targets.map(target => knockOne(target, timeoutMs, signal)))
  if (answers.includes('accepted')) return 'accepted'
  const usable = answers.filter(answer => answer !== 'unusable')
  return usable.length > 0 && usable.every(answer => answer === 'refused') ? 'refused' : 'nothing'
}
