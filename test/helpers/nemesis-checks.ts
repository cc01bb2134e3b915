/**
 * The promises (`S1` ... `L7`) as pure functions over a recorded history. Each gives one line for
 * each violation; each can fail, and `nemesis-checks.test.ts` shows it.
 */
import { PAST_MAX } from '../../gossip/core/replication/constants.ts'
import {
  type Death,
  type Disk,
  dotName,
  type History,
  type Operation,
  type Running,
  type Settled,
  type Span,
  shortUid,
  type Wanted,
  type Write
} from './nemesis-history.ts'

export const SETTLE_MS_MAX = 30_000
/** A death that is decided on a harm may be told so long after it. */
export const DEATH_GRACE_MS = 6_000
/** A daemon that was stopped does what it was asked when it goes on. */
const LATE_MS = 12_000

const isAcked = (operation: Operation): boolean =>
  operation.attempts.some(attempt => attempt.outcome === 'ok')

/** True when who wrote `later` knew of `earlier`, or ended its life. */
export function supersedes(later: Write, earlier: Write): boolean {
  if (later.key !== earlier.key || dotName(later.dot) === dotName(earlier.dot)) return false
  if (later.ends.includes(earlier.uid)) return true
  if (later.remove) return later.uid === earlier.uid
  const { node, boot, counter } = earlier.dot
  const covered = later.vector.some(
    entry => entry.node === node && entry.boot === boot && entry.counter >= counter
  )
  return covered || (later.uid === earlier.uid && earlier.order <= later.base)
}

/** True when a disk holds an operation of a register: itself, what came after it, or its end. */
export function holds(disk: Disk, operation: Operation, seen: ReadonlyMap<string, Write>): boolean {
  const { id, key } = operation
  const uids = firstAnswer(operation)?.changes.map(change => change.uid) ?? []
  if (uids.length > 0 && uids.every(uid => disk.removed.has(uid))) return true
  if (operation.kind === 'rm') return false
  const mine = [...seen.values()].filter(write => write.operation === id && write.key === key)
  const siblings = disk.writes.filter(write => write.key === key)
  if (siblings.some(write => write.operation === id || write.past.includes(id))) return true
  return mine.some(
    write => disk.removed.has(write.uid) || siblings.some(later => supersedes(later, write))
  )
}

/** The answer that acknowledged it; later ones of a repetition may speak of other lives. */
function firstAnswer(operation: Operation): Operation['attempts'][number] | undefined {
  return operation.attempts
    .filter(attempt => attempt.outcome === 'ok')
    .sort((a, b) => a.doneMs - b.doneMs)[0]
}

/** S1: an answer that says `w` disks was true when it was given. */
export function checkAcks(history: History): string[] {
  return history.samples
    .filter(({ holders, claimed }) => holders.length < claimed)
    .map(
      ({ operation, claimed, holders, read }) =>
        `S1: ${operation} was acknowledged on ${claimed} disks and is on ` +
        `${holders.length} of those read (${read.join(' ')}): ${holders.join(' ') || 'none'}`
    )
}

/** Whether some removal that was asked for may have ended this life: it was not over before. */
function removable(history: History, write: Write): boolean {
  const born = Math.min(
    ...history.operations
      .filter(({ attempts, key, kind }) => {
        const names = attempts.flatMap(({ changes }) => changes)
        const creates = names.some(one => one.uid === write.uid && one.change === 'created')
        return kind === 'deploy' && key === write.key && creates
      })
      .flatMap(({ attempts }) => attempts.map(attempt => attempt.sentMs))
  )
  return history.operations.some(operation => {
    if (operation.kind !== 'rm' || operation.key !== write.key) return false
    const answer = firstAnswer(operation)
    // One that was never answered may have happened at any time since.
    if (answer === undefined || answer.doneMs >= born || born === Infinity) return true
    const names = operation.attempts.flatMap(({ changes }) => changes.map(change => change.uid))
    return names.includes(write.uid) && !isRemembered(history, operation)
  })
}

/**
 * Whether the mesh must know an id when it is sent again: a register carries its last operations
 * with it until its life ends. What is older is forgotten with the last daemon that had seen it.
 */
function isRemembered(history: History, operation: Operation): boolean {
  const sent = operation.attempts.map(attempt => attempt.sentMs)
  const fromMs = Math.min(...sent)
  const toMs = Math.max(...operation.attempts.map(attempt => attempt.doneMs)) + LATE_MS
  const between = history.operations.filter(
    other =>
      other.key === operation.key &&
      other !== operation &&
      other.attempts.some(
        ({ outcome, sentMs, doneMs }) => outcome !== 'refused' && doneMs > fromMs && sentMs < toMs
      )
  )
  const uid = firstAnswer(operation)?.changes[0]?.uid
  // One that was asked for before may still have been unknown to the node that was asked first.
  const hasEnded = history.operations.some(
    other =>
      other.kind === 'rm' &&
      other !== operation &&
      other.attempts.some(
        ({ sentMs, changes }) => sentMs < toMs && changes.some(one => one.uid === uid)
      )
  )
  const isLate = between.length >= PAST_MAX || between.some(other => other.kind === 'rm')
  return !isLate && !hasEnded
}

/** S1, at the end: what was acknowledged is there, or was overwritten or removed on purpose. */
export function checkKept(history: History): string[] {
  const violations: string[] = []
  const writes = [...history.writes.values()]
  for (const disk of history.final) {
    if (disk.damage !== '') violations.push(`S1: the store of ${disk.host}: ${disk.damage}`)
    const present = new Set(disk.writes.map(write => dotName(write.dot)))
    const known = new Map<string, boolean>()
    const kept = (write: Write): boolean => {
      const name = dotName(write.dot)
      const before = known.get(name)
      if (before !== undefined) return before
      known.set(name, false)
      const found =
        present.has(name) ||
        (disk.removed.has(write.uid) && (write.remove || removable(history, write))) ||
        writes.some(later => later.key === write.key && supersedes(later, write) && kept(later))
      known.set(name, found)
      return found
    }
    for (const operation of history.operations) {
      if (!isAcked(operation)) continue
      const answer = firstAnswer(operation)
      if (answer === undefined || answer.changes.every(one => one.change === 'unchanged')) continue
      if (isOldRemoval(history, operation)) continue
      if (operation.kind === 'rm') {
        const left = answer.changes.filter(({ uid }) => uid !== '' && !disk.removed.has(uid))
        if (left.length > 0)
          violations.push(`S1: ${operation.id} (rm of ${left[0]?.uid}) is not on ${disk.host}`)
        continue
      }
      // Its own write, or one that came after and carries its id along.
      const { id, key } = operation
      const carry = [...writes, ...disk.writes].filter(
        one => one.key === key && (one.operation === id || one.past.includes(id))
      )
      if (carry.some(kept)) continue
      const ended = answer.changes.every(
        ({ key, uid }) => disk.removed.has(uid) && removable(history, { ...NO_WRITE, key, uid })
      )
      if (ended) continue
      violations.push(
        `S1: ${operation.id} (${operation.kind} ${operation.key}), acknowledged by ` +
          `${answer.node} on ${answer.disks} disks, is lost on ${disk.host}`
      )
    }
  }
  return violations
}

const NO_WRITE: Write = {
  ...{ key: '', uid: '', dot: { node: '', boot: '', counter: 0 }, vector: [], order: 0, base: 0 },
  ...{ ends: [], remove: false, operation: '', past: [], edit: '' }
}

/**
 * A removal whose first outcome was unknown and that was answered much later: it may have ended an
 * earlier life then, and the answer names the life of now, which it did not touch.
 */
function isOldRemoval({ operations }: History, operation: Operation): boolean {
  const [first] = operation.attempts
  const answer = firstAnswer(operation)
  if (operation.kind !== 'rm' || first?.outcome !== 'unknown' || answer === undefined) return false
  const isBetween = ({ sentMs }: { readonly sentMs: number }): boolean =>
    sentMs > first.sentMs && sentMs < answer.sentMs
  return operations.some(other => other.key === operation.key && other.attempts.some(isBetween))
}

/**
 * S2: an operation id that was sent again did nothing again: it is not on top of itself, and of the
 * lives that two sides of a cut made of it only the acknowledged one is what is wanted.
 */
export function checkOnce(history: History): string[] {
  return doneAgain(history, false)
}

/** As `checkOnce`, for ids that nobody has to remember any more: no promise, but worth knowing. */
export function oldDoneAgain(history: History): string[] {
  return doneAgain(history, true)
}

function doneAgain(history: History, old: boolean): string[] {
  const violations: string[] = []
  const groups = new Map<string, Write[]>()
  for (const write of history.writes.values()) {
    if (write.operation === '') continue
    const name = `${write.operation} ${write.key}`
    groups.set(name, [...(groups.get(name) ?? []), write])
  }
  const isChosen = (uid: string, sinceMs: number): boolean =>
    history.settled.some(
      ({ atMs, wanted }) =>
        atMs > sinceMs && [...wanted.values()].flat().some(row => row.uid === uid)
    )
  for (const [name, group] of groups) {
    const operation = history.operations.find(one => `${one.id} ${one.key}` === name)
    const first = operation && firstAnswer(operation)?.changes[0]?.uid
    if (operation === undefined || isRemembered(history, operation) === old) continue
    const others = new Set(group.map(write => write.uid).filter(uid => uid !== first))
    const sinceMs = operation.attempts[0]?.sentMs ?? 0
    if (first !== undefined)
      for (const uid of others)
        if (isChosen(uid, sinceMs))
          violations.push(`S2: ${name}, done to ${first}, made ${uid} too`)
    // A life may be ended twice: that is once.
    const edits = group.filter(write => !write.remove)
    const twice = edits.find(later => edits.some(earlier => supersedes(later, earlier)))
    if (twice !== undefined) violations.push(`S2: ${name} was done again, on top of itself`)
  }
  return violations
}

/** Operations that two sides of a cut did each: shown as conflicts with themselves. */
export function selfConflicts(history: History): number {
  const rows = history.settled.flatMap(({ wanted }) => [...wanted.values()][0] ?? [])
  return rows.flatMap(row => row.conflicts.filter(one => one.edit === row.edit)).length
}

/** S3: of two concurrent edits the one that lost can be read on every node. */
export function checkConflicts(history: History): string[] {
  const last = history.settled.at(-1)
  const violations: string[] = []
  for (const disk of history.final) {
    const shown = last?.wanted.get(disk.host) ?? []
    for (const operation of history.operations) {
      if (operation.kind !== 'deploy' || !isAcked(operation)) continue
      const siblings = disk.writes.filter(write => write.key === operation.key)
      const mine = siblings.find(write => write.operation === operation.id)
      const repeated = siblings.some(
        other => other !== mine && other.past.includes(operation.id) && other.uid === mine?.uid
      )
      if (mine === undefined || repeated) continue
      const view = shown.find(one => one.key === operation.key)
      const edits = [view?.edit, ...(view?.conflicts.map(one => one.edit) ?? [])]
      if (!edits.includes(mine.edit))
        violations.push(`S3: ${operation.id} lost and ${disk.host} does not show it as a conflict`)
    }
  }
  return violations
}

/** S4: what was removed is on no list, and was not seen running once all had settled. */
export function checkRemoved(history: History): string[] {
  const violations: string[] = []
  for (const operation of history.operations) {
    const answer = firstAnswer(operation)
    if (operation.kind !== 'rm' || answer === undefined) continue
    if (isOldRemoval(history, operation)) continue
    for (const { uid, key } of answer.changes) {
      const after = history.settled.find(({ healedMs }) => healedMs >= answer.doneMs)
      const seen = history.seen.get(shortUid(uid))
      if (after !== undefined && seen !== undefined && seen.lastMs > after.atMs)
        violations.push(
          `S4: ${key} (${uid}), removed by ${operation.id}, ran on ${seen.host} again`
        )
      for (const disk of history.final)
        if (disk.writes.some(write => write.uid === uid))
          violations.push(`S4: ${key} (${uid}), removed by ${operation.id}, is on ${disk.host}`)
    }
  }
  return violations
}

const slotName = (one: Running): string => `${one.project}/${one.name}/${one.slot} (${one.uid})`

/** S7: never two processes of one slot of one life on one host. */
export function checkSingle(history: History): string[] {
  return history.doubles.map(({ running }) => {
    const [one] = running
    const pids = running.map(({ pid }) => pid).join(' and ')
    return `S7: ${one === undefined ? '' : slotName(one)} ran twice on ${one?.host}: pids ${pids}`
  })
}

/** S8: a stranger's processes and records were left alone. */
export function checkDecoys(history: History): string[] {
  return history.decoysLost.map(({ host, what }) => `S8: ${what} on ${host} is gone`)
}

/** S9 and L2: after a heal, in time, every slot runs exactly once, and nothing else does. */
export function checkExact(settled: Settled): string[] {
  const tookMs = settled.atMs - settled.healedMs
  const late = tookMs > SETTLE_MS_MAX ? [`L2: not settled ${tookMs} ms after the heal`] : []
  return [...late, ...differences(settled)]
}

/** What is not as it should be: disagreement of the nodes, slots that lack, surplus, strangers. */
export function differences({ wanted, running }: Settled): string[] {
  const texts = new Map(
    [...wanted].map(([host, rows]) => [host, JSON.stringify(rows.map(coreOf))] as const)
  )
  const [first] = wanted
  if (first === undefined) return ['L2: no node says what is wanted']
  const others = [...texts].filter(([, text]) => text !== texts.get(first[0]))
  const violations = others.map(([host]) => `L1: ${host} and ${first[0]} want different things`)
  const rest = new Set(running)
  for (const row of first[1]) {
    const mine = running.filter(
      one => `workload/${one.project}/${one.name}` === row.key && one.uid === shortUid(row.uid)
    )
    for (const one of mine) rest.delete(one)
    const slots = new Set(mine.map(one => one.slot))
    const places = mine.map(one => `${one.slot}@${one.host}`).join(' ')
    if (mine.length !== row.replicas || slots.size !== row.replicas)
      violations.push(`L2: ${row.key} wants ${row.replicas} replicas and runs: ${places || 'none'}`)
  }
  for (const one of rest)
    violations.push(`S9: ${slotName(one)} runs on ${one.host} and belongs to no spec`)
  return violations
}

const coreOf = ({ key, uid, replicas, edit }: Wanted): unknown => [key, uid, replicas, edit]

const during = (span: Span, atMs: number): boolean =>
  span.fromMs <= atMs && atMs <= span.toMs + DEATH_GRACE_MS

const STARTS: ReadonlySet<string> = new Set(['kill', 'host', 'start'])

/**
 * Why a death may be told: its subject was harmed, the two could not hear each other, or who tells
 * it has just started and is not ready: it repeats what it remembers.
 */
export function excuse(history: Pick<History, 'harms' | 'cuts'>, death: Death): boolean {
  const { observer, subject, atMs } = death
  return (
    history.harms.some(harm => harm.host === subject && during(harm, atMs)) ||
    history.harms.some(
      ({ host, kind, fromMs, toMs }) =>
        host === observer && STARTS.has(kind) && fromMs <= atMs && atMs <= toMs
    ) ||
    history.cuts.some(
      cut => cut.between.includes(observer) && cut.between.includes(subject) && during(cut, atMs)
    )
  )
}

/** L7: a node that was well and could be reached was never called dead. */
export function checkDeaths(history: History): string[] {
  return history.deaths
    .filter(death => !excuse(history, death))
    .map(
      ({ observer, subject, atMs }) =>
        `L7: ${observer} called ${subject} dead at ${new Date(atMs).toISOString()}`
    )
}

/** A daemon ends when it is told to, and not by itself. */
export function checkExits(history: History): string[] {
  return history.exits.map(({ host, how }) => `exit: the daemon of ${host} ended by itself: ${how}`)
}

/** L1: the disks agree at the end. */
export function checkAgreement(history: History): string[] {
  const textOf = (disk: Disk): string =>
    JSON.stringify([
      disk.writes.map(write => dotName(write.dot)).sort(),
      [...disk.removed.keys()].sort()
    ])
  const [first, ...others] = history.final
  return others
    .filter(disk => first !== undefined && textOf(disk) !== textOf(first))
    .map(disk => `L1: the disks of ${first?.host} and ${disk.host} differ`)
}

/** Everything, without repetition. */
export function checkAll(history: History): string[] {
  const found = [
    ...[checkAcks, checkKept, checkOnce, checkConflicts, checkRemoved, checkSingle].flatMap(check =>
      check(history)
    ),
    ...[checkDecoys, checkDeaths, checkExits, checkAgreement].flatMap(check => check(history)),
    ...history.settled.flatMap(checkExact)
  ]
  return [...new Set(found)]
}
