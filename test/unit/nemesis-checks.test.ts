/** Each checker of the nemesis finds what it is there for, in a history made by hand. */
import { equal, match } from 'uvu/assert'
import * as checks from '../helpers/nemesis-checks.ts'
import {
  type Attempt,
  type Disk,
  dotName,
  type History,
  newHistory,
  type Operation,
  type Running,
  type Settled,
  type Wanted,
  type Write
} from '../helpers/nemesis-history.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('nemesis checks')

const KEY = 'workload/p/a'
const [LIFE, OTHER] = ['1'.repeat(32), '2'.repeat(32)]
const HOSTS = ['h1', 'h2', 'h3']

function write(counter: number, fields: Partial<Write> = {}): Write {
  return {
    ...{ key: KEY, uid: LIFE, dot: { node: 'h1', boot: 'b', counter }, vector: [], order: counter },
    ...{ base: 0, ends: [], remove: false, operation: `op${counter}`, past: [] },
    edit: `op${counter}`,
    ...fields
  }
}

/** The next edit, by one who knew of all before it. */
const after = (before: Write, fields: Partial<Write> = {}): Write =>
  write(before.dot.counter + 1, { vector: [before.dot], past: [before.operation], ...fields })

function attempt(sentMs: number, fields: Partial<Attempt> = {}): Attempt {
  const changes = [{ key: KEY, uid: LIFE, change: 'changed' }]
  const told = { outcome: 'ok' as const, code: '', disks: 2, changes }
  return { ...told, node: 'h1', sentMs, doneMs: sentMs + 1, ...fields }
}

function operation(id: string, sentMs: number, fields: Partial<Operation> = {}): Operation {
  return { id, kind: 'deploy', key: KEY, attempts: [attempt(sentMs)], ...fields }
}

const removal = (sentMs: number, fields: Partial<Attempt> = {}): Operation =>
  operation('remove', sentMs, {
    kind: 'rm',
    attempts: [
      attempt(sentMs, { changes: [{ key: KEY, uid: LIFE, change: 'removed' }], ...fields })
    ]
  })

function disk(host: string, writes: readonly Write[], removed: readonly string[] = []): Disk {
  return { host, damage: '', writes, removed: new Map(removed.map(uid => [uid, undefined])) }
}

const onAll = (writes: readonly Write[], removed: readonly string[] = []): Disk[] =>
  HOSTS.map(host => disk(host, writes, removed))

function runs(slot: number, fields: Partial<Running> = {}): Running {
  return { host: 'h1', pid: slot + 10, project: 'p', name: 'a', uid: '11111111', slot, ...fields }
}

const wants = (fields: Partial<Wanted> = {}): Wanted => ({
  ...{ key: KEY, uid: LIFE, replicas: 2, edit: 'op1', conflicts: [] },
  ...fields
})

function settled(
  row: Wanted,
  running: readonly Running[] = [runs(0), runs(1, { host: 'h2' })],
  times: { readonly healedMs: number; readonly atMs: number } = { healedMs: 1_000, atMs: 2_000 }
): Settled {
  return { ...times, wanted: new Map(HOSTS.map(host => [host, [row]])), running }
}

function history(fields: Partial<History> = {}, seen: readonly Write[] = []): History {
  const writes = new Map(seen.map(one => [dotName(one.dot), one]))
  return { ...newHistory(), writes, ...fields }
}

/** One created workload, acknowledged, on every disk, wanted and running everywhere. */
function good(): History {
  const one = write(1)
  const created = [{ key: KEY, uid: LIFE, change: 'created' }]
  return history(
    {
      operations: [operation('op1', 10, { attempts: [attempt(10, { changes: created })] })],
      samples: [{ operation: 'op1', claimed: 2, holders: ['h1', 'h2'], read: HOSTS }],
      settled: [settled(wants())],
      final: onAll([one])
    },
    [one]
  )
}

const only = (found: readonly string[], form: RegExp): void => {
  equal(found.length > 0, true, 'nothing was found')
  for (const text of found) match(text, form)
}

test('a run in which all went well has no violation', () => {
  equal(checks.checkAll(good()), [])
})

test('S1: an acknowledgement for more disks than hold it is found', () => {
  const samples = [{ operation: 'op1', claimed: 2, holders: ['h1'], read: HOSTS }]
  only(checks.checkAll({ ...good(), samples }), /^S1: op1 was acknowledged on 2 disks and is on 1/)
})

test('S1: a disk holds an edit by itself, by a later one, or by the end of its life', () => {
  const [one, asked] = [write(1), operation('op1', 10)]
  const seen = new Map([[dotName(one.dot), one]])
  const held = (where: Disk): boolean => checks.holds(where, asked, seen)
  equal(held(disk('h1', [one])), true)
  equal(held(disk('h1', [after(one, { past: [] })])), true)
  equal(held(disk('h1', [write(9, { past: ['op1'] })])), true)
  equal(held(disk('h1', [], [LIFE])), true)
  equal(held(disk('h1', [])), false)
  equal(held(disk('h1', [write(9)])), false, 'a concurrent edit says nothing of it')
  equal(checks.holds(disk('h1', [one]), removal(20), seen), false)
})

test('S1: an acknowledged edit that is gone at the end is lost', () => {
  only(checks.checkKept({ ...good(), final: onAll([]) }), /^S1: op1 .* is lost on h\d$/)
  // Never seen itself, but a later one that carries its id is there.
  const [two, three] = [write(2, { past: ['op1'] }), write(3, { vector: [write(2).dot] })]
  const carried = { ...good(), writes: new Map([two, three].map(named)), final: onAll([three]) }
  equal(checks.checkKept(carried), [])
  const elsewhere = [disk('h1', [write(1)]), disk('h2', [])]
  only(checks.checkKept({ ...good(), final: elsewhere }), /^S1: op1 .* is lost on h2$/)
})

test('S1: an edit that another overwrote knowingly is not lost, by a blind one it is', () => {
  const [one, blind] = [write(1), write(7)]
  const later = after(one, { past: [] })
  const run = (last: Write): History => history({ ...good(), final: onAll([last]) }, [one, last])
  equal(checks.checkKept({ ...run(later), writes: new Map([one, later].map(named)) }), [])
  only(checks.checkKept({ ...run(blind), writes: new Map([one, blind].map(named)) }), /is lost/)
})

const named = (one: Write): readonly [string, Write] => [dotName(one.dot), one]

test('S1: a life that ended without anybody removing it is lost', () => {
  const ended = { ...good(), final: onAll([], [LIFE]) }
  only(checks.checkKept(ended), /^S1: op1 .* is lost/)
  const operations = [...ended.operations, removal(50)]
  equal(checks.checkKept({ ...ended, operations }), [])
  const open = removal(50, { outcome: 'unknown', changes: [] })
  equal(checks.checkKept({ ...ended, operations: [...ended.operations, open] }), [])
  // Answered before this life began: it was another one that it removed.
  const early = removal(1)
  only(checks.checkKept({ ...ended, operations: [...ended.operations, early] }), /is lost/)
})

test('S1: a removal that is on no disk, and a damaged disk, are found', () => {
  const run = { ...good(), operations: [...good().operations, removal(50)] }
  only(checks.checkKept(run), /^S1: remove \(rm of 1+\) is not on h\d$/)
  const final = [{ ...disk('h1', [write(1)]), damage: 'its anchor is gone' }]
  only(checks.checkKept({ ...good(), final }), /^S1: the store of h1: its anchor is gone$/)
})

test('S2: an id that was done on top of itself, or to a second life, is found', () => {
  const one = write(1)
  const again = after(one, { operation: 'op1' })
  const run = good()
  only(
    checks.checkOnce({ ...run, writes: new Map([one, again].map(named)) }),
    /^S2: op1 .* was done again, on top of itself$/
  )
  const second = write(5, { uid: OTHER, operation: 'op1' })
  const twoLives = {
    ...run,
    writes: new Map([one, second].map(named)),
    settled: [settled(wants({ uid: OTHER }))]
  }
  only(checks.checkOnce(twoLives), /^S2: op1 .*, done to 1+, made 2+ too$/)
})

test('S2: an id that is sent again after the end of its life is no promise, but is counted', () => {
  const run = good()
  const attempts = [...(run.operations[0]?.attempts ?? []), attempt(90, { disks: 2 })]
  const second = write(5, { uid: OTHER, operation: 'op1' })
  const late = {
    ...run,
    operations: [operation('op1', 10, { attempts }), removal(50)],
    writes: new Map([write(1), second].map(named)),
    settled: [settled(wants({ uid: OTHER }))]
  }
  equal(checks.checkOnce(late), [])
  only(checks.oldDoneAgain(late), /^S2: op1/)
  // The node that was asked first did not know of a removal before: its edit was void at once.
  const before = { ...late, operations: [removal(5), operation('op1', 10)] }
  equal(checks.checkOnce(before), [])
  equal(checks.checkOnce({ ...late, operations: [operation('op1', 10)] }).length, 1)
})

test('S3: a concurrent edit that lost and is not shown is found', () => {
  const [one, two] = [write(1), write(2)]
  const operations = [...good().operations, operation('op2', 20)]
  const run = { ...history({ ...good(), operations, final: onAll([one, two]) }, []) }
  only(checks.checkConflicts(run), /^S3: op2 lost and h\d does not show it as a conflict$/)
  const shown = wants({ conflicts: [{ uid: LIFE, edit: 'op2' }] })
  equal(checks.checkConflicts({ ...run, settled: [settled(shown)] }), [])
})

test('S4: what was removed and is listed, or runs after a calm, is found', () => {
  const run = { ...good(), operations: [removal(50)], final: onAll([], [LIFE]) }
  equal(checks.checkRemoved(run), [])
  only(checks.checkRemoved({ ...run, final: onAll([write(1)]) }), /^S4: .* is on h\d$/)
  const seen = (lastMs: number): History['seen'] => new Map([['11111111', { lastMs, host: 'h2' }]])
  equal(checks.checkRemoved({ ...run, seen: seen(1_500) }), [])
  // Unknown at first, answered after other work: the life it names is not the one it ended.
  const unknown = attempt(40, { outcome: 'unknown', changes: [] })
  const late = { ...removal(50), attempts: [unknown, ...removal(50).attempts] }
  const listed = { ...run, final: onAll([write(1)]) }
  equal(checks.checkRemoved({ ...listed, operations: [late, operation('op1', 45)] }), [])
  only(checks.checkRemoved({ ...listed, operations: [late] }), /^S4/)
  only(checks.checkRemoved({ ...run, seen: seen(2_500) }), /^S4: .* ran on h2 again$/)
})

test('S7 and S8: a slot that ran twice on a host, and a stranger that is gone, are found', () => {
  const doubles = [{ atMs: 5, running: [runs(0), runs(0, { pid: 99 })] }]
  only(checks.checkAll({ ...good(), doubles }), /^S7: p\/a\/0 .* twice on h1: pids 10 and 99$/)
  const decoysLost = [{ atMs: 5, host: 'h1', what: 'the process 7' }]
  only(checks.checkAll({ ...good(), decoysLost }), /^S8: the process 7 on h1 is gone$/)
})

test('S9 and L2: strangers, lacking and surplus slots, and lateness are found', () => {
  const exact = (running: readonly Running[], row = wants()): readonly string[] =>
    checks.checkExact(settled(row, running))
  equal(exact([runs(0), runs(1)]), [])
  only(exact([runs(0)]), /^L2: workload\/p\/a wants 2 replicas and runs: 0@h1$/)
  only(exact([runs(0), runs(0, { host: 'h2' })]), /^L2: .* runs: 0@h1 0@h2$/)
  only(exact([runs(0), runs(1), runs(1, { host: 'h2' })]), /^L2: /)
  only(exact([runs(0), runs(1), runs(0, { name: 'b' })]), /^S9: p\/b\/0 .* belongs to no spec$/)
  only(exact([runs(0), runs(1), runs(2, { uid: '22222222' })]), /^S9: p\/a\/2 \(2+\)/)
  const late = settled(wants(), undefined, { healedMs: 0, atMs: checks.SETTLE_MS_MAX + 1 })
  only(checks.checkExact(late), /^L2: not settled 30001 ms after the heal$/)
})

test('L1: nodes and disks that disagree are found', () => {
  const one = settled(wants())
  const wanted = new Map([...one.wanted, ['h2', [wants({ replicas: 3 })]]])
  only(checks.differences({ ...one, wanted }), /^L1: h2 and h1 want different things$/)
  const final = [disk('h1', [write(1)]), disk('h2', [write(1)], [OTHER])]
  only(checks.checkAgreement({ ...good(), final }), /^L1: the disks of h1 and h2 differ$/)
})

test('L7: only the death of one that was well and within reach is false', () => {
  const deaths = [{ observer: 'h1', subject: 'h2', atMs: 50_000 }]
  const run = { ...good(), deaths }
  only(checks.checkAll(run), /^L7: h1 called h2 dead/)
  const harm = (host: string, fromMs: number, toMs: number): History['harms'] => [
    { host, kind: 'kill', fromMs, toMs }
  ]
  equal(checks.checkDeaths({ ...run, harms: harm('h2', 49_000, Number.POSITIVE_INFINITY) }), [])
  equal(checks.checkDeaths({ ...run, harms: harm('h2', 30_000, 46_000) }), [])
  only(checks.checkDeaths({ ...run, harms: harm('h2', 10_000, 20_000) }), /^L7/)
  only(checks.checkDeaths({ ...run, harms: harm('h3', 49_000, 51_000) }), /^L7/)
  equal(checks.checkDeaths({ ...run, harms: harm('h1', 49_000, 51_000) }), [], 'it starts')
  only(checks.checkDeaths({ ...run, harms: harm('h1', 40_000, 49_000) }), /^L7/)
  const cut = (a: string, b: string): History['cuts'] => [
    { between: [a, b], fromMs: 45_000, toMs: 55_000 }
  ]
  equal(checks.checkDeaths({ ...run, cuts: cut('h2', 'h1') }), [])
  only(checks.checkDeaths({ ...run, cuts: cut('h2', 'h3') }), /^L7/)
})

test('a daemon that ends by itself is found', () => {
  const exits = [{ atMs: 5, host: 'h1', how: 'exit code 1' }]
  only(
    checks.checkAll({ ...good(), exits }),
    /^exit: the daemon of h1 ended by itself: exit code 1$/
  )
})

test.run()
