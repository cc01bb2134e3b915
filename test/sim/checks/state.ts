/** S1, S2, S3, S4, S13: what was acknowledged is kept, what was removed stays so. */
import { createHash } from 'node:crypto'
import { PAST_MAX } from '../../../gossip/core/replication/constants.ts'
import { CHECKSUM_BYTES } from '../../../node/store/checksum.ts'
import { type HeldWrite, heldBy } from '../fuzz/atlas.ts'
import type { Client, Part } from '../fuzz/client.ts'
import type { SimHost } from '../world/host.ts'
import type { Observation } from '../world/world.ts'
import { type Check, type Subject, violate } from './check.ts'

/** A daemon may be in the middle of a start when it hears of a removal. */
const START_GRACE_MS = 20_000
/** A write waits no longer for the word of another disk (`node/backend/writes.ts`). */
const WORD_MS = 5_000
/** Below, an acknowledgement says that it is on this disk only. */
const DISKS_SAFE = 2

function partsOf(subject: Subject): Map<string, Part> {
  const parts = [...subject.client.history.values()].flatMap(asked => [...asked.parts.values()])
  return new Map(parts.map(part => [part.part, part]))
}

/** S1: acknowledged on w disks means that it is on w disks, synced. */
export function durableAcks(subject: Subject): Check {
  const name = 'S1'
  // A disk that fails after it has said so is another matter (S13, L6): asked again, a daemon tells
  // of a disk that was lost a moment ago.
  const said = new WeakMap<Part, Set<SimHost>>()
  const lately: { readonly host: SimHost; readonly atMs: number; readonly held: HeldWrite[] }[] = []
  return {
    name,
    observe: observation => {
      if (observation.kind === 'forgets') {
        const { host } = observation
        lately.push({ host, atMs: subject.world.clock.nowMs(), held: heldBy(host) })
        return
      }
      if (observation.kind !== 'reply' || !observation.answer.ok) return
      const { answer, operation } = observation
      if (answer.disks === 0) return
      // As in S3: what the original of a clone wrote alone, others may think that they have seen.
      if (subject.world.hadClone && answer.disks < DISKS_SAFE) return
      for (const part of subject.client.history.get(operation)?.parts.values() ?? []) {
        if (part.ackedMs !== subject.world.clock.nowMs()) continue
        // Also of the end of its life, once all have it.
        const ends = [...partsOf(subject).values()].filter(
          one => one.removes && one.uid === part.uid
        )
        const before = new Set([part, ...ends].flatMap(one => [...(said.get(one) ?? [])]))
        // Its word that it holds it was on the way as it lost it.
        for (const { host, atMs, held } of lately) {
          const isRecent = subject.world.clock.nowMs() - atMs < WORD_MS
          if (isRecent && isHeld(held, part)) before.add(host)
        }
        const { hosts, discarded } = subject.world
        const disks = [...hosts.values(), ...discarded].filter(
          host => before.has(host) || holds(host, part) || outgrew(subject, host, part)
        )
        said.set(part, new Set(disks))
        if (disks.length < answer.disks) {
          const where = disks.map(host => host.id).join() || 'none'
          violate(name, `${part.part} acknowledged on ${answer.disks} disks, it is on ${where}`)
        }
      }
    }
  }
}

/**
 * S2: an operation that was asked twice is not read twice. (In two lives of a name it may be: asked
 * on two sides of a cut, it changed one and made another.) Nor does it do anything more where it is
 * known to have been done: what was made since then it has not seen.
 */
export function onceOnly(subject: Subject): Check {
  const name = 'S2'
  return {
    name,
    finish: core => {
      for (const { operation, late, isEarly } of subject.client.history.values()) {
        // What it wrote before its node was in the mesh, nobody wrote down.
        if (!isEarly && late.length > 0) violate(name, `${operation} does more: ${late.join()}`)
      }
      for (const host of core) {
        for (const entry of host.agent?.replica.shared('workload/') ?? []) {
          const read = [entry.current, ...entry.conflicts].filter(write => write !== undefined)
          const names = read.map(({ body }) => `${body.uid} ${body.operation}`)
          if (new Set(names).size < names.length) violate(name, `${host.id}: ${names.join(', ')}`)
        }
      }
    }
  }
}

/** The write, one that has seen it, or the end of its life. */
function holds(host: SimHost, part: Part): boolean {
  return isHeld(heldBy(host), part)
}

function isHeld(writes: readonly HeldWrite[], part: Part): boolean {
  return writes.some(
    held =>
      held.operations.includes(part.part) || (held.operations.length === 0 && held.uid === part.uid)
  )
}

/**
 * A write that has seen it, and does not tell of it: there were so many since that it has no room,
 * or it is of a later life of that name.
 */
function outgrew(subject: Subject, host: SimHost, part: Part): boolean {
  const { history } = subject.client
  const parts = partsOf(subject)
  return heldBy(host).some(
    ({ uid, operations: [last, ...past] }) =>
      (past.length === PAST_MAX || uid !== part.uid) &&
      last !== undefined &&
      hasSeen({ history, parts }, last, part.part)
  )
}

/**
 * S3: of what was acknowledged, each write is what is read, or a conflict beside it, or was seen
 * by a write that is; or its life was ended. Who has seen what is written down by the client, not
 * taken from the vectors of the replicas.
 */
export function noLostEdit(subject: Subject): Check {
  const name = 'S3'
  /** Where a clone's disk was one of the two: it goes with the clone. */
  const withClone = new Set<Part>()
  return {
    name,
    observe: observation => {
      const { world, client } = subject
      if (observation.kind !== 'reply' || !world.hadClone) return
      const hosts = [...world.hosts.values()].filter(host => !host.isClone)
      for (const part of client.history.get(observation.operation)?.parts.values() ?? []) {
        if (part.disks === 0 || part.ackedMs !== world.clock.nowMs()) continue
        const disks = hosts.filter(host => holds(host, part) || outgrew(subject, host, part))
        if (disks.length < DISKS_SAFE) withClone.add(part)
        else withClone.delete(part)
      }
    },
    finish: core => {
      const parts = partsOf(subject)
      for (const part of parts.values()) {
        if (part.disks === 0 || part.uid === undefined) continue
        // What a clone held counts as held by its original, which has less: where that one then
        // writes alone, others may take its write for one that they have seen.
        if (subject.world.hadClone && part.disks < DISKS_SAFE) continue
        if (withClone.has(part)) continue
        // A disk that went back has forgotten what it said that it holds: the same, on two disks.
        if (part.ackedMs >= subject.world.restoredMs) continue
        for (const host of core) {
          const replica = host.agent?.replica
          if (replica === undefined || replica.removed(part.uid)) continue
          if (part.removes) violate(name, `${host.id}: removal ${part.part} is not known`)
          const entry = replica.entry(part.key)
          const read = [entry?.current, ...(entry?.conflicts ?? [])]
            .filter(write => write !== undefined)
            .map(write => write.body.operation)
          const { history } = subject.client
          if (!read.some(operation => hasSeen({ history, parts }, operation, part.part))) {
            violate(name, `${host.id}: ${part.part} is lost; it reads ${read.join(' and ')}`)
          }
        }
      }
    }
  }
}

function hasSeen(
  { history, parts }: { history: Client['history']; parts: ReadonlyMap<string, Part> },
  later: string,
  earlier: string
): boolean {
  const open = [later]
  const met = new Set(open)
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === earlier) return true
    // What a node had seen by the time it could write, only its own word would tell.
    if (history.get(at.split('#')[0] ?? '')?.isEarly === true) return true
    for (const seen of parts.get(at)?.saw ?? []) {
      if (!met.has(seen)) open.push(seen)
      met.add(seen)
    }
  }
  return false
}

/** S4: what was removed is started by nobody who knows, and in the end runs nowhere. */
export function noResurrection(subject: Subject): Check {
  const name = 'S4'
  const knownMs = new Map<string, number>()
  const started = new Set<string>()
  /** Of all that ever ran: what starts again need not be there when its end is heard of. */
  const uids = new Set<string>()
  return {
    name,
    sample: () => {
      for (const host of subject.world.hosts.values()) {
        for (const { mark } of host.engine.entries.values()) uids.add(mark.uid)
        for (const uid of uids) {
          const key = `${host.id} ${uid}`
          if (host.agent?.replica.removed(uid) !== true) knownMs.delete(key)
          else if (!knownMs.has(key)) knownMs.set(key, subject.world.clock.nowMs())
        }
      }
    },
    observe: observation => {
      if (observation.kind !== 'engine') return
      const { host } = observation
      for (const { id, mark, run, state } of host.engine.entries.values()) {
        const start = `${host.id} ${id} ${run}`
        if (state !== 'running' || started.has(start)) continue
        started.add(start)
        const sinceMs = knownMs.get(`${host.id} ${mark.uid}`)
        if (sinceMs === undefined) continue
        // What was decided before waits for a slow disk or engine.
        if (subject.faults.disturbance.calmMs(host.id) < START_GRACE_MS) continue
        const agoMs = subject.world.clock.nowMs() - sinceMs
        if (agoMs > START_GRACE_MS) {
          violate(name, `${host.id} starts ${mark.workload} ${agoMs} ms after hearing of its end`)
        }
      }
    },
    finish: core => {
      const removed = new Map<string, Part>()
      for (const part of partsOf(subject).values()) {
        if (part.removes && part.disks > 0 && part.uid !== undefined) removed.set(part.uid, part)
      }
      for (const host of core) {
        for (const { mark, state } of host.engine.entries.values()) {
          const part = removed.get(mark.uid)
          if (part !== undefined && state === 'running') {
            violate(name, `${host.id} runs ${mark.workload}/${mark.slot}, removed by ${part.part}`)
          }
        }
      }
    }
  }
}

/** A record as the disk should hold it: a checksum over its key and value, then the value. */
function isWhole(key: string, stored: Uint8Array | undefined): boolean {
  if (stored === undefined) return false
  const sum = createHash('sha256').update(`${key}\0`).update(stored.subarray(CHECKSUM_BYTES))
  return sum.digest().subarray(0, CHECKSUM_BYTES).equals(stored.subarray(0, CHECKSUM_BYTES))
}

/** S13: a disk that lost something that had been synced is never taken for a whole one. */
export function neverGuess(_subject: Subject): Check {
  const name = 'S13'
  return {
    name,
    observe: (observation: Observation) => {
      if (observation.kind !== 'opened' || observation.amnesiac !== undefined) return
      const { host } = observation
      const found = new Map(host.disk.records())
      for (const key of host.disk.promised) {
        if (isWhole(key, found.get(key))) continue
        const how = found.has(key) ? 'with a damaged' : 'without'
        violate(name, `${host.id} trusts a store ${how} ${key}`)
      }
    }
  }
}
