/** `command`, `entrypoint` and `healthcheck`. */
import { quote } from '../problem.ts'
import { positionWithin } from '../tree.ts'
import type { HealthCheck } from '../workload.ts'
import type { Scope } from './scope.ts'
import { splitWords } from './words.ts'

const SHELL_HINT = 'use ["/bin/sh", "-c", "..."] to run a shell'

/** A text (cut into words) or a list of texts. Missing or empty (`command:`) is not set. */
export function readCommand(scope: Scope, key: string): readonly string[] | undefined {
  const field = scope.field(key)
  if (field === undefined) return undefined
  const words = field.node.kind === 'list' ? readList(scope, key) : readWords(scope, key)
  if (words === undefined) return undefined
  if (words.length === 0)
    return scope.error(field, `the ${key} is empty`, "remove the key to use the image's own")
  return words
}

function readList(scope: Scope, key: string): readonly string[] | undefined {
  const words: string[] = []
  let complete = true
  for (const item of scope.list(key)) {
    const text = scope.textOf(item)
    if (text === undefined) complete = false
    else words.push(text)
  }
  return complete ? words : undefined
}

function readWords(scope: Scope, key: string): readonly string[] | undefined {
  const field = scope.field(key)
  const text = scope.text(key)
  if (field === undefined || text === undefined || field.node.kind !== 'scalar') return undefined
  const result = splitWords(text)
  if (!result.ok) {
    const at = positionWithin(field.node, result.offset)
    scope.report.error('INVALID', at, field.path, result.message, 'close it, or use a list')
    return undefined
  }
  if (result.shellSigns.length > 0) {
    const signs = result.shellSigns.map(quote).join(' ')
    const message = `no shell runs this: ${signs} goes to the program as text`
    scope.report.warn('INVALID', field.at, field.path, message, SHELL_HINT)
  }
  return result.words
}

/** Docker's defaults. */
const DEFAULT_INTERVAL_MS = 30_000
const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_RETRIES = 3
const RETRIES_MAX = 1_000

/** The check of a service; undefined without one. `disabled`: not even the image's own. */
export function readHealth(scope: Scope): { check?: HealthCheck; disabled: boolean } {
  const field = scope.field('healthcheck')
  const inner = scope.mapping('healthcheck')
  if (field === undefined || inner === undefined) return { disabled: false }
  if (inner.boolean('disable') === true) return { disabled: true }
  const test = readTest(inner)
  const intervalMs = inner.durationMs('interval', 1) ?? DEFAULT_INTERVAL_MS
  const timeoutMs = inner.durationMs('timeout', 1) ?? DEFAULT_TIMEOUT_MS
  const startPeriodMs = inner.durationMs('start_period', 0) ?? 0
  const retries = inner.whole('retries', 1, RETRIES_MAX) ?? DEFAULT_RETRIES
  if (test === 'none') return { disabled: true }
  if (test !== undefined) {
    const check = { command: test, intervalMs, timeoutMs, startPeriodMs, retries }
    return { check, disabled: false }
  }
  if (inner.field('test') === undefined)
    scope.error(field, 'the health check has no test', 'add test: ["CMD", "program", "argument"]')
  return { disabled: false }
}

const TEST_HINT = 'begin the list with CMD, CMD-SHELL or NONE'

function readTest(scope: Scope): readonly string[] | 'none' | undefined {
  const field = scope.field('test')
  if (field === undefined) return undefined
  if (field.node.kind !== 'list') {
    const text = scope.textOf(field)
    if (text === undefined) return undefined
    return text.trim() === '' ? scope.error(field, 'the test is empty') : shell(text)
  }
  const words = readList(scope, 'test')
  if (words === undefined) return undefined
  const [kind, ...rest] = words
  if (kind === 'NONE' && rest.length === 0) return 'none'
  if (kind === 'CMD' && rest.length > 0) return rest
  if (kind === 'CMD-SHELL' && rest.length === 1 && rest[0]?.trim() !== '')
    return shell(rest[0] ?? '')
  if (kind === 'CMD' || kind === 'CMD-SHELL')
    return scope.error(field, `the test has ${rest.length} words after ${kind}`, TEST_HINT)
  return scope.error(field, 'the test does not say how it is run', TEST_HINT)
}

function shell(text: string): readonly string[] {
  return ['/bin/sh', '-c', text]
}
