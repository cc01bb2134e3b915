/** Join tokens: whole ones round-trip, damaged ones say how (promise B45). */
import fc from 'fast-check'
import { equal, match, ok } from 'uvu/assert'
import { decodeToken, encodeToken, type JoinToken } from '../../src/api/token.ts'
import { ShoalError } from '../../src/errors.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('token')

// `unit: 'binary'` of fast-check takes seconds to set up.
const anyText = fc
  .array(fc.oneof(fc.nat(0xff), fc.nat(0x2fff)), { minLength: 1, maxLength: 60 })
  .map(points => String.fromCodePoint(...points))
const text = anyText.filter(value => Buffer.byteLength(value) <= 255)
const tokens: fc.Arbitrary<JoinToken> = fc.record(
  {
    mesh: text,
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    addresses: fc.array(text, { minLength: 1, maxLength: 16 })
  },
  { noNullPrototype: true }
)

const TOKEN: JoinToken = {
  mesh: 'mesh-1234',
  key: new Uint8Array(32).fill(7),
  addresses: ['/ip4/10.0.0.5/tcp/7970/p2p/12D3KooWAbc', '/ip6/fd00::5/tcp/7970']
}

function refusal(value: string): string {
  try {
    decodeToken(value)
  } catch (error) {
    ok(error instanceof ShoalError)
    equal(error.code, 'TOKEN')
    return error.message
  }
  throw new Error('was accepted')
}

test('every token reads back as it was made', () => {
  fc.assert(fc.property(tokens, token => equal(decodeToken(encodeToken(token)), token)))
})

test('spaces and newlines anywhere are tolerated', () => {
  const written = encodeToken(TOKEN)
  const wrapped = `\n ${written.replace(/(.{20})/g, '$1\n  ')}\t\n`
  equal(decodeToken(wrapped), TOKEN)
})

test('every single changed character is noticed', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const written = encodeToken(TOKEN)
  for (let at = 'shoal1-'.length; at < written.length; at += 1) {
    for (const other of [...alphabet].filter((_, index) => index % 7 === at % 7)) {
      if (other === written[at]) continue
      match(refusal(written.slice(0, at) + other + written.slice(at + 1)), /token/)
    }
  }
})

test('two swapped characters are noticed', () => {
  const written = encodeToken(TOKEN)
  for (let at = 'shoal1-'.length; at + 1 < written.length; at += 1) {
    if (written[at] === written[at + 1]) continue
    const swapped = `${written.slice(0, at)}${written[at + 1]}${written[at]}${written.slice(at + 2)}`
    refusal(swapped)
  }
})

test('a cut token is called cut short, at any length', () => {
  const written = encodeToken(TOKEN)
  for (let length = 1; length < written.length; length += 1)
    match(refusal(written.slice(0, length)), /cut short/, `${length} characters`)
})

test('each fault has its own words', () => {
  const written = encodeToken(TOKEN)
  match(refusal(''), /empty/)
  match(refusal('  \n'), /empty/)
  match(refusal('/ip4/10.0.0.5/tcp/7970'), /an address, not a token/)
  match(refusal('hello'), /does not begin with shoal1-/)
  match(refusal('shoal2-AAAA'), /version 2, this shoal reads 1/)
  match(refusal(`${written}AA`), /2 characters too many/)
  match(refusal(`${written.slice(0, 30)}!${written.slice(31)}`), /position 31/)
  match(
    refusal(`${written.slice(0, 60)}${written[60] === 'A' ? 'B' : 'A'}${written.slice(61)}`),
    /differs/
  )
  match(refusal(`shoal1-${'A'.repeat(100_000)}`), /longer than any/)
})

test('no refusal repeats what the token holds', () => {
  const secret = encodeToken({ ...TOKEN, key: new Uint8Array(32).map((_, at) => at * 5) })
  for (let length = 10; length < secret.length; length += 7) {
    const message = refusal(secret.slice(0, length))
    for (let at = 0; at + 8 <= length; at += 4)
      ok(!message.includes(secret.slice(Math.max(7, at), Math.max(7, at) + 8)), message)
  }
})

test('hostile text never does more than be refused', () => {
  fc.assert(
    fc.property(anyText, value => {
      match(refusal(`shoal1-${value}`), /token/)
    })
  )
})

test('a token is made of parts that fit only', () => {
  const wrong: JoinToken[] = [
    { ...TOKEN, key: new Uint8Array(31) },
    { ...TOKEN, addresses: [] },
    { ...TOKEN, addresses: Array.from({ length: 17 }, () => '/ip4/1.2.3.4/tcp/1') },
    { ...TOKEN, addresses: ['x'.repeat(256)] },
    { ...TOKEN, mesh: '' }
  ]
  for (const token of wrong) {
    try {
      encodeToken(token)
    } catch (error) {
      equal((error as ShoalError).code, 'USAGE')
      continue
    }
    throw new Error('was accepted')
  }
})

test.run()
