/** The daemon's randomness: the operating system's. */
import { randomBytes, randomInt } from 'node:crypto'
import type { Random } from '../gossip/core/types.ts'

export const systemRandom: Random = {
  int: below => randomInt(below),
  hex: length =>
    randomBytes(Math.ceil(length / 2))
      .toString('hex')
      .slice(0, length)
}
