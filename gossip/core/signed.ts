/**
 * A statement and its author's signature over the exact bytes sent.
 *
 * Cores make statements through a `Sealer` and relay those of others untouched. Edges decode
 * bytes, verify and only then hand a `Signed` to a core: a core never sees an unverified one.
 * Ed25519 is deterministic (RFC 8032), so sealing keeps a core pure.
 */
import type { NodeId } from './types.ts'

export class Signed<T = unknown> {
  readonly author: NodeId
  /** Decoded from `bytes`; shape NOT yet checked when it comes from a peer. */
  readonly body: T
  /** The signed bytes, kept for relaying: unknown fields of newer versions survive. */
  readonly bytes: Uint8Array
  readonly signature: Uint8Array

  constructor(author: NodeId, body: T, bytes: Uint8Array, signature: Uint8Array) {
    this.author = author
    this.body = body
    this.bytes = bytes
    this.signature = signature
  }
}

/** Signs as this node. The daemon uses its identity key, tests a keyless stand-in. */
export interface Sealer {
  readonly self: NodeId
  seal<T>(body: T): Signed<T>
}
