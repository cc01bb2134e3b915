/** Input and output of placement: everything a peer may decide on is in here. */

export interface PlacementNode {
  readonly id: string
  /** Allocatable; integers. `memoryMiB` is already 90 % of what the node has. */
  readonly cpuMillis: number
  readonly memoryMiB: number
  /** Owner-published load factor times joining ramp, in eighths: 1..8. */
  readonly eighths: number
  /** '' when the node names none. */
  readonly zone: string
  /** `node.name`, `node.labels.x`, `node.platform.arch`, `runtime.docker`, ... */
  readonly attributes: Readonly<Record<string, string>>
  /** False while draining: pins stay, nothing new. */
  readonly schedulable: boolean
}

/** All must hold. `in`: one of `values`; `not-in`: none of them (an absent attribute is none). */
export interface Requirement {
  readonly attribute: string
  readonly operator: 'in' | 'not-in'
  readonly values: readonly string[]
}

/** The slot stays on this node, or waits for it. */
export interface Pin {
  readonly slot: number
  readonly node: string
}

/** One placement item: a workload, or a project group with summed requests. */
export interface PlacementItem {
  readonly uid: string
  /** From the first write, immutable; total order together with uid. Integer. */
  readonly created: number
  /** Lower is served first. */
  readonly class: number
  readonly kind: 'service' | 'global'
  readonly replicas: number
  /** Hard requests; 0 when none were made. */
  readonly cpuMillis: number
  readonly memoryMiB: number
  /** What it counts for balance; at least 1 (`s` in C1, before the dominant-share maximum). */
  readonly balanceCpuMillis: number
  readonly balanceMemoryMiB: number
  /** Host ports as `tcp/80`, `udp/53`. */
  readonly ports: readonly string[]
  readonly requirements: readonly Requirement[]
  /** 0: no limit. */
  readonly maxPerNode: number
  readonly zones: 'soft' | 'hard' | 'none'
  /** Nodes with a failure record for this item's current spec. */
  readonly avoid: readonly string[]
  readonly pins: readonly Pin[]
}

export interface PlacementInput {
  /** Mesh-wide; hashed into every id so that ids chosen by users cannot aim. */
  readonly salt: string
  readonly version: number
  readonly nodes: readonly PlacementNode[]
  readonly items: readonly PlacementItem[]
}

export type PendingReason =
  | 'no-nodes'
  | 'filter'
  | 'avoid'
  | 'cpu'
  | 'memory'
  | 'port'
  | 'maxPerNode'
  | 'zone'
  | 'pinned node gone'
  | 'pinned node no longer matches'
  | 'pinned node full'

export interface Pending {
  /** Pinned slots name themselves; others are counted. */
  readonly slot: number | undefined
  /** The node a pin or a global waits for. */
  readonly node: string | undefined
  readonly count: number
  readonly reason: PendingReason
  /** How many nodes each check refused. */
  readonly refused: Readonly<Partial<Record<PendingReason, number>>>
}

export interface ItemAssignment {
  readonly uid: string
  /** node id -> seats, only nodes with at least one; sorted by node id. Pinned seats included. */
  readonly seats: readonly { readonly node: string; readonly seats: number }[]
  readonly pending: readonly Pending[]
}

export interface Assignment {
  /** Sorted by uid. */
  readonly items: readonly ItemAssignment[]
}

/** Who holds which slot number now; only of nodes in the input. */
export interface SlotClaim {
  readonly slot: number
  readonly node: string
}

/** One step of repair. */
export type PlacementChange =
  | { readonly kind: 'node'; readonly node: PlacementNode }
  | { readonly kind: 'node-gone'; readonly id: string }
  | { readonly kind: 'item'; readonly item: PlacementItem }
  | { readonly kind: 'item-gone'; readonly uid: string }
