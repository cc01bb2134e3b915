/**
 * What members say to each other on the `member` stream. Statements that others relay are
 * `Signed`; the rest is for the other end of one link, which the connection authenticates.
 */
import { type Check, count, flag, isRecord, list, oneOf, text } from '../check.ts'
import { Signed } from '../signed.ts'
import { type BootId, MEMBERS_MAX, type MemberState, type NodeId } from '../types.ts'
import type { AliveBody } from './api.ts'

/** A member's last word about itself. */
export interface LeaveBody {
  readonly kind: 'leave'
  readonly node: NodeId
  readonly incarnation: number
}

/** An operator, through `author`, removed a dead member. */
export interface ForgetBody {
  readonly kind: 'forget'
  readonly node: NodeId
  /** Its own, as in an obituary: no other life can be meant, and no made-up one outbid. */
  readonly last: Signed<AliveBody> | Signed<LeaveBody>
}

/** What an observer knows of a silent subject: how its last knock ended, `silent` before one. */
export type Evidence = 'refused' | 'frozen' | 'silent'

export interface Report {
  readonly node: NodeId
  readonly incarnation: number
  readonly evidence: Evidence
  /** The limit of this evidence has passed: counts towards death (rule 5). */
  readonly due: boolean
}

/** All that its author reports now: replaces what it said before. Repeated, it is a beacon. */
export interface AlertBody {
  readonly kind: 'alert'
  readonly node: NodeId
  readonly incarnation: number
  /** Rises with each alert of one incarnation. */
  readonly sequence: number
  readonly reports: readonly Report[]
}

/** An observer found a subject dead by rule 5. */
export interface ObituaryBody {
  readonly kind: 'obituary'
  /** The author. */
  readonly node: NodeId
  readonly subject: NodeId
  readonly incarnation: number
}

/** "I live": a subject's answer to a nonce, relayed to its asker (rule 3). */
export interface ProofBody {
  readonly kind: 'proof'
  readonly node: NodeId
  readonly asker: NodeId
  readonly nonce: string
}

/** One member as a peer holds it. `suspect` is everybody's own opinion and never sent. */
export interface RosterRow {
  readonly state: Exclude<MemberState, 'suspect'>
  readonly alive: Signed<AliveBody>
  /** With state `left`: its own word. */
  readonly leave?: Signed<LeaveBody>
  /** With state `dead`: of distinct authors. */
  readonly obituaries: readonly Signed<ObituaryBody>[]
}

export type MembershipMessage =
  | { readonly kind: 'heartbeat' }
  /** The roster as `BUCKETS` hashes. Answered by `roster` pages for those that differ. */
  | { readonly kind: 'digest'; readonly buckets: readonly number[] }
  | {
      readonly kind: 'roster'
      readonly rows: readonly RosterRow[]
      readonly forgets: readonly Signed<ForgetBody>[]
      /** Buckets that the sender would like in return. */
      readonly want: readonly number[]
      /** The last page of an answer. */
      readonly done: boolean
    }
  | { readonly kind: 'alive'; readonly alive: Signed<AliveBody> }
  | { readonly kind: 'leave'; readonly leave: Signed<LeaveBody> }
  | { readonly kind: 'forget'; readonly forget: Signed<ForgetBody> }
  | { readonly kind: 'alert'; readonly alert: Signed<AlertBody> }
  /** Rule 8: carries the last word of the dead, so that no other incarnation can be meant. */
  | {
      readonly kind: 'obituary'
      readonly obituary: Signed<ObituaryBody>
      readonly alive: Signed<AliveBody>
    }
  | { readonly kind: 'ask'; readonly about: NodeId; readonly nonce: string }
  /** `heardAgoMs` null: never, or there is no link to it. */
  | {
      readonly kind: 'answer'
      readonly about: NodeId
      readonly nonce: string
      readonly heardAgoMs: number | null
    }
  | { readonly kind: 'challenge'; readonly asker: NodeId; readonly nonce: string }
  | { readonly kind: 'proof'; readonly proof: Signed<ProofBody> }

export const BUCKETS = 64
export const REPORTS_MAX = 256
export const OBITUARIES_MAX = 3
/** Of a page; with obituaries a row holds up to five `Signed` of the codec's 1,024 a frame. */
export const PAGE_ROWS_MAX = 200
export const PAGE_BYTES_MAX = 200 * 1024
const NAME_MAX = 253
const ADDRESSES_MAX = 16
const ADDRESS_MAX = 512
/** An incarnation above this could not be raised for long: one hostile record must not end it. */
export const INCARNATION_MAX = 2 ** 48
const RESTART_MAX_MS = 60 * 60_000

type Fields = Readonly<Record<string, unknown>>

const isText = text(128)
const isId: Check<NodeId> = (value): value is NodeId => isText(value) && value.length > 0
const isBoot: Check<BootId> = (value): value is BootId =>
  typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)
const isNonce: Check<string> = (value): value is string =>
  typeof value === 'string' && /^[0-9a-f]{16}$/.test(value)
const isIncarnation: Check<number> = (value): value is number =>
  count(value) && value <= INCARNATION_MAX
const isName = text(NAME_MAX)
const isAddresses = list(ADDRESSES_MAX, text(ADDRESS_MAX))
const isPhase = oneOf('joining', 'steady', 'restarting', 'draining')
const isEvidence = oneOf('refused', 'frozen', 'silent')
const isBucket: Check<number> = (value): value is number => count(value) && value < BUCKETS
const isHash: Check<number> = (value): value is number => count(value) && value < 2 ** 32

/** A statement of its own `node`, of one kind. */
function signedBy<T>(kind: string, fields: (body: Fields) => boolean): Check<Signed<T>> {
  return (value): value is Signed<T> => {
    if (!(value instanceof Signed) || !isRecord(value.body)) return false
    const { body } = value
    return body['kind'] === kind && isId(body['node']) && body['node'] === value.author
      ? fields(body)
      : false
  }
}

const isReport: Check<Report> = (value): value is Report =>
  isRecord(value) &&
  isId(value['node']) &&
  isIncarnation(value['incarnation']) &&
  isEvidence(value['evidence']) &&
  flag(value['due'])
const isReports = list(REPORTS_MAX, isReport)

export const isAlive = signedBy<AliveBody>('alive', body => {
  const restartMs = body['restartMs']
  return (
    isIncarnation(body['incarnation']) &&
    isBoot(body['boot']) &&
    isName(body['name']) &&
    isAddresses(body['addresses']) &&
    isPhase(body['phase']) &&
    (restartMs === undefined || (count(restartMs) && restartMs <= RESTART_MAX_MS))
  )
})
export const isLeave = signedBy<LeaveBody>('leave', body => isIncarnation(body['incarnation']))
export const isAlert = signedBy<AlertBody>(
  'alert',
  body =>
    isIncarnation(body['incarnation']) && count(body['sequence']) && isReports(body['reports'])
)
export const isObituary = signedBy<ObituaryBody>(
  'obituary',
  body => isId(body['subject']) && isIncarnation(body['incarnation'])
)
export const isProof = signedBy<ProofBody>(
  'proof',
  body => isId(body['asker']) && isNonce(body['nonce'])
)
const isLastWord: Check<ForgetBody['last']> = (value): value is ForgetBody['last'] =>
  isAlive(value) || isLeave(value)
/** The author may be any member. */
export const isForget: Check<Signed<ForgetBody>> = (value): value is Signed<ForgetBody> =>
  value instanceof Signed &&
  isRecord(value.body) &&
  value.body['kind'] === 'forget' &&
  isId(value.body['node']) &&
  value.body['node'] !== value.author &&
  isLastWord(value.body['last']) &&
  value.body['last'].author === value.body['node']

const isObituaries = list(OBITUARIES_MAX, isObituary)

/** State, incarnations and subjects of a row must fit together. */
export const isRow: Check<RosterRow> = (value): value is RosterRow => {
  if (!isRecord(value) || !isAlive(value['alive'])) return false
  const { alive, state, leave, obituaries } = value
  if (!isObituaries(obituaries)) return false
  const { node, incarnation } = alive.body
  const fits = obituaries.every(
    one => one.body.subject === node && one.body.incarnation === incarnation
  )
  if (!fits) return false
  if (state === 'left') {
    return isLeave(leave) && leave.body.node === node && leave.body.incarnation >= incarnation
  }
  return (state === 'alive' || state === 'dead') && leave === undefined
}

const isRows = list(PAGE_ROWS_MAX, isRow)
const isForgets = list(MEMBERS_MAX, isForget)
const isWant = list(BUCKETS, isBucket)
const isHashes = list(BUCKETS, isHash)

const CHECKS: Readonly<Record<MembershipMessage['kind'], (fields: Fields) => boolean>> = {
  heartbeat: () => true,
  digest: ({ buckets }) => isHashes(buckets) && buckets.length === BUCKETS,
  roster: ({ rows, forgets, want, done }) =>
    isRows(rows) && isForgets(forgets) && isWant(want) && flag(done),
  alive: ({ alive }) => isAlive(alive),
  leave: ({ leave }) => isLeave(leave),
  forget: ({ forget }) => isForget(forget),
  alert: ({ alert }) => isAlert(alert),
  obituary: ({ obituary, alive }) =>
    isObituary(obituary) &&
    isAlive(alive) &&
    obituary.body.subject === alive.body.node &&
    obituary.body.incarnation === alive.body.incarnation,
  ask: ({ about, nonce }) => isId(about) && isNonce(nonce),
  answer: ({ about, nonce, heardAgoMs }) =>
    isId(about) && isNonce(nonce) && (heardAgoMs === null || count(heardAgoMs)),
  challenge: ({ asker, nonce }) => isId(asker) && isNonce(nonce),
  proof: ({ proof }) => isProof(proof)
}

/** A decoded, signature-verified value as a message; undefined when any field is not as it must. */
export function readMembershipMessage(value: unknown): MembershipMessage | undefined {
  if (!isRecord(value)) return undefined
  const kind = value['kind']
  if (typeof kind !== 'string' || !Object.hasOwn(CHECKS, kind)) return undefined
  const check = CHECKS[kind as MembershipMessage['kind']]
  return check(value) ? (value as unknown as MembershipMessage) : undefined
}
