/** Conditions on nodes: `node.labels.disk == ssd`. */
import { nearest } from './nearest.ts'
import { quote } from './problem.ts'
import type { Constraint } from './workload.ts'

export const CONSTRAINT_ATTRIBUTES = [
  'node.name',
  'node.id',
  'node.zone',
  'node.platform.os',
  'node.platform.arch'
] as const
export const LABEL_ATTRIBUTE = /^node\.labels\.[a-zA-Z0-9](?:[a-zA-Z0-9._/-]{0,126}[a-zA-Z0-9])?$/
const LABELS = 'node.labels.<key>'
const VALUE_LENGTH_MAX = 256
const RULE = 'a condition is ATTRIBUTE == VALUE or ATTRIBUTE != VALUE'

/** Swarm's names for the same things. */
const ALIASES: Readonly<Record<string, string>> = { 'node.hostname': 'node.name' }
const REFUSED: Readonly<Record<string, string>> = {
  'node.role': 'there are no managers here, every node is equal'
}

export type ParsedConstraint =
  | { readonly ok: true; readonly value: Constraint }
  | {
      readonly ok: false
      readonly code: 'INVALID' | 'UNSUPPORTED'
      readonly message: string
      readonly hint: string
    }

const invalid = (message: string, hint: string): ParsedConstraint => ({
  ok: false,
  code: 'INVALID',
  message,
  hint
})

export function isAttribute(text: string): boolean {
  return CONSTRAINT_ATTRIBUTES.some(known => known === text) || LABEL_ATTRIBUTE.test(text)
}

/** One condition, Swarm's attribute names included. */
export function parseConstraint(text: string): ParsedConstraint {
  const match = /^\s{0,16}([^\s=!]{1,160})\s{0,16}(==|!=)(.*)$/s.exec(text)
  const value = match?.[3]?.trim() ?? ''
  if (match === null || value === '' || value.length > VALUE_LENGTH_MAX)
    return invalid(`${quote(text)} is not a condition`, RULE)
  const written = match[1] ?? ''
  const refused = Object.hasOwn(REFUSED, written) ? REFUSED[written] : undefined
  if (refused !== undefined || written.startsWith('engine.labels.')) {
    const why = refused ?? 'labels of the engine are not read'
    const hint = `use ${LABELS}, set by shoal up --label`
    return { ok: false, code: 'UNSUPPORTED', message: `not supported: ${written}, ${why}`, hint }
  }
  const attribute = (Object.hasOwn(ALIASES, written) ? ALIASES[written] : undefined) ?? written
  if (!isAttribute(attribute)) {
    const near = nearest(attribute, CONSTRAINT_ATTRIBUTES)
    const hint =
      near === undefined
        ? `known: ${[...CONSTRAINT_ATTRIBUTES, LABELS].join(', ')}`
        : `did you mean ${near}?`
    return invalid(`${quote(written)} is not an attribute of nodes`, hint)
  }
  const operator = match[2] === '!=' ? '!=' : '=='
  return { ok: true, value: { attribute, operator, value } }
}
