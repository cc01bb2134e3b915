/**
 * Where a crash hurts most, by name: tests end the process at one of them (fault F2). The simulator
 * draws them, and a daemon under test is told by `SHOAL_FAILPOINT`.
 */
export const POINTS = [
  'write.before',
  'write.after',
  'send.before',
  'send.after',
  'reply.before',
  'reply.after',
  'start.before',
  'start.after',
  'stop.before',
  'stop.after'
] as const

export type Point = (typeof POINTS)[number]

export type OnPoint = (point: Point) => void
