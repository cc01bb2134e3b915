/**
 * A scenario as it is written down: parts between empty lines, each with comments (`# ...`) and
 * commands, one a line, and below `----` what they gave (the manner of etcd raft's `datadriven`).
 */

const RULE = '----'

export interface Command {
  readonly words: readonly string[]
  readonly text: string
  /** In its file, from 1. */
  readonly line: number
}

export interface Part {
  /** Comments and commands as they stand. */
  readonly head: readonly string[]
  readonly commands: readonly Command[]
  readonly output: readonly string[]
}

export interface Script {
  readonly seed: number
  readonly parts: readonly Part[]
}

/** Reads a file; throws with the line that it cannot read. */
export function readScript(text: string): Script {
  const parts: Part[] = []
  let lines: string[] = []
  const source = text.split('\n')
  for (const [index, line] of [...source, ''].entries()) {
    if (line !== '') {
      lines.push(line)
      continue
    }
    if (lines.length > 0) parts.push(readPart(lines, index - lines.length + 1))
    lines = []
  }
  const [verb, seed] = parts[0]?.commands[0]?.words ?? []
  if (verb !== 'seed' || !/^\d+$/.test(seed ?? '')) throw new Error('a scenario begins with a seed')
  return { seed: Number(seed), parts }
}

function readPart(lines: readonly string[], firstLine: number): Part {
  const rule = lines.indexOf(RULE)
  const head = rule < 0 ? lines : lines.slice(0, rule)
  const commands = head.flatMap((text, index) =>
    text.startsWith('#') ? [] : [readCommand(text, firstLine + index)]
  )
  return { head, commands, output: rule < 0 ? [] : lines.slice(rule + 1) }
}

export function readCommand(text: string, line: number): Command {
  return { text, line, words: text.split(/\s+/).filter(word => word !== '') }
}

/** True of the part that only says which seed it is: nothing is put below it. */
export function isHeading(part: Part): boolean {
  return part.commands.every(({ words }) => words[0] === 'seed')
}

export function writeScript({ parts }: Script): string {
  const texts = parts.map(part =>
    (isHeading(part) ? part.head : [...part.head, RULE, ...part.output]).join('\n')
  )
  return `${texts.join('\n\n')}\n`
}
