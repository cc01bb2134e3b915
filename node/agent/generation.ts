/**
 * Which part of a spec an instance is made of. A change of anything else (replicas, constraints,
 * policies) re-places, but never recreates a running instance.
 */
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import type { WorkloadRecord } from './records.ts'

/** Keys that placement and policy read; everything else is the template. */
const OUTSIDE_TEMPLATE: ReadonlySet<string> = new Set([
  'replicas',
  'constraints',
  'maxPerNode',
  'partition',
  'reconcile',
  'rebalance',
  'onDataLoss',
  'spread',
  'priority',
  'group',
  'restart',
  'stopGraceMs',
  'stopSignal'
])

/** Key-sorted JSON: equal data gives equal text on every node. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const record = value as Record<string, unknown>
    const keys = Object.keys(record)
      .filter(key => record[key] !== undefined)
      .sort()
    return `{${keys.map(key => `${JSON.stringify(key)}:${canonical(record[key])}`).join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}

/** FNV-1a over UTF-16 units; two seeds make 64 bits. Tells templates apart, proves nothing. */
function fnv1a(value: string, seed: number): number {
  let hash = seed
  for (let index = 0; index < value.length; index++) {
    hash ^= value.charCodeAt(index)
    hash = Math.imul(hash, 0x01000193)
  }
  return hash >>> 0
}

export function hashText(value: string): string {
  const high = fnv1a(value, 0x811c9dc5)
  const low = fnv1a(value, 0x9747b28c)
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}

/** Hash of the template, 16 hex digits. */
export function templateHash(spec: WorkloadSpec): string {
  const entries = Object.entries(spec).filter(([key]) => !OUTSIDE_TEMPLATE.has(key))
  return hashText(canonical(Object.fromEntries(entries)))
}

/** `<generation>.<template hash>`: concurrent edits of one generation stay apart. */
export function generationOf(record: WorkloadRecord): string {
  return `${record.generation}.${templateHash(record.spec)}`
}
