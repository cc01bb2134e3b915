/**
 * The connection to one engine: found, negotiated, and asked with a deadline each time. Once an
 * engine has answered, its address is kept for good: another engine that happens to answer on
 * another socket must not make our containers seem gone.
 */
import type { IncomingMessage } from 'node:http'
import Docker from 'dockerode'
import { type FailureKind, RuntimeFailure } from '../runtime.ts'
import { onAbort, within } from '../wait.ts'
import { type AddressInput, candidateHosts, modemOptions } from './address.ts'
import { negotiate } from './negotiate.ts'

export interface EngineTimeouts {
  readonly pingMs: number
  /** Calls that only read or change a little. */
  readonly callMs: number
  /** Create and start: storage drivers and networks take their time. */
  readonly createMs: number
  /** A pull without any progress. */
  readonly pullIdleMs: number
}

export const DEFAULT_ENGINE_TIMEOUTS: EngineTimeouts = {
  pingMs: 3_000,
  callMs: 15_000,
  createMs: 30_000,
  pullIdleMs: 60_000
}

/** An engine's refusal or failure; `status` is undefined when it did not answer at all. */
export class EngineFailure extends RuntimeFailure {
  readonly status: number | undefined
  constructor(kind: FailureKind, message: string, status: number | undefined, cause?: unknown) {
    super(kind, message, cause)
    this.status = status
  }
}

/** The HTTP status of an engine's answer; undefined for everything else. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof EngineFailure ? error.status : undefined
}

interface Connection {
  readonly docker: Docker
  readonly host: string
  readonly api: string
  /** `docker 20.10.24 (API 1.41)`. */
  readonly title: string
}

interface RawStream {
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly query: Readonly<Record<string, unknown>>
}

/** What docker-modem puts before an engine's words. */
const MODEM_PREFIX = /^\(HTTP code \d+\) [a-z ]+ - /
const PERMANENT = new Set([400, 403, 404, 501])

function asFailure(what: string, error: unknown): unknown {
  if (error instanceof RuntimeFailure || !(error instanceof Error)) return error
  const { statusCode, json } = error as Error & { statusCode?: number; json?: unknown }
  if (statusCode === undefined)
    return new EngineFailure('transient', `${what}: ${error.message}`, undefined, error)
  const words = (json as { message?: unknown } | null | undefined)?.message
  const bare = error.message.replace(MODEM_PREFIX, '').trim()
  const text = typeof words === 'string' && words !== '' ? words : bare
  const kind = PERMANENT.has(statusCode) ? 'permanent' : 'transient'
  return new EngineFailure(kind, `${what}: ${text}`, statusCode, error)
}

export class Engine {
  readonly timeouts: EngineTimeouts
  readonly #address: AddressInput
  #connection: Connection | undefined
  #connecting: Promise<Connection> | undefined
  #pinned: string | undefined

  constructor(address: AddressInput, timeouts: Partial<EngineTimeouts> = {}) {
    this.#address = address
    this.timeouts = { ...DEFAULT_ENGINE_TIMEOUTS, ...timeouts }
  }

  /** The negotiated API version, once connected. */
  get api(): string | undefined {
    return this.#connection?.api
  }

  /** Asks anew, past any cache. Throws a `RuntimeFailure` that says why there is no engine. */
  async check(signal: AbortSignal): Promise<string> {
    this.forget()
    return (await this.#connect(signal)).title
  }

  /** The next call connects and negotiates anew (the engine may have been upgraded). */
  forget(): void {
    this.#connection = undefined
  }

  /**
   * One call. Throws `EngineFailure` with the engine's own words, a transient `RuntimeFailure` at
   * the deadline, or the caller's abort reason.
   */
  async call<T>(
    what: string,
    signal: AbortSignal,
    work: (docker: Docker, abortSignal: AbortSignal) => Promise<T>,
    timeoutMs: number = this.timeouts.callMs
  ): Promise<T> {
    const { docker } = await this.#connect(signal)
    const label = `docker: ${what}`
    try {
      return await within({ what: label, timeoutMs, signal }, inner => work(docker, inner))
    } catch (error) {
      if (signal.aborted) throw error
      const failure = asFailure(label, error)
      if (statusOf(failure) === undefined) this.forget()
      throw failure
    }
  }

  /** A body that is read as it comes: events, logs, pull progress. The signal ends it. */
  async stream(what: string, request: RawStream, signal: AbortSignal): Promise<IncomingMessage> {
    const { docker } = await this.#connect(signal)
    const label = `docker: ${what}`
    const ended = new AbortController()
    const end = (): void => ended.abort(signal.reason)
    const release = onAbort(signal, end)
    try {
      const body = await within({ what: label, timeoutMs: this.timeouts.callMs, signal }, () =>
        dialStream(docker, request, ended.signal)
      )
      body.once('close', release)
      // Without a listener an aborted body would take the whole process down.
      body.on('error', () => undefined)
      return body
    } catch (error) {
      release()
      ended.abort()
      if (signal.aborted) throw error
      const failure = asFailure(label, error)
      if (statusOf(failure) === undefined) this.forget()
      throw failure
    }
  }

  async #connect(signal: AbortSignal): Promise<Connection> {
    if (this.#connection !== undefined) return this.#connection
    signal.throwIfAborted()
    // Shared by all callers, so it runs under its own deadline and not under one caller's signal.
    this.#connecting ??= this.#dial().finally(() => {
      this.#connecting = undefined
    })
    const connecting = this.#connecting
    const hosts = this.#hosts().length
    return within(
      { what: 'docker: connect', timeoutMs: (this.timeouts.pingMs + 500) * hosts, signal },
      () => connecting
    )
  }

  #hosts(): readonly string[] {
    return this.#pinned === undefined ? candidateHosts(this.#address) : [this.#pinned]
  }

  async #dial(): Promise<Connection> {
    const reasons: string[] = []
    let kind: FailureKind = 'transient'
    for (const host of this.#hosts()) {
      try {
        const connection = await this.#dialHost(host)
        this.#pinned = host
        this.#connection = connection
        return connection
      } catch (error) {
        if (error instanceof RuntimeFailure && error.kind === 'permanent') kind = 'permanent'
        reasons.push(`${host}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    throw new EngineFailure(kind, `no docker engine: ${reasons.join('; ')}`, undefined)
  }

  async #dialHost(host: string): Promise<Connection> {
    const env = this.#address.env
    const limit = { what: 'ping', timeoutMs: this.timeouts.pingMs }
    const signal = new AbortController().signal
    return within({ ...limit, signal }, async inner => {
      const bare = new Docker(modemOptions(host, env, undefined))
      const ping = await dialStream(bare, { path: '/_ping', method: 'GET', query: {} }, inner)
      ping.on('error', () => undefined)
      ping.resume()
      const version = await askVersion(bare, inner)
      const engineMax = String(ping.headers['api-version'] ?? version.ApiVersion ?? '')
      const chosen = negotiate(engineMax, version.MinAPIVersion)
      if (chosen.kind === 'refused') throw new RuntimeFailure('permanent', chosen.reason)
      const docker = new Docker(modemOptions(host, env, `v${chosen.version}`))
      const title = `${engineName(version)} ${version.Version ?? '?'} (API ${chosen.version})`
      return { docker, host, api: chosen.version, title }
    })
  }
}

interface VersionAnswer {
  readonly Version?: string
  readonly ApiVersion?: string
  readonly MinAPIVersion?: string
  readonly Components?: readonly { readonly Name?: string }[] | null
}

/** The typings know no options here; the call takes them. */
function askVersion(docker: Docker, abortSignal: AbortSignal): Promise<VersionAnswer> {
  const ask = docker.version as (options: object) => Promise<unknown>
  return ask.call(docker, { abortSignal }) as Promise<VersionAnswer>
}

function engineName(version: VersionAnswer): string {
  const first = version.Components?.[0]?.Name ?? ''
  return first.toLowerCase().includes('podman') ? 'podman' : 'docker'
}

/** dockerode reads a whole body unless it is told to stream; here it always streams. */
function dialStream(
  docker: Docker,
  request: RawStream,
  abortSignal: AbortSignal
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: `${request.path}?`,
        method: request.method,
        options: { ...request.query },
        isStream: true,
        abortSignal,
        statusCodes: { 200: true }
      },
      (error: unknown, body: unknown) => {
        if (error) reject(error)
        else resolve(body as IncomingMessage)
      }
    )
  })
}
