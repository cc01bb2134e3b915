/**
 * The one table of shoald's flags. `shoal up` and `shoal join` offer the same flags and pass them
 * on; shoald parses them here. Flag wins over environment, environment over default.
 */
import { parseArgs } from 'node:util'
import { ShoalError } from '../errors.ts'
import { nearest } from '../spec/nearest.ts'
import { MIB, parseBytes, parseCpus } from '../spec/units.ts'
import { checkAddress, DEFAULT_PORT } from './address.ts'
import { dataDir, socketPath } from './paths.ts'

interface FlagRow {
  /** `list`: may be given several times. */
  readonly type: 'string' | 'list'
  /** Placeholder in help. */
  readonly value: string
  readonly choices?: readonly string[]
  readonly env?: string
  /** As help says it. */
  readonly default: string
  readonly help: string
  /** False: shoald alone has it, `shoal up` and `join` do not offer it. */
  readonly cli: boolean
}

export const PRESETS = ['fast', 'lan', 'wan'] as const
export const RUNTIME_CHOICES = ['docker', 'process', 'auto'] as const
export const LOG_FORMATS = ['json', 'text'] as const
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export const DEFAULT_LISTEN = `/ip4/0.0.0.0/tcp/${DEFAULT_PORT}`

/** In the order in which help shows them. */
export const DAEMON_FLAGS = {
  name: {
    type: 'string',
    value: '<name>',
    default: 'the host name',
    help: 'name of this node in the mesh',
    cli: true
  },
  'data-dir': {
    type: 'string',
    value: '<dir>',
    env: 'SHOAL_DATA_DIR',
    default: '/var/lib/shoal for root, else $XDG_STATE_HOME/shoal',
    help: 'identity and state of this node',
    cli: true
  },
  socket: {
    type: 'string',
    value: '<path>',
    env: 'SHOAL_SOCKET',
    default: '/run/shoal/shoal.sock for root, else $XDG_RUNTIME_DIR/shoal/shoal.sock',
    help: 'unix socket of the API',
    cli: true
  },
  listen: {
    type: 'list',
    value: '<multiaddr>',
    default: DEFAULT_LISTEN,
    help: 'address for peers, several times for several',
    cli: true
  },
  runtime: {
    type: 'string',
    value: '<runtime>',
    choices: RUNTIME_CHOICES,
    default: 'auto',
    help: 'what runs workloads here; auto: docker where an engine answers, and process',
    cli: true
  },
  'docker-host': {
    type: 'string',
    value: '<url>',
    default: '$DOCKER_HOST, else the sockets of Docker and Podman',
    help: 'the container engine, as unix:///path or tcp://host:port',
    cli: true
  },
  label: {
    type: 'list',
    value: '<key=value>',
    default: 'none',
    help: 'label for placement constraints, several times for several',
    cli: true
  },
  zone: {
    type: 'string',
    value: '<zone>',
    default: 'none',
    help: 'failure domain: rack, room, cloud region',
    cli: true
  },
  cpus: {
    type: 'string',
    value: '<number>',
    default: 'all of this machine',
    help: 'cores offered to workloads',
    cli: true
  },
  memory: {
    type: 'string',
    value: '<size>',
    default: 'all of this machine',
    help: 'memory offered to workloads, for example 512m or 8g',
    cli: true
  },
  preset: {
    type: 'string',
    value: '<preset>',
    choices: PRESETS,
    default: 'lan',
    help: 'how fast a silent host is declared dead: about 2 s, 4 s or 15 s',
    cli: true
  },
  'log-format': {
    type: 'string',
    value: '<format>',
    choices: LOG_FORMATS,
    default: 'json',
    help: 'format of the log',
    cli: true
  },
  'log-level': {
    type: 'string',
    value: '<level>',
    choices: LOG_LEVELS,
    default: 'info',
    help: 'least severe line that is logged',
    cli: true
  },
  join: {
    type: 'list',
    value: '<multiaddr>',
    default: 'the addresses in the token',
    help: 'peer to join by, several times for several',
    cli: false
  },
  'token-file': {
    type: 'string',
    value: '<file>',
    default: 'none: create a mesh, or resume the one in the data directory',
    help: 'file with the join token, - for standard input',
    cli: false
  }
} as const satisfies Record<string, FlagRow>

export type DaemonFlag = keyof typeof DAEMON_FLAGS

/** Raw values by flag name, as typed; absent flags are left out. */
export type FlagValues = { [flag in DaemonFlag]?: string | readonly string[] }

export interface DaemonOptions {
  /** Undefined: the host name. */
  readonly name: string | undefined
  readonly dataDir: string
  readonly socket: string
  readonly listen: readonly string[]
  readonly runtime: (typeof RUNTIME_CHOICES)[number]
  readonly dockerHost: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly zone: string
  /** Undefined: what the machine has. */
  readonly cpuMillis: number | undefined
  readonly memoryMiB: number | undefined
  readonly preset: (typeof PRESETS)[number]
  readonly logFormat: (typeof LOG_FORMATS)[number]
  readonly logLevel: (typeof LOG_LEVELS)[number]
  readonly join: readonly string[]
  /** `-` is standard input. */
  readonly tokenFile: string | undefined
  /** For people: an environment variable that a flag overrides (B54). */
  readonly notes: readonly string[]
}

export interface FlagContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const LABEL_KEY = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/
const LABEL_VALUE_LENGTH_MAX = 256
const ZONE_LENGTH_MAX = 64

/** What `process.argv.slice(2)` of shoald says. Throws USAGE with the nearest known flag. */
export function parseDaemonFlags(argv: readonly string[], context: FlagContext): DaemonOptions {
  return daemonOptions(flagValues(argv), context)
}

/** The same, raw and unchecked: what was given and nothing else. */
export function flagValues(argv: readonly string[]): FlagValues {
  const options = Object.fromEntries(
    Object.entries(DAEMON_FLAGS).map(([name, row]: [string, FlagRow]) => [
      name,
      { type: 'string' as const, multiple: row.type === 'list' }
    ])
  )
  for (const arg of argv) {
    const name = /^--([^=]+)/.exec(arg)?.[1]
    if (name === undefined || name in options) continue
    throw unknownFlag(name)
  }
  try {
    return { ...parseArgs({ args: [...argv], options, strict: true }).values } as FlagValues
  } catch (error) {
    const text = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
    throw new ShoalError('USAGE', lowerFirst(text), { hint: 'see shoald --help' })
  }
}

function unknownFlag(name: string): ShoalError {
  const near = nearest(name, Object.keys(DAEMON_FLAGS))
  return new ShoalError('USAGE', `unknown flag --${name}`, {
    hint: near === undefined ? 'see shoald --help' : `did you mean --${near}?`
  })
}

/** Checks raw values and fills in defaults. Throws USAGE that names the flag. */
export function daemonOptions(values: FlagValues, context: FlagContext): DaemonOptions {
  const text = (flag: DaemonFlag): string | undefined => {
    const value = values[flag]
    return typeof value === 'string' ? value : undefined
  }
  const list = (flag: DaemonFlag): readonly string[] => {
    const value = values[flag]
    return Array.isArray(value) ? (value as readonly string[]) : []
  }
  const name = text('name')
  if (name !== undefined && !NAME.test(name))
    throw bad('name', `"${name}" is not a node name`, 'letters, digits, . _ - and at most 63')
  const zone = text('zone') ?? ''
  if (zone.length > ZONE_LENGTH_MAX) throw bad('zone', `longer than ${ZONE_LENGTH_MAX}`)
  const listen = list('listen')
  for (const flag of ['listen', 'join'] as const)
    for (const address of list(flag)) checkAddress(address, flag)
  return {
    name,
    dataDir: dataDir({ ...context, flag: text('data-dir') }),
    socket: socketPath({ ...context, flag: text('socket') }),
    listen: listen.length === 0 ? [DEFAULT_LISTEN] : listen,
    runtime: choice('runtime', text('runtime'), RUNTIME_CHOICES, 'auto'),
    dockerHost: text('docker-host'),
    labels: labels(list('label')),
    zone,
    cpuMillis: cpuMillis(text('cpus')),
    memoryMiB: memoryMiB(text('memory')),
    preset: choice('preset', text('preset'), PRESETS, 'lan'),
    logFormat: choice('log-format', text('log-format'), LOG_FORMATS, 'json'),
    logLevel: choice('log-level', text('log-level'), LOG_LEVELS, 'info'),
    join: list('join'),
    tokenFile: text('token-file'),
    notes: notes(values, context)
  }
}

/** The same values as arguments for shoald. */
export function toArgv(values: FlagValues): string[] {
  const argv: string[] = []
  for (const flag of Object.keys(DAEMON_FLAGS) as DaemonFlag[]) {
    const value = values[flag]
    if (typeof value === 'string') argv.push(`--${flag}=${value}`)
    else if (Array.isArray(value)) for (const one of value) argv.push(`--${flag}=${one}`)
  }
  return argv
}

/** Lines for `shoald --help` and for tests of the README. */
export function daemonHelp(): string {
  const rows = Object.entries(DAEMON_FLAGS).map(([name, row]: [string, FlagRow]) => {
    const choices = row.choices === undefined ? '' : ` (${row.choices.join(', ')})`
    const flag = `  --${name} ${row.value}`.padEnd(28)
    return `${flag}${row.help}${choices} [${row.default}]`
  })
  return rows.join('\n')
}

function bad(flag: DaemonFlag, message: string, hint?: string): ShoalError {
  return new ShoalError('USAGE', message, {
    where: `--${flag}`,
    ...(hint === undefined ? {} : { hint })
  })
}

function choice<T extends string>(
  flag: DaemonFlag,
  value: string | undefined,
  choices: readonly T[],
  fallback: T
): T {
  if (value === undefined) return fallback
  const found = choices.find(one => one === value)
  if (found === undefined)
    throw bad(flag, `"${value}" is not a choice`, `one of ${choices.join(', ')}`)
  return found
}

function labels(given: readonly string[]): Record<string, string> {
  const result: Record<string, string> = {}
  for (const one of given) {
    const at = one.indexOf('=')
    const key = at < 0 ? one : one.slice(0, at)
    const value = at < 0 ? '' : one.slice(at + 1)
    if (at < 0 || !LABEL_KEY.test(key) || key === '__proto__')
      throw bad('label', `"${one}" is not key=value`, 'for example disk=ssd')
    if (value.length > LABEL_VALUE_LENGTH_MAX)
      throw bad('label', `the value of ${key} is longer than ${LABEL_VALUE_LENGTH_MAX}`)
    if (key in result && result[key] !== value) throw bad('label', `${key} is given twice`)
    result[key] = value
  }
  return result
}

function cpuMillis(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const cpus = parseCpus(value)
  if (!cpus.ok) throw bad('cpus', `"${value}" is not ${cpus.reason}`)
  if (cpus.value === 0) throw bad('cpus', 'a node offers more than 0 cores')
  return cpus.value
}

function memoryMiB(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const bytes = parseBytes(value)
  if (!bytes.ok) throw bad('memory', `"${value}" is not ${bytes.reason}`)
  if (bytes.value < MIB) throw bad('memory', `"${value}" is less than 1 MiB`, 'for example 8g')
  return Math.floor(bytes.value / MIB)
}

function notes(values: FlagValues, context: FlagContext): string[] {
  const result: string[] = []
  for (const [name, row] of Object.entries(DAEMON_FLAGS) as [DaemonFlag, FlagRow][]) {
    const flag = values[name]
    const env = row.env === undefined ? undefined : context.env[row.env]
    if (typeof flag === 'string' && env !== undefined && env !== '' && env !== flag)
      result.push(`--${name}=${flag} wins over ${row.env}=${env}`)
  }
  return result
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
