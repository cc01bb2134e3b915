import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import fc from 'fast-check'
import { equal, instance, is, ok, throws } from 'uvu/assert'
import { DEPTH_MAX } from '../../gossip/cbor-scan.ts'
import {
  codec,
  decode,
  decodeVerified,
  encode,
  FrameError,
  type FrameFault,
  SIGNED_DEPTH_MAX,
  SIGNED_MAX
} from '../../gossip/codec.ts'
import { Signed } from '../../gossip/core/signed.ts'
import { FRAME_BYTES_MAX } from '../../gossip/core/types.ts'
import { createSealer, createVerifier } from '../../gossip/signer.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('codec')

const SEED = new Uint8Array(32).fill(7)
const GOLDEN_SIGNED =
  '0101d95348837834313244334b6f6f5752617750627850745031655a614a70756d476e79575832446355796433525' +
  '16e796472336541746f34417a37581b0101a2646b696e6465616c6976656b696e6361726e6174696f6e035840a422' +
  'c25884679872ee25ea6cc400d649f48bed4c517e545d1378e308ea68d044d41e424b740f9f9dece9276f7d5006395' +
  '99ba9f49b4b7f487c122ae82e749a04'

async function sealer(seed = SEED) {
  return createSealer(await generateKeyPairFromSeed('Ed25519', seed))
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function frame(body: string): Uint8Array {
  return new Uint8Array([1, 1, ...Buffer.from(body, 'hex')])
}

function reason(work: () => unknown): FrameFault | undefined {
  try {
    work()
  } catch (error) {
    instance(error, FrameError)
    return (error as FrameError).reason
  }
  return undefined
}

test('the bytes of version 1 never change', async () => {
  is(hex(encode(null)), '0101f6')
  is(
    hex(encode({ kind: 'ping', n: 1, big: 2 ** 40, no: -1, list: [true, 1.5, 'ü'] })),
    '0101a5646b696e646470696e67616e0163626967fb4270000000000000626e6f20646c69737483f5fb' +
      '3ff800000000000062c3bc'
  )
  is(hex(encode(new Uint8Array([1, 2, 255]))), '0101430102ff')
  const signed = (await sealer()).seal({ kind: 'alive', incarnation: 3 })
  is(hex(signed.bytes), '0101a2646b696e6465616c6976656b696e6361726e6174696f6e03')
  is(hex(encode(signed)), GOLDEN_SIGNED)
})

/** Plain data as messages carry it. */
const plain = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, undefined, true, false),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).map(n => n + 0),
    fc.string({ unit: 'binary' }),
    fc.uint8Array(),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string().filter(key => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true }
    )
  )
})).value

test('plain data comes back as it went', () => {
  fc.assert(
    fc.property(plain, value => {
      equal(decode(encode(value)), value)
    }),
    { numRuns: 300 }
  )
})

test('signed values come back with their body, bytes and author, nested ones too', async () => {
  const seal = await sealer()
  const other = await sealer(new Uint8Array(32).fill(9))
  const inner = seal.seal({ kind: 'alive', value: new Uint8Array([1, 2, 3]) })
  const outer = other.seal({ kind: 'obituary', last: inner, list: [inner] })
  const { verify } = createVerifier()
  const back = decodeVerified(encode({ items: [outer, inner] }), verify) as {
    items: Signed<{ last: Signed; list: Signed[] }>[]
  }
  const [first] = back.items
  instance(first, Signed)
  is(first?.author, other.self)
  equal(first?.bytes, outer.bytes)
  equal(first?.signature, outer.signature)
  instance(first?.body.last, Signed)
  is(first?.body.last.author, seal.self)
  equal(first?.body.last.body, { kind: 'alive', value: new Uint8Array([1, 2, 3]) })
  is(first?.body.last.bytes.constructor, Uint8Array)
  // Relaying keeps the bytes.
  is(hex(encode(back)), hex(encode({ items: [outer, inner] })))
})

test('a decoded value keeps none of the frame it came in', async () => {
  const bytes = encode((await sealer()).seal({ kind: 'x' }))
  const back = decode(bytes) as Signed
  const before = hex(back.bytes)
  bytes.fill(0)
  is(hex(back.bytes), before)
  ok(back.bytes.buffer !== bytes.buffer)
})

test('a Buffer, or a view into one, decodes like a plain array', () => {
  const bytes = encode({ value: new Uint8Array([5]) })
  const padded = Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('yy')])
  const back = decode(padded.subarray(2, 2 + bytes.byteLength)) as { value: Uint8Array }
  is(back.value.constructor, Uint8Array)
  equal(back, { value: new Uint8Array([5]) })
})

test('flipping any byte of a signed message is noticed', async () => {
  const message = encode((await sealer()).seal({ kind: 'alive', incarnation: 3 }))
  const { verify } = createVerifier()
  ok(decodeVerified(message, verify))
  for (let at = 0; at < message.byteLength; at++) {
    const flipped = message.slice()
    flipped[at] = (flipped[at] as number) ^ 0x01
    let back: unknown
    const why = reason(() => {
      back = decodeVerified(flipped, verify)
    })
    // What is left is no signed value any more: the mark itself was hit.
    if (why === undefined) ok(!(back instanceof Signed), `byte ${at}`)
  }
})

test('a signature of somebody else, or of other bytes, is refused', async () => {
  const seal = await sealer()
  const other = await sealer(new Uint8Array(32).fill(9))
  const good = seal.seal({ a: 1 })
  const { verify } = createVerifier()
  const decodeOf = (signed: Signed) => reason(() => decodeVerified(encode([signed]), verify))
  is(decodeOf(new Signed(other.self, good.body, good.bytes, good.signature)), 'signature')
  is(decodeOf(new Signed(seal.self, 0, encode({ a: 2 }), good.signature)), 'signature')
  is(decodeOf(new Signed('n1', 0, good.bytes, good.signature)), 'signature')
  is(decodeOf(new Signed(seal.self, 0, good.bytes, new Uint8Array(0))), 'signature')
  // The same key under its other spelling would be a second name of one node.
  const cid = 'k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r'
  is(decodeOf(new Signed(cid, 0, good.bytes, good.signature)), 'signature')
  is(decodeOf(good), undefined)
})

test('statements of keyless tests survive a round trip where nobody verifies', () => {
  const signed = new Signed('n1', { a: 1 }, encode({ a: 1 }), new Uint8Array(0))
  const back = codec.decode(codec.encode(signed)) as Signed
  is(back.author, 'n1')
  equal(back.body, { a: 1 })
})

test('size, version and codec are checked before anything is read', () => {
  is(
    reason(() => decode(new Uint8Array(0))),
    'size'
  )
  is(
    reason(() => decode(new Uint8Array([1, 1]))),
    'size'
  )
  is(
    reason(() => decode(new Uint8Array(FRAME_BYTES_MAX + 1))),
    'size'
  )
  is(
    reason(() => decode(new Uint8Array([2, 1, 0]))),
    'version'
  )
  is(
    reason(() => decode(new Uint8Array([1, 2, 0]))),
    'codec'
  )
  is(
    reason(() => encode(new Uint8Array(FRAME_BYTES_MAX))),
    'size'
  )
  ok(encode(new Uint8Array(FRAME_BYTES_MAX - 7)))
})

test('truncated frames and trailing bytes are refused', () => {
  const good = encode({ kind: 'x', list: [1, 2, 'three', new Uint8Array(40)] })
  for (let length = 3; length < good.byteLength; length++)
    is(
      reason(() => decode(good.subarray(0, length))),
      'decode',
      `${length} bytes`
    )
  is(
    reason(() => decode(new Uint8Array([...good, 0]))),
    'trailing'
  )
})

test('whatever CBOR we never send is refused', () => {
  const refused: Record<string, string> = {
    'an array without a length': '9f01ff',
    'text without a length': '7f6161ff',
    'a break alone': 'ff',
    'a 64-bit integer': '1b0020000000000000',
    'a 64-bit length': '9b00000000ffffffff',
    'four billion items': '9affffffff',
    'four billion bytes': '5affffffff00',
    'a reserved head': '1c',
    'a simple value': 'e0',
    'a map key that is no text': 'a10102',
    'a map key that is a map': 'a1a00102',
    'a key __proto__': 'a1695f5f70726f746f5f5f01',
    'a date': 'c11a5fffffff',
    'a big number': 'c249010000000000000000',
    'a shared reference': 'd81c8101d81d00',
    'a packed table': 'd8338401808001',
    'a record definition': 'd9dfff8319e00081616101',
    'a regular expression': 'd81b82665265674578706161',
    'a typed array': 'd84043010203',
    'an explicit map': 'd90103a0',
    'our tag, otherwise written': 'da00005348836161410041ff',
    'our tag around a number': 'd9534801',
    'our tag around two': 'd95348826161f6',
    'our tag around wrong types': 'd953488301f6f6',
    'our tag around nothing': 'd95348',
    'half a character count': '78'
  }
  for (const [what, body] of Object.entries(refused))
    is(
      reason(() => decode(frame(body))),
      'decode',
      what
    )
})

test('depth is bounded, in the frame and from signed to signed', async () => {
  const nested = (depth: number) => frame(`${'81'.repeat(depth)}00`)
  ok(decode(nested(DEPTH_MAX)))
  is(
    reason(() => decode(nested(DEPTH_MAX + 1))),
    'decode'
  )
  is(
    reason(() => decode(nested(200_000))),
    'decode'
  )
  const seal = await sealer()
  let signed: Signed = seal.seal('innermost')
  for (let depth = 1; depth < SIGNED_DEPTH_MAX; depth++) signed = seal.seal([signed])
  const { verify } = createVerifier()
  ok(decodeVerified(encode(signed), verify))
  is(
    reason(() => decodeVerified(encode(seal.seal([signed])), verify)),
    'decode'
  )
})

test('the number of signed values in a frame is bounded', () => {
  const small = new Signed('n', null, encode(null), new Uint8Array(0))
  ok(decode(encode(Array.from({ length: SIGNED_MAX }, () => small))))
  is(
    reason(() => decode(encode(Array.from({ length: SIGNED_MAX + 1 }, () => small)))),
    'size'
  )
})

test('a body that cannot be decoded is refused although its signature is good', async () => {
  const seal = await sealer()
  const good = seal.seal({ a: 1 })
  throws(() => decode(encode(new Signed(seal.self, 0, good.bytes.subarray(1), good.signature))))
})

test('bytes that nobody wrote neither crash nor hang', () => {
  const { verify } = createVerifier()
  const startMs = performance.now()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      const hostile = new Uint8Array([1, 1, ...bytes])
      reason(() => decodeVerified(hostile, verify))
    }),
    { numRuns: 2_000 }
  )
  // The worst shapes that fill a frame.
  for (const head of ['80', 'a0', '60', '40', 'f6', '8180', 'a16161', 'd95348'])
    reason(() => {
      const body = head.repeat(Math.floor((FRAME_BYTES_MAX - 20) / (head.length / 2)))
      decodeVerified(frame(`9a${'00030000'}${body}`), verify)
    })
  ok(performance.now() - startMs < 5_000)
})

test('sending what is no plain data is a bug, and asserts', () => {
  for (const value of [1n, new Date(0), new Map([[1, 2]]), [new Set([1])], { a: 10n ** 30n }])
    throws(() => encode(value), /plain data/)
})

test('good statements are remembered, up to a bound, and bad ones are not', async () => {
  const seal = await sealer()
  const verifier = createVerifier({ verifiedMax: 4, keysMax: 2 })
  const signed = Array.from({ length: 6 }, (_, i) => seal.seal({ i }))
  for (const one of signed) ok(verifier.verify(one.author, one.bytes, one.signature))
  equal(verifier.stats(), { keys: 1, remembered: 4, hits: 0 })
  const last = signed.at(-1) as Signed
  ok(verifier.verify(last.author, last.bytes, last.signature))
  is(verifier.stats().hits, 1)
  for (let i = 0; i < 10; i++)
    is(verifier.verify(last.author, encode({ bad: i }), last.signature), false)
  equal(verifier.stats(), { keys: 1, remembered: 4, hits: 1 })
  for (let i = 0; i < 3; i++) {
    const other = (await sealer(new Uint8Array(32).fill(20 + i))).seal({ i })
    ok(verifier.verify(other.author, other.bytes, other.signature))
  }
  is(verifier.stats().keys, 2)
})

test('sealing the same body twice gives the same signature', async () => {
  const body = { kind: 'own', key: 'info' }
  is(hex((await sealer()).seal(body).signature), hex((await sealer()).seal(body).signature))
})

test.run()
