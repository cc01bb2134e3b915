/**
 * The plain forms of the commands that people run most (`shoal ps -o json`), parsed without
 * commander: it takes a third of their time. Whatever is not understood here (a mistake, `--help`,
 * an abbreviation) goes to commander, which gives the same answer or the error.
 */
import type { Format } from './output.ts'

const FORMATS: readonly string[] = ['table', 'wide', 'json', 'yaml', 'name'] satisfies Format[]

export interface FastCommand {
  readonly name: 'ps' | 'nodes' | 'status'
  readonly format: Format
  readonly all: boolean
  readonly watch: boolean
  /** Of `status`: fail unless all is well. */
  readonly check: boolean
  readonly of: string | undefined
  readonly socket: string | undefined
}

/** Undefined: let commander have it. */
export function parseFast(argv: readonly string[]): FastCommand | undefined {
  const [name, ...rest] = argv
  if (name !== 'ps' && name !== 'nodes' && name !== 'status') return undefined
  let format = 'table'
  let isQuiet = false
  let all = false
  let watch = false
  let check = false
  let of: string | undefined
  let socket: string | undefined
  for (let at = 0; at < rest.length; at += 1) {
    const arg = rest[at] ?? ''
    if (arg === '-o' || arg === '--output') format = rest[++at] ?? ''
    else if (arg === '--socket') {
      socket = rest[++at]
      if (socket === undefined || socket.startsWith('-')) return undefined
    } else if (arg === '-q' || arg === '--quiet') isQuiet = true
    else if (arg === '-w' || arg === '--watch') watch = true
    else if (name === 'status' && arg === '--check') check = true
    else if (name === 'ps' && (arg === '-a' || arg === '--all')) all = true
    else if (name === 'ps' && of === undefined && !arg.startsWith('-')) of = arg
    else return undefined
  }
  if (!FORMATS.includes(format)) return undefined
  return { name, format: isQuiet ? 'name' : (format as Format), all, watch, check, of, socket }
}
