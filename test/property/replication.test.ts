import fc from 'fast-check'
import { equal, is, ok } from 'uvu/assert'
import { SeededRandom } from '../../gossip/core/random.ts'
import type { Dot } from '../../gossip/core/replication/api.ts'
import { hashBytes, packHashes } from '../../gossip/core/replication/hash.ts'
import type { ReplicatedRecord } from '../../gossip/core/replication/message.ts'
import { Outbox } from '../../gossip/core/replication/outbox.ts'
import { MARKER_KEY, OwnerRecords, type OwnRecord } from '../../gossip/core/replication/record.ts'
import { ReplicaState } from '../../gossip/core/replication/state.ts'
import {
  bytesOf,
  codec,
  createPlainSealer,
  ReplicationWorld
} from '../helpers/replication-world.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('replication, properties')
const RUNS = Number(process.env['SHOAL_RUNS'] ?? 40)
const KEYS = ['workload/p/a', 'workload/p/b', 'setting/x']

/** All records that ever left the nodes of a small mesh with cuts, edits, removals, restarts. */
function history(seed: number, steps: number): readonly ReplicatedRecord[] {
  const world = new ReplicationWorld(seed, 3)
  const { random } = world
  const records = new Map<string, ReplicatedRecord>()
  const listen = (): void => {
    for (const { id, replica } of world.hosts) {
      if (replica === undefined) continue
      const handle = replica.handle.bind(replica)
      replica.handle = (input, nowMs) => {
        const effects = handle(input, nowMs)
        for (const effect of effects) {
          if (effect.kind !== 'publish' || effect.message.kind !== 'delta') continue
          for (const record of effect.message.records) {
            records.set(`${id}/${record.bytes.join()}`, record)
          }
        }
        return effects
      }
    }
  }
  listen()
  for (let i = 0; i < steps; i++) {
    const id = `n${random.int(3)}`
    const key = KEYS[random.int(KEYS.length)] ?? ''
    const draw = random.int(12)
    if (draw < 5) world.write(id, key, { text: `${i}` })
    else if (draw === 5) world.write(id, key, { remove: true })
    else if (draw < 9) world.own(id, `k${random.int(4)}`, random.int(3) === 0 ? null : `${i}`)
    else if (draw === 9)
      world.cut(
        [id],
        world.hosts.map(h => h.id).filter(other => other !== id)
      )
    else if (draw === 10) world.heal()
    else {
      world.stop(id)
      world.start(id)
      world.command(id, { kind: 'complete' })
      listen()
    }
    world.run(random.int(3_000))
  }
  return [...records.values()]
}

function stateOf(records: readonly ReplicatedRecord[]): ReplicaState {
  const state = new ReplicaState({ codec }, 'n0')
  state.owners.setRoster(new Set(['n0', 'n1', 'n2']))
  const out = new Outbox()
  for (const record of records) state.take(record, out, () => undefined)
  return state
}

function digestOf(records: readonly ReplicatedRecord[]): string {
  const state = stateOf(records)
  return `${state.owners.sum()} ${state.shared.sum()}`
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = new SeededRandom(seed)
  const left = [...items]
  const out: T[] = []
  while (left.length > 0) out.push(...left.splice(random.int(left.length), 1))
  return out
}

test('the state is a function of the set of records: any order, with repetitions', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e6 }),
      fc.integer({ min: 0, max: 1e6 }),
      (seed, order) => {
        const records = history(seed, 30)
        const once = digestOf(records)
        equal(digestOf(shuffled(records, order)), once)
        equal(digestOf(shuffled([...records, ...records.slice(0, 20)], order)), once)
      }
    ),
    { numRuns: 15 }
  )
})

/** What several clones said under one name: few keys and versions, so that many are taken twice. */
function clonesSaid(random: SeededRandom): readonly OwnRecord[] {
  const sealer = createPlainSealer('n1')
  const said: OwnRecord[] = []
  for (let i = 0; i < 12; i++) {
    const key = ['a', 'b', MARKER_KEY][random.int(3)] ?? ''
    const listed = said.filter(() => random.int(2) === 0).map(({ bytes }) => hashBytes(bytes))
    const value = key === MARKER_KEY ? packHashes(listed) : bytesOf(`${i}`)
    const version = { incarnation: 1 + random.int(2), counter: 1 + random.int(3) }
    said.push(sealer.seal({ kind: 'own' as const, node: 'n1', ...version, key, value }))
  }
  return said
}

test('whatever clones said under one name, two that tell each other all end up alike', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), seed => {
      const random = new SeededRandom(seed)
      const said = clonesSaid(random)
      const [one, two] = [new OwnerRecords(), new OwnerRecords()]
      for (const record of shuffled(said, seed)) if (random.int(4) > 0) one.merge(record, [])
      for (const record of shuffled(said, seed + 1)) if (random.int(4) > 0) two.merge(record, [])
      const tell = (from: OwnerRecords, to: OwnerRecords): void => {
        for (const { record } of [...from.records()]) to.merge(record, [])
      }
      for (let round = 0; round < 4; round++) {
        tell(one, two)
        tell(two, one)
      }
      is(two.sum.value(), one.sum.value())
    }),
    { numRuns: 2_000 }
  )
})

test('merging is associative: joining joined halves is joining all', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 1, max: 50 }), (seed, at) => {
      const records = history(seed, 30)
      const [left, right] = [records.slice(0, at), records.slice(at)]
      const survivors = (state: ReplicaState): ReplicatedRecord[] => [
        ...state.owners.sorted().flatMap(o => [...o.records.records()].map(e => e.record)),
        ...KEYS.flatMap(key => state.shared.register(key)?.siblings.map(s => s.write) ?? []),
        ...state.shared.buckets.flatMap(bucket =>
          [...bucket.uids].flatMap(uid => state.shared.evidence(uid) ?? [])
        )
      ]
      const joined = [...survivors(stateOf(right)), ...survivors(stateOf(left))]
      equal(digestOf(joined), digestOf(records))
    }),
    { numRuns: 15 }
  )
})

test('replicas converge through loss, repetition, late replays, cuts, restarts and amnesia', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e6 }),
      fc.constantFrom(1, 2, 3, 4, 5),
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 5, maxLength: 25 }),
      (seed, count, steps) => storm(seed, count, steps)
    ),
    { numRuns: RUNS }
  )
})

test('twenty replicas converge too', () => {
  storm(20, 20, [0, 1, 2, 4, 3, 6, 5, 7, 0, 8, 9, 1, 2])
})

/** S1 to S4 over one run: acknowledged writes are there or superseded or their life has ended. */
function storm(seed: number, count: number, steps: readonly number[]): void {
  const world = new ReplicationWorld(seed, count)
  const { random } = world
  world.faults = { loss: 150, duplicate: 100, replay: 50, delayMs: 50 }
  const removed = new Set<string>()
  const ancestry = new Ancestry()
  let wiped = 0
  const any = (): string => `n${random.int(count)}`
  for (const step of steps) {
    const id = any()
    const key = KEYS[random.int(KEYS.length)] ?? ''
    const up = world.host(id).replica !== undefined
    const write = step <= 2 || (step === 9 && seed % 4 !== 0)
    if (write && up) ancestry.write(world, id, key, `${id} ${step} ${world.nowMs}`)
    else if (step === 3 && up) {
      const uid = world.replica(id).entry(key)?.current?.body.uid
      if (uid !== undefined) {
        world.write(id, key, { uid, remove: true })
        removed.add(uid)
      }
    } else if (step === 4 && up) world.own(id, `alloc/${random.int(3)}`, `${world.nowMs}`)
    else if (step === 5) world.cut(...sides(world, id))
    else if (step === 6) world.heal()
    else if (step === 7 && up) world.stop(id, random.int(2) === 0 ? 'kill' : 'power')
    else if (step === 8 && !up) world.start(id)
    else if (step === 9 && up && world.running.length > 2 && !forgetful(world)) {
      wiped += 1
      world.stop(id, 'wipe')
      world.start(id, true)
    }
    world.run(random.int(4_000))
  }
  for (const host of world.hosts) if (host.replica === undefined) world.start(host.id)
  world.heal()
  world.faults = { loss: 0, duplicate: 0, replay: 0, delayMs: 5 }
  ok(world.converge(60_000), `seed ${seed}, N=${count}, steps ${steps.join()}: no convergence`)
  world.run(200_000)
  ok(world.converge(60_000), 'late replays changed something for good')
  for (const host of world.hosts) {
    for (const uid of removed) checkRemoved(world, host.id, uid)
    is(host.replica?.amnesiac, false)
  }
  // Two disks that are both lost lose what only they held (`promises.md` 1.4).
  if (wiped === 0) ancestry.check(world)
}

/** One node and the others, or two halves. */
function sides(world: ReplicationWorld, id: string): [string[], string[]] {
  const ids = world.hosts.map(host => host.id)
  const at = world.random.int(2) === 0 ? 1 : Math.ceil(ids.length / 2)
  const side = [id, ...ids.filter(other => other !== id)].slice(0, at)
  return [side, ids.filter(other => !side.includes(other))]
}

/** Faults stay recoverable: not all may lose their memory at once. */
function forgetful(world: ReplicationWorld): boolean {
  return world.running.some(host => host.replica?.amnesiac)
}

function checkRemoved(world: ReplicationWorld, id: string, uid: string): void {
  const replica = world.replica(id)
  if (!replica.removed(uid)) return
  for (const { current, conflicts } of replica.shared('')) {
    ok(current?.body.uid !== uid, `${uid} runs again on ${id}`)
    ok(conflicts.every(write => write.body.uid !== uid))
  }
}

/** What each write had truly seen, kept beside the replicas. */
class Ancestry {
  readonly #seen = new Map<string, ReadonlySet<string>>()
  readonly #acked = new Map<string, { readonly uid: string; readonly key: string }>()

  /** Writes through the world and notes what its author held. */
  write(world: ReplicationWorld, id: string, key: string, text: string): void {
    const before = world.replica(id).entry(key)
    const seen = new Set<string>()
    for (const write of [before?.current, ...(before?.conflicts ?? [])]) {
      if (write === undefined) continue
      const name = dotName(write.body.dot)
      for (const dot of [name, ...(this.#seen.get(name) ?? [])]) seen.add(dot)
    }
    world.write(id, key, { text })
    const body = world.replica(id).entry(key)?.current?.body
    if (body?.dot.node !== id || seen.has(dotName(body.dot))) return
    this.#seen.set(dotName(body.dot), seen)
    this.#acked.set(dotName(body.dot), { uid: body.uid, key })
  }

  /** Every write that was answered, on how many disks ever, is held, or what is held had truly
   * seen it, or its life has ended. */
  check(world: ReplicationWorld): void {
    for (const { id } of world.hosts) {
      for (const ack of world.events(id, 'ack')) {
        const name = dotName(ack.dot)
        const write = this.#acked.get(name)
        if (write === undefined) continue
        const replica = world.replica('n0')
        if (replica.removed(write.uid)) continue
        const entry = replica.entry(write.key)
        const held = [entry?.current, ...(entry?.conflicts ?? [])].map(
          w => w && dotName(w.body.dot)
        )
        const kept = held.some(dot => dot !== undefined && (dot === name || this.#saw(dot, name)))
        ok(kept, `the acknowledged ${name} of ${write.key} is lost`)
      }
    }
  }

  #saw(later: string, earlier: string): boolean {
    return this.#seen.get(later)?.has(earlier) ?? false
  }
}

function dotName(dot: Dot): string {
  return `${dot.node}/${dot.boot}/${dot.counter}`
}

test.run()
