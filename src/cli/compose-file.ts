/** The Compose file of a deploy: found, read on this machine, its problems shown. */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { ERRORS, ShoalError } from '../errors.ts'
import { readCompose } from '../spec/compose/read.ts'
import { projectReader, readSpecFile } from '../spec/files.ts'
import { formatProblem, formatWithCaret, hasErrors } from '../spec/problem.ts'
import type { WorkloadSpec } from '../spec/workload.ts'
import { AlreadySaid } from './failure.ts'
import { readInput, type Terminal } from './terminal.ts'

const DEFAULT_FILES = [
  'compose.yaml',
  'compose.yml',
  'docker-compose.yaml',
  'docker-compose.yml'
] as const

export interface ComposeOptions {
  /** `-` is standard input. */
  readonly file: string | undefined
  readonly project: string | undefined
  readonly allowUnsupported: readonly string[]
}

export interface ComposeProject {
  readonly project: string
  readonly workloads: readonly WorkloadSpec[]
}

/** Warnings go to stderr. Throws once every error of the file has been shown there. */
export async function readComposeFile(
  terminal: Terminal,
  options: ComposeOptions
): Promise<ComposeProject> {
  const file = options.file ?? DEFAULT_FILES.find(name => existsSync(name))
  if (file === undefined)
    throw new ShoalError('USAGE', `no ${DEFAULT_FILES[0]} here`, { hint: 'name one with -f FILE' })
  const directory = file === '-' ? process.cwd() : dirname(resolve(file))
  const text = file === '-' ? await readInput('-', 'a Compose file') : await readSpecFile(file)
  const { project, workloads, problems, needs } = await readCompose({
    file,
    text,
    directory,
    env: terminal.env,
    readFile: projectReader(directory),
    allowUnsupported: options.allowUnsupported,
    ...(options.project === undefined ? {} : { project: options.project })
  })
  const source = typeof text === 'string' ? text : new TextDecoder().decode(text)
  for (const problem of problems) {
    const isShort = problem.severity === 'warning' || terminal.stderr.isTTY !== true
    const said = isShort ? formatProblem(problem) : formatWithCaret(problem, source)
    terminal.stderr.write(`${said}\n`)
  }
  const error = hasErrors(problems) ? problems.find(one => one.severity === 'error') : undefined
  if (error !== undefined) throw new AlreadySaid(ERRORS[error.code].exit)
  for (const need of needs) terminal.stderr.write(`note: ${need}\n`)
  return { project, workloads }
}
