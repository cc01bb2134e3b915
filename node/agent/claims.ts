/**
 * What this node does about one workload's slots (`protocols.md` 4): claim free ones, take over
 * others by make-before-break, release what is elsewhere, settle duplicates, roll a new template.
 * Pure: the view, the targets of placement and the observed instances in; records to publish and
 * a time to look again out.
 *
 * Invariant: a copy that runs is released only when its slot is surplus, its workload is gone, or
 * another copy of the same slot is healthy (or both cannot fit).
 */
import type { NodeId } from '../../gossip/core/types.ts'
import type { Claim } from './claim-book.ts'
import type { DecideInput, Decision, SlotMemory } from './decision.ts'
import { DuelWords, duel, related, runBucket } from './duel.ts'
import { isHandedOver, takenBack } from './handover.ts'
import { isDraining, standingClaims } from './mapping.ts'
import { type AllocationRecord, allocKey, duelKey, nextOrdinal } from './records.ts'
import { rollTurn } from './roll.ts'
import type { WorkloadView } from './view.ts'

const UNHEARD_POLL_MS = 100
const ACTIVE: ReadonlySet<string> = new Set(['running', 'healthy'])

/** Decides about every slot of one workload that is ours or should be. */
export function decide(input: DecideInput): Decision {
  const decision: Decision = { publish: new Map(), dueMs: Number.POSITIVE_INFINITY }
  const { view, uid, self } = input
  const standing = standingClaims(view, uid)
  const rivals = new Map<number, Claim[]>()
  for (const [slot, node] of input.targets) if (node === self) rivals.set(slot, [])
  for (const { node, slot } of view.claims(uid)) if (node === self) rivals.set(slot, [])
  for (const claim of standing) {
    if (claim.node !== self) rivals.get(claim.slot)?.push(claim)
  }
  let rolled: number | undefined
  const turn = (workload: WorkloadView): number => {
    rolled ??= rollTurn(view, workload, input.targets)
    return rolled
  }
  withdrawWords(input, decision)
  for (const slot of input.memory.keys()) if (!rivals.has(slot)) input.memory.delete(slot)
  for (const slot of [...rivals.keys()].sort((a, b) => a - b)) {
    const others = { standing, rivals: rivals.get(slot) ?? [], turn }
    new SlotDecider(input, decision, others, slot).run()
  }
  return decision
}

/** Our word about a claim goes with that claim, or with ours. */
function withdrawWords(input: DecideInput, decision: Decision): void {
  for (const [slot, { words }] of input.memory) {
    const claims = new Set(input.view.claimsAt(input.uid, slot).map(({ record }) => record.claim))
    for (const theirs of words.withdraw(claim => claims.has(claim))) {
      decision.publish.set(duelKey(input.uid, slot, theirs), null)
    }
  }
}

/** What else stands, on living nodes. */
interface Others {
  /** Of all slots, ours included. */
  readonly standing: readonly Claim[]
  /** Of the same slot, on other nodes. */
  readonly rivals: readonly Claim[]
  /** Up to which slot a roll has come. */
  turn(workload: WorkloadView): number
}

class SlotDecider {
  readonly #in: DecideInput
  readonly #out: Decision
  readonly #slot: number
  readonly #memory: SlotMemory
  readonly #mine: AllocationRecord | undefined
  readonly #target: NodeId | undefined
  readonly #standing: Others['standing']
  readonly #rivals: Others['rivals']
  readonly #turn: Others['turn']

  constructor(input: DecideInput, decision: Decision, others: Others, slot: number) {
    this.#in = input
    this.#out = decision
    this.#slot = slot
    this.#memory = input.memory.get(slot) ?? { words: new DuelWords() }
    input.memory.set(slot, this.#memory)
    this.#mine = input.view.claim(input.uid, slot, input.self)
    this.#target = input.targets.get(slot)
    this.#standing = others.standing
    this.#rivals = others.rivals
    this.#turn = others.turn
  }

  run(): void {
    const mine = this.#mine
    const isTarget = this.#target === this.#in.self
    if (!isTarget) delete this.#memory.targetSinceMs
    else this.#memory.targetSinceMs ??= this.#in.nowMs
    if (mine === undefined) {
      if (isTarget) this.#claimFree()
      return
    }
    if (mine.state === 'stopping') return
    const givenUp = this.#in.view.abandoned(this.#in.uid, this.#slot, mine.claim)
    if (this.#in.workload === undefined) this.#orphaned(mine)
    else if (givenUp) this.#release(mine, 'its data was given up')
    else if (this.#beaten(mine)) this.#release(mine, 'another copy runs longer')
    else if (isTarget) this.#keep(mine, this.#in.workload)
    else this.#leave(mine, this.#in.workload)
  }

  /** The slot is ours and we hold no claim. */
  #claimFree(): void {
    const workload = this.#in.workload
    if (workload === undefined || !this.#waited(this.#in.config.settleMs)) return
    const { view, nowMs, config, uid } = this.#in
    // A newcomer may be the owner for those that know already what it has, or hold the slot's data
    // beyond a cut that has just healed. Failover never waits.
    const isNew = view.claimsAt(uid, this.#slot).length === 0
    const unheardMs = isNew ? view.unheardMs(nowMs, config, workload.sticky) : 0
    if (unheardMs > 0) return this.#due(Math.min(unheardMs, UNHEARD_POLL_MS))
    // Under the brake the claim is made at once and says so; only its start waits.
    const free = this.#rivals.length === 0
    const paced = free
      ? this.#in.takeoverWaitMs() > 0
      : this.#rivals.some(rival => !isDraining(this.#in.view, rival.node))
    this.#publish(this.#fresh(workload, paced))
  }

  #fresh(workload: WorkloadView, paced: boolean): AllocationRecord {
    const { view, uid } = this.#in
    const sequences = view.claimsAt(uid, this.#slot).map(claim => claim.record.sequence)
    const ready = !paced && this.#in.fits(this.#slot)
    return {
      project: workload.record.spec.project,
      workload: workload.record.spec.name,
      claim: this.#in.random.hex(16),
      sequence: nextOrdinal(...sequences),
      state: ready ? 'starting' : 'claimed',
      reason: paced ? 'paced' : ready ? '' : 'waits for room',
      generation: workload.generation,
      runtime: workload.record.spec.runtime,
      replaces: this.#rivals.map(rival => rival.record.claim),
      beats: [],
      pinned: false,
      paced,
      ran: ready,
      data: [],
      instance: '',
      health: 'none',
      startedAt: ''
    }
  }

  /** We hold a claim and the slot is ours. */
  #keep(mine: AllocationRecord, workload: WorkloadView): void {
    if (isHandedOver(mine, this.#rivals)) {
      return this.#publish(takenBack(mine, this.#rivals, this.#in.random))
    }
    if (mine.state === 'claimed') return this.#advance(mine)
    if (mine.state === 'failed') return this.#retry(mine, workload)
    const fought = this.#duels(mine, workload)
    if (fought !== mine) return this.#publish(fought)
    if (mine.generation !== workload.generation) return this.#roll(mine, workload)
    this.#unpin(mine, workload)
  }

  /** A claim that has not started: its turn may have come. */
  #advance(mine: AllocationRecord): void {
    // Another copy of our data runs, or may: it says when ours is to go, or goes itself.
    if (mine.ran && this.#rivals.some(rival => rival.record.ran && !related(mine, rival.record))) {
      return
    }
    const moves = this.#rivals.some(rival => !isDraining(this.#in.view, rival.node))
    if (mine.paced && moves && !this.#waited(this.#in.config.stableAfterMs)) return
    if (!this.#in.fits(this.#slot)) {
      if (mine.reason !== 'waits for room') this.#publish({ ...mine, reason: 'waits for room' })
      return this.#due(1_000)
    }
    if (mine.paced) {
      const waitMs = moves ? this.#in.moveWaitMs() : this.#freeWaitMs()
      if (waitMs > 0) return this.#due(waitMs)
    }
    // Of two claims that replace each other neither would stand, and both run for ever.
    const isReplaced = this.#rivals.some(({ record }) => record.replaces.includes(mine.claim))
    this.#publish({
      ...(isReplaced ? takenBack(mine, this.#rivals, this.#in.random) : mine),
      state: 'starting',
      reason: '',
      paced: false,
      ran: true,
      generation: this.#in.workload?.generation ?? mine.generation,
      replaces: this.#rivals.map(rival => rival.record.claim)
    })
  }

  /** What the brake leaves for a slot that nobody holds. */
  #freeWaitMs(): number {
    return this.#rivals.length === 0 ? this.#in.takeoverWaitMs() : 0
  }

  /** A failed copy starts again once its failure record is gone or the template has changed. */
  #retry(mine: AllocationRecord, workload: WorkloadView): void {
    const failure = this.#in.view.failed(this.#in.uid).get(this.#in.self)
    const standing = failure !== undefined && failure.generation === workload.generation
    const ended = mine.generation === workload.generation && failure === undefined
    if (standing || (ended && mine.reason.startsWith('ended'))) return
    if (mine.generation === workload.generation && mine.reason.startsWith('roll')) return
    this.#publish({
      ...this.#fresh(workload, false),
      sequence: mine.sequence,
      ran: mine.ran,
      data: mine.data,
      beats: mine.beats
    })
  }

  /** The slot belongs elsewhere, or nowhere. */
  #leave(mine: AllocationRecord, workload: WorkloadView): void {
    const idle = this.#in.instance(this.#slot)?.state !== 'running'
    if (this.#target === undefined) return this.#seatless(mine, workload)
    // What does not run loses nothing; only data waits where it is, while nobody has the slot.
    const waits = workload.sticky && mine.ran && this.#rivals.length === 0
    if (mine.state === 'claimed' || mine.state === 'failed' || (idle && !waits)) {
      return this.#release(mine, 'its seat moved')
    }
    const successor = this.#rivals.find(rival => rival.node === this.#target)
    if (successor !== undefined && related(mine, successor.record)) {
      return this.#handOver(mine, successor)
    }
    const fought = this.#duels(mine, workload)
    if (fought === mine) return
    // Whoever is to have the slot may not come for long (a roll that stopped there): of the copies
    // that stand in for it one is enough, but that one is no reason to move the seat.
    this.#publish(successor === undefined ? { ...fought, pinned: mine.pinned } : fought)
  }

  /** Nobody is to have the slot: what runs may stay in the place of a slot that finds no room. */
  #seatless(mine: AllocationRecord, workload: WorkloadView): void {
    if (this.#surplus(mine, workload.record.spec.replicas)) return this.#release(mine, 'surplus')
    const holds = mine.ran && (mine.state === 'failed' || workload.sticky)
    if (!ACTIVE.has(mine.state) && mine.state !== 'starting' && !holds) {
      return this.#release(mine, 'has no seat')
    }
    const fought = this.#duels(mine, workload)
    if (fought !== mine) return this.#publish(fought)
    // The pin of a duel is no ground to wait for room here: the pure answer may move the slot.
    if (mine.pinned && !workload.sticky) this.#publish({ ...mine, pinned: false })
  }

  /** True when seats, and lower slots without one, fill the count; while ours runs, only those
   * seats whose copy is healthy: a number above the count is no reason to break before make. */
  #surplus(mine: AllocationRecord, wanted: number): boolean {
    const { targets } = this.#in
    const filled = new Set<number>(ACTIVE.has(mine.state) ? [] : targets.keys())
    for (const { slot, record } of this.#standing) {
      if (targets.has(slot) ? record.state === 'healthy' : slot < this.#slot) filled.add(slot)
    }
    return filled.size >= wanted
  }

  #handOver(mine: AllocationRecord, successor: Claim): void {
    const { state, reason } = successor.record
    if (state === 'healthy') return this.#release(mine, `moved to ${successor.node}`)
    if (state !== 'claimed' || reason !== 'waits for room') {
      delete this.#memory.roomSinceMs
      return
    }
    this.#memory.roomSinceMs ??= this.#in.nowMs
    const leftMs = this.#memory.roomSinceMs + this.#in.config.handoverMs - this.#in.nowMs
    if (leftMs > 0) return this.#due(leftMs)
    this.#release(mine, `makes room for ${successor.node}`)
  }

  /** Fights every unrelated rival that runs; returns our record, changed where we won. */
  #duels(mine: AllocationRecord, workload: WorkloadView): AllocationRecord {
    if (!ACTIVE.has(mine.state)) return mine
    let record = mine
    for (const rival of this.#rivals) {
      if (related(mine, rival.record)) continue
      const { state, ran } = rival.record
      const idle = state === 'claimed' && ran && rival.node === this.#target
      if (!ACTIVE.has(state) && !idle) continue
      if (idle || this.#fight(mine, rival, workload) === 'win') {
        this.#memory.pinnedSinceMs = this.#in.nowMs
        record = { ...record, pinned: true, beats: [...record.beats, rival.record.claim] }
      }
    }
    return record
  }

  #fight(mine: AllocationRecord, rival: Claim, workload: WorkloadView): 'win' | 'lose' | 'wait' {
    const { view, uid, self, nowMs, config } = this.#in
    const theirs = rival.record.claim
    const sinceMs = this.#memory.words.sinceMs(mine.claim, theirs)
    if (sinceMs === undefined) {
      const bucket = runBucket(this.#in.instance(this.#slot)?.runningMs ?? 0)
      this.#out.publish.set(duelKey(uid, this.#slot, theirs), { mine: mine.claim, theirs, bucket })
      this.#memory.words.say(mine.claim, theirs, nowMs)
      this.#due(config.duelSilenceMs)
      return 'wait'
    }
    const verdict = duel({
      policy: workload.record.spec.reconcile,
      mine: { node: self, record: mine, rank: this.#rank(self) },
      theirs: { node: rival.node, record: rival.record, rank: this.#rank(rival.node) },
      myWord: view.duel(uid, this.#slot, mine.claim, theirs),
      theirWord: view.duel(uid, this.#slot, theirs, mine.claim),
      waitedMs: nowMs - sinceMs,
      silenceMs: config.duelSilenceMs,
      chosen: this.#target
    })
    if (verdict === 'wait') this.#due(Math.max(50, sinceMs + config.duelSilenceMs - nowMs))
    return verdict
  }

  /** A changed template: slot order, one at a time, stop at the first failure. */
  #roll(mine: AllocationRecord, workload: WorkloadView): void {
    const runs = this.#in.instance(this.#slot)?.state === 'running'
    if (runs && this.#slot > this.#turn(workload)) return
    this.#publish({
      ...mine,
      claim: this.#in.random.hex(16),
      state: 'starting',
      reason: runs ? 'rolling' : '',
      generation: workload.generation,
      runtime: workload.record.spec.runtime,
      pinned: false,
      instance: '',
      health: 'none',
      startedAt: ''
    })
  }

  /** A duel's pin is released by a paced rebalance; then the pure answer may move the slot. */
  #unpin(mine: AllocationRecord, workload: WorkloadView): void {
    if (!mine.pinned || workload.record.spec.rebalance !== 'gradual') return
    this.#memory.pinnedSinceMs ??= this.#in.nowMs
    const leftMs = this.#memory.pinnedSinceMs + this.#in.config.stableAfterMs - this.#in.nowMs
    const visible = this.#in.view.claimsAt(this.#in.uid, this.#slot)
    const beats = mine.beats.filter(claim => visible.some(other => other.record.claim === claim))
    if (leftMs > 0 || beats.length > 0) return this.#due(Math.max(leftMs, 1_000))
    const waitMs = this.#in.moveWaitMs()
    if (waitMs > 0) return this.#due(waitMs)
    this.#publish({ ...mine, pinned: false, beats: [] })
  }

  /** The workload is gone, unknown, or its name belongs to another life since a heal. */
  #orphaned(mine: AllocationRecord): void {
    if (this.#in.removed) return this.#release(mine, 'removed')
    const winner = this.#in.view.lost.get(this.#in.uid)
    if (winner === undefined || !this.#in.view.workloads.has(winner)) {
      this.#memory.orphanSinceMs ??= this.#in.nowMs
      const leftMs = this.#memory.orphanSinceMs + this.#in.config.orphanMs - this.#in.nowMs
      return leftMs > 0 ? this.#due(leftMs) : this.#release(mine, 'no such workload')
    }
    const runs = this.#in.view.claims(winner).some(claim => claim.record.state === 'healthy')
    if (runs) this.#release(mine, 'its name belongs to another workload since a cut')
    else this.#due(1_000)
  }

  #beaten(mine: AllocationRecord): boolean {
    const { view, uid } = this.#in
    return view
      .claimsAt(uid, this.#slot)
      .some(
        ({ node, record }) =>
          record.state === 'healthy' && view.living(node) && record.beats.includes(mine.claim)
      )
  }

  #release(mine: AllocationRecord, reason: string): void {
    this.#publish({ ...mine, state: 'stopping', reason, paced: false, pinned: false })
  }

  #rank(node: NodeId): number {
    const rank = this.#in.rank()
    const index = rank.indexOf(node)
    return index < 0 ? rank.length : index
  }

  /** True once the slot has been ours for `waitMs`; else asks to be woken then. */
  #waited(waitMs: number): boolean {
    const leftMs = (this.#memory.targetSinceMs ?? this.#in.nowMs) + waitMs - this.#in.nowMs
    if (leftMs > 0) this.#due(leftMs)
    return leftMs <= 0
  }

  #publish(record: AllocationRecord): void {
    this.#out.publish.set(allocKey(this.#in.uid, this.#slot), record)
  }

  #due(afterMs: number): void {
    this.#out.dueMs = Math.min(this.#out.dueMs, Math.max(1, afterMs))
  }
}
