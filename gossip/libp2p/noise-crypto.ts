/**
 * Key agreement of the noise handshake by Node's OpenSSL. What noise brings reads every key from
 * DER, at 0.6 ms a key with OpenSSL 3 (`createPrivateKey`), four keys a side: half of what a dial
 * costs once it is warm. Here a key pair stays the object that it was generated as, and public
 * keys are read from JWK.
 */
import {
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject
} from 'node:crypto'
import type { ICryptoInterface } from '@libp2p/noise'
import { defaultCrypto } from '@libp2p/noise/crypto'

type Bytes = Parameters<ICryptoInterface['generateX25519SharedKey']>[0]

const KEY_BYTES = 32

/** Key pairs by the bytes that noise knows them by; they go when noise lets go of the bytes. */
const pairs = new WeakMap<object, KeyObject>()

function publicKey(bytes: Bytes): KeyObject {
  const x = Buffer.from(bytes.subarray()).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' })
}

export const noiseCrypto: ICryptoInterface = {
  ...defaultCrypto,
  getHKDF: (ck, ikm) => {
    const okm = new Uint8Array(hkdfSync('sha256', ikm, ck, '', 3 * KEY_BYTES))
    return [
      okm.subarray(0, KEY_BYTES),
      okm.subarray(KEY_BYTES, 2 * KEY_BYTES),
      okm.subarray(2 * KEY_BYTES)
    ]
  },
  generateX25519KeyPair: () => {
    const pair = generateKeyPairSync('x25519')
    const { d = '', x = '' } = pair.privateKey.export({ format: 'jwk' })
    const privateKey = new Uint8Array(Buffer.from(d, 'base64url'))
    pairs.set(privateKey, pair.privateKey)
    return { publicKey: new Uint8Array(Buffer.from(x, 'base64url')), privateKey }
  },
  generateX25519SharedKey: (privateKey, bytes) => {
    const own = pairs.get(privateKey)
    if (own === undefined) return defaultCrypto.generateX25519SharedKey(privateKey, bytes)
    return diffieHellman({ privateKey: own, publicKey: publicKey(bytes) })
  }
}
