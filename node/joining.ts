/**
 * From `shoal join` to the first peer that accepts us: what it waits for, when it is hopeless, and
 * when the mesh may be written down. Until then this node is in no mesh and owns nothing.
 */
import type { LinkEvent } from '../gossip/libp2p/types.ts'
import { ShoalError } from '../src/errors.ts'
import type { Membership } from './config.ts'
import { saveMesh } from './identity.ts'
import type { Log } from './log.ts'

const HOPELESS: ReadonlySet<string> = new Set(['WRONG_KEY', 'WRONG_MESH', 'VERSION'])
const SHOWN_MAX = 3
const KEPT_MAX = 16

export interface JoiningComponents {
  readonly log: Log
  /** A peer has accepted us, and the mesh is written down. */
  readonly onAccepted: () => void
  /** The peer refuses us for good, and this node is of no mesh yet. */
  readonly onRefused: (error: ShoalError) => void
  readonly onFatal: (error: unknown) => void
}

export class Joining {
  readonly #c: JoiningComponents
  readonly #dataDir: string
  readonly #membership: Membership
  /** What each address last said, the latest at the end. */
  readonly #failures = new Map<string, string>()
  #isLinked = false
  #isMember: boolean

  constructor(
    components: JoiningComponents,
    init: { readonly dataDir: string; readonly membership: Membership }
  ) {
    this.#c = components
    this.#dataDir = init.dataDir
    this.#membership = init.membership
    this.#isMember = !init.membership.fresh
  }

  /** False until the mesh we are to join has accepted us. */
  get isMember(): boolean {
    return this.#isMember
  }

  /** What people are told; '' when there is nothing to tell. */
  get waits(): string {
    if (this.#isLinked) return ''
    const said = [...this.#failures.values()].slice(-SHOWN_MAX).join('; ')
    if (said !== '') return said
    const { join: addresses } = this.#membership
    return addresses.length === 0 ? '' : `no answer yet from ${addresses.join(', ')}`
  }

  link(event: LinkEvent): void {
    if (event.state === 'open') return this.#linked()
    if (event.state !== 'failed' && event.state !== 'refused') return
    const key = event.addresses.join()
    const isNew = !this.#isMember && this.#failures.get(key) !== event.message
    this.#c.log[isNew ? 'warn' : 'debug']({ failure: event.failure }, event.message)
    if (this.#isLinked) return
    this.#failed(key, event.message)
    if (!HOPELESS.has(event.failure) || this.#isMember) return
    const code = event.failure === 'WRONG_KEY' ? 'WRONG_KEY' : 'WRONG_MESH'
    this.#c.onRefused(
      new ShoalError(code, event.message, { hint: 'get a token of this mesh and join again' })
    )
  }

  #failed(key: string, message: string): void {
    this.#failures.delete(key)
    this.#failures.set(key, message)
    const oldest = this.#failures.keys().next()
    if (this.#failures.size > KEPT_MAX && oldest.done !== true) this.#failures.delete(oldest.value)
  }

  #linked(): void {
    if (this.#isLinked) return
    this.#isLinked = true
    // Only now is it certain that the token fits: a wrong one leaves nothing behind.
    saveMesh(this.#dataDir, this.#membership.mesh).then(
      () => {
        this.#isMember = true
        this.#c.onAccepted()
      },
      (error: unknown) => this.#c.onFatal(error)
    )
  }
}
