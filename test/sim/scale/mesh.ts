/** What the phases ask of a mesh of many, whatever runs in it. */
import type { MemberState } from '../../../gossip/core/types.ts'

export interface Traffic {
  readonly messages: number
  readonly bytes: number
}

/** `by` sees `of` in another state than before. */
export type OnChange = (by: string, of: string, state: MemberState) => void

export interface Mesh {
  readonly nowMs: number
  /** Daemons that run, in order of their names. */
  nodes(): readonly string[]
  /** Starts so many; gives when each saw all others, in ms from the start. */
  meet(count: number): Promise<readonly number[]>
  pass(ms: number): Promise<void>
  /** The host falls silent. */
  silence(node: string): void
  /** The daemon dies, its host refuses. */
  kill(node: string): void
  start(node: string): void
  /** Gets the processor only every so many ms; 0: at once. */
  starve(node: string, everyMs: number): void
  lose(perMille: number): void
  stateOf(by: string, of: string): MemberState | undefined
  /** Makes a change; gives whether a node knows it. */
  change(): (node: string) => boolean
  /** Looks on until what it gives is called. */
  watch(onChange: OnChange): () => void
  /** Sent by all while it runs. */
  traffic(run: () => Promise<void>): Promise<Traffic>
}
