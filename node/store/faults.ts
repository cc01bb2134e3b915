/** How a store and its disk fail, told apart and told to people. */
import { ShoalError } from '../../src/errors.ts'
import type { Medium } from './medium.ts'

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? ''
}

export function storeError(message: string, where: string, hint = '', cause?: unknown): ShoalError {
  return new ShoalError('STORE', message, { where, ...(hint === '' ? {} : { hint }), cause })
}

const CAUSES_MAX = 4

/** True when the disk had no room for it: that passes, unlike every other fault of a disk. */
export function isNoSpace(error: unknown): boolean {
  let at = error
  for (let depth = 0; depth < CAUSES_MAX && at instanceof Error; depth += 1) {
    const code = codeOf(at)
    if (code === 'ENOSPC' || code === 'EDQUOT') return true
    if (/No space left|quota exceeded/i.test(at.message)) return true
    at = at.cause
  }
  return false
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}

/** What people are told while the disk is full. */
export function noSpaceText(medium: Medium): string {
  const free = medium.freeBytes()
  const left = free === undefined ? '' : ` (${Math.floor(free / 1024)} KiB free)`
  return `no space left on the disk of ${medium.where}${left}; free some, it goes on by itself`
}
