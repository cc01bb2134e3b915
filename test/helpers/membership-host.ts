/** One daemon on one host of its own, and the keyless stand-ins for codec and sealer. */
import type { Codec } from '../../gossip/core/effect.ts'
import type { MemberEvent, MembershipInput } from '../../gossip/core/membership/api.ts'
import type { Membership } from '../../gossip/core/membership/membership.ts'
import type { MembershipMessage } from '../../gossip/core/membership/message.ts'
import { type Sealer, Signed } from '../../gossip/core/signed.ts'
import type { MemberState, NodeId } from '../../gossip/core/types.ts'

/** A codec that keeps values as they are: real bytes are the business of `gossip/codec.ts`. */
const kept = new Map<number, unknown>()
export const codec: Codec = {
  encode(value) {
    const key = kept.size
    kept.set(key, value)
    return new Uint8Array([key & 255, (key >> 8) & 255, (key >> 16) & 255, key >> 24])
  },
  decode(bytes) {
    const [a, b, c, d] = bytes
    const key = (a ?? 0) + ((b ?? 0) << 8) + ((c ?? 0) << 16) + ((d ?? 0) << 24)
    if (bytes.byteLength !== 4 || !kept.has(key)) throw new Error('not bytes of this codec')
    return kept.get(key)
  }
}

/** Of lives before a world of many began. */
export const OLD_BOOT = '0'.repeat(32)
const WRITTEN = new Uint8Array(300)

/**
 * The disk of everybody in a world of many: these were members, and nothing is kept that is
 * written.
 */
export function rowsOf(ids: readonly NodeId[]): {
  readonly persisted: readonly { readonly key: string; readonly value: Uint8Array }[]
  readonly codec: Codec
} {
  const rows = ids.map(id => ({
    state: 'alive',
    obituaries: [],
    alive: sealerOf(id).seal({
      kind: 'alive',
      node: id,
      incarnation: 1,
      boot: OLD_BOOT,
      name: id,
      addresses: [addressOf(id)],
      phase: 'steady'
    })
  }))
  const numbers = ids.map((_, index) => new Uint8Array([index & 255, index >> 8]))
  return {
    persisted: ids.map((id, index) => ({
      key: `member/${id}`,
      value: numbers[index] as Uint8Array
    })),
    codec: {
      encode: () => WRITTEN,
      decode: ([low = 0, high = 0]) => rows[low + (high << 8)]
    }
  }
}

function addressOf(id: NodeId): string {
  return `/ip4/10.0.0.1/tcp/1/${id}`
}

export function sealerOf(self: NodeId): Sealer {
  return {
    self,
    // Sizes like the real ones, so that pages are cut where they would be.
    seal: body => new Signed(self, body, new Uint8Array(300), new Uint8Array(64))
  }
}

/** One daemon on one host of its own. */
export class Host {
  readonly id: NodeId
  readonly address: string
  machine: Membership | undefined
  /** The host answers nothing at all: power, cable. */
  silent = false
  paused = false
  /** Messages pass through it changed, or not at all: what a liar does. */
  tamper: ((to: NodeId, message: MembershipMessage) => MembershipMessage | undefined) | undefined
  /** The event loop takes inputs only every so many ms. */
  starvedMs = 0
  boot = ''
  life = 0
  readonly disk = new Map<string, Uint8Array>()
  /** As it was with the last synced write. */
  synced: ReadonlyMap<string, Uint8Array> = new Map()
  readonly events: MemberEvent[] = []
  readonly sent = new Map<string, number>()
  waiting: MembershipInput[] = []

  constructor(id: NodeId) {
    this.id = id
    this.address = addressOf(id)
  }
}

export interface Change {
  readonly atMs: number
  readonly by: NodeId
  readonly member: NodeId
  readonly state: MemberState
  readonly previous: MemberState | undefined
}

/** Of a pair, whichever way round. */
export function nameOf(a: NodeId, b: NodeId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}

/** `who` gets no news of `about` and no repair, until what it returns is called: views differ. */
export function keepInThePast(hosts: Iterable<Host>, who: NodeId, about: NodeId): () => void {
  const all = [...hosts]
  for (const host of all) {
    host.tamper = (to, message) => {
      if (to !== who) return message
      if (message.kind === 'alive' && message.alive.author === about) return undefined
      return message.kind === 'roster' || message.kind === 'digest' ? undefined : message
    }
  }
  return () => {
    for (const host of all) host.tamper = undefined
  }
}
