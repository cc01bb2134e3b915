/**
 * How replicas spread over zones (`placement.md` C5): a water-fill of R over the zones, each
 * filled at most to what its nodes can take. Shared by all items with the same eligible nodes,
 * replicas, limit per node and strictness, and computed once a change for all of them.
 */

export interface ZoneRequest {
  readonly replicas: number
  /** 0: no limit. */
  readonly maxPerNode: number
  readonly hard: boolean
}

export interface ZoneQuota {
  /** Replicas every zone gets if it can take them. */
  readonly level: number
  /** How many zones may hold one more than `level`. */
  readonly extra: number
  /** zone -> at most this many, never above `level + 1`. */
  readonly caps: ReadonlyMap<number, number>
}

function filled(caps: readonly number[], level: number): number {
  let sum = 0
  for (const cap of caps) sum += Math.min(level, cap)
  return sum
}

/** `zoneNodes`: zone -> eligible nodes in it, each at least 1. */
export function zoneQuota(
  request: ZoneRequest,
  zoneNodes: ReadonlyMap<number, number>,
  nodes: number
): ZoneQuota {
  const { replicas, maxPerNode, hard } = request
  const perNode = maxPerNode > 0 ? maxPerNode : Number.POSITIVE_INFINITY
  const even = hard ? perNode : Math.min(perNode, Math.ceil(replicas / nodes))
  const zones = [...zoneNodes.keys()].sort((a, b) => a - b)
  let caps = zones.map(zone => zoneNodes.get(zone)! * even)
  // A hard rule waits rather than let the skew grow past one.
  if (hard) {
    const most = 1 + Math.min(...caps)
    caps = caps.map(cap => Math.min(cap, most))
  }
  const total = Math.min(replicas, filled(caps, replicas))
  let level = 0
  for (let high = replicas; level < high; ) {
    const middle = Math.ceil((level + high) / 2)
    if (filled(caps, middle) <= total) level = middle
    else high = middle - 1
  }
  return {
    level,
    extra: total - filled(caps, level),
    caps: new Map(zones.map((zone, i) => [zone, Math.min(caps[i]!, level + 1)]))
  }
}

function sameQuota(a: ZoneQuota, b: ZoneQuota): boolean {
  if (a.level !== b.level || a.extra !== b.extra || a.caps.size !== b.caps.size) return false
  for (const [zone, cap] of a.caps) if (b.caps.get(zone) !== cap) return false
  return true
}

const NO_QUOTA: ZoneQuota = { level: 0, extra: 0, caps: new Map() }

/** The quota of all items of one kind; `members` are pushed when it changes. */
export class ZonePlan {
  readonly request: ZoneRequest
  readonly members = new Set<number>()
  quota: ZoneQuota = NO_QUOTA

  constructor(request: ZoneRequest) {
    this.request = request
  }

  /** Recomputes; says whether anything changed. */
  refresh(zoneNodes: ReadonlyMap<number, number>, nodes: number): boolean {
    const next = nodes === 0 ? NO_QUOTA : zoneQuota(this.request, zoneNodes, nodes)
    const same = sameQuota(this.quota, next)
    this.quota = next
    return !same
  }
}
