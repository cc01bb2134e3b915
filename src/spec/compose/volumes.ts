/** `volumes` and `tmpfs` of a service, and the top-level `volumes`. */
import { isAbsolute, normalize } from 'node:path'
import { looksLikePath, resolveBind } from '../binds.ts'
import { quote } from '../problem.ts'
import { broken, type Parsed, parseBytes, parsed, parseVolumeName } from '../units.ts'
import type { VolumeSpec } from '../workload.ts'
import type { ReadContext, VolumeDefinition } from './context.ts'
import { readDriver } from './driver.ts'
import type { Field, Scope } from './scope.ts'

/** Each named volume of the file, by the name that services use. */
export function readVolumeDefinitions(root: Scope): ReadonlyMap<string, VolumeDefinition> {
  const volumes = new Map<string, VolumeDefinition>()
  for (const field of root.mapping('volumes')?.fields() ?? []) {
    const name = parseVolumeName(field.key)
    if (!name.ok) {
      root.error(field, `${quote(field.key)} is not valid: ${name.reason}`)
      continue
    }
    const isEmpty = field.node.kind === 'scalar' && field.node.value === null
    const scope = isEmpty ? undefined : root.mappingOf(field)
    if (scope === undefined) volumes.set(field.key, { name: field.key, shared: false })
    else {
      const own = scope.parseText('name', parseVolumeName) ?? field.key
      volumes.set(field.key, { name: own, ...readDriver(scope) })
    }
  }
  return volumes
}

/** Every mount of a service. */
export function readVolumes(
  scope: Scope,
  service: string,
  context: ReadContext
): readonly VolumeSpec[] {
  const volumes: { field: Field; volume: VolumeSpec }[] = []
  const reader = new MountReader(scope, service, context)
  for (const field of scope.list('volumes')) {
    const volume = field.node.kind === 'map' ? reader.long(field) : reader.short(field)
    if (volume !== undefined) volumes.push({ field, volume })
  }
  for (const field of scope.textOrList('tmpfs')) {
    const volume = readTmpfs(scope, field)
    if (volume !== undefined) volumes.push({ field, volume })
  }
  const targets = new Map<string, Field>()
  for (const { field, volume } of volumes) {
    const first = targets.get(volume.target)
    if (first !== undefined) {
      const lines = `lines ${first.at.line} and ${field.at.line}`
      scope.error(field, `two mounts on ${quote(volume.target)}, ${lines}`, 'keep one')
    }
    targets.set(volume.target, field)
  }
  return volumes.map(entry => entry.volume)
}

export function parseTarget(text: string): Parsed<string> {
  if (!isAbsolute(text)) return broken('a path in the container begins with /')
  const path = normalize(text).replace(/^\/+/, '/')
  const target = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
  return target === '/' ? broken('the root of a container is no mount') : parsed(target)
}

const MODES: Readonly<Record<string, 'ro' | 'rw' | 'ignored' | 'nocopy'>> = {
  ro: 'ro',
  rw: 'rw',
  z: 'ignored',
  Z: 'ignored',
  cached: 'ignored',
  delegated: 'ignored',
  consistent: 'ignored',
  nocopy: 'nocopy'
}
const WINDOWS_PATH = /^[a-zA-Z]:\\/

class MountReader {
  readonly #scope: Scope
  readonly #service: string
  readonly #context: ReadContext

  constructor(scope: Scope, service: string, context: ReadContext) {
    this.#scope = scope
    this.#service = service
    this.#context = context
  }

  /** `[source:]target[:mode]`. */
  short(field: Field): VolumeSpec | undefined {
    const text = this.#scope.textOf(field)
    if (text === undefined) return undefined
    if (WINDOWS_PATH.test(text))
      return this.#scope.error(field, `${quote(text)} is a Windows path`, 'nodes run Linux')
    const parts = text.split(':')
    if (parts.length > 3 || parts.some(part => part === ''))
      return this.#scope.error(field, `${quote(text)} is not [source:]target[:mode]`)
    const [first = '', second, third] = parts
    if (second === undefined) return this.#anonymous(field, first, false)
    if (third === undefined && !isAbsolute(second) && MODES[second.split(',')[0] ?? ''])
      return this.#anonymous(field, first, this.#mode(field, second) ?? false)
    const readOnly = third === undefined ? false : this.#mode(field, third)
    const target = this.#target(field, second)
    if (readOnly === undefined || target === undefined) return undefined
    return looksLikePath(first)
      ? this.#bind(field, first, target, readOnly)
      : this.#named(field, first, target, readOnly)
  }

  long(field: Field): VolumeSpec | undefined {
    const scope = this.#scope.mappingOf(field)
    if (scope === undefined) return undefined
    if (!scope.has('type'))
      return scope.error(field, 'a mount needs a type', 'volume, bind or tmpfs')
    const type = scope.choice('type', ['volume', 'bind', 'tmpfs'])
    const targetField = scope.field('target')
    if (targetField === undefined) return scope.error(field, 'a mount needs a target')
    const target = scope.parseText('target', parseTarget)
    const readOnly = scope.boolean('read_only') ?? false
    const sourceField = scope.field('source')
    const source = scope.text('source')
    if (type === undefined || target === undefined) return undefined
    if (type === 'tmpfs') {
      if (sourceField !== undefined) return scope.error(sourceField, 'a tmpfs has no source')
      const sizeBytes = scope.mapping('tmpfs')?.parseKey('size', parseBytes)
      return { kind: 'tmpfs', target, ...(sizeBytes ? { sizeBytes } : {}) }
    }
    if (type === 'bind') {
      if (sourceField === undefined) return scope.error(field, 'a bind needs a source')
      return source === undefined ? undefined : this.#bind(sourceField, source, target, readOnly)
    }
    if (sourceField === undefined) return this.#anonymous(targetField, target, readOnly)
    return source === undefined ? undefined : this.#named(sourceField, source, target, readOnly)
  }

  /** True for read-only; undefined when it was reported. */
  #mode(field: Field, text: string): boolean | undefined {
    let readOnly = false
    for (const word of text.split(',')) {
      const meaning = Object.hasOwn(MODES, word) ? MODES[word] : undefined
      if (meaning === undefined)
        return this.#scope.error(field, `${quote(word)} is not a mode`, 'use ro or rw')
      if (meaning === 'ro') readOnly = true
      if (meaning === 'nocopy') {
        const message = 'not supported: nocopy, files of the image would be copied into it'
        this.#scope.report.error('UNSUPPORTED', field.at, field.path, message)
        return undefined
      }
    }
    return readOnly
  }

  #target(field: Field, text: string): string | undefined {
    const result = parseTarget(text)
    return result.ok
      ? result.value
      : this.#scope.error(field, `${quote(text)} is not valid: ${result.reason}`)
  }

  #bind(field: Field, text: string, target: string, readOnly: boolean): VolumeSpec | undefined {
    const { directory, bindRoots: roots, report } = this.#context
    const verdict = resolveBind({ source: text, directory, roots })
    if (verdict.ok) return { kind: 'bind', source: verdict.source, target, readOnly }
    const message = `policy: bind mount ${quote(verdict.source)} not under allowed roots`
    report.error('REFUSED', field.at, field.path, message, verdict.hint)
    return undefined
  }

  #named(field: Field, name: string, target: string, readOnly: boolean): VolumeSpec | undefined {
    const valid = parseVolumeName(name)
    if (!valid.ok) return this.#scope.error(field, `${quote(name)} is not valid: ${valid.reason}`)
    const definition = this.#context.volumes.get(name)
    if (definition === undefined)
      return this.#scope.error(
        field,
        `no volume ${quote(name)} in this file`,
        `add it: volumes: { ${name}: }, or write ./${name} for a path`
      )
    return { kind: 'volume', target, readOnly, ...definition }
  }

  /** Data of one replica without a name: named by service and path, so that it is found again. */
  #anonymous(field: Field, text: string, readOnly: boolean): VolumeSpec | undefined {
    const target = this.#target(field, text)
    if (target === undefined) return undefined
    const name = anonymousName(this.#service, target)
    return { kind: 'volume', name, target, readOnly, shared: false }
  }
}

/** `web-data-3f9a0c21`: the same for the same service and path, different for all others. */
export function anonymousName(service: string, target: string): string {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(`${service}\0${target}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  }
  const slug = `${service}${target}`.replace(/[^a-zA-Z0-9_.-]+/g, '-').slice(0, 100)
  return `${slug}-${hash.toString(16).padStart(8, '0')}`
}

/** `/run` or `/run:size=64m,mode=1777`. */
function readTmpfs(scope: Scope, field: Field): VolumeSpec | undefined {
  const text = scope.textOf(field)
  if (text === undefined) return undefined
  const colon = text.indexOf(':')
  const path = parseTarget(colon === -1 ? text : text.slice(0, colon))
  if (!path.ok) return scope.error(field, `${quote(text)} is not valid: ${path.reason}`)
  let sizeBytes: number | undefined
  for (const option of colon === -1 ? [] : text.slice(colon + 1).split(',')) {
    const [name = '', value = ''] = option.split('=')
    if (name === 'size') {
      const size = parseBytes(value)
      if (!size.ok) return scope.error(field, `${quote(value)} is not valid: ${size.reason}`)
      sizeBytes = size.value
    } else {
      const message = `ignored: the option ${quote(option)}, only size is set`
      scope.report.warn('UNSUPPORTED', field.at, field.path, message)
    }
  }
  return { kind: 'tmpfs', target: path.value, ...(sizeBytes ? { sizeBytes } : {}) }
}
