/** A data directory as one life of a daemon reads and writes it. */
import type { Random } from '../../../gossip/core/types.ts'
import { unwrap } from '../../../node/store/checksum.ts'
import { META_KEY } from '../../../node/store/format.ts'
import type { Database, Medium, OpenFault, Operation, Range } from '../../../node/store/medium.ts'
import type { VirtualClock } from '../../helpers/virtual-clock.ts'
import type { SimDisk } from './disk.ts'

export interface SimMediumComponents {
  readonly clock: VirtualClock
  readonly disk: SimDisk
  readonly random: Random
  /** Runs a task in the daemon's event loop, when that runs; never for a dead one. */
  readonly enter: (task: () => void) => void
  /** Promises were made or ended. */
  readonly touch: () => void
}

const ROOM_BYTES = 1 << 30

export interface SimMedium extends Medium {
  /** The process is killed: writes that were under way have reached the page cache, or not. */
  died(): void
}

export function simMedium(components: SimMediumComponents, where: string): SimMedium {
  const { disk, random } = components
  const life: Life = { underWay: [], isOver: false }
  const medium: Medium = {
    where,
    prepare: async () => undefined,
    readMarker: async () => disk.marker,
    writeMarker: async text => {
      if (life.isOver) return never()
      disk.marker = text
    },
    hasDatabase: () => disk.exists,
    openDatabase: async create => (life.isOver ? never() : openDatabase(components, life, create)),
    salvage: async aside => soundOf(disk.quarantined[aside - 1] ?? []),
    hasAnchor: () => disk.anchor !== undefined,
    readAnchor: () => disk.anchor ?? new Uint8Array(0),
    openAnchor: create => {
      if (create && !life.isOver) disk.createAnchor()
      return {
        write: (bytes, offset) => {
          if (!life.isOver) disk.writeAnchor(bytes, offset)
        },
        sync: () => {
          if (!life.isOver) disk.syncAnchor()
        },
        close: () => undefined
      }
    },
    hostBoot: () => String(disk.hostBoot).padStart(32, '0'),
    quarantine: async () => {
      if (life.isOver) return never()
      disk.quarantine()
      return disk.quarantined.length
    },
    countQuarantined: async () => disk.quarantined.length,
    freeBytes: () => (disk.isFull ? 0 : ROOM_BYTES),
    isFull: () => disk.isFull,
    dropBallast: async () => true,
    layBallast: async () => undefined
  }
  const died = (): void => {
    // In order: what LevelDB writes later is not there before what it wrote earlier.
    const landed = random.int(life.underWay.length + 1)
    for (const { operations } of life.underWay.splice(0, landed)) disk.append(operations, false)
    life.underWay.length = 0
    life.isOver = true
  }
  return { ...medium, died }
}

/** What a dead process had in mind goes on in the promises here, and must not reach a disk. */
function never<T>(): Promise<T> {
  return new Promise(() => undefined)
}

interface Write {
  readonly operations: readonly Operation[]
}

interface Life {
  readonly underWay: Write[]
  isOver: boolean
}

function openDatabase(
  components: SimMediumComponents,
  life: Life,
  create: boolean
): Database | OpenFault {
  const { disk } = components
  if (disk.isFull) return { kind: 'full' }
  if (create) disk.create()
  else if (!disk.exists || disk.unreadable) {
    return { kind: 'damaged', reason: disk.exists ? 'Corruption: CURRENT' : 'does not exist' }
  } else disk.compact()
  let isWedged = false
  return {
    batch: (operations, { sync }) =>
      new Promise((resolve, reject) => {
        components.touch()
        const write = { operations: [...operations] }
        const { enter, clock, random } = components
        const fail = (error: Error): void => {
          isWedged = true
          enter(() => reject(error))
          components.touch()
        }
        // What a dead process still had in mind it does not do.
        if (life.isOver) return
        const { underWay } = life
        underWay.push(write)
        clock.schedule(disk.latencyMs, () => {
          const index = underWay.indexOf(write)
          // A dead process: `died` has decided what became of it.
          if (index < 0) return
          underWay.splice(index, 1)
          if (disk.isFull) return fail(noSpace())
          if (isWedged) return fail(ioError())
          if (disk.failsNext) {
            disk.failsNext = false
            if (random.int(2) === 0) disk.append(write.operations, false)
            return fail(ioError())
          }
          disk.append(write.operations, sync)
          enter(() => resolve())
          components.touch()
        })
      }),
    iterator: range => iterate(disk, range),
    close: async () => undefined
  }
}

async function* iterate(disk: SimDisk, range: Range): AsyncGenerator<[string, Uint8Array]> {
  const { gte, lt, reverse } = range
  const records = disk.records()
  if (reverse === true) records.reverse()
  for (const [key, value] of records) {
    if ((gte === undefined || key >= gte) && (lt === undefined || key < lt)) yield [key, value]
  }
}

/** LevelDB's repair keeps what passes its own checks; ours are the store's. */
function soundOf(records: readonly (readonly [string, Uint8Array])[]) {
  return records.flatMap(([key, stored]) => {
    const record = key === META_KEY ? undefined : unwrap(key, stored)
    return record === undefined ? [] : [{ key, value: record.value }]
  })
}

function noSpace(): Error {
  return Object.assign(new Error('IO error: No space left on device'), { code: 'ENOSPC' })
}

function ioError(): Error {
  return new Error('IO error: fdatasync: Input/output error')
}
