import { randomBytes } from 'node:crypto'

/** Names one write, so that it can be asked again without happening twice. */
export function newOperation(): string {
  return `op-${randomBytes(9).toString('hex')}`
}
