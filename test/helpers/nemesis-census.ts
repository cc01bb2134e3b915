/** What runs on the hosts, by the kernel (`/proc`) or the engines: never by shoal. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { type Running, shortUid } from './nemesis-history.ts'
import type { Engine } from './testbed-engine.ts'

/** Every workload and every decoy runs this program with this argument. */
export const PROGRAM = ['sleep', '86399'] as const
export const DECOY_VARIABLE = 'NEMESIS_DECOY'
export const DECOY_LABEL = 'nemesis.decoy'

export interface Found extends Running {
  /** Start time in ticks: with the pid it names one process. */
  readonly startTicks: string
  readonly isDecoy: boolean
}

/** Which namespace a host's name stands for, as `/proc/<pid>/ns/net` says it. */
export function namespaceOf(namespace: string): string {
  return `net:[${statSync(`/run/netns/${namespace}`).ino}]`
}

/** `/.../process/<name>-<uid8>/work`, deleted or not: where the process runtime starts it. */
const RECORD_FORM = /\/process\/[^/]*-([0-9a-f]{8})\/work(?: \(deleted\))?$/

function readEnvironment(pid: string): Map<string, string> {
  const rows = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean)
  return new Map(
    rows.map(row => [row.slice(0, row.indexOf('=')), row.slice(row.indexOf('=') + 1)] as const)
  )
}

/** Undefined for what is no workload, and for one that ends while it is read. */
function look(pid: string, host: string): Found | undefined {
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  if (command[0] !== PROGRAM[0] || command[1] !== PROGRAM[1]) return undefined
  const env = readEnvironment(pid)
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  return {
    ...{ host, pid: Number(pid), startTicks: fields[19] ?? '' },
    project: env.get('SHOAL_PROJECT') ?? '',
    name: env.get('SHOAL_WORKLOAD') ?? '',
    slot: Number(env.get('SHOAL_SLOT') ?? -1),
    uid: RECORD_FORM.exec(readlinkSync(`/proc/${pid}/cwd`))?.[1] ?? '',
    isDecoy: env.has(DECOY_VARIABLE)
  }
}

/** Workloads and decoys in these namespaces: `net:[inode]` to the host's name. */
export function census(hosts: ReadonlyMap<string, string>): Found[] {
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .flatMap(pid => {
      try {
        const host = hosts.get(readlinkSync(`/proc/${pid}/ns/net`))
        return host === undefined ? [] : (look(pid, host) ?? [])
      } catch {
        return []
      }
    })
}

/** What an engine runs; nothing while it does not answer. */
export async function containersOf(host: string, engine: Engine): Promise<Found[]> {
  if (!(await engine.ping())) return []
  const all = await engine.containers(false).catch(() => [])
  return all
    .filter(({ Labels }) => Labels['shoal.managed'] === 'true')
    .map(({ Labels }) => ({
      ...{ host, pid: 0, startTicks: '', slot: Number(Labels['shoal.slot']) },
      project: Labels['shoal.project'] ?? '',
      name: Labels['shoal.workload'] ?? '',
      uid: shortUid(Labels['shoal.uid'] ?? ''),
      isDecoy: Labels[DECOY_LABEL] !== undefined
    }))
}

/** True while this very process lives. A container has no pid here: an engine lists at once. */
function stillRuns(one: Found): boolean {
  if (one.pid === 0) return true
  try {
    const stat = readFileSync(`/proc/${one.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[19] === one.startTicks && fields[0] !== 'Z' && fields[0] !== 'X'
  } catch {
    return false
  }
}

/** Groups of more than one process of one slot of one life on one host, alive at one time. */
export function doublesOf(found: readonly Found[]): Found[][] {
  const groups = new Map<string, Found[]>()
  for (const one of found) {
    if (one.isDecoy) continue
    const name = [one.host, one.project, one.name, one.uid, one.slot].join(' ')
    groups.set(name, [...(groups.get(name) ?? []), one])
  }
  // Read one after the other, so asked again: only what lives still was alive at the same time.
  return [...groups.values()].filter(group => group.length > 1 && group.every(stillRuns))
}
