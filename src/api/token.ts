/**
 * The join token: `shoal1-` and base64url of a small binary form. It holds the mesh key: whoever
 * has it may join. Never logged, never in an argument list of a daemon, never in an error.
 *
 *     0     version (1)
 *     1-2   bytes in all, big endian           so that a cut token can be told from a changed one
 *     3     check of the bytes 0-2
 *     ...   32 bytes key; mesh id; addresses   each text with one byte of length before it
 *     -8    first 8 bytes of SHA-256 of all before
 */
import { createHash } from 'node:crypto'
import { ShoalError } from '../errors.ts'

export interface JoinToken {
  readonly mesh: string
  /** 32 bytes: the pnet key. */
  readonly key: Uint8Array
  /** Multiaddrs of peers, best first. At least one. */
  readonly addresses: readonly string[]
}

const VERSION = 1
const PREFIX = `shoal${VERSION}-`
const KEY_BYTES = 32
const HEADER_BYTES = 4
const CHECK_BYTES = 8
const TEXT_BYTES_MAX = 255
const ADDRESSES_MAX = 16
/** 16 addresses of 255 bytes and the rest. */
const TOKEN_BYTES_MAX =
  HEADER_BYTES + KEY_BYTES + (ADDRESSES_MAX + 1) * (TEXT_BYTES_MAX + 1) + 1 + CHECK_BYTES
const AGAIN = 'print it again with: shoal token create'

/** Throws USAGE when a part does not fit. */
export function encodeToken(token: JoinToken): string {
  if (token.key.length !== KEY_BYTES)
    throw new ShoalError('USAGE', `a mesh key has ${KEY_BYTES} bytes, not ${token.key.length}`)
  if (token.addresses.length === 0 || token.addresses.length > ADDRESSES_MAX)
    throw new ShoalError('USAGE', `a token holds 1 to ${ADDRESSES_MAX} addresses`)
  const texts = [token.mesh, ...token.addresses].map(textBytes)
  const body = Buffer.concat([
    token.key,
    texts[0] ?? Buffer.of(0),
    Buffer.of(token.addresses.length),
    ...texts.slice(1)
  ])
  const length = HEADER_BYTES + body.length + CHECK_BYTES
  const start = Buffer.of(VERSION, length >> 8, length & 0xff)
  const all = Buffer.concat([start, Buffer.of(headerCheck(start)), body])
  return PREFIX + Buffer.concat([all, checksum(all)]).toString('base64url')
}

function textBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length === 0 || bytes.length > TEXT_BYTES_MAX)
    throw new ShoalError('USAGE', `a mesh id or address has 1 to ${TEXT_BYTES_MAX} bytes`)
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}

/** White space anywhere is ignored. Throws TOKEN that says what is wrong, never the token. */
export function decodeToken(text: string): JoinToken {
  const compact = text.replace(/\s+/g, '')
  checkPrefix(compact)
  const encoded = compact.slice(PREFIX.length)
  const stray = /[^A-Za-z0-9_-]/.exec(encoded)
  if (stray !== null) {
    const at = PREFIX.length + stray.index + 1
    throw bad(`the token holds a character at position ${at} that no token has`)
  }
  if (encoded.length > Math.ceil((TOKEN_BYTES_MAX * 4) / 3))
    throw bad('the token is longer than any token')
  const bytes = Buffer.from(encoded, 'base64url')
  checkLength(bytes, encoded.length)
  const all = bytes.subarray(0, -CHECK_BYTES)
  const check = bytes.subarray(-CHECK_BYTES)
  // The spare bits of the last character must be as written, or a changed one could pass.
  const canonical = bytes.toString('base64url') === encoded
  if (!canonical || !check.equals(checksum(all)))
    throw bad('the token is damaged: at least one character differs')
  return decodeBody(all.subarray(HEADER_BYTES))
}

function checkPrefix(text: string): void {
  if (text === '') throw bad('the token is empty')
  if (text.startsWith(PREFIX)) return
  if (text.startsWith('/'))
    throw bad('this is an address, not a token', 'give it as: shoal join ADDRESS --token-file FILE')
  const version = /^shoal(\d{1,6})-/.exec(text)?.[1]
  if (version !== undefined)
    throw bad(
      `the token is of version ${version}, this shoal reads ${VERSION}`,
      Number(version) > VERSION ? 'update shoal on this host' : AGAIN
    )
  if (PREFIX.startsWith(text)) throw bad('the token is cut short')
  throw bad(`the token does not begin with ${PREFIX}`)
}

function checkLength(bytes: Buffer, characters: number): void {
  if (bytes.length < HEADER_BYTES) throw bad('the token is cut short')
  if (headerCheck(bytes) !== bytes[3])
    throw bad('the token is damaged: one of its first characters differs')
  if (bytes[0] !== VERSION) throw bad(`the token is of version ${bytes[0]} inside`)
  const wanted = bytes.readUInt16BE(1)
  const wantedCharacters = Math.ceil((wanted * 4) / 3)
  if (characters < wantedCharacters)
    throw bad(
      `the token is cut short: ${PREFIX.length + characters} of ` +
        `${PREFIX.length + wantedCharacters} characters`
    )
  if (characters > wantedCharacters)
    throw bad(`the token has ${characters - wantedCharacters} characters too many at its end`)
}

/** Reached with a good checksum only: what does not fit was written by another program. */
function decodeBody(body: Buffer): JoinToken {
  let at = KEY_BYTES
  const read = (): string => {
    const length = body[at] ?? 0
    const text = body.subarray(at + 1, at + 1 + length)
    at += 1 + length
    if (length === 0 || text.length !== length) throw bad('the token was not made by shoal')
    return text.toString('utf8')
  }
  const mesh = read()
  const count = body[at] ?? 0
  at += 1
  if (count === 0 || count > ADDRESSES_MAX) throw bad('the token was not made by shoal')
  const addresses = Array.from({ length: count }, read)
  if (at !== body.length) throw bad('the token was not made by shoal')
  return { mesh, key: new Uint8Array(body.subarray(0, KEY_BYTES)), addresses }
}

function headerCheck(bytes: Uint8Array): number {
  const [version = 0, high = 0, low = 0] = bytes
  return (version * 31 + high * 37 + low * 41 + 0x5a) & 0xff
}

function checksum(bytes: Uint8Array): Buffer {
  return createHash('sha256')
    .update('shoal token\n')
    .update(bytes)
    .digest()
    .subarray(0, CHECK_BYTES)
}

function bad(message: string, hint = AGAIN): ShoalError {
  return new ShoalError('TOKEN', message, { hint })
}
