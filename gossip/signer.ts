/**
 * Signing and verifying with node keys. A node id embeds its Ed25519 public key, so a statement
 * can be checked without asking anybody. Ed25519 signatures are deterministic (RFC 8032 5.1.6).
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify as verifySignature
} from 'node:crypto'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { encode, type Verify } from './codec.ts'
import { type Sealer, Signed } from './core/signed.ts'
import type { NodeId } from './core/types.ts'
import { Lru } from './lru.ts'

/** Signed before the bytes, so that no signature of ours means anything to another protocol. */
const DOMAIN = new TextEncoder().encode('shoal-signed/1:')
/** DER heads of RFC 8410 before a raw 32-byte Ed25519 key. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')
const SEED_BYTES = 32

export const DEFAULT_KEYS_MAX = 8_192
export const DEFAULT_VERIFIED_MAX = 16_384

function statement(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(DOMAIN.byteLength + bytes.byteLength)
  whole.set(DOMAIN)
  whole.set(bytes, DOMAIN.byteLength)
  return whole
}

/** The id of the node that owns a key. */
export function nodeIdOf(privateKey: Ed25519PrivateKey): NodeId {
  return peerIdFromPrivateKey(privateKey).toString()
}

/** Signs as the owner of `privateKey`. */
export function createSealer(privateKey: Ed25519PrivateKey): Sealer {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_HEAD, privateKey.raw.subarray(0, SEED_BYTES)]),
    format: 'der',
    type: 'pkcs8'
  })
  const self = nodeIdOf(privateKey)
  return {
    self,
    seal<T>(body: T): Signed<T> {
      const bytes = encode(body)
      return new Signed(self, body, bytes, new Uint8Array(sign(null, statement(bytes), key)))
    }
  }
}

/** The public key in a node id; undefined when the text is no id of an Ed25519 key. */
export function publicKeyOf(node: NodeId): KeyObject | undefined {
  try {
    const peer = peerIdFromString(node)
    // One text a key: the CID form of the same id would be a second name.
    if (peer.type !== 'Ed25519' || peer.toString() !== node) return undefined
    return createPublicKey({
      key: Buffer.concat([SPKI_HEAD, peer.publicKey.raw]),
      format: 'der',
      type: 'spki'
    })
  } catch {
    return undefined
  }
}

export interface Verifier {
  readonly verify: Verify
  stats(): { readonly keys: number; readonly remembered: number; readonly hits: number }
}

export interface VerifierInit {
  readonly keysMax?: number
  readonly verifiedMax?: number
}

/**
 * Verifies statements. Records reach a node several times (fast path, then repair), so a hash of
 * each good one is remembered; bad ones are not, or a peer could push good ones out with them.
 */
export function createVerifier(init: VerifierInit = {}): Verifier {
  const keys = new Lru<NodeId, KeyObject>(init.keysMax ?? DEFAULT_KEYS_MAX)
  const verified = new Lru<string, true>(init.verifiedMax ?? DEFAULT_VERIFIED_MAX)
  let hits = 0
  return {
    verify(author, bytes, signature) {
      // Lengths are fixed by position: the author's is written, the signature is always 64 bytes.
      if (signature.byteLength !== 64) return false
      const name = createHash('sha256')
        .update(`${author.length}:${author}`)
        .update(signature)
        .update(bytes)
        .digest('binary')
      if (verified.get(name) === true) {
        hits += 1
        return true
      }
      const key = keys.get(author) ?? publicKeyOf(author)
      if (key === undefined) return false
      if (!verifySignature(null, statement(bytes), key, signature)) return false
      keys.set(author, key)
      verified.set(name, true)
      return true
    },
    stats: () => ({ keys: keys.size, remembered: verified.size, hits })
  }
}
