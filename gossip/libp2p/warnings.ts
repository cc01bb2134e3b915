/** What goes wrong before a peer is linked: counted always, told in one line now and then. */
import { HelloError } from './hello.ts'
import { RateLimitedLog } from './log.ts'
import { drop, type HostStats } from './stats.ts'
import type { HostLog } from './types.ts'

/** The address without its port: the port of a dialling peer changes with every attempt. */
function hostOf(address: string): string {
  return address.split('/').slice(0, 3).join('/')
}

export class Warnings {
  readonly #log: RateLimitedLog
  readonly #stats: HostStats
  readonly #keyFingerprint: string

  constructor(log: HostLog, stats: HostStats, keyFingerprint: string) {
    this.#log = new RateLimitedLog(log)
    this.#stats = stats
    this.#keyFingerprint = keyFingerprint
  }

  wrongKey(direction: 'inbound' | 'outbound', address: string): void {
    this.#stats.wrongKey += 1
    this.#log.warn(
      `key ${direction} ${hostOf(address)}`,
      `handshake failed with ${address}: most likely another mesh's key ` +
        `(ours has fingerprint ${this.#keyFingerprint})`
    )
  }

  wrongMesh(address: string, message: string): void {
    this.#stats.wrongMesh += 1
    this.#log.warn(`mesh ${hostOf(address)}`, `hello refused with ${address}: ${message}`)
  }

  /** A peer that dialled us said no good hello. */
  helloFailed(address: string, error: unknown): void {
    this.#stats.handshakesFailed += 1
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof HelloError && error.failure === 'WRONG_MESH') {
      this.wrongMesh(address, message)
      return
    }
    drop(this.#stats, 'hello-bad')
    this.#log.warn(`hello ${hostOf(address)}`, `no good hello from ${address}: ${message}`)
  }

  hostile(peer: string, reason: string): void {
    this.#log.warn(`hostile ${peer}`, `cut off ${peer}: ${reason}`)
  }
}
