/** `ports` and `expose` of a service. */

import {
  type PortParts,
  pairPorts,
  parseHostIp,
  parsePort,
  parsePortRange,
  parseProtocol
} from '../ports.ts'
import { quote } from '../problem.ts'
import { broken, type Parsed } from '../units.ts'
import type { PortSpec } from '../workload.ts'
import type { Field, Scope } from './scope.ts'

export interface PlacedPort extends PortSpec {
  /** For messages about this port in other services. */
  readonly field: Field
}

const PORTS_MAX = 1_000

/** Every port of a service, ranges expanded. */
export function readPorts(scope: Scope): readonly PlacedPort[] {
  const ports: PlacedPort[] = []
  for (const field of scope.list('ports')) {
    for (const port of readEntry(scope, field) ?? []) ports.push({ ...port, field })
    if (ports.length > PORTS_MAX) {
      scope.error(field, `more than ${PORTS_MAX} ports`)
      return []
    }
  }
  for (const field of scope.list('expose')) scope.parse(field, parseExpose)
  return ports
}

function parseExpose(text: string): Parsed<unknown> {
  const [range = '', protocol = 'tcp', ...rest] = text.split('/')
  const parsedProtocol = parseProtocol(protocol)
  if (rest.length > 0 || !parsedProtocol.ok) return broken('a port or a range, /tcp or /udp')
  return parsePortRange(range)
}

function readEntry(scope: Scope, field: Field): readonly PortSpec[] | undefined {
  if (field.node.kind === 'map') return readLong(scope, field)
  const ports = scope.parse(field, parsePort)
  if (ports !== undefined && ports[0]?.hostPort === undefined) notPublished(scope, field, ports)
  return ports
}

function notPublished(scope: Scope, field: Field, ports: readonly PortSpec[]): void {
  const port = ports[0]?.containerPort ?? 0
  const message = `port ${port} is not published: no port of the node is given`
  scope.report.warn('UNSUPPORTED', field.at, field.path, message, `write "${port}:${port}"`)
}

function readLong(scope: Scope, field: Field): readonly PortSpec[] | undefined {
  const inner = scope.mappingOf(field)
  if (inner === undefined) return undefined
  if (!inner.has('target')) return scope.error(field, 'a port needs a target')
  const container = inner.parseKey('target', parsePortRange)
  const host = inner.parseKey('published', parsePortRange)
  const hostIp = inner.parseText('host_ip', parseHostIp)
  const protocol = inner.parseText('protocol', parseProtocol) ?? 'tcp'
  inner.choice('mode', ['host', 'ingress'])
  if (container === undefined || (inner.field('published') !== undefined && host === undefined))
    return undefined
  const parts: PortParts = {
    container,
    protocol,
    ...(host === undefined ? {} : { host }),
    ...(hostIp === undefined ? {} : { hostIp })
  }
  const result = pairPorts(parts)
  if (!result.ok) return scope.error(field, result.reason)
  if (host === undefined) notPublished(scope, field, result.value)
  return result.value
}

function overlaps(a: PortSpec, b: PortSpec): boolean {
  if (a.hostPort === undefined || a.hostPort !== b.hostPort || a.protocol !== b.protocol)
    return false
  return a.hostIp === undefined || b.hostIp === undefined || a.hostIp === b.hostIp
}

/** One port of a node can be had once: every second user in a file is an error with both places. */
export function checkPortClashes(
  scopes: readonly { scope: Scope; ports: readonly PlacedPort[] }[]
) {
  const seen = new Map<string, PlacedPort[]>()
  for (const { scope, ports } of scopes) {
    for (const port of ports) {
      if (port.hostPort === undefined) continue
      const key = `${port.hostPort}/${port.protocol}`
      const users = seen.get(key) ?? []
      const first = users.find(user => overlaps(user, port))
      if (first !== undefined) {
        const lines = `lines ${first.field.at.line} and ${port.field.at.line}`
        const message = `port ${quote(key).slice(1, -1)} of the node is published twice, ${lines}`
        scope.error(port.field, message, 'use another host port')
      }
      seen.set(key, [...users, port])
    }
  }
}
