/**
 * The last events, in a ring, for `/v1/events`. Readers hold a position, not a queue: one that is
 * slower than the ring is told how many it missed and goes on with what is kept.
 */
import type { EventView } from '../../src/api/types.ts'

export const EVENTS_MAX = 4_096

export type NewEvent = Omit<EventView, 'id' | 'time'>

export class EventLog {
  readonly #boot: string
  readonly #now: () => Date
  readonly #ring: EventView[] = []
  /** Number of the next event; the oldest kept has `#next - #ring.length`. */
  #next = 1
  #waiting = new Set<() => void>()

  /** `boot` is the daemon's boot id: positions of another run are not positions of this one. */
  constructor(components: { readonly now: () => Date }, init: { readonly boot: string }) {
    this.#boot = init.boot.slice(0, 8)
    this.#now = components.now
  }

  append(event: NewEvent): void {
    this.#ring.push({ id: this.#id(this.#next), time: this.#now().toISOString(), ...event })
    this.#next += 1
    if (this.#ring.length > EVENTS_MAX) this.#ring.shift()
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const wake of waiting) wake()
  }

  /** What is kept after `after` (all that is kept, if it is of another run or too old), then what
   * comes, until the signal aborts. */
  async *read(after: string | undefined, signal: AbortSignal): AsyncGenerator<EventView> {
    let position = this.#position(after)
    while (!signal.aborted) {
      const first = this.#next - this.#ring.length
      if (position < first) {
        if (after !== undefined || position > 0) yield this.#gap(first, first - position)
        position = first
      }
      const event = this.#ring[position - first]
      if (event === undefined) await this.#more(signal)
      else {
        position += 1
        yield event
      }
    }
  }

  #position(after: string | undefined): number {
    const match = /^([0-9a-f]{1,32})\.(\d{1,15})$/.exec(after ?? '')
    if (match === null || match[1] !== this.#boot) return 0
    return Math.min(Number(match[2]) + 1, this.#next)
  }

  #gap(first: number, missed: number): EventView {
    const text = `${missed} earlier events are not kept`
    const none = { node: null, project: null, workload: null, slot: null }
    const time = this.#now().toISOString()
    return { id: this.#id(first - 1), time, kind: 'gap', text, ...none }
  }

  #id(number: number): string {
    return `${this.#boot}.${number}`
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake)
        this.#waiting.delete(wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake, { once: true })
      if (signal.aborted) wake()
    })
  }
}
