/** A log that says nothing: the trace is what a simulated daemon leaves. */
import type { Log } from '../../../node/log.ts'

const silent = (): void => undefined

export const silentLog = {
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  fatal: silent
} as unknown as Log
