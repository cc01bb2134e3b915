/** Ports as Compose writes them: `[[ip:]host:]container[/protocol]`, each a port or a range. */
import { isIP } from 'node:net'
import { broken, type Parsed, parsed } from './units.ts'
import type { PortSpec } from './workload.ts'

export const PORT_RULE = 'a port is a whole number from 1 to 65535'
/** One entry may be a range of at most so many ports. */
export const PORT_RANGE_MAX = 1_000

export interface PortRange {
  readonly first: number
  readonly last: number
}

/** `8080` or `8000-8010`. */
export function parsePortRange(text: string): Parsed<PortRange> {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  if (match === null) return broken(PORT_RULE)
  const first = Number(match[1])
  const last = match[2] === undefined ? first : Number(match[2])
  if (first < 1 || first > 65_535 || last < 1 || last > 65_535) return broken(PORT_RULE)
  if (last < first) return broken('a port range begins with its smaller port')
  if (last - first >= PORT_RANGE_MAX)
    return broken(`a port range has at most ${PORT_RANGE_MAX} ports`)
  return parsed({ first, last })
}

export function parseProtocol(text: string): Parsed<'tcp' | 'udp'> {
  const lower = text.toLowerCase()
  return lower === 'tcp' || lower === 'udp' ? parsed(lower) : broken('a protocol is tcp or udp')
}

export function parseHostIp(text: string): Parsed<string> {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  return isIP(bare) === 0 || bare.includes('%') ? broken('not an IP address') : parsed(bare)
}

export interface PortParts {
  readonly container: PortRange
  readonly host?: PortRange
  readonly hostIp?: string
  readonly protocol: 'tcp' | 'udp'
}

/** Host and container ranges pair up one by one; the wildcard address is left out. */
export function pairPorts(parts: PortParts): Parsed<readonly PortSpec[]> {
  const { container, host, hostIp, protocol } = parts
  const count = container.last - container.first + 1
  if (host !== undefined && host.last - host.first + 1 !== count)
    return broken(
      `${host.last - host.first + 1} host ports for ${count} container ports: the ranges must be ` +
        'equally long'
    )
  const ip = hostIp === undefined || hostIp === '0.0.0.0' ? {} : { hostIp }
  return parsed(
    Array.from({ length: count }, (_, index) => ({
      containerPort: container.first + index,
      ...(host === undefined ? {} : { hostPort: host.first + index, ...ip }),
      protocol
    }))
  )
}

/** The short form. */
export function parsePort(text: string): Parsed<readonly PortSpec[]> {
  const [address = '', protocolText = 'tcp', ...rest] = text.split('/')
  if (rest.length > 0) return broken('a port has one protocol')
  const protocol = parseProtocol(protocolText)
  if (!protocol.ok) return protocol
  const match = /^(?:(?:(\[[^\]]*\]|[^:[\]]*):)?([^:[\]]*):)?([^:[\]]*)$/.exec(address)
  if (match === null) return broken('a port is [[ip:]host:]container[/protocol]')
  const container = parsePortRange(match[3] ?? '')
  if (!container.ok) return container
  const base = { container: container.value, protocol: protocol.value }
  if (match[2] === undefined || (match[2] === '' && match[1] === undefined))
    return match[2] === undefined ? pairPorts(base) : broken(PORT_RULE)
  if (match[2] === '') return broken('a host address without a host port')
  const host = parsePortRange(match[2])
  if (!host.ok) return host
  if (match[1] === undefined) return pairPorts({ ...base, host: host.value })
  const hostIp = parseHostIp(match[1])
  if (!hostIp.ok) return hostIp
  return pairPorts({ ...base, host: host.value, hostIp: hostIp.value })
}
