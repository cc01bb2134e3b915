/**
 * The mesh key (pnet), and how both sides learn that it is the wrong one. pnet itself cannot tell:
 * it is a stream cipher without a check, so a wrong key shows as noise, a reset, or a hang
 * (`promises.md` finding 10). But what both sides send first is known: the multistream header. So
 * the first 20 decrypted bytes are compared as they arrive. The listener answers noise with that
 * header in its own cipher before it closes, so that the dialler sees noise too, and both can say
 * what is wrong at once. The wire stays libp2p's.
 */
import { createHash } from 'node:crypto'
import type { ConnectionProtector, MultiaddrConnection } from '@libp2p/interface'
import { preSharedKey } from '@libp2p/pnet'
import { keepCiphers } from './ciphers.ts'

const HEADER = new TextEncoder().encode('\u0013/multistream/1.0.0\n')
const FINGERPRINT_LENGTH = 8

/** Passed along with the options of a dial; says how far the key got. */
export const KEY_WATCH = Symbol('shoal.keyWatch')

export interface KeyWatch {
  wrong: boolean
}

export interface KeyCheckInit {
  /** 32 bytes. */
  readonly key: Uint8Array
  readonly onWrongKey: (direction: 'inbound' | 'outbound', address: string) => void
}

/** A few digits that tell keys apart without giving one away. */
export function fingerprint(key: Uint8Array): string {
  return createHash('sha256')
    .update('shoal mesh key')
    .update(key)
    .digest('hex')
    .slice(0, FINGERPRINT_LENGTH)
}

interface Receiver extends MultiaddrConnection {
  onData(data: { subarray(): Uint8Array }): void
}

export function keyCheck(init: KeyCheckInit): () => ConnectionProtector {
  const hex = Buffer.from(init.key).toString('hex')
  const createProtector = preSharedKey({
    psk: new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${hex}`)
  })
  return () => {
    const pnet = createProtector()
    return {
      async protect(connection, options) {
        const box = (await pnet.protect(connection, options)) as Receiver
        keepCiphers(box, connection)
        const watch = (options as { [KEY_WATCH]?: KeyWatch } | undefined)?.[KEY_WATCH]
        watchHeader(box, () => {
          if (watch !== undefined) watch.wrong = true
          init.onWrongKey(box.direction, box.remoteAddr.toString())
          if (box.direction === 'outbound') box.abort(new Error('wrong mesh key'))
          else answerNoise(box)
        })
        return box
      }
    }
  }
}

/** Compares the first bytes that arrive, then steps out of the way. */
function watchHeader(box: Receiver, onMismatch: () => void): void {
  const onData = box.onData
  let seen = 0
  box.onData = data => {
    const bytes = data.subarray()
    for (let i = 0; i < bytes.byteLength && seen < HEADER.byteLength; i++, seen++) {
      if (bytes[i] === HEADER[seen]) continue
      box.onData = () => {}
      onMismatch()
      return
    }
    if (seen === HEADER.byteLength) box.onData = onData
    onData.call(box, bytes)
  }
}

function answerNoise(box: Receiver): void {
  try {
    box.send(HEADER.slice())
  } catch {
    // It is gone already.
  }
  box.close().catch((error: Error) => box.abort(error))
}
