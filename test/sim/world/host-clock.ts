/**
 * The clocks of one host over true time: a monotonic one that may run fast or slow and stands still
 * while the host is suspended, and a wall clock that may be set to anything.
 */
import type { Clock } from '../../../node/clock.ts'
import { EPOCH_MS, type VirtualClock } from '../../helpers/virtual-clock.ts'

export class HostClock implements Clock {
  readonly #world: VirtualClock
  /** Host milliseconds a true one. */
  #rate = 1
  #baseTrueMs: number
  #baseLocalMs = 0
  #wallOffsetMs = 0
  #suspended = false
  /** Timers that came due while the host was suspended. */
  #asleep: (() => void)[] = []

  constructor(world: VirtualClock) {
    this.#world = world
    this.#baseTrueMs = world.nowMs()
  }

  nowMs(): number {
    return Math.floor(this.#localMs())
  }

  wallMs(): number {
    return Math.floor(EPOCH_MS + this.#world.nowMs() + this.#wallOffsetMs)
  }

  schedule(afterMs: number, task: () => void): () => void {
    const due = this.#localMs() + Math.max(0, afterMs)
    let cancel = (): void => undefined
    const arm = (): void => {
      cancel = this.#world.schedule((due - this.#localMs()) / this.#rate, fire)
    }
    const fire = (): void => {
      if (this.#suspended) {
        this.#asleep.push(arm)
        cancel = () => {
          this.#asleep = this.#asleep.filter(one => one !== arm)
        }
        return
      }
      // The rate was changed, or the host slept: it is not yet time on this clock.
      if (due - this.#localMs() > EPSILON_MS) return arm()
      task()
    }
    arm()
    return () => cancel()
  }

  /** 1.05: this host's second is over after 952 true milliseconds. */
  setRate(rate: number): void {
    this.#baseLocalMs = this.#localMs()
    this.#baseTrueMs = this.#world.nowMs()
    this.#rate = rate
  }

  /** Somebody sets the wall clock. */
  jump(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  /** As Linux does: the monotonic clock does not count it, the wall clock does. */
  suspend(): void {
    this.#baseLocalMs = this.#localMs()
    this.#suspended = true
  }

  wake(): void {
    this.#baseTrueMs = this.#world.nowMs()
    this.#suspended = false
    for (const arm of this.#asleep.splice(0)) arm()
  }

  #localMs(): number {
    if (this.#suspended) return this.#baseLocalMs
    return this.#baseLocalMs + (this.#world.nowMs() - this.#baseTrueMs) * this.#rate
  }
}

/** Rounding of a division must not put a timer off. */
const EPSILON_MS = 1e-6
