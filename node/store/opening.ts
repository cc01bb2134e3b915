/**
 * Opening the store: made new, opened and checked, or set aside because something is lost; then
 * what is sound of it is taken over, and the node is amnesiac until its peers have filled it again.
 */
import type { Clock } from '../clock.ts'
import { readAnchor } from './anchor.ts'
import { Inventory, wrap } from './checksum.ts'
import { reasonOf, storeError } from './faults.ts'
import { decodeMarker, encodeMeta, type Marker, META_KEY, SCHEMA } from './format.ts'
import { type Inspection, inspect } from './inspect.ts'
import { type Database, isFault, type Medium, type OpenFault } from './medium.ts'
import { AMNESIA_KEY, type StoredRecord } from './store.ts'

export interface StoreOptions {
  /** The store's own directory. */
  readonly medium: Medium
  /** For the waits of a full disk. */
  readonly clock: Clock
  /** Whose it is: a store of another node or mesh is refused. */
  readonly node: string
  readonly mesh: string
  /** Space kept for the day the disk is full; 0 for none. Default 32 MiB. */
  readonly ballastBytes?: number
  /** Told when the disk is full, and with undefined when it takes writes again. */
  readonly onTrouble?: (trouble: string | undefined) => void
}

export interface Opened {
  readonly database: Database
  readonly inventory: Inventory
  readonly sequence: number
  readonly salvaged: number
}

export function metaRecord(
  options: StoreOptions,
  inventory: Inventory,
  sequence: number
): Uint8Array {
  const { node, mesh } = options
  const { count, digest } = inventory
  const meta = encodeMeta({ schema: SCHEMA, node, mesh, sequence, count, digest })
  return wrap(META_KEY, meta).bytes
}

/** A store of another node, another mesh or a newer program is left untouched. */
export function refuseOthers(options: StoreOptions, found: Marker): void {
  const { node, mesh } = options
  const { where } = options.medium
  if (found.schema > SCHEMA) {
    throw storeError(
      `the store has layout ${found.schema}, this shoald knows layouts up to ${SCHEMA}`,
      where,
      'install the newer shoald that wrote it'
    )
  }
  if (found.node !== node) {
    const hint = 'use the data directory of this node, or an empty one'
    throw storeError(`the store belongs to node ${found.node}, not to ${node}`, where, hint)
  }
  if (found.mesh !== mesh) {
    const hint = 'leave that mesh first, or use an empty data directory'
    throw storeError(`the store belongs to mesh ${found.mesh}, not to ${mesh}`, where, hint)
  }
}

/** Makes an empty database, or one with what was salvaged. */
export async function create(
  options: StoreOptions,
  salvaged: readonly StoredRecord[],
  amnesia?: string
): Promise<Opened> {
  const { where } = options.medium
  const database = await options.medium.openDatabase(true)
  if (isFault(database)) throw openError(where, database)
  const inventory = new Inventory()
  const records = new Map(salvaged.map(({ key, value }) => [key, value]))
  if (amnesia !== undefined) records.set(AMNESIA_KEY, Buffer.from(amnesia))
  const operations = [...records].map(([key, value]) => {
    const { bytes, hash } = wrap(key, value)
    inventory.set(key, hash, value.byteLength)
    return { type: 'put' as const, key, value: bytes }
  })
  const sequence = 1
  const meta = metaRecord(options, inventory, sequence)
  try {
    await database.batch([...operations, { type: 'put', key: META_KEY, value: meta }], {
      sync: true
    })
  } catch (error) {
    await database.close().catch(() => undefined)
    throw storeError(`cannot write the store: ${reasonOf(error)}`, where, '', error)
  }
  return { database, inventory, sequence, salvaged: salvaged.length }
}

export function openError(where: string, fault: OpenFault): Error {
  switch (fault.kind) {
    case 'locked':
      return storeError(
        'another shoald uses this store',
        where,
        'stop it first, or give this one its own --data-dir'
      )
    case 'full':
      return storeError('no space left on the disk', where, 'free some space')
    case 'disk':
    case 'damaged':
      return storeError(`cannot open the store: ${fault.reason}`, where)
  }
}

export type FoundMarker = Marker | 'missing' | 'damaged'

export async function readMarker(medium: Medium): Promise<FoundMarker> {
  const text = await medium.readMarker()
  return text === undefined ? 'missing' : decodeMarker(text)
}

/** Opens it again in this process, with every check. Throws where it is not what it was. */
export async function openAgain({ medium }: StoreOptions): Promise<Opened> {
  const database = await medium.openDatabase(false)
  if (isFault(database)) throw openError(medium.where, database)
  const found = await inspect(database)
  const { inventory, meta } = found
  const reason = found.damage ?? lossOf(medium, await readMarker(medium), found)
  if (reason === undefined)
    return { database, inventory, sequence: meta?.sequence ?? 0, salvaged: 0 }
  await database.close()
  // The next start sets it aside and takes over what is sound.
  throw storeError(`the store lost something: ${reason}`, medium.where)
}

/** Opens what was made before and checks all of it; sets it aside when something is lost. */
export async function reopen(options: StoreOptions, marker: FoundMarker): Promise<Opened> {
  const { medium } = options
  const unfinished = marker === 'missing' && !medium.hasAnchor()
  let database = await medium.openDatabase(false)
  if (isFault(database) && database.kind === 'full' && (await medium.dropBallast())) {
    database = await medium.openDatabase(false)
  }
  if (isFault(database)) {
    if (database.kind !== 'damaged') throw openError(medium.where, database)
    const reason = `the database does not open: ${database.reason}`
    return await replace(options, { reason, unfinished })
  }
  let found: Inspection
  try {
    found = await inspect(database)
    if (found.meta !== undefined) refuseOthers(options, found.meta)
  } catch (error) {
    await database.close()
    throw error
  }
  const reason = found.damage ?? lossOf(medium, marker, found)
  if (reason === undefined) {
    const { inventory, meta } = found
    return { database, inventory, sequence: meta?.sequence ?? 0, salvaged: 0 }
  }
  await database.close()
  return await replace(
    options,
    { reason, unfinished: unfinished && found.meta === undefined },
    found
  )
}

/**
 * Sets the database aside and makes one of what is sound of it, in one batch. A start that was
 * killed between the two left nothing, or an empty database that no anchor knows: then that is
 * made up for from what was set aside before. One that was begun is never filled up with older
 * ones, whose records may tell of lives that everybody has forgotten since.
 */
async function replace(
  options: StoreOptions,
  why: { readonly reason: string; readonly unfinished: boolean },
  inspected?: Inspection
): Promise<Opened> {
  const { medium } = options
  const wasBegun = medium.hasAnchor()
  let aside = await medium.quarantine()
  let records = inspected?.records ?? (await medium.salvage(aside))
  while (!wasBegun && records.length === 0 && aside > 1) {
    aside -= 1
    records = await medium.salvage(aside)
  }
  // Killed while it was made, before anything could be written to it: nothing is lost.
  const isNew = why.unfinished && records.length === 0
  return await create(options, records, isNew ? undefined : why.reason)
}

/** What the database itself cannot know: that its end is missing. */
function lossOf(medium: Medium, marker: FoundMarker, found: Inspection): string | undefined {
  if (marker === 'damaged') return 'its marker is damaged'
  if (!medium.hasAnchor()) return marker === 'missing' ? undefined : 'its anchor is gone'
  const anchor = readAnchor(medium.readAnchor())
  if (anchor === undefined) return 'its anchor is damaged'
  const sequence = found.meta?.sequence ?? 0
  if (anchor.synced > sequence) return `synced batches are gone: ${sequence} of ${anchor.synced}`
  const sameBoot = anchor.hostBoot === medium.hostBoot()
  if (sameBoot && anchor.written > sequence) {
    return `batches are gone: ${sequence} of ${anchor.written}`
  }
  return undefined
}
