/**
 * pnet's two ciphers a connection, kept from ending the process. All of them live in one heap of
 * 640 KiB that starts with their states and takes the message after these. pnet never gives a state
 * back; and once the heap grows, for states or for one long message, the memory is gone under every
 * other cipher, each of which then grows it again by the whole, until 4 GiB are reached and the
 * next byte throws into nobody's hands. Some 5,100 connections of a stranger were enough.
 */
import type { MessageStream } from '@libp2p/interface'

/** Far below the heap, and what a socket gives at once. */
const PART_BYTES_MAX = 64 * 1024

interface Cipher {
  update(input: Uint8Array, output?: Uint8Array): Uint8Array
  finalize(): void
}

/** What `BoxMessageStream` of pnet does not show in its types. */
interface Box {
  inboundXor: Cipher
  outboundXor: Cipher
}

/** `under` is what the box of pnet wraps: once it has closed, nothing is read or written. */
export function keepCiphers(box: MessageStream, under: MessageStream): void {
  const { inboundXor, outboundXor } = box as unknown as Box
  if (inboundXor === undefined || outboundXor === undefined)
    throw new Error('pnet has other ciphers than this version of it')
  const ciphers = [inboundXor, outboundXor].map(cipher => inParts(cipher, box))
  const end = (): void => {
    for (const cipher of ciphers) cipher.finalize()
  }
  // It may have closed while the box was made.
  if (under.status === 'open') under.addEventListener('close', end, { once: true })
  else end()
}

/** Changes `cipher` in place. A cipher that throws ends its own connection. */
function inParts(cipher: Cipher, box: MessageStream): Cipher {
  const { update, finalize } = cipher
  let isOver = false
  cipher.update = input => {
    if (isOver) return new Uint8Array(0)
    const output = new Uint8Array(input.length)
    try {
      for (let at = 0; at < input.length; at += PART_BYTES_MAX) {
        const end = at + PART_BYTES_MAX
        update.call(cipher, input.subarray(at, end), output.subarray(at, end))
      }
      return output
    } catch (error) {
      queueMicrotask(() => box.abort(error as Error))
      return new Uint8Array(0)
    }
  }
  cipher.finalize = () => {
    if (isOver) return
    isOver = true
    finalize.call(cipher)
  }
  return cipher
}
