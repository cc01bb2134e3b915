/**
 * How far the database had come, kept beside it. A database that lost the end of its log is a
 * smaller one, but a consistent one: its count and digest agree, as they came in the same batch.
 * Only something outside can tell. The anchor is one small file that is overwritten in place
 * after each batch, without a sync of its own (some 5 us):
 *
 * - it survives the daemon, as the page cache does; so after a SIGKILL every batch must be there,
 *   if the host has not booted since;
 * - after a power cut it may be old, never too new for synced batches: it is written after them.
 */
import { createHash } from 'node:crypto'
import type { Medium, SlotFile } from './medium.ts'

export interface Anchor {
  /** The last batch that was synced before it resolved. */
  readonly synced: number
  /** The last batch that resolved. */
  readonly written: number
  /** 32 hex digits: the boot of the host that wrote this. */
  readonly hostBoot: string
}

const MAGIC = 0x5348414e
const SLOT_BYTES = 64
const BODY_BYTES = 48

function seal(body: Buffer): Buffer {
  return createHash('sha256').update(body).digest().subarray(0, 8)
}

function readSlot(slot: Buffer): (Anchor & { counter: bigint }) | undefined {
  if (slot.byteLength < SLOT_BYTES || slot.readUInt32BE(0) !== MAGIC) return undefined
  const body = slot.subarray(0, BODY_BYTES)
  if (!seal(body).equals(slot.subarray(BODY_BYTES, BODY_BYTES + 8))) return undefined
  return {
    counter: body.readBigUInt64BE(8),
    synced: Number(body.readBigUInt64BE(16)),
    written: Number(body.readBigUInt64BE(24)),
    hostBoot: body.subarray(32, 48).toString('hex')
  }
}

function readSlots(file: Uint8Array): ReturnType<typeof readSlot>[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  return [readSlot(bytes.subarray(0, SLOT_BYTES)), readSlot(bytes.subarray(SLOT_BYTES))]
}

/** The newer of its two slots; undefined when there is none that is whole. */
export function readAnchor(file: Uint8Array): Anchor | undefined {
  const whole = readSlots(file).filter(slot => slot !== undefined)
  return whole.sort((a, b) => (a.counter < b.counter ? 1 : -1))[0]
}

/** Writes the anchor: two slots in turn, so that a torn write leaves the other. */
export class AnchorFile {
  readonly #file: SlotFile
  readonly #hostBoot: Buffer
  #counter = 0n

  /** Creates the file, or goes on with it. */
  constructor(medium: Medium) {
    this.#hostBoot = Buffer.from(medium.hostBoot() ?? '0'.repeat(32), 'hex')
    const isThere = medium.hasAnchor()
    for (const slot of isThere ? readSlots(medium.readAnchor()) : []) {
      if (slot !== undefined && slot.counter > this.#counter) this.#counter = slot.counter
    }
    this.#file = medium.openAnchor(!isThere)
  }

  write(progress: Pick<Anchor, 'synced' | 'written'>): void {
    this.#counter += 1n
    const slot = Buffer.alloc(SLOT_BYTES)
    slot.writeUInt32BE(MAGIC, 0)
    slot.writeBigUInt64BE(this.#counter, 8)
    slot.writeBigUInt64BE(BigInt(progress.synced), 16)
    slot.writeBigUInt64BE(BigInt(progress.written), 24)
    this.#hostBoot.copy(slot, 32)
    seal(slot.subarray(0, BODY_BYTES)).copy(slot, BODY_BYTES)
    this.#file.write(slot, this.#counter % 2n === 0n ? 0 : SLOT_BYTES)
  }

  sync(): void {
    this.#file.sync()
  }

  /** Closes it as it is. */
  drop(): void {
    this.#file.close()
  }

  close(): void {
    this.sync()
    this.#file.close()
  }
}
