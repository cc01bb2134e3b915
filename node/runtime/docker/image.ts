/**
 * The image: present, else pulled. An engine that ends a pull with an error has said its word, and
 * that is permanent here: another node may have the image.
 */
import type { IncomingMessage } from 'node:http'
import type { ImageInspectOptions } from 'dockerode'
import { RuntimeFailure } from '../runtime.ts'
import { onAbort } from '../wait.ts'
import { type Engine, statusOf } from './engine.ts'

const PROGRESS_LINE_BYTES_MAX = 1024 * 1024

export interface ImageReference {
  readonly repository: string
  /** A tag, or a digest `sha256:…`. Never empty: an engine without a tag pulls every tag. */
  readonly tag: string
}

/** `host:5000/name:tag`, `name@sha256:…`, `name`. */
export function parseReference(image: string): ImageReference {
  const at = image.indexOf('@')
  if (at >= 0) return { repository: image.slice(0, at), tag: image.slice(at + 1) }
  const colon = image.lastIndexOf(':')
  if (colon > image.lastIndexOf('/'))
    return { repository: image.slice(0, colon), tag: image.slice(colon + 1) }
  return { repository: image, tag: 'latest' }
}

/** Throws a permanent `RuntimeFailure` with the engine's words when it cannot be had. */
export async function ensureImage(
  engine: Engine,
  image: string,
  signal: AbortSignal
): Promise<void> {
  try {
    await engine.call('inspect image', signal, (docker, abortSignal) =>
      docker.getImage(image).inspect({ abortSignal } as ImageInspectOptions)
    )
    return
  } catch (error) {
    if (statusOf(error) !== 404) throw error
  }
  await pullImage(engine, image, signal)
}

async function pullImage(engine: Engine, image: string, signal: AbortSignal): Promise<void> {
  const { repository, tag } = parseReference(image)
  let body: IncomingMessage
  const idle = new AbortController()
  const stop = (): void => idle.abort(signal.reason)
  const release = onAbort(signal, stop)
  try {
    body = await engine.stream(
      `pull ${image}`,
      { path: '/images/create', method: 'POST', query: { fromImage: repository, tag } },
      idle.signal
    )
    await drainProgress(body, image, engine.timeouts.pullIdleMs, idle)
  } catch (error) {
    if (signal.aborted || (error instanceof RuntimeFailure && statusOf(error) === undefined))
      throw error
    const words = error instanceof Error ? error.message : String(error)
    const kind = statusOf(error) === undefined ? 'transient' : 'permanent'
    throw new RuntimeFailure(kind, `image ${image} is missing here; ${words}`, error)
  } finally {
    release()
    idle.abort()
  }
}

async function drainProgress(
  body: IncomingMessage,
  image: string,
  idleMs: number,
  idle: AbortController
): Promise<void> {
  const late = (): void =>
    idle.abort(new RuntimeFailure('transient', `pull ${image}: no progress within ${idleMs} ms`))
  let timer = setTimeout(late, idleMs)
  let rest = ''
  try {
    for await (const chunk of body) {
      clearTimeout(timer)
      timer = setTimeout(late, idleMs)
      rest += String(chunk)
      const lines = rest.split('\n')
      rest = (lines.pop() ?? '').slice(-PROGRESS_LINE_BYTES_MAX)
      for (const line of lines) throwIfError(line, image)
    }
    throwIfError(rest, image)
  } catch (error) {
    if (idle.signal.aborted && idle.signal.reason instanceof RuntimeFailure)
      throw idle.signal.reason
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function throwIfError(line: string, image: string): void {
  if (line.trim() === '') return
  let message: { error?: unknown; errorDetail?: { message?: unknown } }
  try {
    message = JSON.parse(line)
  } catch {
    return
  }
  const words = message.errorDetail?.message ?? message.error
  if (words === undefined) return
  throw new RuntimeFailure('permanent', `image ${image} cannot be pulled: ${String(words)}`)
}
