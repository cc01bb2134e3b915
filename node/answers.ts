/** What the daemon says of itself: whether it is ready and what it waits for, and a join token. */
import type { MeshHost } from '../gossip/libp2p/host.ts'
import { encodeToken } from '../src/api/token.ts'
import type { ReadyView, TokenAnswer } from '../src/api/types.ts'
import { ShoalError } from '../src/errors.ts'
import type { Agent } from './agent/agent.ts'
import type { NodeInfo } from './agent/records.ts'
import type { Membership } from './config.ts'
import type { Executor } from './executor.ts'
import type { Joining } from './joining.ts'
import { amnesia } from './report/amnesia.ts'

const TOKEN_ADDRESSES_MAX = 8

export interface AnswersComponents {
  readonly agent: Agent
  readonly host: MeshHost
  readonly executor: Executor
  readonly joining: Joining
  readonly membership: Membership
  /** Why the disk takes nothing; undefined when it does. */
  readonly trouble: () => string | undefined
  readonly info: () => NodeInfo
}

export class Answers {
  readonly #c: AnswersComponents

  constructor(components: AnswersComponents) {
    this.#c = components
  }

  ready(self: { readonly version: string; readonly dataDir: string }): ReadyView {
    const { agent, membership, info } = this.#c
    const ready = agent.ready && this.#c.trouble() === undefined
    return {
      ready,
      waits: ready ? '' : this.waits(),
      name: info().name,
      id: membership.identity.nodeId,
      mesh: this.mesh,
      addresses: this.#own(),
      runtimes: info().runtimes,
      version: self.version,
      pid: process.pid,
      dataDir: self.dataDir
    }
  }

  waits(): string {
    const { agent, joining, executor } = this.#c
    const trouble = this.#c.trouble()
    if (trouble !== undefined) return trouble
    if (agent.amnesiac) return this.#amnesia()
    if (joining.waits !== '') return joining.waits
    const [first] = executor.unavailable
    if (first !== undefined) return `runtime ${first[0]} cannot be asked: ${first[1].reason}`
    return 'it meets its peers'
  }

  /** A mesh that has not accepted us is not ours: '' until then. */
  get mesh(): string {
    const { joining, membership } = this.#c
    return joining.isMember ? membership.mesh.meshId : ''
  }

  /** What is wrong with this node itself, for `status`. */
  alarms(): readonly string[] {
    const { joining } = this.#c
    const trouble = this.#c.trouble()
    return [
      ...(trouble === undefined ? [] : [trouble]),
      ...(joining.isMember ? [] : [`this node is in no mesh yet: ${this.waits()}`])
    ]
  }

  /** Throws `UNAVAILABLE` before this node is in a mesh. */
  token(): TokenAnswer {
    const { agent, joining, membership } = this.#c
    const { mesh, identity } = membership
    if (!joining.isMember)
      throw new ShoalError('UNAVAILABLE', `this node is in no mesh yet: ${this.waits()}`, {
        hint: 'ask a member of it for a token'
      })
    const others = [...agent.view.members.values()]
      .filter(member => member.id !== identity.nodeId && member.state === 'alive')
      .flatMap(member => member.addresses.slice(0, 1).map(address => `${address}/p2p/${member.id}`))
    const addresses = [...this.#own(), ...others].slice(0, TOKEN_ADDRESSES_MAX)
    const key = Buffer.from(mesh.key, 'hex')
    return {
      token: encodeToken({ mesh: mesh.meshId, key, addresses }),
      mesh: mesh.meshId,
      addresses
    }
  }

  #amnesia(): string {
    const { agent } = this.#c
    const { what, do: acts } = amnesia(agent)
    return acts.length === 0 ? what : `${what}; do: ${acts.join(', or ')}`
  }

  #own(): readonly string[] {
    const { host, membership } = this.#c
    const suffix = `/p2p/${membership.identity.nodeId}`
    return host.addresses().map(address => address + suffix)
  }
}
