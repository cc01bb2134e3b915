/** Bytes of a file to text: UTF-8 only, no NUL, with the byte at fault named. */
import type { ErrorCode } from '../errors.ts'

/** Largest file that is read at all. */
export const FILE_BYTES_MAX = 1024 * 1024

export type Decoded =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false
      readonly code: ErrorCode
      readonly message: string
      readonly hint: string
    }

/** Where the first byte stands that is not UTF-8; -1 when all are. */
function invalidAt(bytes: Uint8Array): number {
  let at = 0
  while (at < bytes.length) {
    const lead = bytes[at] ?? 0
    const length = sequenceLength(lead)
    if (length === 0 || at + length > bytes.length) return at
    const second = bytes[at + 1] ?? 0
    // Overlong forms, surrogates, and code points above 10FFFF.
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
    if (length > 1 && (second < low || second > high)) return at
    for (let next = at + 2; next < at + length; next += 1) {
      const byte = bytes[next] ?? 0
      if (byte < 0x80 || byte > 0xbf) return at
    }
    at += length
  }
  return -1
}

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1
  if (lead >= 0xc2 && lead <= 0xdf) return 2
  if (lead >= 0xe0 && lead <= 0xef) return 3
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0
}

/** Decodes a file; a byte-order mark is dropped. */
export function decodeText(input: string | Uint8Array): Decoded {
  const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input
  if (bytes.length > FILE_BYTES_MAX)
    return {
      ok: false,
      code: 'LIMIT',
      message: `the file has ${bytes.length} bytes, at most ${FILE_BYTES_MAX} are read`,
      hint: 'split it into several projects'
    }
  const nul = bytes.indexOf(0)
  const invalid = invalidAt(bytes)
  if (invalid !== -1 && (nul === -1 || invalid < nul))
    return {
      ok: false,
      code: 'INVALID',
      message: `the file is not UTF-8: byte ${invalid}`,
      hint: 'save it as UTF-8'
    }
  if (nul !== -1)
    return {
      ok: false,
      code: 'INVALID',
      message: `the file has a NUL byte: byte ${nul}`,
      hint: 'remove it'
    }
  return { ok: true, text: new TextDecoder('utf-8').decode(bytes) }
}
