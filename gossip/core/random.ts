/**
 * A seeded generator for simulators and tests: xoshiro128** (Blackman and Vigna 2018), its state
 * filled by splitmix32. The same seed gives the same run on every machine. Not for keys: the daemon
 * uses the operating system's randomness.
 */
import { assert } from './assert.ts'
import type { Random } from './types.ts'

const TWO_32 = 2 ** 32
const BELOW_MAX = 2 ** 31

function rotate(value: number, by: number): number {
  return ((value << by) | (value >>> (32 - by))) >>> 0
}

export class SeededRandom implements Random {
  readonly #state: [number, number, number, number]

  /** `seed`: any integer; only its lowest 32 bits count. */
  constructor(seed: number) {
    assert(Number.isSafeInteger(seed), 'a seed is an integer')
    let counter = seed >>> 0
    const next = (): number => {
      counter = (counter + 0x9e3779b9) >>> 0
      let mixed = counter
      mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
      return (mixed ^ (mixed >>> 15)) >>> 0
    }
    this.#state = [next(), next(), next(), next()]
  }

  int(below: number): number {
    assert(Number.isInteger(below) && below > 0 && below <= BELOW_MAX, 'a bound is 1 to 2^31')
    // The tail that would make small numbers more likely is drawn again.
    const limit = TWO_32 - (TWO_32 % below)
    let word = this.#next()
    while (word >= limit) word = this.#next()
    return word % below
  }

  hex(length: number): string {
    let text = ''
    while (text.length < length) text += this.#next().toString(16).padStart(8, '0')
    return text.slice(0, length)
  }

  #next(): number {
    const state = this.#state
    const result = Math.imul(rotate(Math.imul(state[1], 5) >>> 0, 7), 9) >>> 0
    const shifted = (state[1] << 9) >>> 0
    state[2] = (state[2] ^ state[0]) >>> 0
    state[3] = (state[3] ^ state[1]) >>> 0
    state[1] = (state[1] ^ state[2]) >>> 0
    state[0] = (state[0] ^ state[3]) >>> 0
    state[2] = (state[2] ^ shifted) >>> 0
    state[3] = rotate(state[3], 11)
    return result
  }
}
