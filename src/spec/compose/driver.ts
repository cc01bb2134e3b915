/**
 * Drivers of named volumes. Only `local`, and of its options only those that name a network file
 * system or memory: `type: none, o: bind, device: /` would be a bind that no policy sees (T19).
 */
import { printable, quote } from '../problem.ts'
import { type Field, numberText, type Scope } from './scope.ts'

export interface Driver {
  readonly shared: boolean
  readonly driver?: string
  readonly driverOptions?: Readonly<Record<string, string>>
}

const LOCAL: Driver = { shared: false }
const NETWORK_TYPES: ReadonlySet<string> = new Set(['nfs', 'nfs4', 'cifs'])
const OPTION_NAMES: ReadonlySet<string> = new Set(['type', 'o', 'device'])
const BIND_OPTIONS: ReadonlySet<string> = new Set(['bind', 'rbind', 'loop'])
const NETWORK_DEVICE = /^(?:[^/:\s]{0,255}:\/|\/\/[^/\s]{1,255}\/)/
const HINT = 'use type nfs, nfs4, cifs or tmpfs, or no options'

/** Why these options are no network file system and no memory; undefined when they are fine. */
export function driverFault(options: Readonly<Record<string, string>>): string | undefined {
  const { type = '', o = '', device = '' } = options
  const unknown = Object.keys(options).find(name => !OPTION_NAMES.has(name))
  if (unknown !== undefined) return `the option ${quote(unknown)} is not known`
  const bound = o.split(',').find(option => BIND_OPTIONS.has(option.trim()))
  if (bound !== undefined) return `the option ${quote(bound)} would mount a path of the node`
  if (type === 'tmpfs') return device.startsWith('/') ? `the device ${quote(device)}` : undefined
  if (!NETWORK_TYPES.has(type)) return `the type ${quote(type)} would mount a path of the node`
  return NETWORK_DEVICE.test(device) ? undefined : `the device ${quote(device)} is not on a server`
}

function readOptions(scope: Scope, field: Field): Record<string, string> | undefined {
  const inner = scope.mappingOf(field)
  if (inner === undefined) return undefined
  const options = new Map<string, string>()
  for (const entry of inner.fields()) {
    const { node } = entry
    if (node.kind !== 'scalar') scope.wrongType(entry, 'text')
    else options.set(entry.key, typeof node.value === 'number' ? numberText(node) : `${node.value}`)
  }
  return Object.fromEntries([...options].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The driver of one volume. A refused one is reported. */
export function readDriver(scope: Scope): Driver {
  const driverField = scope.field('driver')
  const driver = scope.text('driver') ?? 'local'
  if (driverField !== undefined && driver !== 'local') {
    const message = `not supported: the driver ${quote(driver)}, its data would be missing`
    scope.report.error('UNSUPPORTED', driverField.at, driverField.path, message, HINT)
    return LOCAL
  }
  const field = scope.field('driver_opts')
  const options = field === undefined ? undefined : readOptions(scope, field)
  if (field === undefined || options === undefined || Object.keys(options).length === 0)
    return LOCAL
  const fault = driverFault(options)
  if (fault !== undefined) {
    const message = `policy: volume options refused: ${printable(fault)}`
    scope.report.error('REFUSED', field.at, field.path, message, HINT)
    return LOCAL
  }
  const shared = NETWORK_TYPES.has(options['type'] ?? '')
  return { shared, driver: 'local', driverOptions: options }
}
