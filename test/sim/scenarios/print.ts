/** Notes as lines for a reviewer: what many say at about the same time is one line. */
import { shortNames, sortNames } from './names.ts'
import type { Note } from './notes.ts'

type MemberNote = Extract<Note, { kind: 'member' }>
type SlotNote = Extract<Note, { kind: 'slot' }>

interface Line {
  readonly firstMs: number
  readonly lastMs: number
  readonly text: string
}

/** `web/0,3 db/0` */
function numbers(slots: Iterable<string>): string {
  const byName = groupBy([...slots], slot => slot.slice(0, slot.indexOf('/') + 1))
  return [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, own]) => {
      const found = own.map(slot => Number(slot.slice(name.length)))
      return `${name}${found.sort((a, b) => a - b).join()}`
    })
    .join(' ')
}

/** What follows within this time of the same before it belongs to it; longer among many hosts. */
const GAP_MS = 100
const GAP_OF_MANY_MS = 500
const MANY = 20
const NAMES_MAX = 8
const GROUPS_MAX = 6

export interface PrintOptions {
  /** Times count from here. */
  readonly zeroMs: number
  /** Hosts with a daemon that runs. */
  readonly up: readonly string[]
}

export function printNotes(notes: readonly Note[], options: PrintOptions): string[] {
  const gapMs = options.up.length > MANY ? GAP_OF_MANY_MS : GAP_MS
  const lines = clusters(notes, gapMs).flatMap(cluster => linesOf(cluster, options.up))
  lines.sort((a, b) => a.firstMs - b.firstMs)
  const times = lines.map(({ firstMs, lastMs }) => {
    const first = `+${firstMs - options.zeroMs}`
    return `${firstMs === lastMs ? first : `${first}..${lastMs - options.zeroMs}`} ms`
  })
  return lines.map(({ text }, index) => `${(times[index] ?? '').padStart(16)}  ${text}`)
}

/** Notes that say the same and follow each other closely. */
function clusters(notes: readonly Note[], gapMs: number): Note[][] {
  const open = new Map<string, Note[]>()
  const all: Note[][] = []
  for (const note of notes) {
    const key = `${note.kind} ${note.what}`
    const last = open.get(key)
    if (last !== undefined && note.atMs - (last.at(-1)?.atMs ?? 0) <= gapMs) {
      last.push(note)
      continue
    }
    const cluster = [note]
    open.set(key, cluster)
    all.push(cluster)
  }
  return all
}

function linesOf(cluster: readonly Note[], up: readonly string[]): Line[] {
  const [{ kind, what }] = cluster as [Note]
  if (kind === 'slot') return [span(cluster, slotText(cluster as SlotNote[], what))]
  if (kind === 'member') return memberLines(cluster as MemberNote[], what, up)
  const names = cluster.flatMap(note => (note.kind === 'host' ? [note.host] : []))
  return [span(cluster, `${someHosts(new Set(names))}: ${what}`)]
}

function span(notes: readonly Note[], text: string): Line {
  return { firstMs: notes[0]?.atMs ?? 0, lastMs: notes.at(-1)?.atMs ?? 0, text }
}

function someHosts(hosts: ReadonlySet<string>): string {
  const names = shortNames(hosts)
  return names.split(' ').length > NAMES_MAX ? `${hosts.size} hosts` : names
}

function slotText(notes: readonly SlotNote[], what: string): string {
  const slots = new Map<string, Set<string>>()
  for (const { host, slot } of notes) slots.set(host, (slots.get(host) ?? new Set()).add(slot))
  const texts = sortNames(slots.keys()).map(host => `${host} ${numbers(slots.get(host) ?? [])}`)
  if (texts.length <= NAMES_MAX) return `${what}: ${texts.join('; ')}`
  const count = new Set(notes.map(note => `${note.slot}@${note.host}`)).size
  return `${what}: ${count} slots on ${texts.length} hosts`
}

interface Group {
  readonly notes: readonly MemberNote[]
  readonly by: ReadonlySet<string>
  /** Whom they mean. */
  readonly whom: string
}

/** Who believes the same of whom is one line. */
function memberLines(notes: readonly MemberNote[], what: string, up: readonly string[]): Line[] {
  const ways = [bySubjects(notes), bySpeakers(notes)]
  const groups = ways.sort((a, b) => a.length - b.length)[0] ?? []
  if (groups.length > GROUPS_MAX) return [span(notes, summary(notes, what))]
  return groups.map(group => {
    const own = [...group.notes].sort((a, b) => a.atMs - b.atMs)
    return span(own, `${speakers(group.by, subjects(own), up)}: ${group.whom} ${what}`)
  })
}

/** Those who mean the same subjects, or the same but themselves. */
function bySubjects(notes: readonly MemberNote[]): Group[] {
  const byHost = [...groupBy(notes, note => note.by).values()]
  const same = [...groupBy(byHost, own => sortNames(subjects(own)).join()).values()]
  const withSelf = (own: readonly MemberNote[]): Set<string> =>
    new Set([...subjects(own), own[0]?.by ?? ''])
  const alone = same.filter(group => group.length === 1).flat()
  const mutual = groupBy(alone, own => sortNames(withSelf(own)).join())
  const plain = (own: readonly MemberNote[]): Group => {
    return { notes: own, by: hosts(own), whom: someHosts(subjects(own)) }
  }
  const others = [...mutual.values()].map(group => {
    const own = group.flat()
    if (group.length === 1) return plain(own)
    const isAll = subjects(own).size === group.length
    const whom = isAll ? 'each other' : `${someHosts(subjects(own))} (but itself)`
    return { notes: own, by: hosts(own), whom }
  })
  return [...same.filter(group => group.length > 1).map(group => plain(group.flat())), ...others]
}

/** Subjects whom the same ones mean. */
function bySpeakers(notes: readonly MemberNote[]): Group[] {
  const bySubject = [...groupBy(notes, note => note.of).values()]
  const same = groupBy(bySubject, own => sortNames(hosts(own)).join())
  return [...same.values()].map(group => {
    const own = group.flat()
    return { notes: own, by: hosts(own), whom: someHosts(subjects(own)) }
  })
}

function hosts(notes: readonly MemberNote[]): Set<string> {
  return new Set(notes.map(note => note.by))
}

function subjects(notes: readonly MemberNote[]): Set<string> {
  return new Set(notes.map(note => note.of))
}

/** Too many different things for a line each. */
function summary(notes: readonly MemberNote[], what: string): string {
  const by = hosts(notes)
  return `${by.size} hosts, not all the same: ${someHosts(subjects(notes))} ${what}`
}

function speakers(by: ReadonlySet<string>, of: ReadonlySet<string>, up: readonly string[]): string {
  const others = up.filter(id => !of.has(id))
  // Of two sides each is all the others of the other one: they are named.
  const isMost = by.size > of.size
  const isAll = isMost && others.every(id => by.has(id)) && by.size === others.length
  if (isAll) return `all ${by.size}`
  const names = shortNames(by)
  return names.split(' ').length > NAMES_MAX ? `${by.size} of ${others.length}` : names
}

function groupBy<Item>(items: readonly Item[], key: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item])
  return groups
}
