/** Lines that change while a command waits: in place on a terminal, each change once elsewhere. */
import type { Terminal } from './terminal.ts'

const ESC = String.fromCodePoint(0x1b)

export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #inPlace: boolean
  #drawn = 0
  #said = new Set<string>()

  constructor(terminal: Terminal, stream: NodeJS.WriteStream = terminal.stderr) {
    this.#stream = stream
    this.#inPlace = this.#stream.isTTY === true && terminal.env['TERM'] !== 'dumb'
  }

  /** All lines as they are now; lines of one `key` are not said twice. */
  show(lines: readonly string[], key: (line: string) => string = line => line): void {
    if (!this.#inPlace) {
      for (const line of lines) if (!this.#said.has(key(line))) this.#stream.write(`${line}\n`)
      // A line may come back later; only what stands now is not repeated.
      this.#said = new Set(lines.map(key))
      return
    }
    const width = this.#stream.columns ?? 80
    const room = Math.max(2, (this.#stream.rows ?? 24) - 1)
    const shown =
      lines.length <= room
        ? lines
        : [...lines.slice(0, room - 1), `... and ${lines.length - room + 1} more`]
    const text = shown.map(line => `${[...line].slice(0, width - 1).join('')}\n`).join('')
    const back = this.#drawn === 0 ? '' : `${ESC}[${this.#drawn}A`
    this.#stream.write(`${back}${ESC}[J${text}`)
    this.#drawn = shown.length
  }

  /** What was shown stays; what comes next stands below it. */
  end(): void {
    this.#drawn = 0
  }
}
