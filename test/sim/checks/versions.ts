/** F54: what a later version says is kept and passed on whole, by those that cannot read it. */
import { decode } from '../../../gossip/codec.ts'
import { Signed } from '../../../gossip/core/signed.ts'
import { unwrap } from '../../../node/store/checksum.ts'
import type { SimHost } from '../world/host.ts'
import { LATER, LATER_MARK } from '../world/process.ts'
import { type Check, type Subject, violate } from './check.ts'

/** Keys of what members say; the rest is the store's own. */
const SAID = ['own/', 'shared/', 'removed/', 'member/'] as const

export function unknownFields(_subject: Subject): Check {
  const name = 'F54'
  return {
    name,
    finish: core => {
      for (const host of core) {
        for (const statement of heldBy(host)) {
          if (statement.signature.byteLength !== LATER_MARK.byteLength) continue
          const bodies = [statement.body, decode(statement.bytes)]
          const isWhole = bodies.every(
            body => (body as Record<string, unknown>)[LATER] !== undefined
          )
          if (!isWhole) violate(name, `${host.id} holds a piece of ${statement.author}'s word`)
        }
      }
    }
  }
}

/** Statements as they are on its disk: what it would pass on after a restart. */
function heldBy({ disk }: SimHost): Signed[] {
  const held: Signed[] = []
  for (const [key, stored] of disk.records()) {
    if (!SAID.some(prefix => key.startsWith(prefix))) continue
    const record = unwrap(key, stored)
    const value = record === undefined ? undefined : decode(record.value)
    const statements = value instanceof Signed ? [value] : Object.values(value ?? {})
    for (const one of statements) if (one instanceof Signed) held.push(one)
  }
  return held
}
