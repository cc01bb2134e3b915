/**
 * The roster: one row a member, the durable half of each on disk. Knows precedence, not protocol.
 * `suspect`, `directPath` and `daemonGone` are our own opinion; the rest is what was signed.
 */
import { assert } from '../assert.ts'
import type { Signed } from '../signed.ts'
import { MEMBERS_MAX, type NodeId } from '../types.ts'
import type { AliveBody, Member } from './api.ts'
import type { Context } from './context.ts'
import {
  type ForgetBody,
  isForget,
  isRow,
  type LeaveBody,
  OBITUARIES_MAX,
  type ObituaryBody,
  type RosterRow
} from './message.ts'
import { supersedes } from './precedence.ts'

const PREFIX = 'member/'

/** What a row keeps beside its `Member`. */
interface Papers {
  readonly leave: Signed<LeaveBody> | undefined
  readonly obituaries: readonly Signed<ObituaryBody>[]
  /** Peers whose own rosters hold it dead, whoever found it so; not kept on disk. */
  readonly held: ReadonlySet<NodeId>
}

/** What is counted of one revision. */
interface Census {
  readonly revision: number
  readonly living: readonly NodeId[]
  readonly dead: readonly NodeId[]
  readonly doubted: boolean
}

const NO_PAPERS: Papers = { leave: undefined, obituaries: [], held: new Set() }

export class Roster {
  readonly #context: Context
  readonly #members = new Map<NodeId, Member>()
  readonly #papers = new Map<NodeId, Papers>()
  readonly #forgets = new Map<NodeId, Signed<ForgetBody>>()
  /** Rises with each change of who lives, is suspect or mourned, or of a durable field. */
  revision = 0
  /** The last whom we met, while a power cut would take that. */
  #unsafe: NodeId | undefined
  /** Whom a newcomer hears of before it is in goes to no disk: after a crash it still joins. */
  #isIn = false
  #census: Census = { revision: -1, living: [], dead: [], doubted: false }

  constructor(context: Context) {
    this.#context = context
  }

  get members(): ReadonlyMap<NodeId, Member> {
    return this.#members
  }

  get forgets(): ReadonlyMap<NodeId, Signed<ForgetBody>> {
    return this.#forgets
  }

  get(id: NodeId): Member | undefined {
    return this.#members.get(id)
  }

  /** Alive or suspect: takes part. */
  lives(id: NodeId): boolean {
    const state = this.#members.get(id)?.state
    return state === 'alive' || state === 'suspect'
  }

  /** All that take part, ourselves too, sorted. */
  living(): readonly NodeId[] {
    return this.#count().living
  }

  /** Sorted. */
  dead(): readonly NodeId[] {
    return this.#count().dead
  }

  /** Some are suspect, or said to be dead by others though they live here. */
  get doubted(): boolean {
    return this.#count().doubted
  }

  /**
   * Reads what the last run left; bytes are our own, but a disk may lie: bad ones are dropped.
   * Returns our own last incarnation, 0 at the first start.
   */
  restore(persisted: readonly { readonly key: string; readonly value: Uint8Array }[]): number {
    let own = 0
    for (const { key, value } of persisted) {
      if (!key.startsWith(PREFIX)) continue
      let row: unknown
      try {
        row = this.#context.codec.decode(value)
      } catch {
        row = undefined
      }
      if (isRow(row)) {
        const { alive, state } = row
        const papers = { ...NO_PAPERS, leave: row.leave, obituaries: row.obituaries }
        const incarnation = row.leave?.body.incarnation ?? alive.body.incarnation
        if (alive.author === this.#context.self) {
          own = Math.max(own, incarnation)
          continue
        }
        if (this.#members.size >= MEMBERS_MAX) continue
        this.#papers.set(alive.body.node, papers)
        this.#put({ ...this.#member(alive), state, incarnation })
        this.#isIn = true
      } else if (isForget(row)) this.#forgets.set(row.body.node, row)
      else this.#context.drop('malformed')
    }
    return own
  }

  /** A peer told us its roster, or nobody is there: what was heard until then goes to the disk. */
  joined(): void {
    if (this.#isIn) return
    this.#isIn = true
    const others = [...this.#members.keys()].filter(id => id !== this.#context.self)
    const heard = [...others.map(id => this.row(id)), ...this.#forgets.values()]
    this.#write(
      heard.filter(one => one !== undefined),
      true
    )
  }

  /** Our own row. `publish`: it counts, and reaches the disk before it is sent. */
  setOwn(alive: Signed<AliveBody>, publish: boolean): void {
    assert(alive.author === this.#context.self, 'nobody else writes our row')
    this.#papers.delete(alive.author)
    this.#put(this.#member(alive))
    if (publish) this.#persist(alive.author)
  }

  /** A member's word about itself. True when it is news. */
  takeAlive(alive: Signed<AliveBody>): boolean {
    const { node, incarnation } = alive.body
    const known = this.#members.get(node)
    if (!supersedes({ state: 'alive', incarnation }, this.#claim(known))) return false
    const forget = this.#forgets.get(node)
    if (forget !== undefined) {
      if (forget.body.last.body.incarnation >= incarnation) return false
      this.#forgets.delete(node)
    }
    if (known === undefined && this.#members.size >= MEMBERS_MAX) {
      this.#context.drop('members')
      return false
    }
    this.#papers.delete(node)
    this.#put(this.#member(alive))
    this.#persist(node)
    if (known === undefined) this.#unsafe = node
    return true
  }

  /** Syncs whom we have met since the last call, all with one write: who forgets the others in a
   * power cut may never find them again. */
  secure(): void {
    if (this.#unsafe === undefined) return
    this.#persist(this.#unsafe, true)
    this.#unsafe = undefined
  }

  takeLeave(leave: Signed<LeaveBody>): boolean {
    const { node, incarnation } = leave.body
    const known = this.#members.get(node)
    if (known === undefined) return false
    if (!supersedes({ state: 'left', incarnation }, this.#claim(known))) return false
    this.#papers.set(node, { ...NO_PAPERS, leave })
    this.#put({ ...known, state: 'left', incarnation, daemonGone: false, directPath: true })
    this.#persist(node)
    return true
  }

  /** Rule 5 decided. */
  kill(id: NodeId): void {
    const known = this.#members.get(id)
    assert(known !== undefined && this.lives(id), 'only the living die')
    this.#context.stats.deaths += 1
    this.#put({ ...known, state: 'dead' })
    this.#persist(id)
  }

  /** Keeps an obituary with its row. True when it is news. */
  bury(obituary: Signed<ObituaryBody>): boolean {
    const { subject, incarnation } = obituary.body
    const known = this.#members.get(subject)
    if (known === undefined || known.state === 'left' || known.incarnation !== incarnation)
      return false
    const papers = this.#papers.get(subject) ?? NO_PAPERS
    const { obituaries } = papers
    if (obituaries.some(one => one.author === obituary.author)) return false
    if (obituaries.length >= OBITUARIES_MAX) {
      // Not kept and not passed on, but heard.
      this.hold(subject, obituary.author)
      return false
    }
    this.#papers.set(subject, { ...papers, obituaries: [...obituaries, obituary] })
    this.revision += 1
    if (known.state === 'dead') this.#persist(subject)
    return true
  }

  obituaries(id: NodeId): readonly Signed<ObituaryBody>[] {
    return this.#papers.get(id)?.obituaries ?? []
  }

  /** A peer's roster holds `id` dead, in the life that ours shows alive. */
  hold(id: NodeId, peer: NodeId): void {
    const papers = this.#papers.get(id) ?? NO_PAPERS
    if (!this.lives(id) || papers.held.has(peer)) return
    this.#papers.set(id, { ...papers, held: new Set([...papers.held, peer]) })
    this.revision += 1
  }

  /** Somebody has found `id` dead. */
  mourned(id: NodeId): boolean {
    const { held, obituaries } = this.#papers.get(id) ?? NO_PAPERS
    return obituaries.length + held.size > 0
  }

  /** `observer` has found `id` dead, or was told so and believes it: it reports nothing more. */
  mourns(observer: NodeId, id: NodeId): boolean {
    const { held, obituaries } = this.#papers.get(id) ?? NO_PAPERS
    return held.has(observer) || obituaries.some(one => one.author === observer)
  }

  /** Our own opinion of a living member, or the last knock at a dead one. */
  opine(
    id: NodeId,
    opinion: Partial<Pick<Member, 'directPath' | 'daemonGone'> & { suspect: boolean }>
  ): void {
    const known = this.#members.get(id)
    if (known === undefined) return
    let { state } = known
    if (this.lives(id) && opinion.suspect !== undefined) {
      state = opinion.suspect ? 'suspect' : 'alive'
    }
    const directPath = opinion.directPath ?? known.directPath
    const daemonGone = opinion.daemonGone ?? known.daemonGone
    const same =
      state === known.state && directPath === known.directPath && daemonGone === known.daemonGone
    if (same) return
    if (state === 'suspect' && known.state === 'alive') this.#context.stats.suspects += 1
    this.#put({ ...known, state, directPath, daemonGone })
  }

  /** Drops a member that is dead or left here. False when it is not, or that is old. */
  takeForget(forget: Signed<ForgetBody>): boolean {
    const { node, last } = forget.body
    const { incarnation } = last.body
    const known = this.#members.get(node)
    if (known !== undefined && (this.lives(node) || known.incarnation > incarnation)) return false
    const before = this.#forgets.get(node)
    if (before !== undefined && before.body.last.body.incarnation >= incarnation) return false
    if (before === undefined && this.#forgets.size >= MEMBERS_MAX) {
      this.#context.drop('members')
      return false
    }
    this.#forgets.set(node, forget)
    this.#members.delete(node)
    this.#papers.delete(node)
    this.revision += 1
    if (this.#isIn) this.#write([forget], false)
    if (known !== undefined) this.#context.notify({ kind: 'forgotten', node })
    return true
  }

  /** What a member said last of itself. */
  lastWord(id: NodeId): Signed<AliveBody> | Signed<LeaveBody> | undefined {
    return this.#papers.get(id)?.leave ?? this.#members.get(id)?.alive
  }

  /** A member as it is sent and stored. */
  row(id: NodeId): RosterRow | undefined {
    const member = this.#members.get(id)
    if (member === undefined) return undefined
    const { leave, obituaries } = this.#papers.get(id) ?? NO_PAPERS
    const state = member.state === 'suspect' ? 'alive' : member.state
    const row = { state, alive: member.alive, obituaries: state === 'dead' ? obituaries : [] }
    return leave === undefined ? row : { ...row, leave }
  }

  /** Asked for with each tick, and mostly nothing has changed. */
  #count(): Census {
    const { revision } = this
    if (this.#census.revision === revision) return this.#census
    const living: NodeId[] = []
    const dead: NodeId[] = []
    let doubted = false
    for (const { id, state } of this.#members.values()) {
      if (state === 'dead') dead.push(id)
      else if (state !== 'left') living.push(id)
      doubted ||= state === 'suspect' || (state === 'alive' && this.mourned(id))
    }
    this.#census = { revision, living: living.sort(), dead: dead.sort(), doubted }
    return this.#census
  }

  #claim(known: Member | undefined): Member | undefined {
    // A suspicion is opinion: it holds nobody's word off.
    return known?.state === 'suspect' ? { ...known, state: 'alive' } : known
  }

  #member(alive: Signed<AliveBody>): Member {
    const { body } = alive
    return {
      id: body.node,
      name: body.name,
      state: 'alive',
      phase: body.phase,
      incarnation: body.incarnation,
      boot: body.boot,
      addresses: body.addresses,
      sinceMs: this.#context.nowMs,
      directPath: true,
      daemonGone: false,
      alive
    }
  }

  #put(member: Member): void {
    const previous = this.#members.get(member.id)
    const changed = previous?.state !== member.state
    const sinceMs = changed ? this.#context.nowMs : (previous?.sinceMs ?? this.#context.nowMs)
    const next = { ...member, sinceMs }
    this.#members.set(member.id, next)
    this.revision += 1
    this.#context.notify({ kind: 'member', member: next, previous })
  }

  /** What we say of ourselves must be on the disk before anybody hears it. */
  #persist(id: NodeId, sync = id === this.#context.self): void {
    const row = this.row(id)
    if (row === undefined || !(this.#isIn || id === this.#context.self)) return
    this.#write([row], sync)
  }

  #write(kept: readonly (RosterRow | Signed<ForgetBody>)[], sync: boolean): void {
    if (kept.length === 0) return
    const records = kept.map(one => {
      const node = isForget(one) ? one.body.node : one.alive.body.node
      return { key: `${PREFIX}${node}`, value: this.#context.codec.encode(one) }
    })
    this.#context.emit({ kind: 'persist', records, sync })
  }
}
