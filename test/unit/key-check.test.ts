/** The mesh key's ciphers: they live in one WASM heap that the process shares. */
import '../../gossip/libp2p/polyfill.ts'
import type { ConnectionProtector, MultiaddrConnection } from '@libp2p/interface'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { equal, is } from 'uvu/assert'
import { keyCheck } from '../../gossip/libp2p/key-check.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('mesh key')

const HEADER = new TextEncoder().encode('\u0013/multistream/1.0.0\n')

interface Cipher {
  readonly _xor: { readonly _memory: Uint8Array } | null
}

interface Box extends MultiaddrConnection {
  readonly inboundXor: Cipher
  readonly outboundXor: Cipher
}

function protector(): ConnectionProtector {
  return keyCheck({ key: new Uint8Array(32).fill(7), onWrongKey: () => undefined })()
}

/** Two sides with the key, past the header that both must send first. */
async function boxes(): Promise<readonly [Box, Box]> {
  const pair = multiaddrConnectionPair()
  const [one, two] = await Promise.all(
    pair.map(side => protector().protect(side) as Promise<unknown> as Promise<Box>)
  )
  return [one as Box, two as Box]
}

function received(box: Box, length: number): Promise<Uint8Array> {
  return new Promise(resolve => {
    const parts: Uint8Array[] = []
    let total = 0
    box.addEventListener('message', ({ data }) => {
      parts.push(data.subarray().slice())
      total += data.byteLength
      if (total >= length) resolve(Buffer.concat(parts))
    })
  })
}

test('the ciphers of a connection go back to the heap when it closes, however it closes', async () => {
  for (const end of ['close', 'abort', 'remote'] as const) {
    const [one, two] = await boxes()
    if (end === 'close') await one.close()
    else (end === 'abort' ? one : two).abort(new Error('test'))
    await new Promise(resolve => setImmediate(resolve))
    equal([one.inboundXor._xor, one.outboundXor._xor], [null, null], end)
  }
})

// One growth takes the heap away under all other ciphers, and each of them then grows it again.
test('a message larger than the heap goes through in parts, and the heap stays as it is', async () => {
  const [one, two] = await boxes()
  const heap = one.outboundXor._xor?._memory.byteLength ?? 0
  const message = new Uint8Array(2 * heap)
  message.set(HEADER)
  for (let i = HEADER.length; i < message.length; i++) message[i] = (i * 31) & 255
  const whole = received(two, message.length)
  one.send(message)
  is(Buffer.compare(await whole, message), 0)
  is(one.outboundXor._xor?._memory.byteLength, heap)
  is(two.inboundXor._xor?._memory.byteLength, heap)
})

test('a connection that is over takes no further bytes and throws at nobody', async () => {
  const [one] = await boxes()
  one.abort(new Error('test'))
  const { inboundXor } = one as unknown as { inboundXor: { update(b: Uint8Array): Uint8Array } }
  is(inboundXor.update(new Uint8Array(10)).length, 0)
})

test.run()
