/** Our key agreement against the one that noise brings. */
import { defaultCrypto } from '@libp2p/noise/crypto'
import { equal, is } from 'uvu/assert'
import { noiseCrypto } from '../../gossip/libp2p/noise-crypto.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('noise crypto')

const hex = (bytes: { subarray(): Uint8Array }): string =>
  Buffer.from(bytes.subarray()).toString('hex')

test('both sides of a handshake agree, whichever implementation each uses', () => {
  for (const [ours, theirs] of [
    [noiseCrypto, noiseCrypto],
    [noiseCrypto, defaultCrypto],
    [defaultCrypto, noiseCrypto]
  ] as const) {
    const a = ours.generateX25519KeyPair()
    const b = theirs.generateX25519KeyPair()
    equal([a.privateKey.length, a.publicKey.length], [32, 32])
    is(
      hex(ours.generateX25519SharedKey(a.privateKey, b.publicKey)),
      hex(theirs.generateX25519SharedKey(b.privateKey, a.publicKey))
    )
  }
})

test('a key that it did not generate is used as well', () => {
  const seed = new Uint8Array(32).fill(7)
  const a = noiseCrypto.generateX25519KeyPairFromSeed(seed)
  const b = noiseCrypto.generateX25519KeyPair()
  is(
    hex(noiseCrypto.generateX25519SharedKey(a.privateKey, b.publicKey)),
    hex(defaultCrypto.generateX25519SharedKey(b.privateKey, a.publicKey))
  )
})

test('keys are derived alike', () => {
  const ck = new Uint8Array(32).fill(1)
  for (const ikm of [new Uint8Array(0), new Uint8Array(32).fill(2)]) {
    equal(noiseCrypto.getHKDF(ck, ikm).map(hex), defaultCrypto.getHKDF(ck, ikm).map(hex))
  }
})

test.run()
