/**
 * What the engines themselves say, read by another process and stamped with the machine's
 * monotonic clock: the times of takeovers come from here, never from shoal's own word.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { monotonicMs, until } from './testbed-run.ts'

/** One line of the reader process. */
export type EngineLine =
  | { readonly kind: 'connected' | 'lost'; readonly host: string; readonly atMs: number }
  | {
      readonly kind: 'event'
      readonly host: string
      /** CLOCK_MONOTONIC at arrival, milliseconds. */
      readonly atMs: number
      /** The engine's own wall clock, nanoseconds as text. */
      readonly engineTime: string
      readonly action: string
      readonly id: string
      readonly attributes: Readonly<Record<string, string>>
    }

export type EngineEvent = Extract<EngineLine, { kind: 'event' }>

const READER = fileURLToPath(new URL('./engine-events-reader.ts', import.meta.url))

export class EngineEvents {
  readonly events: EngineEvent[] = []
  readonly #connected = new Set<string>()
  readonly #child: ChildProcess

  private constructor(sockets: Readonly<Record<string, string>>) {
    const args = Object.entries(sockets).map(([host, socket]) => `${host}=${socket}`)
    this.#child = spawn(process.execPath, ['--import', 'tsx', READER, ...args], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const output = this.#child.stdout
    if (output === null) throw new Error('the reader has no output')
    createInterface({ input: output }).on('line', text => this.#take(JSON.parse(text)))
  }

  /** Starts the reader; resolves when it listens to every engine named. */
  static async open(sockets: Readonly<Record<string, string>>): Promise<EngineEvents> {
    const events = new EngineEvents(sockets)
    await events.connected(Object.keys(sockets))
    return events
  }

  #take(line: EngineLine): void {
    if (line.kind === 'event') this.events.push(line)
    else if (line.kind === 'connected') this.#connected.add(line.host)
    else this.#connected.delete(line.host)
  }

  /** Waits until the streams of these engines are open (again). */
  async connected(hosts: readonly string[]): Promise<void> {
    await until(
      `event streams of ${hosts.join(' ')} are open`,
      () => (hosts.every(host => this.#connected.has(host)) ? true : undefined),
      { timeoutMs: 20_000, intervalMs: 20 }
    )
  }

  /** Containers that started or died at or after a time, in order of arrival. */
  since(atMs: number, action: 'start' | 'die' | 'create' | 'destroy'): EngineEvent[] {
    return this.events.filter(event => event.action === action && event.atMs >= atMs)
  }

  /**
   * Milliseconds from `atMs` until the n-th matching event. Throws with what did come when the
   * deadline passes first.
   */
  async nth(
    count: number,
    atMs: number,
    matches: (event: EngineEvent) => boolean,
    timeoutMs: number
  ): Promise<number> {
    const found = (): EngineEvent[] =>
      this.events.filter(event => event.atMs >= atMs && matches(event))
    const event = await until(
      `${count} engine events`,
      () => found()[count - 1],
      { timeoutMs: Math.max(0, timeoutMs - (monotonicMs() - atMs)), intervalMs: 20 },
      () => `; there were ${found().length}`
    )
    return event.atMs - atMs
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }
}
