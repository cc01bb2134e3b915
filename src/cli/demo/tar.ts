/** A tar archive of a few files, as engines import it. */

export type TarEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly bytes: Buffer }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

const BLOCK = 512
const TYPE = { file: '0', link: '2', folder: '5' } as const

/** ustar; paths and link targets of at most 100 bytes. Everything is owned by root, mode 0755. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(entry => {
    if (entry.kind !== 'file') return [header(entry, 0)]
    const { bytes } = entry
    const padding = Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)
    return [header(entry, bytes.length), bytes, padding]
  })
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)])
}

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, length: number): void => {
    block.write(value.toString(8).padStart(length - 1, '0'), at, 'ascii')
  }
  block.write(entry.path, 0, 100, 'utf8')
  octal(0o755, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(0, 136, 12)
  block.write(TYPE[entry.kind], 156, 'ascii')
  if (entry.kind === 'link') block.write(entry.target, 157, 100, 'utf8')
  block.write('ustar\u000000', 257, 'ascii')
  // The sum counts its own field as blanks.
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148, 'ascii')
  return block
}
