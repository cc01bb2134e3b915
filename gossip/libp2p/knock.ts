/**
 * A knock: a TCP connection that closes as soon as it opens, to ask a host's kernel whether the
 * port of a silent member is open (`protocols.md` 2.4).
 */
import { connect } from 'node:net'
import type { Endpoint } from './addresses.ts'
import type { KnockOutcome } from './types.ts'

/** The kernel here has no way to such an address: it says nothing about the other host. */
const NOT_OURS_TO_USE = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'])

type Answer = KnockOutcome | 'unusable'

function knockOne(target: Endpoint, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve('nothing')
    const socket = connect({ ...target, noDelay: true })
    const settle = (answer: Answer): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(answer)
    }
    const onAbort = (): void => settle('nothing')
    const timer = setTimeout(onAbort, timeoutMs)
    signal.addEventListener('abort', onAbort)
    socket.once('connect', () => settle('accepted'))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') settle('refused')
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
