/** What the store writes of itself: the marker beside the database, its own record inside. */

/** Of the records' layout; a newer one is refused untouched. */
export const SCHEMA = 1

/** Written once, after the database was made: from then on a missing database is a loss. */
export interface Marker {
  readonly schema: number
  readonly node: string
  readonly mesh: string
}

export function encodeMarker(marker: Marker): string {
  return `${JSON.stringify(marker)}\n`
}

/** `damaged` when it is not what we write. */
export function decodeMarker(text: string): Marker | 'damaged' {
  try {
    const value = JSON.parse(text) as Partial<Record<keyof Marker, unknown>>
    const { schema, node, mesh } = value
    if (Number.isSafeInteger(schema) && typeof node === 'string' && typeof mesh === 'string') {
      return { schema: schema as number, node, mesh }
    }
  } catch {
    // Not JSON: damaged.
  }
  return 'damaged'
}

/** The store's own record; written with every batch. */
export const META_KEY = '!meta'

export interface Meta {
  readonly schema: number
  readonly node: string
  readonly mesh: string
  /** Of this batch. */
  readonly sequence: number
  /** Records after this batch, without this one. */
  readonly count: number
  readonly digest: string
}

export function encodeMeta(meta: Meta): Uint8Array {
  return Buffer.from(JSON.stringify(meta))
}

export function decodeMeta(bytes: Uint8Array): Meta | undefined {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString()) as Partial<Record<keyof Meta, unknown>>
    const { schema, node, mesh, sequence, count, digest } = value
    const numbers = [schema, sequence, count].every(Number.isSafeInteger)
    const texts = [node, mesh, digest].every(text => typeof text === 'string')
    return numbers && texts ? (value as Meta) : undefined
  } catch {
    return undefined
  }
}
