/**
 * What a nemesis run records, from outside of the daemons: what clients asked and were told, what
 * was on the disks, what ran, who was called dead and who was harmed. Plain data; the checkers
 * (`nemesis-checks.ts`) are functions of it. Times are wall milliseconds of this machine.
 */

export interface Told {
  readonly outcome: 'ok' | 'unknown' | 'refused'
  /** Error code; '' for `ok`. */
  readonly code: string
  /** Disks that hold it, by the answer. */
  readonly disks: number
  readonly changes: readonly {
    readonly key: string
    readonly uid: string
    readonly change: string
  }[]
}

export interface Attempt extends Told {
  readonly node: string
  readonly sentMs: number
  readonly doneMs: number
}

/** One operation id: the first sending and each repetition of it. */
export interface Operation {
  readonly id: string
  readonly kind: 'deploy' | 'scale' | 'rm'
  /** Key of the register: `workload/<project>/<name>`. */
  readonly key: string
  readonly attempts: Attempt[]
}

/** One write of a shared register, as some disk had it. */
export interface Write {
  readonly key: string
  readonly uid: string
  readonly dot: Dot
  readonly vector: readonly Dot[]
  readonly order: number
  readonly base: number
  readonly ends: readonly string[]
  readonly remove: boolean
  /** Of the client: without the part behind `#`. */
  readonly operation: string
  readonly past: readonly string[]
  /** The deploy whose template it carries. */
  readonly edit: string
}

export interface Dot {
  readonly node: string
  readonly boot: string
  readonly counter: number
}

/** The shared state in one node's store. */
export interface Disk {
  readonly host: string
  /** Why it cannot be relied on; '' when it opened whole. */
  readonly damage: string
  readonly writes: readonly Write[]
  /** Removed lives; the evidence until everybody has it. */
  readonly removed: ReadonlyMap<string, Write | undefined>
}

/** Which disks held an acknowledged operation right after its answer. */
export interface Sample {
  readonly operation: string
  readonly claimed: number
  readonly holders: readonly string[]
  /** Disks that could be read then. */
  readonly read: readonly string[]
}

/** A process of a workload, as the kernel shows it. */
export interface Running {
  readonly host: string
  readonly pid: number
  readonly project: string
  readonly name: string
  /** First 8 digits. */
  readonly uid: string
  readonly slot: number
}

/** What a node's API says is wanted. */
export interface Wanted {
  readonly key: string
  readonly uid: string
  readonly replicas: number
  readonly edit: string
  readonly conflicts: readonly { readonly uid: string; readonly edit: string }[]
}

/** All faults are over: what was wanted and what ran, once it was right or the time was up. */
export interface Settled {
  readonly healedMs: number
  readonly atMs: number
  /** By node; equal lists when all agree. */
  readonly wanted: ReadonlyMap<string, readonly Wanted[]>
  readonly running: readonly Running[]
}

export interface Span {
  readonly fromMs: number
  /** Infinity: not over. */
  toMs: number
}

/** A daemon that was killed, stopped or on a full disk. */
export interface Harm extends Span {
  readonly host: string
  readonly kind: 'kill' | 'host' | 'pause' | 'disk' | 'start'
}

/** Packets between two hosts were dropped or reset, in one direction at least. */
export interface Cut extends Span {
  readonly between: readonly [string, string]
}

export interface Death {
  readonly observer: string
  readonly subject: string
  readonly atMs: number
}

export interface History {
  readonly operations: Operation[]
  /** By dot: every write that was ever seen on a disk. */
  readonly writes: Map<string, Write>
  readonly samples: Sample[]
  readonly settled: Settled[]
  /** Two live processes of one slot of one life on one host. */
  readonly doubles: { readonly atMs: number; readonly running: readonly Running[] }[]
  /** When a life (8 digits of its uid) was last seen running, and where. */
  readonly seen: Map<string, { lastMs: number; host: string }>
  readonly decoysLost: { readonly atMs: number; readonly host: string; readonly what: string }[]
  readonly harms: Harm[]
  readonly cuts: Cut[]
  readonly deaths: Death[]
  /** Daemons that ended though nobody ended them. */
  readonly exits: { readonly atMs: number; readonly host: string; readonly how: string }[]
  /** The stores at the end, after all daemons have stopped. */
  final: readonly Disk[]
}

export function newHistory(): History {
  return {
    ...{ operations: [], writes: new Map(), samples: [], settled: [], doubles: [] },
    ...{ seen: new Map(), decoysLost: [], harms: [], cuts: [], deaths: [], exits: [], final: [] }
  }
}

export const dotName = (dot: Dot): string => `${dot.node}/${dot.boot}/${dot.counter}`
export const shortUid = (uid: string): string => uid.slice(0, 8)
