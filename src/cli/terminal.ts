/** The process around a command: streams, colours, terminal size, Ctrl-C, prompts. */
import { ShoalError } from '../errors.ts'

/** The reason of the signal after Ctrl-C. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

export interface Terminal {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Standard output is for eyes, not for a program. */
  readonly isTty: boolean
  readonly hasColour: boolean
  /** Aborts with `Interrupted` at the first Ctrl-C or SIGTERM; the second ends the process. */
  readonly signal: AbortSignal
}

const EXIT_INTERRUPTED = 130

export function openTerminal(): Terminal {
  const { stdout, stderr, env } = process
  const quietEnd = (error: NodeJS.ErrnoException): void => {
    // The reader of the pipe has seen enough (B56).
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0)
    throw error
  }
  stdout.on('error', quietEnd)
  stderr.on('error', quietEnd)
  const isTty = stdout.isTTY === true
  const wanted = set(env['FORCE_COLOR']) || (isTty && env['TERM'] !== 'dumb')
  return {
    stdout,
    stderr,
    env,
    isTty,
    hasColour: !set(env['NO_COLOR']) && wanted,
    signal: interruptSignal()
  }
}

function set(value: string | undefined): boolean {
  return value !== undefined && value !== ''
}

function interruptSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED)
      controller.abort(new Interrupted('interrupted'))
    })
  }
  return controller.signal
}

/** Asks on a terminal; off a terminal nothing is asked and nothing is confirmed. */
export async function confirm(
  terminal: Terminal,
  question: string,
  isSure: boolean
): Promise<boolean> {
  if (isSure || process.stdin.isTTY !== true) return true
  const { createInterface } = await import('node:readline/promises')
  const prompt = createInterface({ input: process.stdin, output: terminal.stderr })
  try {
    const said = await prompt.question(`${question} [y/N] `, { signal: terminal.signal })
    return /^y(es)?$/i.test(said.trim())
  } finally {
    prompt.close()
  }
}

/** Text of a file, or of standard input for `-`. Says plainly why it cannot be read (B39). */
export async function readInput(path: string, what: string): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  if (path === '-') {
    if (process.stdin.isTTY === true)
      throw new ShoalError('USAGE', `standard input is a terminal, not ${what}`, {
        hint: 'give a file, or pipe into it'
      })
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk)
    return Buffer.concat(chunks).toString('utf8')
  }
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new ShoalError('USAGE', `cannot read ${what}: ${plainCause(error)}`, { where: path })
  }
}

export function plainCause(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'ENOENT':
      return 'no such file'
    case 'EISDIR':
      return 'it is a directory'
    case 'EACCES':
    case 'EPERM':
      return 'permission denied'
    default:
      return message
  }
}
