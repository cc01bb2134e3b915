/**
 * A process's lines: two streams, each in a file and its older ones (`stdout.log`, `.1`, `.2`),
 * each line with the milliseconds at which the shim read it. Merged by that time.
 */
import { type FileHandle, open, stat } from 'node:fs/promises'
import type { LogLine, LogOptions } from '../runtime.ts'
import { pause } from '../wait.ts'
import { LOG_FILES_MAX } from './shim.ts'

const BLOCK_BYTES = 64 * 1024
/** Longer lines are cut here and go on as the next one. */
const LINE_BYTES_MAX = 256 * 1024
const FOLLOW_POLL_MS = 100
const NEWLINE = 0x0a
const STAMP_PATTERN = /^(\d{10,16}) /
const STAMP_BYTES_MAX = 20

interface Stamped {
  readonly ms: number
  readonly line: LogLine
}

interface OpenFile {
  readonly handle: FileHandle
  readonly inode: number
}

/** One stream, read forward through its files and then along with the newest one. */
class StreamReader {
  readonly #stream: LogLine['stream']
  readonly #path: string
  readonly #files: OpenFile[] = []
  #offset = 0
  #lastInode = 0
  #rest: Buffer = Buffer.alloc(0)
  #lastMs = 0

  constructor(stream: LogLine['stream'], path: string) {
    this.#stream = stream
    this.#path = path
  }

  async open(tail: number | undefined): Promise<void> {
    await this.#openNewer()
    if (tail !== undefined) await this.#seekTail(tail)
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.splice(0).map(file => file.handle.close()))
  }

  /** The next lines; empty at the end of what there is now. */
  async next(): Promise<Stamped[]> {
    for (;;) {
      const file = this.#files[0]
      if (file === undefined) {
        if (!(await this.#openNewer())) return []
        continue
      }
      const block = Buffer.allocUnsafe(BLOCK_BYTES)
      const { bytesRead } = await file.handle.read(block, 0, BLOCK_BYTES, this.#offset)
      if (bytesRead > 0) {
        this.#offset += bytesRead
        const lines = this.#split(block.subarray(0, bytesRead))
        if (lines.length > 0) return lines
        continue
      }
      if (this.#files.length === 1 && !(await this.#openNewer())) return []
      // Nothing was added after the next file began, but perhaps between our read and that.
      if (await this.#hasMore(file)) continue
      this.#files.shift()
      this.#offset = 0
      await file.handle.close()
    }
  }

  async #hasMore(file: OpenFile): Promise<boolean> {
    return (await file.handle.stat()).size > this.#offset
  }

  /** Opens what has come after the last file we have. True when there was something. */
  async #openNewer(): Promise<boolean> {
    if (this.#lastInode !== 0) {
      const now = await stat(this.#path).catch(() => undefined)
      if (now === undefined || now.ino === this.#lastInode) return false
    }
    const found: OpenFile[] = []
    const paths = [this.#path]
    for (let n = 1; n < LOG_FILES_MAX; n++) paths.push(`${this.#path}.${n}`)
    // From the newest on: a rotation meanwhile shows a file twice and hides none.
    for (const path of paths) {
      const handle = await open(path, 'r').catch(() => undefined)
      if (handle === undefined) continue
      const inode = (await handle.stat()).ino
      if (inode === this.#lastInode) {
        await handle.close()
        break
      }
      if (found.some(file => file.inode === inode)) await handle.close()
      else found.push({ handle, inode })
    }
    if (found.length === 0) return false
    this.#lastInode = found[0]?.inode ?? 0
    this.#files.push(...found.reverse())
    return true
  }

  /** Moves to the last `count` lines. */
  async #seekTail(count: number): Promise<void> {
    let missing = count
    for (let index = this.#files.length - 1; index >= 0; index--) {
      const { handle } = this.#files[index] as OpenFile
      let end = (await handle.stat()).size
      const size = end
      while (end > 0) {
        const begin = Math.max(0, end - BLOCK_BYTES)
        const block = Buffer.alloc(end - begin)
        await handle.read(block, 0, block.length, begin)
        for (let at = block.length - 1; at >= 0; at--) {
          const isLast = begin + at === size - 1
          if (block[at] !== NEWLINE || isLast) continue
          missing -= 1
          if (missing <= 0) {
            await this.#dropBefore(index, begin + at + 1)
            return
          }
        }
        end = begin
      }
      if (size > 0) missing -= 1
      if (missing <= 0) {
        await this.#dropBefore(index, 0)
        return
      }
    }
  }

  async #dropBefore(index: number, offset: number): Promise<void> {
    this.#offset = offset
    await Promise.all(this.#files.splice(0, index).map(file => file.handle.close()))
  }

  #split(block: Buffer): Stamped[] {
    let rest = this.#rest.length === 0 ? block : Buffer.concat([this.#rest, block])
    const lines: Stamped[] = []
    for (;;) {
      const newline = rest.indexOf(NEWLINE)
      if (newline < 0 && rest.length < LINE_BYTES_MAX) break
      const end = newline < 0 ? LINE_BYTES_MAX : newline
      lines.push(this.#stamped(rest.subarray(0, end)))
      rest = rest.subarray(newline < 0 ? end : end + 1)
    }
    this.#rest = rest
    return lines
  }

  #stamped(bytes: Buffer): Stamped {
    const head = bytes.subarray(0, STAMP_BYTES_MAX).toString('latin1')
    const match = STAMP_PATTERN.exec(head)
    // A cut line has its time only in its first part.
    if (match !== null) this.#lastMs = Number(match[1])
    const text = bytes.subarray(match?.[0].length ?? 0).toString('utf8')
    const time = new Date(this.#lastMs).toISOString()
    return { ms: this.#lastMs, line: { stream: this.#stream, time, line: text } }
  }
}

export interface LogSource {
  readonly stdout: string
  readonly stderr: string
  /** True when nothing more will be written. */
  ended(): Promise<boolean>
}

/** Ends when the signal aborts, and with `follow` when the process and its shim have ended. */
export async function* readProcessLogs(
  source: LogSource,
  options: LogOptions,
  signal: AbortSignal
): AsyncGenerator<LogLine> {
  const readers = [
    new StreamReader('stdout', source.stdout),
    new StreamReader('stderr', source.stderr)
  ]
  const since = options.sinceMs ?? 0
  try {
    for (const reader of readers) await reader.open(options.tail)
    let last: LogLine[] = []
    for await (const { ms, line } of merged(readers, signal)) {
      if (ms < since) continue
      if (options.tail === undefined) {
        yield line
        continue
      }
      last.push(line)
      if (last.length > options.tail * 2 + 1) last = last.slice(-options.tail)
    }
    if (options.tail !== undefined && options.tail > 0) yield* last.slice(-options.tail)
    if (options.follow) yield* follow(readers, source, since, signal)
  } finally {
    await Promise.all(readers.map(reader => reader.close()))
  }
}

/** Everything there is now, in order of time. */
async function* merged(
  readers: readonly StreamReader[],
  signal: AbortSignal
): AsyncGenerator<Stamped> {
  const queues = await Promise.all(readers.map(async reader => await reader.next()))
  while (!signal.aborted) {
    let first: number | undefined
    for (const [index, queue] of queues.entries()) {
      const head = queue[0]
      if (head === undefined) continue
      if (first === undefined || head.ms < (queues[first]?.[0]?.ms ?? 0)) first = index
    }
    if (first === undefined) return
    const queue = queues[first] as Stamped[]
    yield queue.shift() as Stamped
    if (queue.length === 0) queues[first] = await (readers[first] as StreamReader).next()
  }
}

async function* follow(
  readers: readonly StreamReader[],
  source: LogSource,
  since: number,
  signal: AbortSignal
): AsyncGenerator<LogLine> {
  for (;;) {
    // Asked first: what was written before the end is then read below.
    const over = await source.ended()
    for await (const { ms, line } of merged(readers, signal)) {
      if (ms >= since) yield line
    }
    if (over || signal.aborted) return
    await pause(FOLLOW_POLL_MS, signal)
  }
}
