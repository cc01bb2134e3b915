/** Who can find whom again: without a beacon only by addresses that are on a disk. */
import { decode } from '../../../gossip/codec.ts'
import type { Signed } from '../../../gossip/core/signed.ts'
import { unwrap } from '../../../node/store/checksum.ts'
import type { SimHost } from '../world/host.ts'

/** Addresses of members that a host would know after a loss of power. */
function knownTo(host: SimHost): string[] {
  const known: string[] = []
  for (const [key, stored] of host.disk.durable()) {
    const record = key.startsWith('member/') ? unwrap(key, stored) : undefined
    const row = record === undefined ? undefined : (decode(record.value) as { alive?: Signed })
    const body = row?.alive?.body as { readonly addresses?: readonly string[] } | undefined
    known.push(...(body?.addresses ?? []))
  }
  return known
}

/** It got further than to a first link: it knows others. */
export function isIn({ disk, identity }: SimHost): boolean {
  const others = disk.records().filter(([key]) => key.startsWith('member/'))
  return disk.isMember && others.some(([key]) => key !== `member/${identity}`)
}

/**
 * Whether each of these finds all others, along those who know somebody's present address; that of
 * `moved` nobody knows.
 */
export function stayInReach(hosts: readonly SimHost[], moved?: SimHost): boolean {
  const [first, ...rest] = hosts
  if (first === undefined) return true
  const known = new Map(hosts.map(host => [host, knownTo(host)]))
  const knows = (a: SimHost, b: SimHost): boolean =>
    b !== moved && known.get(a)?.includes(b.address) === true
  const found = [first]
  let left = rest
  for (const one of found) {
    const more = left.filter(other => knows(one, other) || knows(other, one))
    found.push(...more)
    left = left.filter(other => !more.includes(other))
  }
  return left.length === 0
}
