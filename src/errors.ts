/**
 * The one table of everything shoal refuses or fails at: code, HTTP status, exit code.
 * People see `error[CODE]: what, where, why, what to do`; programs see `{ code, message, hint }`.
 */

/** Exit codes of every shoal command (`--help` prints them). */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notConverged: 3,
  timeout: 4,
  noDaemon: 5,
  refused: 6,
  notFound: 7,
  conflict: 8,
  unknownOutcome: 9,
  interrupted: 130
} as const

interface ErrorRow {
  readonly http: number
  readonly exit: number
}

/** One row a code. Add a row here before you throw a new code. */
export const ERRORS = {
  /** A flag, argument or name that cannot be used. */
  USAGE: { http: 400, exit: EXIT.usage },
  /** A file or body that does not parse or validate. */
  INVALID: { http: 400, exit: EXIT.usage },
  /** Known, but not supported by this version of shoal. Never run as something else. */
  UNSUPPORTED: { http: 422, exit: EXIT.usage },
  /** A stated limit was passed. */
  LIMIT: { http: 413, exit: EXIT.usage },
  /** A join token that is damaged or of another version. */
  TOKEN: { http: 400, exit: EXIT.usage },
  NOT_FOUND: { http: 404, exit: EXIT.notFound },
  CONFLICT: { http: 409, exit: EXIT.conflict },
  REFUSED: { http: 403, exit: EXIT.refused },
  /** No daemon answers on the socket. */
  NO_DAEMON: { http: 503, exit: EXIT.noDaemon },
  /** The daemon is there but cannot serve this now (starting, storage broken, resyncing). */
  UNAVAILABLE: { http: 503, exit: EXIT.failure },
  TIMEOUT: { http: 504, exit: EXIT.timeout },
  /** Written on fewer disks than asked for, or not placeable. */
  NOT_CONVERGED: { http: 202, exit: EXIT.notConverged },
  /** The write may or may not have happened: retry with the same operation id. */
  UNKNOWN_OUTCOME: { http: 504, exit: EXIT.unknownOutcome },
  /** The peer holds another mesh's key. */
  WRONG_KEY: { http: 403, exit: EXIT.refused },
  /** The peer belongs to another mesh. */
  WRONG_MESH: { http: 403, exit: EXIT.refused },
  /** Two live nodes carry one identity. */
  CLONE: { http: 409, exit: EXIT.refused },
  /** No address of the peer answered. */
  UNREACHABLE: { http: 502, exit: EXIT.failure },
  /** Files in the data directory are damaged, of another node, or newer than this program. */
  STORE: { http: 500, exit: EXIT.failure },
  /** The container engine refused or failed. */
  RUNTIME: { http: 502, exit: EXIT.failure },
  /** A bug in shoal. */
  INTERNAL: { http: 500, exit: EXIT.failure }
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

export interface ShoalErrorInit {
  /** What to do next, as one sentence or command. */
  readonly hint?: string
  /** Where: `file:line:col`, a field path or an address. */
  readonly where?: string
  readonly cause?: unknown
}

/** Every error that a person may see. The message says what and why; `hint` what to do. */
export class ShoalError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly where: string | undefined

  constructor(code: ErrorCode, message: string, init: ShoalErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.name = 'ShoalError'
    this.code = code
    this.hint = init.hint
    this.where = init.where
  }

  get exitCode(): number {
    return ERRORS[this.code].exit
  }

  get httpStatus(): number {
    return ERRORS[this.code].http
  }
}

/** The one line that people read: `error[CODE]: what, where, what to do`. */
export function formatError(error: ShoalError): string {
  const where = error.where === undefined ? '' : ` (${error.where})`
  const hint = error.hint === undefined ? '' : `; ${error.hint}`
  return `error[${error.code}]: ${error.message}${where}${hint}`
}
