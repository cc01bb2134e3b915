/** Answers what others ask when they miss a member: when we heard it, and proof that we live. */
import type { NodeId } from '../types.ts'
import type { Context } from './context.ts'
import type { Links } from './links.ts'
import type { MembershipMessage } from './message.ts'

/** Signed answers a second: nobody makes us sign without end. */
const PROOFS_PER_SECOND_MAX = 64

export interface WitnessComponents {
  readonly context: Context
  readonly links: Links
}

export class Witness {
  readonly #c: WitnessComponents
  #proofsSinceMs = 0
  #proofs = 0

  constructor(components: WitnessComponents) {
    this.#c = components
  }

  /** Another node asks about a member, or relays such a question to us. */
  asked(from: NodeId, message: Extract<MembershipMessage, { kind: 'ask' | 'challenge' }>): void {
    const { context, links } = this.#c
    if (message.kind === 'challenge') return this.#prove(from, message.asker, message.nonce)
    const { about, nonce } = message
    if (about === context.self) return this.#prove(from, from, nonce)
    const link = links.get(about)
    const heardAgoMs =
      link === undefined ? null : Math.max(0, Math.floor(context.awakeMs - link.heardMs))
    context.send(from, { kind: 'answer', about, nonce, heardAgoMs })
    if (link !== undefined) context.send(about, { kind: 'challenge', asker: from, nonce })
  }

  #prove(to: NodeId, asker: NodeId, nonce: string): void {
    const { context } = this.#c
    if (context.nowMs - this.#proofsSinceMs >= 1_000) {
      this.#proofsSinceMs = context.nowMs
      this.#proofs = 0
    }
    this.#proofs += 1
    if (this.#proofs > PROOFS_PER_SECOND_MAX) return context.drop('busy')
    const body = { kind: 'proof', node: context.self, asker, nonce } as const
    context.send(to, { kind: 'proof', proof: context.sealer.seal(body) })
  }
}
