/**
 * Reads the stores of daemons, running or not, from copies: with the store's own opening, so that
 * every check it makes of a disk is made of the copy too.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from '../../gossip/codec.ts'
import type { SharedBody } from '../../gossip/core/replication/api.ts'
import { isReplicatedRecord, isSharedRecord } from '../../gossip/core/replication/message.ts'
import type { WorkloadRecord } from '../../node/agent/records.ts'
import { STORE_DIR } from '../../node/identity.ts'
import { onDisk } from '../../node/store/files.ts'
import { LevelStore } from '../../node/store/level-store.ts'
import type { StoredRecord } from '../../node/store/store.ts'
import type { Disk, Write } from './nemesis-history.ts'

/** A copy of a database at work may be torn; several in a row are not. */
const COPIES_MAX = 4
export const EDIT_VARIABLE = 'NEMESIS_EDIT'

/** The anchor says how much must be there at least: it is copied before the database. */
const PARTS = ['store.json', 'anchor', 'db']

function copy(dataDir: string): string {
  const target = mkdtempSync(join(tmpdir(), `shoalnem-copy-${process.pid}-`))
  const store = join(target, STORE_DIR)
  mkdirSync(store, { mode: 0o700 })
  for (const part of PARTS) {
    const from = join(dataDir, STORE_DIR, part)
    if (existsSync(from)) cpSync(from, join(store, part), { recursive: true })
  }
  return target
}

async function readRecords(folder: string): Promise<readonly StoredRecord[]> {
  const dir = join(folder, STORE_DIR)
  const { node, mesh } = JSON.parse(readFileSync(join(dir, 'store.json'), 'utf8')) as {
    readonly node: string
    readonly mesh: string
  }
  const store = await LevelStore.open({ ...onDisk(dir), node, mesh, ballastBytes: 0 })
  try {
    if (store.stats().quarantined > 0) throw new Error(store.amnesiac ?? 'it was set aside')
    return [...(await store.read('shared/')), ...(await store.read('removed/'))]
  } finally {
    await store.close()
  }
}

function editOf(body: SharedBody): string {
  if (body.value === null || !body.key.startsWith('workload/')) return ''
  const { spec } = decode(body.value) as WorkloadRecord
  return spec.env[EDIT_VARIABLE] ?? ''
}

const clientPart = (operation: string): string => operation.split('#', 1)[0] ?? ''

function writeOf(value: Uint8Array): Write | undefined {
  const record = decode(value)
  if (record === null) return undefined
  if (!isReplicatedRecord(record) || !isSharedRecord(record)) throw new Error('no shared record')
  const { body } = record
  const { key, uid, dot, vector, order, base, ends, remove } = body
  return {
    ...{ key, uid, dot, vector, order, base, ends, remove },
    operation: clientPart(body.operation),
    past: body.past.map(({ operation }) => clientPart(operation)),
    edit: editOf(body)
  }
}

function diskOf(host: string, records: readonly StoredRecord[]): Disk {
  const writes: Write[] = []
  const removed = new Map<string, Write | undefined>()
  for (const { key, value } of records) {
    const write = writeOf(value)
    if (key.startsWith('removed/')) removed.set(key.slice('removed/'.length), write)
    else if (write !== undefined) writes.push(write)
  }
  return {
    host,
    damage: '',
    writes: writes.filter(one => one.key.startsWith('workload/')),
    removed
  }
}

/** The shared state in the store of a data directory. */
export async function readDisk(host: string, dataDir: string): Promise<Disk> {
  let damage = ''
  for (let tries = 0; tries < COPIES_MAX; tries++) {
    let folder = ''
    try {
      folder = copy(dataDir)
      return diskOf(host, await readRecords(folder))
    } catch (error) {
      damage = error instanceof Error ? error.message : String(error)
    } finally {
      if (folder !== '') rmSync(folder, { recursive: true, force: true })
    }
  }
  return { host, damage, writes: [], removed: new Map() }
}

/** Every write a disk holds, removals too. */
export function writesOf(disk: Disk): Write[] {
  return [...disk.writes, ...[...disk.removed.values()].flatMap(write => write ?? [])]
}
