/** What every command that asks a daemon needs: the client, the terminal, names as people type. */
import { Client } from '../api/client.ts'
import { socketPath } from '../api/paths.ts'
import type { WorkloadRef } from '../api/types.ts'
import { version, versionSkew } from '../api/version.ts'
import { ShoalError } from '../errors.ts'
import { nearest } from '../spec/nearest.ts'
import type { Terminal } from './terminal.ts'
import { plain } from './text.ts'

export interface Context {
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly client: Client
}

export function openContext(
  terminal: Terminal,
  options: { readonly socket?: string | undefined }
): Context {
  return {
    terminal,
    signal: terminal.signal,
    client: clientFor(terminal, socketFor(terminal, options.socket))
  }
}

export function socketFor(terminal: Terminal, flag: string | undefined): string {
  return socketPath({ flag, env: terminal.env, uid: process.getuid?.() ?? 0 })
}

export function clientFor(terminal: Terminal, path: string): Client {
  let isSaid = false
  const onVersion = (theirs: string): void => {
    const skew = isSaid ? undefined : versionSkew(version(), theirs)
    if (skew !== undefined) terminal.stderr.write(`note: ${plain(skew)}\n`)
    isSaid = true
  }
  return new Client({ socketPath: path, onVersion })
}

export interface ReplicaRef extends WorkloadRef {
  readonly slot: number | undefined
}

/** `project/service[/slot]`, or `service[/slot]` when only one project has it. */
export async function findWorkload(context: Context, text: string): Promise<ReplicaRef> {
  const parts = text.split('/')
  const [first = '', second, slotText] = parts
  if (parts.length > 3 || parts.includes(''))
    throw new ShoalError('USAGE', `"${plain(text)}" is not project/service or service`)
  const slot = slotText === undefined ? undefined : slotNumber(slotText)
  const isWhole = second !== undefined && !(slot === undefined && SLOT.test(second))
  if (isWhole) return { project: first, name: second, slot }
  const known = await context.client.workloads(context.signal)
  const found = known.filter(one => one.name === first)
  // A service may be called 1.
  const isService = known.some(one => one.project === first && one.name === second)
  if (second !== undefined && (isService || found.length === 0))
    return { project: first, name: second, slot }
  const only = found[0]
  if (only !== undefined && found.length === 1) {
    const { project, name } = only
    return { project, name, slot: second === undefined ? undefined : Number(second) }
  }
  if (found.length > 1)
    throw new ShoalError('USAGE', `service ${plain(first)} is in several projects`, {
      hint: `one of ${found.map(one => plain(`${one.project}/${one.name}`)).join(', ')}`
    })
  throw unknownWorkload(first, known)
}

/** Which replicas people mean: a project, or what `findWorkload` understands. */
export async function findReplicas(
  context: Context,
  text: string
): Promise<Partial<ReplicaRef> & { readonly project: string }> {
  const known = text.includes('/') ? [] : await context.client.workloads(context.signal)
  const isName = known.some(one => one.name === text)
  // The copies of a project that was just removed may still stop.
  if (!text.includes('/') && (!isName || known.some(one => one.project === text)))
    return { project: text }
  return await findWorkload(context, text)
}

const SLOT = /^\d{1,4}$/

function slotNumber(text: string): number {
  if (SLOT.test(text)) return Number(text)
  throw new ShoalError('USAGE', `"${plain(text)}" is not a slot number`, {
    hint: 'as shoal ps shows it: 0, 1, 2'
  })
}

export function unknownWorkload(text: string, known: readonly WorkloadRef[]): ShoalError {
  const names = known.flatMap(one => [one.name, `${one.project}/${one.name}`])
  // One letter is near to every short name.
  const near = text.length < 2 ? undefined : nearest(text, names)
  return new ShoalError('NOT_FOUND', `no workload ${plain(text)}`, {
    hint: near === undefined ? 'see shoal ps' : `did you mean ${plain(near)}?`
  })
}
