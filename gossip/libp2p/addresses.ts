/** Addresses that others can dial, and telling our own from theirs. */
import { networkInterfaces } from 'node:os'
import { getNetConfig } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { ADDRESS_LENGTH_MAX, ADDRESSES_MAX } from './limits.ts'

/** Where a multiaddr leads by TCP. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Bridges of container engines: every host has the same addresses there. */
const LOCAL_BRIDGES = /^(docker|br-[0-9a-f]|veth|cni|cali|flannel|podman|virbr|lxc)/

/** The TCP endpoint of a multiaddr; undefined for anything that is not plain TCP. */
export function endpointOf(
  address: string,
  options: { readonly allowPortZero?: boolean } = {}
): Endpoint | undefined {
  if (address.length > ADDRESS_LENGTH_MAX) return undefined
  try {
    const parsed = multiaddr(address)
    const names = parsed.getComponents().map(component => component.name)
    const [network, transport] = names
    if (!['ip4', 'ip6', 'dns', 'dns4', 'dns6'].includes(network ?? '') || transport !== 'tcp')
      return undefined
    if (names.length > 2 && (names.length > 3 || names[2] !== 'p2p')) return undefined
    const { host, port } = getNetConfig(parsed)
    if (port === undefined || (port === 0 && options.allowPortZero !== true)) return undefined
    return { host, port }
  } catch {
    return undefined
  }
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1'
}

function toMultiaddr(host: string, port: number): string {
  return `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/${port}`
}

/**
 * Where we listen, wildcards unexpanded: libp2p expands them by rules of its own, so only the
 * ports it got are taken from `bound`.
 */
export function listeningEndpoints(
  listen: readonly string[],
  bound: readonly string[]
): Endpoint[] {
  const got = bound.map(address => endpointOf(address)).filter(one => one !== undefined)
  const asked = listen.map(address => endpointOf(address, { allowPortZero: true }))
  const found: Endpoint[] = []
  for (const endpoint of asked) {
    if (endpoint === undefined) continue
    if (endpoint.port > 0) {
      if (got.some(one => one.port === endpoint.port)) found.push(endpoint)
      continue
    }
    // Port 0: the one of this host that no other address asked for.
    const own = got.find(
      one =>
        (isWildcard(endpoint.host) || one.host === endpoint.host) &&
        !found.some(other => other.port === one.port)
    )
    if (own !== undefined) found.push({ host: endpoint.host, port: own.port })
  }
  return found
}

interface Interface {
  readonly address: string
  readonly bridge: boolean
}

/** Addresses of this machine, IPv4 first; link-local ones need a zone and are left out. */
function interfaces(): Interface[] {
  const found: Interface[] = []
  for (const [name, entries] of Object.entries(networkInterfaces()))
    for (const entry of entries ?? []) {
      if (entry.family === 'IPv6' && entry.address.startsWith('fe80')) continue
      found.push({ address: entry.address, bridge: LOCAL_BRIDGES.test(name) })
    }
  return found.sort((a, b) => Number(a.address.includes(':')) - Number(b.address.includes(':')))
}

/**
 * What others may dial, best first: what was announced, or what the listeners listen on with
 * wildcards expanded to the machine's interfaces. Loopback, and the bridges of container engines,
 * only where there is nothing else.
 */
export function dialableAddresses(
  listening: readonly Endpoint[],
  announce: readonly string[]
): string[] {
  if (announce.length > 0) return announce.slice(0, ADDRESSES_MAX)
  const far: string[] = []
  const bridges: string[] = []
  const loopback: string[] = []
  for (const { host, port } of listening) {
    const hosts = isWildcard(host)
      ? interfaces().filter(one => host === '::' || !one.address.includes(':'))
      : [{ address: host, bridge: false }]
    for (const { address, bridge } of hosts) {
      const list = isLoopback(address) ? loopback : bridge ? bridges : far
      list.push(toMultiaddr(address, port))
    }
  }
  const best = far.length > 0 ? far : bridges.length > 0 ? bridges : loopback
  return [...new Set(best)].slice(0, ADDRESSES_MAX)
}

/** Whether dialling `target` would reach our own listener. */
export function isOwnEndpoint(target: Endpoint, listening: readonly Endpoint[]): boolean {
  return listening.some(({ host, port }) => {
    if (port !== target.port) return false
    if (host === target.host) return true
    if (!isWildcard(host)) return false
    return isLoopback(target.host) || interfaces().some(one => one.address === target.host)
  })
}
