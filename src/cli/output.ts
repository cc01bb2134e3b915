/**
 * How a command shows what it found: `-o table|wide|json|yaml|name`. Data goes to stdout and
 * nothing else does. JSON and YAML are the wire types as they are.
 */
import picocolors from 'picocolors'
import type { Terminal } from './terminal.ts'
import { plain } from './text.ts'

export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const
export type Format = (typeof FORMATS)[number]
export type Tone = 'good' | 'warn' | 'bad' | 'dim'

export interface Column<T> {
  readonly header: string
  readonly value: (row: T) => string
  /** Only in `-o wide`. */
  readonly wide?: boolean
  readonly tone?: (row: T) => Tone | undefined
}

const { createColors } = picocolors
/** Columns of a terminal that the last column may always have. */
const LAST_COLUMN_MIN = 12
const GAP = '   '

export interface ListView<T> {
  readonly rows: readonly T[]
  readonly columns: readonly Column<T>[]
  /** One name a row, for `-o name` and `-q`. */
  readonly name: (row: T) => string
  /** Said on stderr instead of an empty table. */
  readonly none: string
}

export async function printList<T>(
  terminal: Terminal,
  format: Format,
  view: ListView<T>
): Promise<void> {
  switch (format) {
    case 'json':
    case 'yaml':
      return printData(terminal, format, view.rows)
    case 'name':
      for (const row of view.rows) terminal.stdout.write(`${plain(view.name(row))}\n`)
      return
    case 'table':
    case 'wide': {
      if (view.rows.length === 0) {
        terminal.stderr.write(`${view.none}\n`)
        return
      }
      const columns = view.columns.filter(column => format === 'wide' || column.wide !== true)
      terminal.stdout.write(await tableText(terminal, columns, view.rows))
    }
  }
}

/** A value as JSON or YAML. */
export async function printData(
  terminal: Terminal,
  format: 'json' | 'yaml',
  value: unknown
): Promise<void> {
  if (format === 'json') {
    terminal.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)
    return
  }
  const { stringify } = await import('./yaml.ts')
  terminal.stdout.write(stringify(value, { lineWidth: 0 }))
}

/** Borderless, three spaces between columns, no trailing blanks: `awk` can read it. */
async function tableText<T>(
  terminal: Terminal,
  columns: readonly Column<T>[],
  rows: readonly T[]
): Promise<string> {
  const cells = [
    columns.map(column => column.header),
    ...rows.map(row => columns.map(column => plain(column.value(row)) || '-'))
  ]
  if (terminal.isTty) cutLastColumn(cells, terminal.stdout.columns ?? 80)
  const paint = painter(terminal)
  const toneAt = (line: number, at: number): Tone | undefined => {
    const row = rows[line - 1]
    return row === undefined ? 'dim' : columns[at]?.tone?.(row)
  }
  const isPlain = cells.every(line => line.every(cell => /^[\x20-\x7e]*$/.test(cell)))
  const painted = isPlain ? padded(cells) : cells
  const lines = painted.map((line, number) =>
    line.map((cell, at) => paint(toneAt(number, at), cell))
  )
  if (isPlain) return lines.map(line => `${line.join(GAP).trimEnd()}\n`).join('')
  // Letters that are two columns wide, or none: the library knows them. It costs 13 ms to load.
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    chars: { ...NO_BORDERS, middle: GAP },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true }
  })
  table.push(...lines)
  return table
    .toString()
    .split('\n')
    .map(line => `${line.trimEnd()}\n`)
    .join('')
}

/** All but the last column, as wide as their widest cell. */
function padded(cells: readonly (readonly string[])[]): string[][] {
  const widths = widthsOf(cells)
  return cells.map(line =>
    line.map((cell, at) => (at === line.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
  )
}

function widthsOf(cells: readonly (readonly string[])[]): readonly number[] {
  const [head = []] = cells
  return head.map((_, at) => Math.max(...cells.map(line => [...(line[at] ?? '')].length)))
}

const NO_BORDERS = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid']
    .flatMap(side => [side, `${side}-mid`, `${side}-left`, `${side}-right`, 'mid-mid'])
    .map(name => [name, ''])
)

/** The last column is the one with long texts. */
function cutLastColumn(cells: string[][], terminalColumns: number): void {
  const widths = widthsOf(cells)
  const last = widths.length - 1
  const others = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0)
  const room = Math.max(LAST_COLUMN_MIN, terminalColumns - others)
  for (const line of cells) {
    const letters = [...(line[last] ?? '')]
    if (letters.length > room) line[last] = `${letters.slice(0, room - 3).join('')}...`
  }
}

/** Colours a text where colours are wanted. */
export function painter(terminal: Terminal): (tone: Tone | undefined, text: string) => string {
  const { green, yellow, red, dim } = createColors(terminal.hasColour)
  const tones = { good: green, warn: yellow, bad: red, dim }
  return (tone, text) => (tone === undefined ? text : tones[tone](text))
}

/** The tone of a member's or allocation's state. */
export function toneOf(state: string): Tone | undefined {
  switch (state) {
    case 'alive':
    case 'healthy':
    case 'running':
      return 'good'
    case 'dead':
    case 'failed':
      return 'bad'
    case 'left':
      return 'dim'
    default:
      return 'warn'
  }
}
