/** What services of one file say about each other: networks, `depends_on`, `links`. */
import { quote } from '../problem.ts'
import { NETWORK_ISOLATION } from '../support.ts'
import type { CheckOptions } from './check.ts'
import type { ReadContext } from './context.ts'
import type { Field, Scope } from './scope.ts'

const DEFAULT_NETWORK = 'default'
const CONDITIONS = ['service_started', 'service_healthy', 'service_completed_successfully'] as const

/** The networks of the file, and the one that is always there. */
export function readNetworkNames(root: Scope): ReadonlySet<string> {
  const names = new Set([DEFAULT_NETWORK])
  for (const field of root.mapping('networks')?.fields() ?? []) {
    const isEmpty = field.node.kind === 'scalar' && field.node.value === null
    if (!isEmpty) root.mappingOf(field)
    names.add(field.key)
  }
  return names
}

/** Names in a list, or the keys of a mapping. */
function readNames(scope: Scope, key: string): readonly { name: string; field: Field }[] {
  const field = scope.field(key)
  if (field === undefined) return []
  if (field.node.kind === 'map')
    return (scope.mappingOf(field)?.fields() ?? []).map(entry => ({
      name: entry.key,
      field: entry
    }))
  return scope.list(key).flatMap(item => {
    const name = scope.textOf(item)
    return name === undefined ? [] : [{ name, field: item }]
  })
}

/** The networks of one service. */
export function readNetworks(scope: Scope, context: ReadContext): readonly string[] {
  const names = readNames(scope, 'networks')
  for (const { name, field } of names) {
    if (context.networks.has(name)) continue
    scope.error(field, `no network ${quote(name)} in this file`, `add it: networks: { ${name}: }`)
  }
  return names.length === 0 ? [DEFAULT_NETWORK] : names.map(entry => entry.name)
}

/** Services that this one depends on; unknown and own names are errors. */
export function readDependencies(
  scope: Scope,
  service: string,
  context: ReadContext
): readonly string[] {
  const found: string[] = []
  for (const { name, field } of readNames(scope, 'depends_on')) {
    const inner = field.node.kind === 'map' ? scope.mappingOf(field) : undefined
    inner?.choice('condition', CONDITIONS)
    if (name === service) scope.error(field, `${quote(name)} depends on itself`, 'remove it')
    else if (context.services.has(name)) found.push(name)
    else if (inner?.boolean('required') !== false)
      scope.error(field, `no service ${quote(name)} in this file`, 'remove it, or add the service')
  }
  return found
}

/** Service names in `links` (`db:database`). Unknown ones are nobody here. */
export function readLinks(scope: Scope, context: ReadContext): readonly string[] {
  return scope
    .list('links')
    .map(item => scope.textOf(item)?.split(':')[0] ?? '')
    .filter(name => context.services.has(name))
}

export interface Related {
  readonly name: string
  readonly scope: Scope
  readonly dependsOn: readonly string[]
  readonly networks: readonly string[]
}

/** Reports the first cycle, printed as `a -> b -> a`. */
export function checkCycles(services: readonly Related[]): void {
  const byName = new Map(services.map(service => [service.name, service]))
  const done = new Set<string>()
  for (const start of services) {
    const cycle = findCycle(start.name, byName, done)
    const first = byName.get(cycle?.[0] ?? '')
    const field = first?.scope.field('depends_on')
    if (cycle === undefined || first === undefined || field === undefined) continue
    first.scope.error(field, `a cycle: ${cycle.join(' -> ')}`, 'remove one of these')
    return
  }
}

/** Depth first with a stack of its own: a chain may be as long as the file. */
function findCycle(
  start: string,
  services: ReadonlyMap<string, Related>,
  done: Set<string>
): readonly string[] | undefined {
  const path: string[] = []
  const stack: { name: string; leave: boolean }[] = [{ name: start, leave: false }]
  while (stack.length > 0) {
    const { name, leave } = stack.pop() ?? { name: '', leave: true }
    if (leave) {
      path.pop()
      done.add(name)
      continue
    }
    const at = path.indexOf(name)
    if (at !== -1) return [...path.slice(at), name]
    if (done.has(name)) continue
    path.push(name)
    stack.push({ name, leave: true })
    for (const next of services.get(name)?.dependsOn ?? []) stack.push({ name: next, leave: false })
  }
  return undefined
}

const PAIRS_SHOWN = 3

/**
 * A project has one network on its node. Services that the file keeps apart (no network in common)
 * would reach each other: that isolation is lost, so it is an error unless it is allowed.
 */
export function checkIsolation(services: readonly Related[], options: CheckOptions): void {
  const shown: string[] = []
  let pairs = 0
  let place: { scope: Scope; field: Field } | undefined
  services.forEach((second, index) => {
    const own = new Set(second.networks)
    for (const first of services.slice(0, index)) {
      if (first.networks.some(name => own.has(name))) continue
      pairs += 1
      if (pairs <= PAIRS_SHOWN) shown.push(`${first.name} and ${second.name}`)
      const field = second.scope.field('networks') ?? first.scope.field('networks')
      if (field !== undefined) place ??= { scope: second.scope, field }
    }
  })
  if (place === undefined) return
  const { report } = place.scope
  const more = pairs > PAIRS_SHOWN ? ` and ${pairs - PAIRS_SHOWN} more pairs` : ''
  const who = `${shown.join(', ')}${more}`
  const { at, path } = place.field
  if (options.allowed.has(NETWORK_ISOLATION)) {
    report.warn('UNSUPPORTED', at, path, `left out, as allowed: these reach each other: ${who}`)
    return
  }
  const message = `not supported: networks keep services apart that would reach each other: ${who}`
  const accept = `--allow-unsupported=${NETWORK_ISOLATION}`
  const hint = `give them a common network, or accept it with ${accept}`
  report.error('UNSUPPORTED', at, path, message, hint)
}
