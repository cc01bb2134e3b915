/**
 * Parts of the fake Docker API: what a container is, how filters match, how answers look.
 */
import type { ServerResponse } from 'node:http'

export type Dict = Record<string, string>

export interface CreateBody {
  readonly Image: string
  readonly Cmd?: readonly string[]
  readonly Labels?: Dict
  readonly Healthcheck?: unknown
  readonly HostConfig?: {
    readonly NetworkMode?: string
    readonly Mounts?: readonly { readonly Type: string; readonly Source: string }[]
  }
}

export interface FakeContainer {
  readonly id: string
  readonly name: string
  readonly body: CreateBody
  status: 'created' | 'running' | 'exited'
  exitCode: number
  startedAt: string
  health: string | undefined
  lines: { readonly kind: 1 | 2; readonly time: string; readonly text: string }[]
}

export interface Filters {
  readonly label?: readonly string[]
  readonly event?: readonly string[]
}

export function parseFilters(text: string | null): Filters {
  return text === null ? {} : (JSON.parse(text) as Filters)
}

export function matches(labels: Dict, filters: Filters): boolean {
  return (filters.label ?? []).every(pair => {
    const at = pair.indexOf('=')
    return labels[pair.slice(0, at)] === pair.slice(at + 1)
  })
}

export function send(answer: ServerResponse, status: number, body: unknown): void {
  if (typeof body === 'string') answer.writeHead(status).end(body)
  else {
    answer.writeHead(status, { 'content-type': 'application/json' })
    answer.end(body === undefined ? undefined : JSON.stringify(body))
  }
}

export function inspectOf(container: FakeContainer): object {
  const { id, name, body, status, exitCode, startedAt, health } = container
  return {
    Id: id,
    Name: `/${name}`,
    Config: { ...body, Tty: false },
    HostConfig: body.HostConfig,
    State: {
      Status: status,
      Running: status === 'running',
      ExitCode: exitCode,
      StartedAt: startedAt,
      ...(health === undefined ? {} : { Health: { Status: health } })
    }
  }
}
