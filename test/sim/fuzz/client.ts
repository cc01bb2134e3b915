/**
 * People at work: they deploy, change, scale and remove at any node, ask twice when no answer came,
 * and write down what they asked, what was said, and what the node that they asked knew then.
 */
import { SeededRandom } from '../../../gossip/core/random.ts'
import type { Submission, SubmitAnswer } from '../../../node/agent/api.ts'
import type { WorkloadSpec } from '../../../src/spec/workload.ts'
import { DATA_VOLUME, spec } from '../../helpers/agent.ts'
import type { SimHost } from '../world/host.ts'
import type { World } from '../world/world.ts'
import { type Atlas, heldBy } from './atlas.ts'

/** One write of a register: `<operation>#<key>`. */
export interface Part {
  readonly part: string
  readonly key: string
  uid: string | undefined
  /** In which it was written, or was about to be: a slow disk answers long after. */
  readonly lives: Set<string>
  removes: boolean
  /** Parts that the asked node held for this key when it was asked. */
  readonly saw: Set<string>
  /** Acknowledged on so many disks; 0: nobody said so. */
  disks: number
  ackedMs: number
}

export interface Asked {
  readonly operation: string
  readonly submission: Submission
  readonly atMs: number
  readonly parts: Map<string, Part>
  /** Keys that it wrote, or was about to write, wherever it was asked for. */
  readonly plan: Set<string>
  /** Keys that were no part of it until a node wrote them that knew of its being done. */
  readonly late: string[]
  answer: SubmitAnswer | undefined
  /** At least one node was asked before it could write. */
  isEarly: boolean
}

const NAMES = ['w0', 'w1', 'w2', 'w3'] as const
const DATA_NAME = 'data'
const PROJECT = 'demo'
/** As `node/backend/writes.ts` waits for the second disk. */
const WAIT_MS = 2_000
const ASK_AGAIN_MS = 6_000

export class Client {
  readonly history = new Map<string, Asked>()
  readonly #world: World
  readonly #atlas: Atlas
  #count = 0
  /** When somebody last asked for anything. */
  lastMs = 0

  constructor(world: World, atlas: Atlas) {
    this.#world = world
    this.#atlas = atlas
    world.watch(observation => {
      if (observation.kind === 'reply') {
        this.#answered(observation.host, observation.operation, observation.answer)
      }
    })
  }

  /** Two people change the same on two sides. */
  askBoth(left: readonly SimHost[], right: readonly SimHost[], random: SeededRandom): void {
    const submission = drawSubmission(random)
    this.ask(submission, random, left)
    this.ask(drawEdit(random, submission), random, right)
  }

  /** Somebody removes a workload at one of these nodes. */
  remove(name: string, among: readonly SimHost[], random: SeededRandom): void {
    this.ask({ kind: 'remove', project: PROJECT, name }, random, among)
  }

  /** One thing, at one node, as `seed` says. */
  act(seed: number): void {
    const random = new SeededRandom(seed)
    const submission = drawSubmission(random)
    this.ask(submission, random)
    // Somebody else edits the same at another node.
    if (random.int(8) === 0) this.ask(drawEdit(random, submission), random)
  }

  /** `among`: the nodes that can be asked first; all when it is not given. */
  ask(submission: Submission, random: SeededRandom, among?: readonly SimHost[]): void {
    this.#count += 1
    const operation = `op${this.#count}`
    const asked: Asked = {
      ...{ operation, submission, atMs: this.#world.clock.nowMs() },
      ...{ parts: new Map(), plan: new Set<string>(), late: [] },
      ...{ answer: undefined, isEarly: false }
    }
    this.history.set(operation, asked)
    this.#submit(asked, random, among)
    // A person who got no answer, or does not believe it, asks again, elsewhere.
    this.#world.clock.schedule(ASK_AGAIN_MS, () => {
      if (asked.answer === undefined || random.int(4) === 0) this.#submit(asked, random)
    })
  }

  #submit(asked: Asked, random: SeededRandom, among?: readonly SimHost[]): void {
    // The API of a node that is in no mesh yet refuses.
    const up = [...(among ?? this.#world.hosts.values())].filter(
      host => host.isUp && host.isOn && !host.isClone && host.disk.isMember
    )
    const host = up[random.int(Math.max(1, up.length))]
    const process = host?.process
    if (host === undefined || process === undefined) return
    this.lastMs = this.#world.clock.nowMs()
    const { operation, submission } = asked
    process.enter(() => {
      this.#world.trace(`${host.id} asked ${operation} ${submissionText(submission)}`)
      this.#note(asked, host)
      if (!process.isSettled) asked.isEarly = true
      this.#plan(asked, host)
      const wallMs = host.clock.wallMs()
      process.node.input({ kind: 'submit', operation, submission, waitMs: WAIT_MS, wallMs })
    })
  }

  /** What the node is about to write, and whether that is new though it was done before. */
  #plan(asked: Asked, host: SimHost): void {
    const { operation, submission, plan, late } = asked
    const prepared = host.agent?.preview(submission, operation)
    if (prepared === undefined || 'ok' in prepared) return
    const part = `${operation}#`
    const isKnown = heldBy(host).some(one => one.operations.some(name => name.startsWith(part)))
    for (const { key } of prepared.writes) {
      if (isKnown && !plan.has(key)) late.push(`${key} at ${host.id}`)
      plan.add(key)
    }
    for (const { project, name, uid, change } of prepared.changes) {
      if (change === 'unchanged' || change === 'abandoned' || uid === '') continue
      this.#part(asked, `workload/${project}/${name}`).lives.add(uid)
    }
  }

  /** What the node holds of each name now: what its write will have seen. */
  #note(asked: Asked, host: SimHost): void {
    const { replica } = host.agent ?? {}
    for (const { key } of replica?.shared('workload/') ?? []) {
      const entry = replica?.entry(key)
      const held = [entry?.current, ...(entry?.conflicts ?? [])]
      const part = this.#part(asked, key)
      for (const write of held) if (write !== undefined) part.saw.add(write.body.operation)
    }
    // Of what has ended nothing is held but that.
    for (const { parts } of this.history.values()) {
      for (const [key, { part, lives }] of parts) {
        const hasEnded = [...lives].some(uid => replica?.removed(uid) === true)
        if (hasEnded) this.#part(asked, key).saw.add(part)
      }
    }
  }

  #part(asked: Asked, key: string): Part {
    const part = `${asked.operation}#${key}`
    const known = asked.parts.get(key)
    if (known !== undefined) return known
    const fresh: Part = {
      ...{ part, key, uid: undefined, removes: false },
      ...{ lives: new Set<string>(), saw: new Set<string>(), disks: 0, ackedMs: 0 }
    }
    asked.parts.set(key, fresh)
    return fresh
  }

  #answered(host: SimHost, operation: string, answer: SubmitAnswer): void {
    const asked = this.history.get(operation)
    if (asked === undefined) return
    asked.answer = answer
    this.#world.trace(`${host.id} ${operation} ${answerText(answer)}`)
    if (!answer.ok || answer.disks === 0) return
    for (const { project, name, uid, change } of answer.changes) {
      if (change === 'unchanged' || change === 'abandoned') continue
      const part = this.#part(asked, `workload/${project}/${name}`)
      if (uid !== '') {
        this.#atlas.acknowledged(part.part, uid)
        part.lives.add(uid)
      }
      part.uid ??= uid === '' ? undefined : uid
      part.removes ||= change === 'removed'
      if (part.uid === undefined) continue
      part.disks = Math.max(part.disks, answer.disks)
      part.ackedMs = this.#world.clock.nowMs()
    }
  }
}

function answerText(answer: SubmitAnswer): string {
  return answer.ok ? `done ${answer.disks}/${answer.wanted}` : `${answer.code} ${answer.message}`
}

function submissionText(submission: Submission): string {
  if (submission.kind !== 'apply') {
    const { kind, ...rest } = submission
    return `${kind} ${Object.values(rest).join(' ')}`
  }
  const workloads = submission.workloads.map(({ env, name, replicas }) => {
    return `${name} x${replicas} v${env['VERSION'] ?? ''}`
  })
  return `apply ${workloads.join(', ')}${submission.prune ? ' and no other' : ''}`
}

function drawSpec(random: SeededRandom): WorkloadSpec {
  if (random.int(6) === 0) {
    return spec({ name: DATA_NAME, replicas: 1, volumes: [DATA_VOLUME], partition: 'manual' })
  }
  const name = NAMES[random.int(NAMES.length)] as string
  return spec({
    name,
    replicas: random.int(7),
    env: { VERSION: String(random.int(5)) },
    stopGraceMs: 1_000,
    rebalance: random.int(4) === 0 ? 'failover' : 'gradual'
  })
}

function drawSubmission(random: SeededRandom): Submission {
  const name = NAMES[random.int(NAMES.length)] as string
  switch (random.int(8)) {
    case 0:
    case 1:
      return { kind: 'scale', project: PROJECT, name, replicas: random.int(8) }
    case 2:
      return { kind: 'remove', project: PROJECT, name: random.int(6) === 0 ? undefined : name }
    case 3: {
      const workloads = [drawSpec(random), drawSpec(random)]
      const distinct = [...new Map(workloads.map(one => [one.name, one])).values()]
      return { kind: 'apply', project: PROJECT, workloads: distinct, prune: random.int(3) === 0 }
    }
    default:
      return { kind: 'apply', project: PROJECT, workloads: [drawSpec(random)], prune: false }
  }
}

/** Another wish for what somebody has just asked about. */
function drawEdit(random: SeededRandom, before: Submission): Submission {
  if (before.kind === 'apply') {
    const workloads = before.workloads.map(one => ({ ...one, replicas: random.int(6) }))
    return { ...before, workloads }
  }
  return drawSubmission(random)
}
